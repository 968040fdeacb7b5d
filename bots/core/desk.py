"""The one place where a photo becomes an answer; platforms only carry both to and fro.

Whatever happens, the asker gets a :class:`~bots.core.reply.Reply`: errors, limits and
refusals are worded here, once for all platforms.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Self

from bots.core.analyst import Analyst
from bots.core.answer import Answer, AnswerCache, Asker, Mode
from bots.core.client import LookalikeClient
from bots.core.errors import BadPhoto, ClientError, InvalidRequest, NotFound
from bots.core.languages import Texts, texts_for
from bots.core.limits import FairQueue, QueueFull, RateLimit
from bots.core.notices import celebrity_not_found, error_reply, limited_reply, notice
from bots.core.portraits import PortraitShelf
from bots.core.render import Renderer
from bots.core.reply import Press, Reply
from bots.core.settings import BotSettings, NsfwPolicy
from lookalike.v1 import celebrity_pb2, photo_pb2

__all__ = ["PhotoDesk", "PhotoSource"]

log = logging.getLogger(__name__)

PhotoSource = Callable[[], Awaitable[Sequence[bytes | BadPhoto]]]
"""Fetches the photos of an answer anew, where the platform still has them."""


class PhotoDesk:
    """Answers photos; one for each bot process, made where the loop runs.

    Args:
        client: Of the model server; closed with the desk.
        settings: Limits and policies.
    """

    def __init__(self, client: LookalikeClient, settings: BotSettings) -> None:
        self.client = client
        self.settings = settings
        self.answers = AnswerCache(settings.answers_kept, settings.answers_kept_s)
        self.portraits = PortraitShelf(client)
        self._renderer = Renderer(self.portraits)
        self._queue = FairQueue(settings.calls_at_once, settings.queue_per_user)
        self._analyst = Analyst(client, self._queue, settings.max_faces)
        self._per_user = RateLimit(settings.photos_per_minute)
        self._per_chat = RateLimit(settings.chat_photos_per_minute)

    @classmethod
    def open(cls, settings: BotSettings) -> Self:
        """A desk with a client of its own."""
        return cls(LookalikeClient.from_settings(settings), settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Gives up what is running."""
        await self.portraits.close()
        await self.client.close()

    async def handle_photo(
        self, asker: Asker, photos: Sequence[bytes | BadPhoto], *, mode: Mode = Mode.FULL
    ) -> Reply:
        """One answer for the photos of one message: a photo, or an album.

        Two photos with a face each are compared as well; several photos of one person are
        matched together, too. What is wrong with a photo is said beside the answer about the
        others; where none can be answered, the first one's error is the reply.

        Args:
            asker: Who asks.
            photos: In their order; in place of one that cannot be had, the error that says why.
            mode: What is wanted.
        """
        texts = texts_for(asker.language)

        async def answer() -> Reply:
            return await self._answer(asker, photos, mode, texts)

        cost = sum(isinstance(photo, bytes) for photo in photos)
        return await self._politely(asker, cost, texts, answer)

    async def compare(self, asker: Asker, first: bytes, second: bytes) -> Reply:
        """How alike the largest faces of two photos are."""
        texts = texts_for(asker.language)

        async def answer() -> Reply:
            async with self._queue.turn(asker.person):
                response = await self.client.compare(first, second, include_crops=True)
            return await self._renderer.comparison(response, texts)

        return await self._politely(asker, 2, texts, answer)

    async def handle_press(
        self, asker: Asker, data: str, *, photos: PhotoSource | None = None, owner: str = ""
    ) -> Reply:
        """What a pressed button leads to.

        Args:
            asker: Who pressed it.
            data: The button's.
            photos: Fetches the photos again, for an answer that is no longer remembered.
            owner: Id of the person whom such an answer belongs to, for whoever asked need
                not be who presses; empty where the platform cannot tell: ``asker``.

        Returns:
            For DELETE and SHARE nothing has to be shown: the platform does what they say,
            DELETE only where :meth:`may_delete` allows it.
        """
        texts = texts_for(asker.language)
        try:
            press = Press.parse(data)
        except ValueError:
            return self._expired(texts)

        async def turn_page() -> Reply:
            answer = self.answers.get(press.key)
            if answer is None and photos is not None and (contents := await photos()):
                made = await self._analyst.ask(asker, contents, Mode.FULL, key=press.key)
                answer = self._veiled(replace(made, asker=replace(asker, user=owner or asker.user)))
                if answer is None:
                    return _refused(texts)
                self.answers.put(answer)
            if answer is None:
                return self._expired(texts)
            return await self._renderer.press(answer, press, texts)

        cost = 0 if self.answers.get(press.key) else 1
        return await self._politely(asker, cost, texts, turn_page)

    async def celebrity(self, asker: Asker, name: str) -> Reply:
        """Portrait of a celebrity, and who it is."""
        texts = texts_for(asker.language)

        async def answer() -> Reply:
            found = await self._find(name.strip())
            if found is None:
                return celebrity_not_found(name, texts)
            return await self._renderer.celebrity(found, texts)

        return await self._politely(asker, 1, texts, answer)

    async def suggest(self, start: str, most: int = 25) -> list[str]:
        """Names of celebrities that fit what was typed so far; none where that fails."""
        try:
            page = await self.client.list_celebrities(start.strip(), page_size=most)
        except ClientError:
            return []
        return [celebrity.display_name for celebrity in page.celebrities]

    def spoken_text(self, key: str, language: str | None) -> tuple[str, str] | None:
        """What is to be spoken of an answer: the English caption, and the rest.

        Returns:
            None where the answer is no longer remembered.
        """
        answer = self.answers.get(key)
        return self._renderer.spoken(answer, texts_for(language)) if answer else None

    def may_delete(self, asker: Asker, data: str) -> bool:
        """Whether the answer is the asker's own; in a private chat every answer is."""
        if not asker.group:
            return True
        answer = self.answers.get(data.partition(".")[0])
        return answer is not None and answer.asker.user == asker.user

    def forget(self, asker: Asker) -> None:
        """Drops the asker's answers."""
        self.answers.drop_user(asker.platform, asker.user)

    async def _answer(
        self, asker: Asker, photos: Sequence[bytes | BadPhoto], mode: Mode, texts: Texts
    ) -> Reply:
        answer = self._veiled(await self._analyst.ask(asker, photos, mode))
        if answer is None:
            return _refused(texts)
        self.answers.put(answer)
        return await self._renderer.overview(answer, texts)

    def _veiled(self, answer: Answer) -> Answer | None:
        """The answer, hidden where not everyone should see it; None where it is refused."""
        if not self._is_nsfw(answer.photos):
            return answer
        group = answer.asker.group
        policy = self.settings.nsfw_group if group else self.settings.nsfw_private
        if policy is NsfwPolicy.REFUSE:
            return None
        return replace(answer, spoiler=policy is NsfwPolicy.SPOILER)

    async def _find(self, name: str) -> celebrity_pb2.Celebrity | None:
        try:
            if name.startswith("celebrities/"):
                return await self.client.get_celebrity(name)
            page = await self.client.list_celebrities(name, page_size=10)
        except (NotFound, InvalidRequest):
            # What can be nobody's name, such as a whole letter, is nobody's.
            return None
        folded = name.casefold()
        exact = (c for c in page.celebrities if c.display_name.casefold() == folded)
        return next(exact, page.celebrities[0] if page.celebrities and name else None)

    def _is_nsfw(self, photos: Sequence[photo_pb2.AnalyzePhotoResponse]) -> bool:
        return any(
            photo.HasField("nsfw_score") and photo.nsfw_score >= self.settings.nsfw_threshold
            for photo in photos
        )

    async def _politely(
        self, asker: Asker, photos: int, texts: Texts, work: Callable[[], Awaitable[Reply]]
    ) -> Reply:
        """Does the work within the asker's limits; words what goes wrong."""
        wait = self._take(asker, photos) if photos else 0.0
        if wait:
            return limited_reply(wait, texts)
        began = time.perf_counter()
        try:
            reply = await work()
        except QueueFull:
            return limited_reply(None, texts)
        except ClientError as error:
            log.warning("%s: %s %s", asker.platform, type(error).__name__, error.reason)
            return error_reply(error, texts)
        log.info(
            "%s: %s in %.0f ms", asker.platform, reply.kind, 1000 * (time.perf_counter() - began)
        )
        return reply

    def _take(self, asker: Asker, photos: int) -> float:
        wait = self._per_user.take(asker.person, photos)
        if not wait and asker.group:
            wait = self._per_chat.take((asker.platform, asker.chat), photos)
        return wait

    @staticmethod
    def _expired(texts: Texts) -> Reply:
        text = texts("I no longer remember this answer. Please send the photo again.")
        return replace(notice(text, texts), reason="EXPIRED")


def _refused(texts: Texts) -> Reply:
    text = texts("This picture may not be for everyone here, so I leave it unanswered.")
    return replace(notice(text, texts), reason="NSFW")
