"""The gallery as a whole, on SQLite and on PostgreSQL."""

from dataclasses import replace

import numpy as np
import pytest

from model_server.errors import (
    CelebrityExistsError,
    CelebrityNotFoundError,
    DuplicatePhotoError,
    GalleryMismatchError,
    InvalidPageTokenError,
    InvalidRequestError,
    WrongPersonError,
)
from model_server.gallery.archive import export_gallery, restore_gallery
from tests.support.galleries import face_of, open_gallery, person, write_seed


def names_of(page):
    return [celebrity.display_name for celebrity in page.celebrities]


def best_of(gallery, face, **options):
    matches = gallery.match(face.embedding[None], max_matches=1, **options)[0]
    return matches[0].celebrity.id if matches else None


def test_a_new_gallery_holds_the_people_of_the_seed(gallery):
    """At first start the seed is planted and can be matched at once."""
    assert gallery.get("seed-one").tags == ("field:seed",)
    assert gallery.get("seed-one").face_count == 1
    assert best_of(gallery, face_of("Seed Two", 1)) == "seed-two"


def test_the_best_match_is_the_same_however_many_are_asked_for(gallery):
    """Its probability depends on the second one, and that is looked at, shown or not."""
    probe = face_of("Seed Two", 1).embedding[None]
    [one], (first, second) = (gallery.match(probe, max_matches=n)[0] for n in (1, 2))
    assert one == first
    assert second.celebrity.id == "seed-one"


def test_a_created_celebrity_is_read_back_as_it_was_given(gallery):
    """Names, aliases, tags and the Wikidata item survive; the rest is set by the gallery."""
    given = person("Ada Lovelace", "field:math", aliases=("Ada",), wikidata_id="Q7259")
    created = gallery.create(given, [face_of("ada", 0, picture=b"jpeg"), face_of("ada", 1)])
    assert gallery.get("ada-lovelace") == created
    assert (
        replace(
            given,
            face_count=2,
            has_picture=True,
            create_time=created.create_time,
            update_time=created.update_time,
        )
        == created
    )
    assert created.create_time.tzinfo is not None
    assert gallery.picture_of("ada-lovelace") == b"jpeg"
    assert gallery.picture_of("seed-one") is None


def test_an_id_is_given_once(gallery):
    """A second celebrity of the same id is refused and changes nothing."""
    gallery.create(person("Ada"), [face_of("ada")])
    with pytest.raises(CelebrityExistsError):
        gallery.create(person("Ada"), [face_of("eve")])
    assert gallery.get("ada").face_count == 1
    assert best_of(gallery, face_of("ada", 1)) == "ada"


def test_a_celebrity_with_a_bad_photo_is_not_created(gallery):
    """Creation is all or nothing: two people's photos make no celebrity."""
    with pytest.raises(WrongPersonError) as caught:
        gallery.create(person("Ada"), [face_of("ada"), face_of("ada", 1), face_of("eve")])
    assert caught.value.metadata["photo"] == "2"
    with pytest.raises(CelebrityNotFoundError):
        gallery.get("ada")


def test_photos_of_the_person_are_added_and_others_refused(gallery):
    """A further photo must resemble the others, and must be a new one."""
    gallery.create(person("Ada"), [face_of("ada")])
    assert gallery.add_face("ada", face_of("ada", 1)).face_count == 2
    with pytest.raises(WrongPersonError):
        gallery.add_face("ada", face_of("eve"))
    with pytest.raises(DuplicatePhotoError):
        gallery.add_face("ada", face_of("ada", 1))
    # The same picture saved anew has other bytes and all but the same face.
    with pytest.raises(DuplicatePhotoError):
        gallery.add_face("ada", face_of("ada", 1, photo_digest="saved-anew"))
    with pytest.raises(CelebrityNotFoundError):
        gallery.add_face("nobody", face_of("ada"))
    assert gallery.get("ada").face_count == 2


def test_only_named_fields_are_updated(gallery):
    """A mask leaves the rest alone; no mask replaces all that can be changed."""
    created = gallery.create(person("Ada", "a:b", aliases=("Countess",)))
    changed = gallery.update(replace(created, tags=("c:d",), aliases=()), ["tags"])
    assert (changed.tags, changed.aliases) == (("c:d",), ("Countess",))
    assert gallery.get("ada") == changed
    assert changed.update_time >= created.update_time
    emptied = gallery.update(replace(created, tags=(), aliases=(), display_name="Countess"))
    assert (emptied.tags, emptied.aliases, emptied.display_name) == ((), (), "Countess")
    with pytest.raises(InvalidRequestError):
        gallery.update(replace(created, tags=("No Tag",)))
    with pytest.raises(CelebrityNotFoundError):
        gallery.update(person("Nobody"))


