"""Pictures kept in the gallery."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from model_server.portraits.gallery import GalleryProvider
from model_server.portraits.portrait import PortraitProviderError, PortraitSource


class Pictures(dict):
    def picture_of(self, celebrity_id):
        return self.get(celebrity_id)


async def test_a_kept_picture_is_the_portrait(jpeg, someone):
    """It is scaled to the wanted width and credited to nobody."""
    provider = GalleryProvider(Pictures({"ada": jpeg(800, 1000, "PNG")}))
    portrait = await provider.find(someone("ada"), 250)
    assert portrait is not None
    assert portrait.source is PortraitSource.GALLERY
    assert Image.open(io.BytesIO(portrait.image)).size == (250, 312)
    assert (portrait.artist, portrait.license, portrait.source_url) == ("", "", "")


async def test_no_kept_picture_is_no_portrait(someone):
    """Most celebrities have embeddings only."""
    assert await GalleryProvider(Pictures()).find(someone(), 250) is None


async def test_a_broken_picture_in_the_gallery_is_an_error(someone):
    """The chain then asks the next place."""
    with pytest.raises(PortraitProviderError):
        await GalleryProvider(Pictures({"ada": b"broken"})).find(someone("ada"), 250)
