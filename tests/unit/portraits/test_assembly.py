"""The chain as the settings say."""

from __future__ import annotations

import pytest

from model_server.portraits import PortraitSource, build_portraits
from model_server.settings import ServerSettings


class NoPictures:
    def picture_of(self, celebrity_id):
        return None


@pytest.fixture
def settings(tmp_path, web):
    def make(**values):
        return ServerSettings(
            _env_file=None,
            cache_dir=tmp_path,
            wikidata_url=web.url,
            commons_url=web.url,
            google_url=web.url,
            **values,
        )

    return make


async def test_without_settings_nobody_outside_is_asked(settings, web, someone):
    """Neither Wikimedia without a contact nor Google without a key."""
    chain = build_portraits(settings(), NoPictures())
    portrait = await chain.get(someone())
    await chain.close()
    assert portrait.source is PortraitSource.CARD
    assert web.requests == []


async def test_the_places_are_asked_in_order(settings, web, answer, someone, jpeg):
    """Wikimedia first, with the contact; then Google, with the key; the answer is kept."""
    web.routes["/w/api.php"] = answer.json({"search": []})
    web.routes["/customsearch/v1"] = answer.json(
        {"items": [{"image": {"thumbnailLink": f"{web.url}/t.jpg"}}]}
    )
    web.routes["/t.jpg"] = answer.jpeg(jpeg())
    chain = build_portraits(
        settings(contact="ops@example.org", google_api_key="key", google_cx="cx"), NoPictures()
    )
    portrait = await chain.get(someone(), 330)
    assert portrait.source is PortraitSource.GOOGLE
    assert [r.path for r in web.requests] == ["/w/api.php", "/customsearch/v1", "/t.jpg"]
    assert "ops@example.org" in web.requests[0].headers["User-Agent"]
    await chain.get(someone(), 330)
    await chain.close()
    assert len(web.requests) == 3


async def test_when_everything_is_down_there_is_a_card(settings, web, someone):
    """The caller never learns of outages."""
    web.close()
    chain = build_portraits(
        settings(contact="ops@example.org", google_api_key="key", google_cx="cx"), NoPictures()
    )
    portrait = await chain.get(someone())
    await chain.close()
    assert portrait.source is PortraitSource.CARD