def test_a_deleted_celebrity_is_gone_and_stays_away(gallery, database_url, seed):
    """Neither searches nor a restart nor a newer seed bring it back."""
    gallery.delete("seed-one")
    with pytest.raises(CelebrityNotFoundError):
        gallery.get("seed-one")
    with pytest.raises(CelebrityNotFoundError):
        gallery.delete("seed-one")
    assert best_of(gallery, face_of("Seed One", 1)) == "seed-two"
    write_seed(seed, ("Seed One", "Seed Two", "Seed Three"), version="2")
    reopened = open_gallery(database_url, seed, follow=False)
    assert names_of(reopened.list(page_size=9)) == ["Seed Three", "Seed Two"]
    assert best_of(reopened, face_of("Seed Three", 1)) == "seed-three"
    reopened.close()


def test_a_newer_seed_leaves_the_changes_of_operators_alone(gallery, database_url, seed):
    """New faces replace the seed's old ones; names, tags and enrolled photos stay."""
    gallery.update(person("Seed One", "field:mine"))
    gallery.add_face("seed-one", face_of("Seed One", 7))
    write_seed(seed, version="2", photo=3)
    reopened = open_gallery(database_url, seed, follow=False)
    assert reopened.get("seed-one").tags == ("field:mine",)
    assert reopened.get("seed-one").face_count == 2
    match = reopened.match(face_of("Seed One", 3).embedding[None], max_matches=1)[0][0]
    assert match.similarity.cosine == pytest.approx(1, abs=1e-3)
    reopened.close()


def test_lists_come_in_pages_by_name(gallery):
    """Pages join without gaps or repeats, accents and case do not count for the order."""
    for name in ("Zoë", "bob", "Álvaro"):
        gallery.create(replace(person(name), id=f"id-{ord(name[0])}"))
    seen, token = [], ""
    while True:
        page = gallery.list(page_size=2, page_token=token)
        assert page.total == 5
        seen += names_of(page)
        token = page.next_token
        if not token:
            break
    assert seen == ["Álvaro", "bob", "Seed One", "Seed Two", "Zoë"]


def test_a_page_starts_behind_the_last_name_even_if_that_is_gone(gallery):
    """Who is deleted between two pages costs nobody their place."""
    token = gallery.list(page_size=1).next_token
    gallery.delete("seed-one")
    assert names_of(gallery.list(page_size=5, page_token=token)) == ["Seed Two"]


def test_a_query_finds_names_and_aliases_without_accents(gallery):
    """Who starts with it comes first; a percent sign is just a sign."""
    gallery.create(replace(person("Cruz Beckham"), id="b"))
    gallery.create(replace(person("Aña"), id="c", aliases=("Cruzita",)))
    gallery.create(replace(person("Penélope Cruz"), id="a"))
    assert names_of(gallery.list(page_size=9, query="CRÚZ")) == [
        "Aña",
        "Cruz Beckham",
        "Penélope Cruz",
    ]
    first = gallery.list(page_size=2, query="cruz")
    assert names_of(first) == ["Aña", "Cruz Beckham"]
    second = gallery.list(page_size=2, query="cruz", page_token=first.next_token)
    assert names_of(second) == ["Penélope Cruz"]
    assert gallery.list(page_size=9, query="%").total == 0
    assert gallery.list(page_size=9, query="c_uz").total == 0


def test_a_query_finds_letters_that_have_no_accent_but_a_stroke(gallery):
    """Neither their case nor how they are typed counts, nor do joiners."""
    gallery.create(replace(person("Łukasz Żal"), id="a"))
    gallery.create(replace(person("علی\u200cپور"), id="b", aliases=("Søren",)))
    assert names_of(gallery.list(page_size=9, query="lukasz z")) == ["Łukasz Żal"]
    assert names_of(gallery.list(page_size=9, query="ŁUKASZ")) == ["Łukasz Żal"]
    assert [one.id for one in gallery.list(page_size=9, query="soren").celebrities] == ["b"]
    assert [one.id for one in gallery.list(page_size=9, query="علیپور").celebrities] == ["b"]


def test_lists_and_matches_are_filtered_by_all_tags(gallery):
    """Only who carries every tag is shown or matched, also right after a change."""
    gallery.create(person("Ada", "field:actor", "country:india"), [face_of("ada")])
    gallery.create(person("Eve", "field:actor"), [face_of("eve")])
    both = ["field:actor", "country:india"]
    assert names_of(gallery.list(page_size=9, required_tags=both)) == ["Ada"]
    assert best_of(gallery, face_of("eve", 1), required_tags=both) == "ada"
    assert best_of(gallery, face_of("eve", 1), required_tags=["field:actor"]) == "eve"
    assert best_of(gallery, face_of("eve", 1), required_tags=["no:one"]) is None
    gallery.update(person("Eve", *both))
    assert best_of(gallery, face_of("eve", 1), required_tags=both) == "eve"


@pytest.mark.parametrize(
    "wanted",
    [
        {"query": "x" * 60_000},
        {"query": "a\0"},
        {"required_tags": [f"a:{number}" for number in range(1000)]},
        {"required_tags": ["a:b\0"]},
        {"required_tags": ["Actor"]},
    ],
)
def test_what_nobody_can_be_called_is_not_searched_for(gallery, wanted):
    """Databases fail at some of it, each at something else."""
    with pytest.raises(InvalidRequestError) as caught:
        gallery.list(page_size=1, **wanted)
    assert caught.value.metadata["field"] in wanted


