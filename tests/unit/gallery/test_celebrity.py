"""Names, their ids, and what they are searched by."""

import pytest

from model_server.errors import InvalidRequestError
from model_server.gallery.celebrity import Celebrity, check_celebrity, fold, slug, slug_of_any

ZWNJ, ZWJ = "\u200c", "\u200d"


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Penélope Cruz", "penelope-cruz"),
        ("Łukasz Żal", "lukasz-zal"),
        ("Søren Kierkegaard", "soren-kierkegaard"),
        ("Đặng Thái Sơn", "dang-thai-son"),
        ("Þórður Æðelstan Weiß", "thordur-aedelstan-weiss"),
        ("Işıl Yücesoy", "isil-yucesoy"),  # noqa: RUF001
        ("Heydər Əliyev", "heydar-aliyev"),
    ],
)
def test_letters_with_and_without_accents_stand_in_ids(name, made):
    """Also those that Unicode takes for letters of their own."""
    assert slug(name) == made


def test_joiners_do_not_count():
    """Whoever types a name need not know where they are."""
    assert fold(f"نمی{ZWNJ}دانم") == fold("نمیدانم")


@pytest.mark.parametrize("name", [f"علی{ZWNJ}رضا", f"ශ්{ZWJ}රී"])
def test_names_may_hold_joiners(name):
    """Persian and the scripts of India need them."""
    check_celebrity(Celebrity("somebody", name))


@pytest.mark.parametrize("name", ["", " ", ZWNJ, f"{ZWJ} {ZWNJ}", "a\0", "a\u202eb", "x" * 201])
def test_names_that_cannot_be_seen_are_refused(name):
    """Nor such as turn the text around them."""
    with pytest.raises(InvalidRequestError):
        check_celebrity(Celebrity("somebody", name))


def test_a_name_of_which_no_id_can_be_made_is_told_or_gets_a_digest():
    """Callers are asked for an id; where nobody can be asked it is always the same."""
    with pytest.raises(InvalidRequestError, match="celebrity_id"):
        slug("李小龙")
    assert slug_of_any("李小龙") == slug_of_any("李小龙") != slug_of_any("周杰伦")
    assert slug_of_any("Ada") == "ada"
