"""People who are in the gallery twice."""

from dataclasses import replace

from model_server.gallery.duplicates import Evidence, find_duplicates
from tests.support.galleries import face_of, person


def test_nobody_is_twice_in_a_gallery_of_different_people(gallery):
    """Namesakes of nobody, with faces, ids and photos of their own."""
    for number in range(20):
        name = f"Person {number}"
        gallery.create(person(name), [face_of(name, photo) for photo in range(2)])
    gallery.create(person("Without a face"))
    assert find_duplicates(gallery) == []


def test_all_that_says_that_two_are_one(gallery):
    """Each kind of evidence by itself, then together, the surest pairs first."""
    gallery.create(replace(person("Ada"), wikidata_id="Q7259"), [face_of("Ada")])
    gallery.create(replace(person("Countess"), wikidata_id="Q7259"), [face_of("somebody")])
    gallery.create(person("Bob"), [face_of("Bob", 1, photo_digest="same")])
    gallery.create(person("Robert"), [face_of("Rob", 2, photo_digest="same")])
    gallery.create(person("Eve"), [face_of("Eve")])
    gallery.create(replace(person("eve"), id="eve-2"), [face_of("Eva")])
    gallery.create(person("Max"), [face_of("Max", 1, noise=0.1), face_of("Max", 2, noise=0.1)])
    gallery.create(person("Maximilian"), [face_of("Max", 3, noise=0.1)])
    found = {(pair.first, pair.second): pair for pair in find_duplicates(gallery)}
    assert [(pair, one.evidence) for pair, one in found.items()] == [
        (("ada", "countess"), (Evidence.WIKIDATA_ID,)),
        (("bob", "robert"), (Evidence.PHOTO,)),
        (("eve", "eve-2"), (Evidence.NAME,)),
        (("max", "maximilian"), (Evidence.FACES,)),
    ]
    assert found["max", "maximilian"].likeness > 99
    assert found["eve", "eve-2"].likeness == 0


def test_a_photo_saved_twice_is_the_same_photo(gallery):
    """Nearly equal embeddings, whatever the files' digests."""
    gallery.create(person("Ada"), [face_of("Ada", 1, photo_digest="one")])
    gallery.create(person("Ada again"), [face_of("Ada", 1, photo_digest="other")])
    [pair] = find_duplicates(gallery)
    assert Evidence.PHOTO in pair.evidence
