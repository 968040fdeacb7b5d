"""Many requests over one call."""

import asyncio

import pytest

from model_server.streaming import answer_in_order


class Answering:
    """Answers a number when the test lets it; counts how many are worked on."""

    def __init__(self):
        self.gates = {}
        self.running = 0
        self.most_running = 0
        self.read = 0

    async def requests(self, count, error=None):
        for number in range(count):
            self.read += 1
            yield number
        if error:
            raise error

    async def answer(self, number):
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.gates.setdefault(number, asyncio.Event()).wait()
        finally:
            self.running -= 1
        return number

    def open(self, *numbers):
        for number in numbers:
            self.gates.setdefault(number, asyncio.Event()).set()


@pytest.fixture
def answering():
    return Answering()


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


async def test_no_more_at_once_than_agreed(answering):
    """Further requests are not even read until an answer has gone out."""
    answers = answer_in_order(answering.requests(9), answering.answer, 4)
    first = asyncio.ensure_future(anext(answers))
    await settle()
    assert (answering.running, answering.read) == (4, 4)
    # Done, but not their turn: they keep their places.
    answering.open(1, 2, 3)
    await settle()
    assert answering.read == 4
    answering.open(*range(9))
    assert [await first, *[answer async for answer in answers]] == list(range(9))
    assert answering.most_running == 4


async def test_what_reading_fails_with_comes_last(answering):
    """The answers before it are given."""
    answering.open(0, 1)
    answers = answer_in_order(answering.requests(2, OSError("gone")), answering.answer, 4)
    assert [await anext(answers), await anext(answers)] == [0, 1]
    with pytest.raises(OSError, match="gone"):
        await anext(answers)


async def test_closing_ends_what_runs(answering):
    """A caller who left leaves no task behind."""
    answering.open(0)
    answers = answer_in_order(answering.requests(9), answering.answer, 4)
    assert await anext(answers) == 0
    await settle()
    await answers.aclose()
    await settle()
    assert answering.running == 0
