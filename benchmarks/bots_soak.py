"""The Telegram bot under load, and what a bot adds to the bare gRPC call.

    python -m benchmarks.bots_soak [--photos 500] [--users 50] [--rounds 3]

Everything is on loopback: the bot in a process of its own, Telegram played by the Bot API
emulator, the model server by a fake that answers at once. Each photo is different, and its
answer names it: so a photo that is lost, answered twice or answered to somebody else shows.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from telegram import Update
from telegram.request import HTTPXRequest

from bots.core.answer import Asker
from bots.core.client import LookalikeClient
from bots.core.desk import PhotoDesk
from bots.core.settings import BotSettings
from bots.telegram.app import build
from bots.telegram.settings import TelegramSettings
from lookalike.v1 import photo_pb2
from tests.support.fake_server import FakeServer, analysis, face, running_server
from tests.support.telegram_bot import bot_process
from tests.support.telegram_world import TOKEN, TelegramWorld, running_world

GENEROUS = {
    "LOOKALIKE_PHOTOS_PER_MINUTE": "100000",
    "LOOKALIKE_CHAT_PHOTOS_PER_MINUTE": "100000",
    "LOOKALIKE_QUEUE_PER_USER": "1000",
    "LOOKALIKE_TELEGRAM_REQUESTS_PER_S": "1000",
    "LOOKALIKE_ANSWERS_KEPT": "100",
    "LOOKALIKE_DEADLINE_S": "120",
    "LOOKALIKE_LOG_LEVEL": "WARNING",
}
"""Limits that people meet, out of the way; few answers kept, so that memory settles soon."""


def noise(width: int, height: int, seed: int) -> bytes:
    """A JPEG about as large as a photo of that size."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize((width, height)).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


class NamingServer(FakeServer):
    """Names each photo in its answer; a photo is told by its last bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.portrait = noise(500, 625, 1)
        self._crop = noise(512, 512, 2)
        self.script = self._name

    def _name(self, photo: bytes) -> photo_pb2.AnalyzePhotoResponse:
        one = face()
        one.crop = self._crop
        return analysis(one, caption=photo[-12:].decode())


async def soak(
    photos: int, users: int, rounds: int = 1, timeout_s: float = 900.0
) -> list[dict[str, float]]:
    """Sends ``photos`` from ``users`` at once, ``rounds`` times.

    Returns:
        For each round: seconds, photos a second, lost, twice, misrouted, the bot's MiB.
    """
    content = noise(640, 480, 3)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        async with (
            running_server(NamingServer()) as server,
            running_world() as world,
            bot_process(world, server.address, Path(folder), **GENEROUS) as process,
        ):
            await _ready(world)
            for number in range(rounds):
                began = time.perf_counter()
                wanted = await _send(world, content, photos, users, number)
                with contextlib.suppress(TimeoutError):  # what is missing counts as lost
                    await world.until("sendPhoto", photos, timeout_s=timeout_s)
                took = time.perf_counter() - began
                await asyncio.sleep(1.0)  # what comes twice comes now
                got = Counter(
                    (sent.chat, sent.text.partition(".")[0].removeprefix("<i>"))
                    for sent in world.sent
                    if sent.method == "sendPhoto"
                )
                right = {key: count for key, count in got.items() if key in wanted}
                results.append(
                    {
                        "seconds": took,
                        "photos_per_s": photos / took,
                        "lost": len(wanted) - len(right),
                        "twice": sum(count - 1 for count in right.values()),
                        "misrouted": sum(got.values()) - sum(right.values()),
                        "refused": len(world.refusals),
                        "bot_mib": _resident_mib(process.pid),
                    }
                )
                world.sent.clear()
                world.assets.clear()
    return results


async def _ready(world: TelegramWorld) -> None:
    async with asyncio.timeout(60):
        while not world.requests or world.requests[-1]["method"] != "deleteWebhook":  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _send(
    world: TelegramWorld, content: bytes, photos: int, users: int, number: int
) -> set[tuple[int, str]]:
    wanted = set()
    for index in range(photos):
        user = 1 + index % users
        name = f"Photo {number}-{index:04d}"
        message = world.photo_message(content + name.ljust(12)[-12:].encode(), user=user)
        await world.write(message)
        wanted.add((user, name.ljust(12)[-12:].strip().capitalize()))
    return wanted


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


async def overhead(photos: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of one photo after the other: bare call, desk, whole Telegram bot.

    Returns:
        For each: elapsed, p50, and of a processor, p50. The latter counts the fake server,
        too, in each of the three, but not what else the machine is busy with.

    The whole bot is from the update's arrival to the message handed to HTTP, of which only
    the transport itself is left out. Measured in turns, so that all meet the same machine.
    """
    content = noise(1280, 960, 4) + b"Photo       "
    calls: dict[str, list[tuple[float, float]]] = {"bare": [], "desk": [], "bot": []}
    with tempfile.TemporaryDirectory() as folder:
        async with running_server(NamingServer()) as server:
            settings = TelegramSettings(
                server=server.address,
                telegram_token=TOKEN,
                data_dir=Path(folder),
                photos_per_minute=1_000_000,
                telegram_requests_per_s=10_000,
            )
            application = build(settings)
            original = HTTPXRequest.do_request
            HTTPXRequest.do_request = _without_http(content)  # type: ignore[method-assign]
            try:
                async with (
                    LookalikeClient(server.address) as client,
                    PhotoDesk.open(
                        BotSettings(server=server.address, photos_per_minute=1_000_000)
                    ) as desk,
                    application,
                ):
                    assert application.post_init
                    assert application.post_stop
                    await application.post_init(application)
                    asker = Asker("bench", "1", "1", "en")
                    for number in range(photos + 5):
                        update = _update(number, application.bot)
                        for name, work in (
                            ("bare", client.analyze(content, max_matches=10, include_crops=True)),
                            ("desk", desk.handle_photo(asker, [content])),
                            ("bot", application.process_update(update)),
                        ):
                            began, busy = time.perf_counter(), time.process_time()
                            await work
                            took = 1000 * (time.perf_counter() - began)
                            if number >= 5:  # warm by then
                                calls[name].append((took, 1000 * (time.process_time() - busy)))
                    await application.post_stop(application)
            finally:
                HTTPXRequest.do_request = original  # type: ignore[method-assign]
    return {
        name: (statistics.median(t[0] for t in times), statistics.median(t[1] for t in times))
        for name, times in calls.items()
    }


