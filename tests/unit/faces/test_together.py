"""One person in several photos: whose face, and one embedding of all."""

import numpy as np
import pytest

from model_server.errors import WrongPersonError
from model_server.faces.together import choose_faces, weighted_mean


def at(degrees):
    angle = np.radians(degrees)
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def near(first, second):
    """Surely one person within 30 degrees, less and less up to 60, nobody beyond."""
    angle = np.degrees(np.arccos(np.clip(first @ second, -1, 1)))
    return float(np.clip((60 - angle) / 30, 0, 1))


def test_the_person_is_found_among_others():
    """Of the first photo the largest face is meant, of the others the one like it."""
    photos = [np.stack([at(0), at(90)]), np.stack([at(95), at(5)]), np.stack([at(170), at(-10)])]
    assert choose_faces(photos, near) == [0, 1, 1]
    assert choose_faces([photos[0][::-1], photos[1]], near) == [0, 0]


def test_one_photo_leads_to_the_next():
    """A profile that is not like the front is accepted for being like the half-profile."""
    photos = [at(0)[None], at(80)[None], at(40)[None]]
    assert choose_faces(photos, near) == [0, 0, 0]
    with pytest.raises(WrongPersonError, match="photo 2"):
        choose_faces(photos[:2], near)


def test_two_people_are_not_one():
    """Also where each has several photos: those that are not the first person's are named."""
    photos = [at(angle)[None] for angle in (0, 120, 5, 125)]
    with pytest.raises(WrongPersonError, match="photo 2") as caught:
        choose_faces(photos, near)
    assert caught.value.metadata["photos"] == "1,3"


def test_a_good_photo_says_more():
    """The mean is a unit vector nearer to the photo of the higher quality; poor ones count."""
    mean = weighted_mean(np.stack([at(0), at(90)]), [0.9, 0.3])
    assert np.linalg.norm(mean) == pytest.approx(1)
    assert mean[0] == pytest.approx(3 * mean[1])
    assert weighted_mean(np.stack([at(0), at(90)]), [0, 0]) == pytest.approx(at(45))