def test_the_longest_name_and_the_most_tags_can_be_searched_for(gallery):
    """Whatever becomes of a letter when it is folded; this one becomes eighteen."""
    tags = [f"{'k' * 40}:{'v' * 78}{number:02}" for number in range(50)]
    ada = gallery.create(replace(person("Ada"), display_name="\ufdfa" * 200, tags=tuple(tags)))
    found = gallery.list(page_size=1, query=ada.display_name, required_tags=tags)
    assert found.celebrities == (ada,)


@pytest.mark.parametrize("values", [{"aliases": ("a\0",)}, {"tags": ("a:b\x7f",)}])
def test_control_characters_are_no_part_of_a_name_or_a_tag(gallery, values):
    """PostgreSQL cannot keep some of them, and nobody can type them."""
    with pytest.raises(InvalidRequestError):
        gallery.create(replace(person("Ada"), **values))


@pytest.mark.parametrize("token", ["!", "AAAA", "bm90IGEgdG9rZW4gYXQgYWxsLCByZWFsbHk=", "é"])
def test_made_up_page_tokens_are_refused(gallery, token):
    """What the gallery did not give is not believed."""
    with pytest.raises(InvalidPageTokenError):
        gallery.list(page_size=1, page_token=token)


def test_a_page_token_belongs_to_its_query(gallery):
    """A token is good for the query and the tags that it was given for."""
    token = gallery.list(page_size=1).next_token
    with pytest.raises(InvalidPageTokenError):
        gallery.list(page_size=1, page_token=token, query="seed")
    with pytest.raises(InvalidPageTokenError):
        gallery.list(page_size=1, page_token=token, required_tags=["field:seed"])


def test_each_celebrity_is_matched_once_by_its_best_face(gallery):
    """Many faces of one person do not crowd out the others."""
    gallery.create(person("Ada"), [face_of("ada", number) for number in range(40)])
    matches = gallery.match(face_of("ada", 3).embedding[None], max_matches=3)[0]
    assert matches[0].celebrity.id == "ada"
    assert len({match.celebrity.id for match in matches}) == len(matches) == 3
    assert matches[0].similarity.cosine == pytest.approx(1, abs=1e-3)
    likeness = [match.similarity.likeness for match in matches]
    assert likeness == sorted(likeness, reverse=True)


def test_a_match_says_all_of_the_celebrity(gallery):
    """Whoever shows it asks nothing more of the gallery; a new name is shown at once."""
    probe = face_of("Seed One", 1).embedding[None]
    [match] = gallery.match(probe, max_matches=1)[0]
    assert match.celebrity == gallery.get("seed-one")
    renamed = gallery.update(replace(match.celebrity, display_name="Countess"))
    [match] = gallery.match(probe, max_matches=1)[0]
    assert match.celebrity == renamed


def test_nothing_to_match_is_no_error(gallery):
    """No faces in, no matches out; a filter that leaves nobody gives an empty answer."""
    assert gallery.match(np.zeros((0, 32), np.float32), max_matches=5) == []
    assert gallery.match(face_of("x").embedding[None], max_matches=5, required_tags=["no:one"]) == [
        ()
    ]


def test_reference_people_count_as_strangers_whatever_becomes_of_them(
    gallery, database_url, seed, tmp_path
):
    """Added, removed, added again or restored: their own faces are passed over, as at a start."""
    names = [f"stranger-{number}" for number in range(20)]

    def add(*names):
        for name in names:
            gallery.create(person(name), [face_of(name)])

    def restore():
        export_gallery(gallery.store, tmp_path / "gallery.zip")
        restore_gallery(gallery.store, tmp_path / "gallery.zip")
        gallery.refresh()

    probe = face_of("seed-one", 5).embedding[None]
    for change in (
        lambda: add(*names),
        lambda: gallery.delete(names[0]),
        lambda: add(names[0]),
        restore,
    ):
        change()
        started = open_gallery(database_url, seed, follow=False)
        [said], [expected] = (one.match(probe, max_matches=30) for one in (gallery, started))
        started.close()
        assert len(said) == len(expected)
        for match, other in zip(said, expected, strict=True):
            assert match.similarity.likeness == pytest.approx(other.similarity.likeness, abs=0.1)
            assert match.similarity.same_person_probability == pytest.approx(
                other.similarity.same_person_probability, abs=1e-3
            )


def test_a_gallery_survives_a_restart(gallery, database_url, seed):
    """What was written is there when the database is opened again."""
    created = gallery.create(person("Ada"), [face_of("ada", picture=b"p")])
    reopened = open_gallery(database_url, seed, follow=False)
    assert reopened.get("ada") == created
    assert best_of(reopened, face_of("ada", 1)) == "ada"
    reopened.close()


def test_a_seed_of_another_embedder_is_refused(database_url, tmp_path):
    """Embedder and seed must belong together; the message names both."""
    seed = write_seed(tmp_path / "other", embedder_version="embedder-old")
    with pytest.raises(GalleryMismatchError, match=r"embedder-old.*embedder-test"):
        open_gallery(database_url, seed)
