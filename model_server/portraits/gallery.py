"""The picture that the gallery keeps of a person."""

from __future__ import annotations

import asyncio
from typing import Protocol

from model_server.portraits.portrait import Person, Portrait, PortraitSource
from model_server.portraits.reencode import to_portrait_jpeg

__all__ = ["GalleryProvider", "PictureStore"]


class PictureStore(Protocol):
    """Where pictures are kept. Called from worker threads."""

    def picture_of(self, celebrity_id: str) -> bytes | None:
        """The bytes of an image file, or None where no picture was kept."""
        ...


class GalleryProvider:
    """Portraits from the pictures that were enrolled with ``keep_picture``."""

    name = "gallery"

    def __init__(self, store: PictureStore) -> None:
        self._store = store

    async def find(self, person: Person, width_px: int) -> Portrait | None:
        """As :meth:`PortraitProvider.find`; nobody is named as the artist, for nobody was."""
        return await asyncio.to_thread(self._find, person.id, width_px)

    def _find(self, celebrity_id: str, width_px: int) -> Portrait | None:
        picture = self._store.picture_of(celebrity_id)
        if picture is None:
            return None
        return Portrait(to_portrait_jpeg(picture, width_px), "image/jpeg", PortraitSource.GALLERY)
