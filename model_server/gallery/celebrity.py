"""A person in the gallery, and the rules of ids, names and tags."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from model_server.errors import InvalidRequestError

__all__ = [
    "Celebrity",
    "check_celebrity",
    "check_query",
    "check_required_tags",
    "fold",
    "is_id",
    "slug",
    "slug_of_any",
]

MAX_NAME = 200
MAX_ALIASES = 50
MAX_TAGS = 50

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TAG = re.compile(r"[a-z0-9_-]{1,40}:[^\s:][^:]{0,79}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_WIKIDATA = re.compile(r"Q[1-9][0-9]{0,11}")

# What joins letters of Persian and of India's scripts, or keeps them apart; nobody sees it.
_JOINERS = {0x200C: None, 0x200D: None}

# Letters that are no other letter with an accent, as far as Unicode is concerned.
_PLAIN = {
    "æ": "ae",
    "œ": "oe",
    "þ": "th",
    "ð": "d",
    "đ": "d",
    "ɗ": "d",
    "ə": "a",
    "ɓ": "b",
    "ħ": "h",
    "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    "ƙ": "k",
    "ł": "l",
    "ŋ": "n",
    "ø": "o",
    "ŧ": "t",
}
_FOLDED = str.maketrans(_PLAIN) | _JOINERS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Celebrity:
    """A person whom faces are compared with.

    Attributes:
        id: 1 to 63 of a-z, 0-9 and "-".
        display_name: As people write it.
        aliases: Other names the person is known by.
        tags: "key:value" in lower case, such as "field:actor".
        wikidata_id: Such as "Q39666"; empty where unknown.
        face_count: Faces enrolled.
        has_picture: Whether a picture of the person is kept.
        create_time: When the person was added, UTC.
        update_time: When the person last changed, UTC.
    """

    id: str
    display_name: str
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    wikidata_id: str = ""
    face_count: int = 0
    has_picture: bool = False
    create_time: datetime = field(default=_EPOCH)
    update_time: datetime = field(default=_EPOCH)


def fold(text: str) -> str:
    """Without case and accents, for searching: "Penélope" becomes "penelope".

    What is stored folded is folded anew by a migration where this changes.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return bare.translate(_FOLDED).strip()


def slug(display_name: str) -> str:
    """An id made of a name.

    Raises:
        InvalidRequestError: Nothing of the name can stand in an id.
    """
    made = re.sub(r"[^a-z0-9]+", "-", fold(display_name)).strip("-")[:63].strip("-")
    if not made:
        raise InvalidRequestError(
            "no id can be made of this display name: send celebrity_id too",
            metadata={"field": "celebrity_id"},
        )
    return made


def slug_of_any(display_name: str) -> str:
    """An id for a name in any script: where none can be made of it, one that is always its."""
    try:
        return slug(display_name)
    except InvalidRequestError:
        return f"person-{hashlib.sha256(fold(display_name).encode()).hexdigest()[:12]}"


def is_id(text: str) -> bool:
    """Whether a celebrity may have this id."""
    return _ID.fullmatch(text) is not None


def check_query(query: str) -> None:
    """Checks what names are searched for.

    Raises:
        InvalidRequestError: It is longer than a name, or no text.
    """
    if len(query) > MAX_NAME or _CONTROL.search(query):
        raise InvalidRequestError(
            f"query is not usable: use up to {MAX_NAME} characters, no control characters",
            metadata={"field": "query"},
        )


def check_required_tags(tags: Sequence[str], field_name: str = "required_tags") -> None:
    """Checks tags that celebrities are filtered by.

    Args:
        tags: As a caller sent them.
        field_name: Of the request, for the message.

    Raises:
        InvalidRequestError: They are more than anybody can have, or one is no tag.
    """
    if not _are_tags(tags):
        raise InvalidRequestError(
            f"{field_name} are not usable: send at most {MAX_TAGS}, "
            'each "key:value" in lower case, such as "field:actor"',
            metadata={"field": field_name},
        )


def _are_tags(tags: Sequence[str]) -> bool:
    return len(tags) <= MAX_TAGS and all(
        _TAG.fullmatch(tag) and tag == tag.lower() and not _CONTROL.search(tag) for tag in tags
    )


def check_celebrity(celebrity: Celebrity) -> None:
    """Checks what a caller may set.

    Raises:
        InvalidRequestError: A field is out of range; names it.
    """
    name = celebrity.display_name.translate(_JOINERS)
    checks = {
        "celebrity_id": (
            is_id(celebrity.id),
            'use 1 to 63 of a-z, 0-9 and "-", not at the ends',
        ),
        "display_name": (
            name.strip() and len(celebrity.display_name) <= MAX_NAME and name.isprintable(),
            f"use 1 to {MAX_NAME} printable characters",
        ),
        "aliases": (
            len(celebrity.aliases) <= MAX_ALIASES
            and all(
                0 < len(alias) <= MAX_NAME and not _CONTROL.search(alias)
                for alias in celebrity.aliases
            ),
            f"send at most {MAX_ALIASES} of 1 to {MAX_NAME} characters, none a control character",
        ),
        "tags": (
            _are_tags(celebrity.tags),
            f'send at most {MAX_TAGS}, each "key:value" in lower case, such as "field:actor"',
        ),
        "wikidata_id": (
            not celebrity.wikidata_id or _WIKIDATA.fullmatch(celebrity.wikidata_id),
            'send an item such as "Q39666", or nothing',
        ),
    }
    for name_of_field, (good, advice) in checks.items():
        if not good:
            raise InvalidRequestError(
                f"{name_of_field} is not usable: {advice}", metadata={"field": name_of_field}
            )
