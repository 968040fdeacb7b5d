"""Ids of celebrities, in and out of the contract's names."""

from __future__ import annotations

import hashlib
import unicodedata

__all__ = ["bare_id", "folded", "full_name", "id_if_needed"]

_PREFIX = "celebrities/"


def bare_id(name: str) -> str:
    """The id in a name: "ada-lovelace" of "celebrities/ada-lovelace"."""
    return name.removeprefix(_PREFIX)


def full_name(wanted: str) -> str:
    """The name for an id; names are understood too."""
    return _PREFIX + bare_id(wanted)


def id_if_needed(display_name: str) -> str:
    """An id for a name of which the server can make none, else empty.

    Ids are Latin: a name in another script gets one that is always the same for it.
    """
    if any(letter.isascii() and letter.isalnum() for letter in folded(display_name)):
        return ""
    return f"person-{hashlib.sha256(folded(display_name).encode()).hexdigest()[:12]}"


def folded(name: str) -> str:
    """Names are the same whatever their case, accents and spaces."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())
