"""Wikimedia, played by a local server."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from model_server.portraits.portrait import (
    PortraitProviderError,
    PortraitSource,
    QuotaExceededError,
)
from model_server.portraits.wikimedia import WikimediaProvider

HUMAN, FILM = "Q5", "Q11424"


def entity(item, *, instance_of=HUMAN, images=(("Portrait.jpg", "normal"),)):
    """An item with claims, as wbgetentities gives it."""
    return {
        "id": item,
        "claims": {
            "P31": [
                {
                    "rank": "normal",
                    "mainsnak": {"snaktype": "value", "datavalue": {"value": {"id": instance_of}}},
                }
            ],
            "P18": [
                {
                    "rank": rank,
                    "mainsnak": {"snaktype": "value", "datavalue": {"value": name}},
                }
                for name, rank in images
            ],
        },
    }


def hit(item, label, alias=None):
    """One hit of wbsearchentities."""
    match = {"type": "alias", "text": alias} if alias else {"type": "label", "text": label}
    return {"id": item, "label": label, "match": match}


class Wikimedia:
    """Both APIs on one origin, told apart by their action."""

    def __init__(self, web, answer, picture):
        self.answer = answer
        self.web = web
        self.hits = [hit("Q39666", "Penélope Cruz")]
        self.entities = {"Q39666": entity("Q39666")}
        self.info = {
            "thumburl": f"{web.url}/thumb.jpg",
            "descriptionurl": "https://commons.wikimedia.org/wiki/File:Portrait.jpg",
            "extmetadata": {
                "Artist": {
                    "value": '<a href="//x.org">Georges &amp; Biard</a><script>x()</script>'
                },
                "LicenseShortName": {"value": "CC BY-SA 3.0"},
                "LicenseUrl": {"value": "https://creativecommons.org/licenses/by-sa/3.0"},
            },
        }
        web.routes["/w/api.php"] = self._api
        web.routes["/thumb.jpg"] = answer.jpeg(picture)

    def _api(self, request):
        action = request.params["action"]
        if action == "wbsearchentities":
            return self.answer.json({"search": self.hits})
        if action == "wbgetentities":
            asked = request.params["ids"].split("|")
            if missing := [item for item in asked if item not in self.entities]:
                return self.answer.json(
                    {"error": {"code": "no-such-entity", "info": f"Could not find {missing}"}}
                )
            return self.answer.json({"entities": {item: self.entities[item] for item in asked}})
        pages = [{"imageinfo": [self.info]}] if self.info else [{"missing": True}]
        return self.answer.json({"query": {"pages": pages}})

    def asked(self, action):
        """Parameters of the calls of one action."""
        return [r.params for r in self.web.requests if r.params.get("action") == action]


@pytest.fixture
def wikimedia(web, answer, jpeg):
    return Wikimedia(web, answer, jpeg())


@pytest.fixture
def provider(web, fetcher):
    return WikimediaProvider(fetcher, wikidata_url=web.url, commons_url=web.url + "/")


async def test_the_item_of_the_gallery_leads_to_the_picture(wikimedia, provider, someone):
    """With a Wikidata id there is no search; artist, licence and page come along as plain text."""
    portrait = await provider.find(someone(wikidata_id="Q39666"), 300)
    assert portrait is not None
    assert portrait.source is PortraitSource.WIKIMEDIA
    assert portrait.artist == "Georges & Biard"
    assert portrait.license == "CC BY-SA 3.0"
    assert portrait.license_url == "https://creativecommons.org/licenses/by-sa/3.0"
    assert portrait.source_url == "https://commons.wikimedia.org/wiki/File:Portrait.jpg"
    assert portrait.mime_type == "image/jpeg"
    assert Image.open(io.BytesIO(portrait.image)).size == (330, 440)
    assert wikimedia.asked("wbsearchentities") == []


async def test_commons_is_asked_for_a_standard_width(wikimedia, provider, someone):
    """Other widths are refused or slow."""
    await provider.find(someone(wikidata_id="Q39666"), 331)
    (params,) = wikimedia.asked("query")
    assert params["iiurlwidth"] == "500"
    assert params["titles"] == "File:Portrait.jpg"


async def test_a_name_finds_the_first_human(wikimedia, provider, someone):
    """A film of the same name comes first and is passed over."""
    wikimedia.hits = [hit("Q1", "Penélope Cruz"), hit("Q39666", "Penélope Cruz")]
    wikimedia.entities["Q1"] = entity("Q1", instance_of=FILM, images=[("Poster.jpg", "normal")])
    assert await provider.find(someone(), 330) is not None
    assert wikimedia.asked("query")[0]["titles"] == "File:Portrait.jpg"


@pytest.mark.parametrize("name", ["Penelope Cruz", "PENÉLOPE CRUZ", "Penélope  Cruz."])
async def test_names_are_compared_without_case_and_accents(wikimedia, provider, someone, name):
    """People write names in many ways."""
    assert await provider.find(someone(display_name=name), 330) is not None


async def test_a_letter_with_a_stroke_is_its_letter(wikimedia, provider, someone):
    """Names are compared as the gallery compares them."""
    wikimedia.hits = [hit("Q39666", "Łukasz Żal")]
    assert await provider.find(someone(display_name="Lukasz Zal"), 330) is not None


async def test_an_alias_is_a_name_too(wikimedia, provider, someone):
    """Wikidata says which alias matched."""
    wikimedia.hits = [hit("Q39666", "Penélope Cruz Sánchez", alias="Penélope Cruz")]
    assert await provider.find(someone(), 330) is not None


async def test_somebody_with_a_longer_name_is_somebody_else(wikimedia, provider, someone):
    """Wikidata finds beginnings of names; a stranger's face would be worse than none."""
    wikimedia.hits = [hit("Q39666", "Penélope Cruzado")]
    assert await provider.find(someone(), 330) is None
    assert wikimedia.asked("wbgetentities") == []


