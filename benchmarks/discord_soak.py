"""Soak of the Discord bot: many photos of many people at once, on loopback.

    python -m benchmarks.discord_soak                        # 500 photos, 50 people, five times
    python -m benchmarks.discord_soak --server localhost:50051

Half of the photos come by slash commands in channels, half in direct messages, all at the
same moment, through a pretend Discord (simcord) in this process. Without ``--server``,
answers come from the tests' pretend model server, whose caption names the photo, so that an
answer to somebody else's photo would be found out. Then, one at a time, the time of the bot
is compared with that of the bare call.

Counted: photos without an answer, answered more than once, answered in another chat, with
another photo's answer; the process's memory after each round, the pretend Discord emptied.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import io
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from simcord import _dpy_internals, interactions
from simcord.enums import InteractionType

from bots.discord.bot import LookalikeBot
from tests.support.discord_world import make_bot, world
from tests.support.fake_server import FakeServer, analysis, face, running_server

_PAGE_BYTES = 4096


@dataclass
class Outcome:
    """What became of a round's photos."""

    lost: int = 0
    doubled: int = 0
    misplaced: int = 0
    mixed_up: int = 0
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Whether each photo has got its one answer where it belongs."""
        return not (self.lost or self.doubled or self.misplaced or self.mixed_up)


def photo(number: int, size: tuple[int, int] = (320, 240)) -> bytes:
    """A PNG whose colour is its number."""
    color = (number % 256, number // 256 % 256, 77)
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def caption_of(content: bytes) -> str:
    """A caption that only this photo gets, from its bytes."""
    with Image.open(io.BytesIO(content)) as image:
        if image.format != "PNG":
            return "another photo"
        red, green, _ = np.asarray(image)[0, 0]
    return f"photo {int(red) + 256 * int(green):05d} seen"


class Crowd:
    """People in a pretend Discord who send photos all at once."""

    def __init__(self, env: Any, people: int, *, told_apart: bool) -> None:
        self.content: Callable[[int], bytes] = photo
        self.env = env
        self._told_apart = told_apart
        self._guild = env.create_guild()
        self._channels = [self._guild.create_text_channel(f"channel-{n}") for n in range(10)]
        self._people = [
            self._guild.add_member(env.create_user(f"person-{n}")) for n in range(people)
        ]
        self._command = env.backend.find_command("lookalike", None, type=1)

    async def send(self, photos: int, first: int = 0, patience_s: float = 300.0) -> Outcome:
        """Sends the photos, waits for the answers and looks at all of them."""
        outcome = Outcome()
        commands: list[tuple[int, Any]] = []
        messages: list[tuple[int, Any]] = []
        began = time.perf_counter()
        unfollowed(self.env)
        for number in range(first, first + photos):
            person = self._people[number % len(self._people)]
            if number % 2:
                commands.append((number, self.command(number)))
            else:
                messages.append((number, self._message_of(person, number)))
        while time.perf_counter() < began + patience_s:
            await asyncio.sleep(0.02)
            if self._answers_to(messages) and all(is_complete(record) for _, record in commands):
                break
        await asyncio.sleep(0.2)  # for a second answer, should there be one
        outcome.seconds = time.perf_counter() - began
        for number, record in commands:
            self._check_command(number, record, outcome)
        for number, message in messages:
            self._check_message(number, message, outcome)
        return outcome

    async def edited(self) -> None:
        """Waits until the bot has edited a message, as it does to answer a command."""
        done = asyncio.Event()
        backend = self.env.backend
        edit = backend.edit_message

        def noticed(*args: Any, **kwargs: Any) -> Any:
            done.set()
            return edit(*args, **kwargs)

        backend.edit_message = noticed
        await done.wait()
        backend.edit_message = edit

    def _answers_to(self, messages: list[tuple[int, Any]]) -> bool:
        """Whether each message's channel has got as many answers as photos."""
        stores = {message.channel_id for _, message in messages}
        count = sum(len(self.env.backend.messages[channel]) for channel in stores)
        return count >= 2 * len(messages)

    def tidy(self) -> None:
        """Empties what the pretend Discord keeps, for memory to be the bot's own."""
        backend = self.env.backend
        for store in backend.messages.values():
            store.clear()
        for kept in (
            backend.cdn._blobs,  # noqa: SLF001 - it has no way to forget
            backend.http_requests,
            backend.transcript,
            backend.interactions,
            backend.interaction_tokens,
        ):
            kept.clear()

    def command(self, number: int) -> Any:
        """Gives the command with the photo of that number; its interaction."""
        person = self._people[number % len(self._people)]
        channel = self._channels[number % len(self._channels)]
        resolved: dict[str, Any] = {}
        attachment = interactions.store_interaction_attachment(
            self.env.backend, channel.id, f"{number}.png", self.content(number), resolved
        )
        options = [{"name": "photo", "type": 11, "value": attachment}]
        record, payload = interactions.base_payload(
            self.env.backend,
            type=InteractionType.APPLICATION_COMMAND,
            channel_id=channel.id,
            guild_id=self._guild.id,
            user_id=person.id,
            data={
                "id": self._command["id"],
                "name": "lookalike",
                "type": 1,
                "options": options,
                "resolved": resolved,
            },
        )
        self.env.backend.emit("INTERACTION_CREATE", payload)
        return record

    def _message_of(self, person: Any, number: int) -> Any:
        channel = person.user.dm_channel
        stored = self.env.backend.store_attachments(
            channel.id, [(f"{number}.png", self.content(number))]
        )
        return self.env.backend.create_message(channel.id, person.id, attachments=stored)

    def _check_command(self, number: int, record: Any, outcome: Outcome) -> None:
        answer = self.env.backend.messages[record.channel_id].get(record.message_id)
        if answer is None or not answer.embeds:
            outcome.lost += 1
            return
        outcome.doubled += len(record.followup_ids)
        outcome.misplaced += answer.channel_id != record.channel_id
        outcome.mixed_up += self._is_mixed_up(number, answer)

    def _check_message(self, number: int, message: Any, outcome: Outcome) -> None:
        answers = [
            (channel, answer)
            for channel, store in self.env.backend.messages.items()
            for answer in store.values()
            if (answer.reference or {}).get("message_id") == str(message.id)
        ]
        if not answers:
            outcome.lost += 1
            return
        outcome.doubled += len(answers) - 1
        outcome.misplaced += any(channel != message.channel_id for channel, _ in answers)
        outcome.mixed_up += any(self._is_mixed_up(number, answer) for _, answer in answers)

    def _is_mixed_up(self, number: int, answer: Any) -> bool:
        words = answer.embeds[0].get("description", "") if answer.embeds else ""
        return self._told_apart and f"hoto {number:05d} seen" not in words


