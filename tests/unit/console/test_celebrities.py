"""``lookalike celebrities`` list, show, add and remove."""

from __future__ import annotations

import json

import grpc
import pytest

from tests.support.fake_server import Failure, celebrity


def test_all_pages_are_listed(lookalike, fake, monkeypatch):
    """Nobody has to ask for the next page."""
    fake.gallery = {c.name: c for c in (celebrity(n) for n in range(1, 1203))}
    result = lookalike("celebrities", "list", "--json")
    names = [json.loads(line)["name"] for line in result.stdout.splitlines()]
    assert names == [f"Star {n}" for n in range(1, 1203)]
    assert fake.count("ListCelebrities") == 3


def test_a_table_shows_id_name_and_tags(lookalike):
    """And how many there are."""
    result = lookalike("celebrities", "list", "star 12")
    assert result.exit_code == 0
    line = next(line for line in result.stdout.splitlines() if "Star 12" in line)
    assert line.split() == ["star-12", "Star", "12", "12", "field:actor"]
    assert "1 celebrity." in result.stderr


def test_a_limit_says_that_there_are_more(lookalike):
    """Of all, so many."""
    result = lookalike("celebrities", "list", "--limit", "3")
    assert "30 celebrities, 3 shown." in result.stderr


def test_one_object_has_exactly_these_keys(lookalike):
    """For scripts."""
    result = lookalike("celebrities", "show", "star-7", "--json")
    assert json.loads(result.stdout) == {
        "celebrity": "star-7",
        "name": "Star 7",
        "aliases": ["The 7"],
        "tags": ["field:actor"],
        "wikidata_id": "Q7",
        "faces": 7,
        "has_picture": False,
    }


@pytest.mark.parametrize("name", ["star-7", "celebrities/star-7"])
def test_show_takes_ids_and_names(lookalike, name):
    """As listed, and as the contract writes it."""
    result = lookalike("celebrities", "show", name)
    assert result.exit_code == 0
    assert "Star 7" in result.stdout
    assert "Also known as The 7" in result.stdout


def test_show_writes_the_portrait(lookalike, fake, tmp_path):
    """As large as there is."""
    lookalike("celebrities", "show", "star-7", "--portrait", "p.jpg")
    assert (tmp_path / "p.jpg").read_bytes() == fake.portrait


def test_nobody_of_that_id_is_an_error(lookalike):
    """With the server's words."""
    result = lookalike("celebrities", "show", "nobody")
    assert result.exit_code == 4


def test_add_sends_name_photos_and_the_rest(lookalike, photo, fake):
    """All in one call: all photos or none."""
    result = lookalike(
        *("celebrities", "add", "Ada Lovelace", photo("1.jpg"), photo("2.jpg")),
        *("--alias", "Ada King", "--tag", "field:science", "--wikidata", "Q7259"),
        *("--id", "ada", "--keep-pictures"),
    )
    assert result.exit_code == 0
    assert "Added Ada Lovelace as ada, 2 faces." in result.stdout
    ((method, request),) = fake.calls
    assert method == "CreateCelebrity"
    assert request.celebrity_id == "ada"
    assert list(request.celebrity.aliases) == ["Ada King"]
    assert list(request.celebrity.tags) == ["field:science"]
    assert request.celebrity.wikidata_id == "Q7259"
    assert [p.keep_picture for p in request.photos] == [True, True]


def test_adding_somebody_twice_is_an_error(lookalike, photo):
    """The second one changes nothing."""
    assert lookalike("celebrities", "add", "Ada", photo()).exit_code == 0
    assert lookalike("celebrities", "add", "Ada", photo()).exit_code == 1


def test_a_photo_that_does_not_fit_is_explained(lookalike, photo, fake):
    """Which is the server's to say."""
    fake.failures = [
        Failure(grpc.StatusCode.FAILED_PRECONDITION, "SEVERAL_FACES", "photo 1 shows 2 faces")
    ]
    result = lookalike("celebrities", "add", "Ada", photo())
    assert result.exit_code == 4
    assert "Photo 1 shows 2 faces" in result.stderr


def test_remove_asks_first(lookalike, fake):
    """No is the answer of whoever says nothing."""
    assert lookalike("celebrities", "remove", "star-1", input="n\n").exit_code == 1
    assert lookalike("celebrities", "remove", "star-1", input="").exit_code == 1
    assert "celebrities/star-1" in fake.gallery
    assert lookalike("celebrities", "remove", "star-1", input="y\n").exit_code == 0
    assert "celebrities/star-1" not in fake.gallery


def test_remove_goes_on_after_an_unknown_id(lookalike, fake):
    """The others are removed, the exit code tells."""
    result = lookalike("celebrities", "remove", "nobody", "star-2", "--yes")
    assert result.exit_code == 4
    assert "Removed star-2." in result.stdout
    assert "celebrities/star-2" not in fake.gallery
