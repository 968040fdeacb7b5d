"""Speech and moving pictures."""

from __future__ import annotations

import io
import shutil

import av
import pytest
from gtts import gTTSError
from PIL import Image

from bots.core import speech
from bots.core.media import UnreadableMedia, first_frame, to_opus
from bots.core.speech import Speaker, SpeechUnavailable
from tests.support.fake_server import video

needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is missing")


def seconds(ogg: bytes) -> float:
    with av.open(io.BytesIO(ogg), "r") as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.name == "opus"
        frames = list(container.decode(audio=0))
        return float(sum(frame.samples for frame in frames)) / stream.codec_context.sample_rate


def test_the_first_frame_of_a_video() -> None:
    """An MP4, as Telegram sends GIFs, becomes a JPEG."""
    with Image.open(io.BytesIO(first_frame(video("red")))) as frame:
        red, green, _blue = frame.convert("RGB").getpixel((48, 32))  # type: ignore[misc]
    assert red > 200
    assert green < 60


@pytest.mark.parametrize("content", [b"", b"no video", video("red")[:200]])
def test_what_is_no_video(content: bytes) -> None:
    """One clear error that quotes nothing."""
    with pytest.raises(UnreadableMedia) as caught:
        first_frame(content)
    assert caught.value.__cause__ is None
    with pytest.raises(UnreadableMedia):
        to_opus(content)


@needs_espeak
async def test_words_become_opus_without_a_net() -> None:
    """Two languages, one file, longer than either."""
    speaker = Speaker()
    one = await speaker.speak([("en", "a person smiles at the camera")])
    both = await speaker.speak([("en", "a person smiles at the camera"), ("hi", "गोल चेहरा")])
    assert seconds(both) > seconds(one) > 0.8


async def test_what_cannot_be_spoken_is_said_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switched off, nothing to say, or the program missing."""
    with pytest.raises(SpeechUnavailable, match="switched off"):
        await Speaker(enabled=False).speak([("en", "words")])
    with pytest.raises(SpeechUnavailable, match="nothing to say"):
        await Speaker().speak([("en", "")])
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SpeechUnavailable, match="espeak-ng is not installed"):
        await Speaker().speak([("en", "words")])


@needs_espeak
async def test_where_google_is_silent_the_machine_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its failure is no failure of the answer; and it is not asked where it may not be."""
    asked: list[str] = []

    def silent(_language: str, words: str) -> bytes:
        asked.append(words)
        raise gTTSError("no net")

    monkeypatch.setattr(speech, "_google", silent)
    assert seconds(await Speaker(google=True).speak([("en", "words")])) > 0.2
    assert asked == ["words"]
    await Speaker(google=False).speak([("en", "words")])
    assert asked == ["words"]


@needs_espeak
async def test_the_same_words_are_spoken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time comes from memory."""
    speaker = Speaker()
    first = await speaker.speak([("en", "words")])
    monkeypatch.setenv("PATH", "/nowhere")
    assert await speaker.speak([("en", "words")]) == first
