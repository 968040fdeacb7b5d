"""Ids of celebrities."""

from __future__ import annotations

import re

import pytest

from bots.console.ids import bare_id, folded, full_name, id_if_needed


def test_ids_and_names_lead_to_each_other():
    """Both forms are understood both ways."""
    assert bare_id("celebrities/ada") == bare_id("ada") == "ada"
    assert full_name("celebrities/ada") == full_name("ada") == "celebrities/ada"


@pytest.mark.parametrize("name", ["Ada Lovelace", "Penélope", "50 Cent", "宮崎 Hayao"])
def test_the_server_makes_ids_where_it_can(name):
    """A Latin letter or a digit is enough."""
    assert id_if_needed(name) == ""


@pytest.mark.parametrize("name", ["Владимир Высоцкий", "宮崎 駿", "عمر الشريف", "अमिताभ"])
def test_other_scripts_get_an_id_that_stays(name):
    """The same for the same name, and one the server takes."""
    made = id_if_needed(name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,61}[a-z0-9]", made)
    assert made == id_if_needed(f" {name.upper()} ")
    assert made != id_if_needed(name + "я")


def test_names_are_the_same_whatever_case_and_accents():
    """As people write them on folders."""
    assert folded("  Penélope\tCRUZ ") == "penelope cruz"
