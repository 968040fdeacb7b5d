"""Telegram for tests: the Bot API emulator over HTTP, and people who write to the bot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from lo_bot_api_emulator import ApiRefusal, LoBotApiEmulator

__all__ = ["TOKEN", "Sent", "TelegramWorld", "running_world"]

TOKEN = "7:synthetic"


@dataclass(frozen=True)
class Sent:
    """A call of the bot that people see."""

    method: str
    chat: int
    text: str
    keyboard: list[list[dict[str, Any]]]
    replies_to: int | None
    message_id: int | None
    picture: bytes | None = field(repr=False)
    fields: dict[str, Any] = field(repr=False, default_factory=dict)

    @property
    def buttons(self) -> dict[str, str]:
        """Label → callback data."""
        return {b["text"]: b.get("callback_data", "") for row in self.keyboard for b in row}


class TelegramWorld(LoBotApiEmulator):
    """The emulator, remembering what was sent; knows editMessageMedia where asked to.

    Attributes:
        admins: Of all groups.
        reads_all: Whether the bot's privacy mode is off.
    """

    def __init__(self, *, edits_media: bool = True, **kwargs: Any) -> None:
        super().__init__(max_assets=20_000, max_updates=20_000, **kwargs)
        self.edits_media = edits_media
        self.sent: list[Sent] = []
        self.refusals: list[str] = []
        self.actions: list[int] = []
        self.refuse: Callable[[str, dict[str, Any]], None] = lambda _method, _fields: None
        self.base_url = ""
        self.admins: set[int] = set()
        self.reads_all = False
        self._message_id = 1000
        self._changed = asyncio.Event()

    async def start(self, port: int = 0) -> None:
        """Listens on loopback, on a free port or the one given."""
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Is gone, as if the line were cut."""
        await self._runner.cleanup()

    def validate(self, method: str, fields: dict[str, Any], uploads: dict[str, Any]) -> Any:
        try:
            self.refuse(method, fields)
            if method == "editMessageMedia" and self.edits_media:
                result = self._edit_media(fields, uploads)
            elif method == "getChatMember":
                result = self._member(int(fields["user_id"]))
            else:
                result = super().validate(method, fields, uploads)
            if method == "getMe":
                result["can_read_all_group_messages"] = self.reads_all
        except ApiRefusal as refusal:
            self.refusals.append(f"{method}: {refusal.description}")
            raise
        if method == "sendChatAction":
            self.actions.append(int(fields["chat_id"]))
        elif method.startswith(("send", "edit", "deleteMessage", "answer")):
            self._remember(method, fields, uploads, result)
        return result

    def _member(self, user: int) -> dict[str, Any]:
        status = "creator" if user in self.admins else "member"
        who = {"id": user, "is_bot": user == 7, "first_name": "P"}
        return {"status": status, "user": who, "is_anonymous": False}

    def _edit_media(self, fields: dict[str, Any], uploads: dict[str, Any]) -> Any:
        media = self.decoded(fields["media"])
        reference = media["media"]
        if reference.startswith("attach://"):
            upload = uploads[reference.removeprefix("attach://")]
            reference = f"fixture-edited-{self.next_id}"
            self.next_id += 1
            self.assets[reference] = upload
        elif reference not in self.assets:
            raise ApiRefusal("Bad Request: wrong file identifier")
        size = {"file_id": reference, "file_unique_id": reference, "width": 1, "height": 1}
        return {
            "message_id": int(fields["message_id"]),
            "date": 1,
            "chat": {"id": int(fields["chat_id"]), "type": "private"},
            "photo": [size],
            "caption": media.get("caption", ""),
        }

    def _remember(
        self, method: str, fields: dict[str, Any], uploads: dict[str, Any], result: Any
    ) -> None:
        markup = self.decoded(fields.get("reply_markup") or "{}")
        media = self.decoded(fields.get("media") or "{}")
        reply = self.decoded(fields.get("reply_parameters") or "{}")
        picture = None
        for upload in uploads.values():
            picture = upload["data"]
        self.sent.append(
            Sent(
                method=method,
                chat=int(fields.get("chat_id", 0)),
                text=fields.get("text") or fields.get("caption") or media.get("caption") or "",
                keyboard=markup.get("inline_keyboard", []),
                replies_to=reply.get("message_id"),
                message_id=result.get("message_id") if isinstance(result, dict) else None,
                picture=picture,
                fields=dict(fields),
            )
        )
        self._changed.set()

    def asset(self, content: bytes) -> str:
        """Puts a file on Telegram; returns its id."""
        reference = f"sent-by-somebody-{len(self.assets)}"
        self.assets[reference] = {"data": content, "size": len(content), "filename": "photo"}
        return reference

    def message(self, user: int = 1, chat: int | None = None, **content: Any) -> dict[str, Any]:
        """A message as Telegram would send it; a negative chat is a group."""
        self._message_id += 1
        chat = user if chat is None else chat
        language = content.pop("language", "en")
        sender = {"id": user, "is_bot": False, "first_name": "P", "language_code": language}
        kind = (
            {"type": "private", "first_name": "P"} if chat > 0 else {"type": "group", "title": "G"}
        )
        return {
            "message_id": self._message_id,
            "date": int(time.time()),
            "chat": {"id": chat, **kind},
            "from": sender,
            **content,
        }

    def photo_message(self, content: bytes, user: int = 1, **more: Any) -> dict[str, Any]:
        """A message with a photo."""
        size = {
            "file_id": self.asset(content),
            "file_unique_id": f"u{len(self.assets)}",
            "width": 640,
            "height": 480,
            "file_size": len(content),
        }
        return self.message(user, photo=[size], **more)

    async def write(self, message: dict[str, Any]) -> int:
        """Somebody sends the message; returns the update's id."""
        text = message.get("text", "")
        if text.startswith("/") and "entities" not in message:
            length = len(text.split()[0])
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": length}]
        return int(await self.enqueue_update({"message": message}, token=TOKEN))

    async def press(
        self,
        data: str,
        on: Sent,
        replied: dict[str, Any] | None = None,
        user: int = 1,
        language: str = "en",
    ) -> int:
        """Somebody presses a button of a message of the bot."""
        message = {
            "message_id": on.message_id,
            "date": int(time.time()),
            "chat": {"id": on.chat, "type": "private" if on.chat > 0 else "group"},
            "from": {"id": 7, "is_bot": True, "first_name": "Fixture"},
        }
        if on.method in {"sendPhoto", "editMessageMedia"}:
            size = {"file_id": "x", "file_unique_id": "x", "width": 1, "height": 1}
            message |= {"photo": [size], "caption": on.text}
        else:
            message["text"] = on.text
        if replied:
            message["reply_to_message"] = replied
        sender = {"id": user, "is_bot": False, "first_name": "P", "language_code": language}
        query = {
            "id": f"q{len(self.requests)}",
            "from": sender,
            "chat_instance": "1",
            "data": data,
            "message": message,
        }
        return int(await self.enqueue_update({"callback_query": query}, token=TOKEN))

    async def inline(self, query: str, user: int = 1) -> int:
        """Somebody types the bot's name and something in another chat."""
        sender = {"id": user, "is_bot": False, "first_name": "P"}
        content = {"id": f"i{len(self.requests)}", "from": sender, "query": query, "offset": ""}
        return int(await self.enqueue_update({"inline_query": content}, token=TOKEN))

    async def until(
        self, method: str = "", count: int = 1, start: int = 0, timeout_s: float = 60.0
    ) -> list[Sent]:
        """Waits for so many calls since ``start``; of one method, if given."""
        async with asyncio.timeout(timeout_s):
            while True:
                self._changed.clear()
                found = [s for s in self.sent[start:] if not method or s.method == method]
                if len(found) >= count:
                    return found
                await self._changed.wait()


@asynccontextmanager
async def running_world(port: int = 0, **kwargs: Any) -> AsyncIterator[TelegramWorld]:
    """The world, listening on loopback."""
    world = TelegramWorld(**kwargs)
    await world.start(port)
    try:
        yield world
    finally:
        await world.stop()
