"""Which file of a message is the picture."""

from __future__ import annotations

from typing import Any

import pytest
from telegram import Bot, Message

from bots.core.errors import BadPhoto
from bots.telegram.files import MAX_DOWNLOAD_BYTES, Attachment, attachment_of, download

BOT = Bot("7:token")
SMALL = {"file_id": "small", "file_unique_id": "s", "width": 90, "height": 60, "file_size": 900}
LARGE = {"file_id": "large", "file_unique_id": "l", "width": 900, "height": 600, "file_size": 90000}
FILE = {"file_id": "file", "file_unique_id": "f", "file_size": 5}
CLIP = {**FILE, "width": 9, "height": 9, "duration": 1, "thumbnail": SMALL}


def message(**content: Any) -> Message:
    chat = {"id": 1, "type": "private"}
    return Message.de_json({"message_id": 1, "date": 0, "chat": chat, **content}, BOT)


def sticker(animated: bool = False, video: bool = False, **more: Any) -> dict[str, Any]:
    return {
        **FILE,
        "type": "regular",
        "width": 9,
        "height": 9,
        "is_animated": animated,
        "is_video": video,
        **more,
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"photo": [SMALL, LARGE]}, Attachment("large", 90000)),
        ({"document": {**FILE, "mime_type": "image/heic"}}, Attachment("file", 5)),
        (
            {"document": {**FILE, "mime_type": "application/octet-stream", "file_name": "a.HEIC"}},
            Attachment("file", 5),
        ),
        ({"document": {**FILE, "mime_type": "video/quicktime"}}, Attachment("file", 5, True)),
        ({"document": {**FILE, "mime_type": "application/pdf", "file_name": "a.pdf"}}, None),
        ({"sticker": sticker()}, Attachment("file", 5)),
        ({"sticker": sticker(video=True, thumbnail=SMALL)}, Attachment("file", 5, True, "small")),
        ({"sticker": sticker(animated=True, thumbnail=SMALL)}, Attachment("small")),
        ({"sticker": sticker(animated=True)}, None),
        (
            {"animation": {**CLIP, "mime_type": "video/mp4"}, "document": FILE},
            Attachment("file", 5, True, "small"),
        ),
        ({"animation": {**CLIP, "mime_type": "image/gif"}}, Attachment("file", 5, False, "small")),
        ({"video": CLIP}, Attachment("file", 5, True, "small")),
        ({"video_note": {**CLIP, "length": 9}}, Attachment("file", 5, True, "small")),
        ({"text": "words"}, None),
    ],
)
def test_the_picture_of_a_message(content: dict[str, Any], expected: Attachment | None) -> None:
    """Photos, documents, stickers, GIFs and videos, each as it is sent."""
    assert attachment_of(message(**content)) == expected


async def test_what_is_too_large_is_not_even_asked_for() -> None:
    """Telegram would refuse it; the asker is told why."""
    with pytest.raises(BadPhoto) as caught:
        await download(BOT, Attachment("file", MAX_DOWNLOAD_BYTES + 1))
    assert caught.value.reason == "PHOTO_TOO_LARGE"
    with pytest.raises(BadPhoto) as caught:
        await download(BOT, Attachment("file", MAX_DOWNLOAD_BYTES + 1, is_video=True))
    assert caught.value.reason == "PHOTO_TOO_LARGE"