async def test_the_first_human_without_a_picture_is_not_replaced(wikimedia, provider, someone):
    """The second person of that name is another one."""
    wikimedia.hits.append(hit("Q2", "Penélope Cruz"))
    wikimedia.entities = {"Q39666": entity("Q39666", images=[]), "Q2": entity("Q2")}
    assert await provider.find(someone(), 330) is None


async def test_the_preferred_picture_is_taken_and_deprecated_ones_never(
    wikimedia, provider, someone
):
    """Ranks of statements are respected."""
    wikimedia.entities["Q39666"] = entity(
        "Q39666",
        images=[("Wrong.jpg", "deprecated"), ("Old.jpg", "normal"), ("Best.jpg", "preferred")],
    )
    await provider.find(someone(wikidata_id="Q39666"), 330)
    assert wikimedia.asked("query")[0]["titles"] == "File:Best.jpg"


async def test_a_merged_item_is_found_under_its_old_id(wikimedia, provider, someone):
    """Wikidata answers with the item that the old one was merged into."""
    merged = entity("Q39666") | {"redirects": {"from": "Q7", "to": "Q39666"}}
    wikimedia.entities = {"Q7": merged}
    assert await provider.find(someone(wikidata_id="Q7"), 330) is not None


@pytest.mark.parametrize("wikidata_id", ["Q999", "Q39666|Q1", "L5", "Q0"])
async def test_an_unknown_item_is_no_portrait(wikimedia, provider, someone, wikidata_id):
    """Neither a missing item nor a malformed id is an error or asked for as it is."""
    wikimedia.hits = []
    assert await provider.find(someone(wikidata_id=wikidata_id), 330) is None
    assert all("|" not in params["ids"] for params in wikimedia.asked("wbgetentities"))


async def test_a_deleted_file_is_no_portrait(wikimedia, provider, someone):
    """Commons no longer has the file that Wikidata names."""
    wikimedia.info = None
    assert await provider.find(someone(wikidata_id="Q39666"), 330) is None


async def test_without_a_licence_the_page_still_tells(wikimedia, provider, someone):
    """Missing metadata leaves the credit empty, not the portrait away."""
    del wikimedia.info["extmetadata"]
    portrait = await provider.find(someone(wikidata_id="Q39666"), 330)
    assert portrait is not None
    assert (portrait.artist, portrait.license, portrait.license_url) == ("", "", "")
    assert portrait.source_url


async def test_addresses_that_are_not_of_the_web_are_dropped(wikimedia, provider, someone):
    """A licence address ends up in buttons and links of chats."""
    wikimedia.info["extmetadata"]["LicenseUrl"] = {"value": "javascript:alert(1)"}
    wikimedia.info["descriptionurl"] = "//commons.wikimedia.org/wiki/File:P.jpg"
    portrait = await provider.find(someone(wikidata_id="Q39666"), 330)
    assert portrait is not None
    assert portrait.license_url == ""
    assert portrait.source_url == "https://commons.wikimedia.org/wiki/File:P.jpg"


async def test_a_paragraph_as_artist_is_shortened(wikimedia, provider, someone):
    """Some artist fields hold whole terms of use."""
    wikimedia.info["extmetadata"]["Artist"] = {"value": "word " * 500}
    portrait = await provider.find(someone(wikidata_id="Q39666"), 330)
    assert portrait is not None
    assert len(portrait.artist) <= 200
    assert portrait.artist.endswith("…")


async def test_a_picture_on_a_foreign_host_is_refused(wikimedia, provider, someone):
    """An answer cannot make the server call its own network."""
    wikimedia.info["thumburl"] = "http://169.254.169.254/latest"
    with pytest.raises(PortraitProviderError, match="not a configured address"):
        await provider.find(someone(wikidata_id="Q39666"), 330)


async def test_a_broken_picture_is_an_error(wikimedia, provider, someone, web, answer, jpeg):
    """Half a JPEG is not shown to anyone."""
    web.routes["/thumb.jpg"] = answer.jpeg(jpeg()[:500])
    with pytest.raises(PortraitProviderError, match="unusable"):
        await provider.find(someone(wikidata_id="Q39666"), 330)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("maxlag", QuotaExceededError), ("ratelimited", QuotaExceededError)],
)
async def test_a_busy_api_asks_for_a_pause(web, answer, provider, someone, code, kind):
    """The API reports that it is busy with status 200."""
    web.routes["/w/api.php"] = answer.json({"error": {"code": code, "info": "later"}})
    with pytest.raises(kind):
        await provider.find(someone(), 330)


@pytest.mark.parametrize(
    "body",
    [
        {"error": "odd"},
        {"entities": []},
        {"entities": None},
        {},
    ],
)
async def test_an_answer_of_another_shape_is_an_error(web, answer, provider, someone, body):
    """Nothing is made up where the API answers nonsense."""
    web.routes["/w/api.php"] = answer.json(body)
    with pytest.raises(PortraitProviderError):
        await provider.find(someone(wikidata_id="Q39666"), 330)


@pytest.mark.parametrize(
    "claims",
    [{}, {"P18": None}, {"P18": [None, {"rank": "normal"}, {"rank": "normal", "mainsnak": 3}]}],
)
async def test_claims_of_another_shape_are_no_picture(wikimedia, provider, someone, claims):
    """Statements without a value ("unknown value") are skipped."""
    wikimedia.entities["Q39666"] = {"id": "Q39666", "claims": claims}
    assert await provider.find(someone(wikidata_id="Q39666"), 330) is None
