"""A person with many photos counts as one with a few."""

import numpy as np

from training.few import MAX_PHOTOS, few_of_each


def test_the_first_photos_of_each_person_are_taken():
    """However the photos of people lie among one another, and whoever has less keeps all."""
    people = np.array(["ann", "bob", *["ann"] * 9, "bob"])
    few = few_of_each(people)
    assert np.flatnonzero(few).tolist() == [0, 1, 2, 3, 4, 5, 6, 11]
    assert (people[few] == "ann").sum() == MAX_PHOTOS
