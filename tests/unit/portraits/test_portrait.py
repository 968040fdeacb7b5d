"""Standard widths."""

from __future__ import annotations

import pytest

from model_server.portraits.portrait import standard_width


@pytest.mark.parametrize(
    ("wanted", "given"),
    [(0, 330), (1, 250), (250, 250), (251, 330), (501, 960), (960, 960), (5000, 960)],
)
def test_a_width_is_rounded_up_to_a_standard_one(wanted, given):
    """Wikimedia is only ever asked for widths it keeps."""
    assert standard_width(wanted) == given
