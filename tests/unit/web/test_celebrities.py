"""The gallery over HTTP."""

from lookalike.v1 import celebrity_pb2


async def test_pages(world):
    """Pages follow each other by their token."""
    first = (await world.http.get("/celebrities?page_size=20")).json()
    assert len(first["celebrities"]) == 20
    assert first["total_size"] == 30
    token = first["next_page_token"]
    second = (await world.http.get(f"/celebrities?page_size=20&page_token={token}")).json()
    assert len(second["celebrities"]) == 10
    assert second["next_page_token"] == ""


async def test_search(world):
    """The query goes to the server; each person has what the page shows."""
    found = (await world.http.get("/celebrities?query=star 30")).json()
    assert found["celebrities"] == [
        {
            "id": "star-30",
            "name": "Star 30",
            "aliases": ["The 30"],
            "tags": ["field:actor"],
            "wikidata_id": "Q30",
        }
    ]


async def test_one(world):
    """One person by id; nobody is 404, as a problem."""
    assert (await world.http.get("/celebrities/star-2")).json()["name"] == "Star 2"
    missing = await world.http.get("/celebrities/nobody")
    assert missing.status_code == 404
    assert missing.json()["reason"] == "CELEBRITY_NOT_FOUND"


async def test_impossible_ids_never_reach_the_server(world):
    """What cannot be an id is refused here."""
    response = await world.http.get("/celebrities/..%2f..%2fetc/portrait")
    assert response.status_code in {404, 422}
    assert (await world.http.get("/celebrities/UPPER/portrait")).status_code == 422
    assert world.fake.calls == []


async def test_portrait_is_kept_by_browsers(world):
    """A portrait may be cached, shown on other pages, and asked for again for little."""
    first = await world.http.get("/celebrities/star-1/portrait?width=250")
    assert first.headers["cache-control"] == "public, max-age=86400"
    assert first.headers["cross-origin-resource-policy"] == "cross-origin"
    asked = next(call[1] for call in world.fake.calls if call[0] == "GetCelebrityPortrait")
    assert asked.width_px == 250
    again = await world.http.get(
        "/celebrities/star-1/portrait", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_attribution(world):
    """Whom to credit."""
    credit = (await world.http.get("/celebrities/star-1/portrait/attribution")).json()
    assert credit == {
        "source": "wikimedia",
        "artist": "A. Painter",
        "license": "CC BY-SA 4.0",
        "license_url": "",
        "source_url": "",
    }


async def test_every_source_has_a_name():
    """A source added to the contract must get a name here."""
    from bots.web.celebrities import _SOURCES

    known = set(celebrity_pb2.PortraitSource.values())
    assert set(_SOURCES) == known - {celebrity_pb2.PORTRAIT_SOURCE_UNSPECIFIED}
