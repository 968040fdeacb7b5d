"""A person in the gallery, and the rules of ids, names and tags."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime

from model_server.errors import InvalidRequestError

__all__ = ["Celebrity", "check_celebrity", "fold", "slug"]

MAX_NAME = 200
MAX_ALIASES = 50
MAX_TAGS = 50

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TAG = re.compile(r"[a-z0-9_-]{1,40}:[^\s:][^:]{0,79}")
_WIKIDATA = re.compile(r"Q[1-9][0-9]{0,11}")

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
    """Without case and accents, for searching: "Penélope" becomes "penelope"."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign)).strip()


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


def check_celebrity(celebrity: Celebrity) -> None:
    """Checks what a caller may set.

    Raises:
        InvalidRequestError: A field is out of range; names it.
    """
    name = celebrity.display_name
    checks = {
        "celebrity_id": (
            _ID.fullmatch(celebrity.id),
            'use 1 to 63 of a-z, 0-9 and "-", not at the ends',
        ),
        "display_name": (
            name.strip() and len(name) <= MAX_NAME and name.isprintable(),
            f"use 1 to {MAX_NAME} printable characters",
        ),
        "aliases": (
            len(celebrity.aliases) <= MAX_ALIASES
            and all(0 < len(alias) <= MAX_NAME for alias in celebrity.aliases),
            f"send at most {MAX_ALIASES}, none empty",
        ),
        "tags": (
            len(celebrity.tags) <= MAX_TAGS
            and all(_TAG.fullmatch(tag) and tag == tag.lower() for tag in celebrity.tags),
            'send "key:value" in lower case, such as "field:actor"',
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
