"""The error tree and its table."""

import re

import pytest

from model_server import errors
from model_server.errors import STATUS_CODES, LookalikeError, status_code


def every_error():
    found, todo = [], [LookalikeError]
    while todo:
        error = todo.pop()
        found.append(error)
        todo.extend(error.__subclasses__())
    return found


@pytest.mark.parametrize("error", every_error())
def test_every_error_is_named_drawn_and_has_a_status(error):
    """No error without its own reason, its place in the drawing, its status and its export."""
    assert re.fullmatch(r"[A-Z][A-Z_]+", error.reason)
    assert error.__name__ in errors.__doc__
    assert error.__name__ in errors.__all__
    assert status_code(error("message")) is not None


def test_reasons_are_unique():
    """Programs tell errors apart by their reason."""
    reasons = [error.reason for error in every_error()]
    assert len(reasons) == len(set(reasons))


def test_the_table_lists_only_errors_of_the_tree():
    """What the table maps can be raised."""
    assert set(STATUS_CODES) <= set(every_error())


def test_the_nearest_class_decides():
    """A duplicate photo is ALREADY_EXISTS although its parent is FAILED_PRECONDITION."""
    assert status_code(errors.DuplicatePhotoError("x")).name == "ALREADY_EXISTS"
    assert status_code(errors.WrongPersonError("x")).name == "FAILED_PRECONDITION"