def is_complete(record: Any) -> bool:
    """Whether an interaction was answered, not deferred only."""
    return record.response_kind is not None and not record.loading


def unfollowed(env: Any) -> None:
    """Lets the bot run as it does in earnest, on the loop's own clock.

    simcord follows each task of the bot to know when all is quiet, which takes longer the
    more there are, and would be measured along with the bot.
    """

    @contextmanager
    def scope() -> Iterator[None]:
        previous = _dpy_internals.set_webhook_adapter(env._webhook_adapter)  # noqa: SLF001
        try:
            yield
        finally:
            _dpy_internals.reset_webhook_adapter(previous)

    env._bot_scope = scope  # noqa: SLF001


def fake_server() -> FakeServer:
    """A pretend model server that says which photo it saw."""
    server = FakeServer()
    server.script = lambda content: analysis(face(), caption=caption_of(content))
    return server


async def overhead(
    crowd: Crowd, bot: LookalikeBot, times: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Median milliseconds, on the clock and of this process's work: the bare call, the bot's."""
    bare: list[tuple[float, float]] = []
    whole: list[tuple[float, float]] = []
    for _ in range(times):
        began = _now()
        await bot.desk.client.analyze(crowd.content(1), max_matches=10, include_crops=True)
        bare.append(_since(began))
        unfollowed(crowd.env)
        began = _now()
        crowd.command(1)
        await crowd.edited()
        whole.append(_since(began))
    return _medians(bare), _medians(whole)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(began: tuple[float, float]) -> tuple[float, float]:
    clock, work = _now()
    return 1000 * (clock - began[0]), 1000 * (work - began[1])


def _medians(taken: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(t for t, _ in taken), statistics.median(t for _, t in taken)


def stopwatch_photo(path: Path | None) -> Callable[[int], bytes]:
    """The photo for the comparison with the bare call."""
    if path is None:
        noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noise).resize((1280, 960)).save(buffer, "JPEG", quality=90)
        content = buffer.getvalue()
    else:
        content = path.read_bytes()
    return lambda _: content


def memory_mib() -> float:
    """Memory of this process, after what is free has been given back."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * _PAGE_BYTES / 2**20


async def main() -> None:
    """Runs the rounds and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--server", help="Address of a model server; default: a pretend one")
    parser.add_argument("--photo", type=Path, help="Of the comparison with the bare call")
    parser.add_argument("--times", type=int, default=60, help="It is compared so often")
    given = parser.parse_args()
    logging.getLogger("bots").setLevel(logging.ERROR)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        fake, address = None, given.server
        if not address:
            fake = await stack.enter_async_context(running_server(fake_server()))
            address = fake.address
        bot = make_bot(address, Path(folder), deadline_s=280.0, queue_per_user=100)
        env = await stack.enter_async_context(world(bot))
        crowd = Crowd(env, given.people, told_apart=fake is not None)
        print("| round | photos | seconds | lost | twice | wrong chat | mixed up | memory MiB |")
        print("|---|---|---|---|---|---|---|---|")
        for number in range(given.rounds):
            outcome = await crowd.send(given.photos, first=number * given.photos)
            crowd.tidy()
            if fake:
                fake.calls.clear()
                fake.metadata.clear()
            print(
                f"| {number + 1} | {given.photos} | {outcome.seconds:.1f} | {outcome.lost} "
                f"| {outcome.doubled} | {outcome.misplaced} | {outcome.mixed_up} "
                f"| {memory_mib():.0f} |",
                flush=True,
            )
        crowd.content = stopwatch_photo(given.photo)
        (clock, work), (bot_clock, bot_work) = await overhead(crowd, bot, given.times)
        print(f"\nbare call p50 {clock:.1f} ms ({work:.1f} ms of this process's work)")
        print(f"the bot adds {bot_clock - clock:.1f} ms ({bot_work - work:.1f} ms of work)")


if __name__ == "__main__":
    asyncio.run(main())
