"""Answers to a stream of requests: several at a time, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

__all__ = ["answer_in_order"]

Request = TypeVar("Request")
Response = TypeVar("Response")


async def answer_in_order(
    requests: AsyncIterator[Request],
    answer: Callable[[Request], Awaitable[Response]],
    at_once: int,
) -> AsyncGenerator[Response, None]:
    """Answers requests as they come.

    Args:
        requests: Read no further than they can be worked on: gRPC's flow control then stops
            the caller.
        answer: Answers one of them.
        at_once: How many are worked on, or are done and wait for their turn, at the same time.

    Raises:
        Exception: What reading or answering failed with; after the answers that come before.
    """
    places = asyncio.Semaphore(at_once)
    answers: asyncio.Queue[asyncio.Future[Response] | None] = asyncio.Queue()
    tasks: set[asyncio.Future[Response]] = set()

    async def read() -> None:
        try:
            await places.acquire()
            async for request in requests:
                task = asyncio.ensure_future(answer(request))
                tasks.add(task)
                answers.put_nowait(task)
                await places.acquire()
        finally:
            answers.put_nowait(None)

    reader = asyncio.ensure_future(read())
    try:
        while task := await answers.get():
            yield await task
            tasks.discard(task)
            places.release()
        await reader
    finally:
        reader.cancel()
        for task in tasks:
            task.cancel()
