"""Answers in memory."""

from __future__ import annotations

from bots.core.answer import Answer, AnswerCache, Asker, number_faces
from tests.support.fake_server import analysis, face

ASKER = Asker("test", "somebody", "chat")


def answer(key: str, user: str = "somebody") -> Answer:
    photos = (analysis(face()),)
    faces, hidden = number_faces(photos, 6)
    return Answer(key, Asker("test", user, "chat"), photos, faces, hidden)


def test_answers_are_dropped_when_their_time_is_over() -> None:
    """An hour later there is nothing left of an answer."""
    now = 0.0
    cache = AnswerCache(10, 3600, clock=lambda: now)
    cache.put(answer("a"))
    assert cache.get("a")
    now = 3601.0
    assert cache.get("a") is None
    assert len(cache) == 0


def test_the_oldest_go_when_there_are_too_many_or_they_are_too_large() -> None:
    """By number and by bytes."""
    cache = AnswerCache(2, 3600)
    for key in "abc":
        cache.put(answer(key))
    assert [cache.get(key) is not None for key in "abc"] == [False, True, True]
    small = AnswerCache(10, 3600, most_bytes=answer("x").size * 2)
    for key in "abc":
        small.put(answer(key))
    assert [small.get(key) is not None for key in "abc"] == [False, True, True]


def test_somebodys_answers_can_be_forgotten() -> None:
    """Theirs, and nobody else's."""
    cache = AnswerCache(10, 3600)
    cache.put(answer("a", "one"))
    cache.put(answer("b", "other"))
    cache.drop_user("test", "one")
    assert cache.get("a") is None
    assert cache.get("b")


def test_no_photo_is_left_out_for_anothers_crowd() -> None:
    """Every photo's largest face is shown before any photo's second."""
    crowd = analysis(*(face(x=100 - n) for n in range(10)))
    faces, hidden = number_faces((crowd, analysis(), analysis(face())), 3)
    assert [(f.number, f.photo) for f in faces] == [(1, 0), (2, 0), (3, 2)]
    assert faces[0].face.box.x < faces[1].face.box.x
    assert hidden == 8


def test_nothing_of_a_face_is_in_the_repr() -> None:
    """An answer can be logged without showing anybody."""
    assert "crop" not in repr(answer("a"))
