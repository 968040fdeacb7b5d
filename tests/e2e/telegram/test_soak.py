"""The soak of the benchmarks, in small."""

from __future__ import annotations

from benchmarks.bots_soak import soak


async def test_no_photo_is_lost_or_answered_twice_or_to_somebody_else() -> None:
    """Sixty photos of twelve people at once, through the bot in a process of its own."""
    [result] = await soak(photos=60, users=12, timeout_s=100)
    assert (result["lost"], result["twice"], result["misrouted"]) == (0, 0, 0)