def _update(number: int, bot: Any) -> Update:
    size = {"file_id": "x", "file_unique_id": "x", "width": 1280, "height": 960}
    message = {
        "message_id": number + 1,
        "date": 0,
        "chat": {"id": 1, "type": "private"},
        "from": {"id": 1, "is_bot": False, "first_name": "P", "language_code": "en"},
        "photo": [size],
    }
    return Update.de_json({"update_id": number + 1, "message": message}, bot)


def _without_http(content: bytes) -> Any:
    sent = {"message_id": 1, "date": 0, "chat": {"id": 1, "type": "private"}}
    size = {"file_id": "y", "file_unique_id": "y", "width": 1, "height": 1}
    answers = {
        "getMe": {"id": 7, "is_bot": True, "first_name": "Bench", "username": "bench_bot"},
        "getFile": {"file_id": "x", "file_unique_id": "x", "file_path": "photos/x.jpg"},
        "sendPhoto": {**sent, "photo": [size]},
    }

    async def do_request(_self: Any, url: str, *_: Any, **__: Any) -> tuple[int, bytes]:
        if "/file/" in url:
            return 200, content
        result = answers.get(url.rpartition("/")[2], True)
        return 200, json.dumps({"ok": True, "result": result}).encode()

    return do_request


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for a round")
    arguments = parser.parse_args()
    print("round  seconds  photos/s  lost  twice  misrouted  refused  bot MiB")
    results = asyncio.run(
        soak(arguments.photos, arguments.users, arguments.rounds, arguments.timeout)
    )
    for number, one in enumerate(results, start=1):
        print(
            f"{number:5}  {one['seconds']:7.1f}  {one['photos_per_s']:8.1f}  {one['lost']:4.0f}"
            f"  {one['twice']:5.0f}  {one['misrouted']:9.0f}  {one['refused']:7.0f}"
            f"  {one['bot_mib']:7.0f}"
        )
    times = asyncio.run(overhead(100))
    print("\nmilliseconds a photo, p50, one after the other")
    for name, label in (
        ("bare", "bare gRPC call"),
        ("desk", "desk: call, portrait, card, words"),
        ("bot", "Telegram bot, all but HTTP"),
    ):
        (took, busy), (bare_took, bare_busy) = times[name], times["bare"]
        print(
            f"{label:35} {took:6.1f}   +{took - bare_took:4.1f}"
            f"   processor {busy:5.1f}   +{busy - bare_busy:4.1f}"
        )


if __name__ == "__main__":
    main()
