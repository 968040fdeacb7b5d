"""How much work the server takes on."""

import pytest

from model_server.admission import Admission
from model_server.errors import OverloadedError


def test_what_is_too_much_is_turned_away_with_advice():
    """Beyond the limit the caller is told when to come again."""
    admission = Admission(2)
    with admission.admit(), admission.admit():
        assert admission.in_flight == 2
        with pytest.raises(OverloadedError) as caught, admission.admit():
            pass
        assert caught.value.retry_after_s > 0


def test_places_are_given_back_even_after_failures():
    """A call that fails leaves no place taken."""
    admission = Admission(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), admission.admit():
            raise ZeroDivisionError
    assert admission.in_flight == 0


def test_advice_follows_the_work():
    """The longer photos take, their wait included, the later one is told to come again."""
    admission = Admission(1)

    def advice():
        with admission.admit(), pytest.raises(OverloadedError) as caught, admission.admit():
            pass
        return caught.value.retry_after_s

    before = advice()
    with admission.admit() as slot:
        slot.begin()
        slot.admitted -= 10.0
    assert advice() > before + 0.5
