"""What a portrait is, and what finds one.

    PortraitProviderError        a provider did not answer as it should; the chain goes on
    └── QuotaExceededError       it asks to be left alone for a while

These never reach a caller of the server: in the end a name card is drawn.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = [
    "STANDARD_WIDTHS_PX",
    "Person",
    "Portrait",
    "PortraitProvider",
    "PortraitProviderError",
    "PortraitSource",
    "QuotaExceededError",
    "standard_width",
]

STANDARD_WIDTHS_PX = (250, 330, 500, 960)
"""Widths for which Wikimedia keeps thumbnails; it refuses others or makes one wait."""

DEFAULT_WIDTH_PX = 330


class PortraitSource(enum.Enum):
    """Where a portrait comes from."""

    GALLERY = "gallery"
    WIKIMEDIA = "wikimedia"
    GOOGLE = "google"
    CARD = "card"


@dataclass(frozen=True, slots=True)
class Portrait:
    """A picture of a celebrity and whom to credit for it.

    Attributes:
        image: The bytes of the image file.
        mime_type: "image/jpeg" or "image/png".
        source: Where it comes from.
        artist: Who made it; empty where unknown.
        license: In short, such as "CC BY-SA 4.0"; empty where unknown.
        license_url: Where the licence can be read; empty where unknown.
        source_url: The page that the picture is from; empty where there is none.
    """

    image: bytes
    mime_type: str
    source: PortraitSource
    artist: str = ""
    license: str = ""
    license_url: str = ""
    source_url: str = ""


class Person(Protocol):
    """Whom to portray: what of a celebrity the providers look at."""

    @property
    def id(self) -> str:
        """The id in the gallery."""
        ...

    @property
    def display_name(self) -> str:
        """The name as people write it."""
        ...

    @property
    def aliases(self) -> Sequence[str]:
        """Other names the person is known by."""
        ...

    @property
    def wikidata_id(self) -> str:
        """Item in Wikidata, such as "Q39666"; empty where unknown."""
        ...


class PortraitProvider(Protocol):
    """Finds portraits in one place."""

    @property
    def name(self) -> str:
        """For logs and cache keys, such as "wikimedia"."""
        ...

    async def find(self, person: Person, width_px: int) -> Portrait | None:
        """A portrait about ``width_px`` wide, or None where this place has none.

        Raises:
            PortraitProviderError: The place could not be asked.
        """
        ...


class PortraitProviderError(Exception):
    """A provider did not answer as it should.

    Args:
        message: What went wrong, for the log; without keys and without addresses that hold keys.
        retry_after_s: Seconds for which the provider asks not to be called again, if it said so.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QuotaExceededError(PortraitProviderError):
    """The provider has answered as often as it is willing to for now."""


def standard_width(wanted_px: int) -> int:
    """The smallest standard width that is not below ``wanted_px``; 330 for 0.

    >>> [standard_width(wanted) for wanted in (0, 1, 250, 251, 960, 5000)]
    [330, 250, 250, 330, 960, 960]
    """
    wanted_px = wanted_px or DEFAULT_WIDTH_PX
    return next((width for width in STANDARD_WIDTHS_PX if width >= wanted_px), 960)
