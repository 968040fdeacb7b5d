"""Answers read aloud: by Google's voice where that is allowed, else by espeak-ng.

The result is an Ogg file with Opus, which every platform plays. It needs one program of
the system, ``ffmpeg`` or ``opusenc``, and ``espeak-ng`` for the voice that needs no net.
"""

from __future__ import annotations

import asyncio
import io
import logging
import shutil
import wave
from collections import OrderedDict
from collections.abc import Sequence

from gtts import gTTS, gTTSError

from bots.core.settings import BotSettings, SpeechMode

__all__ = ["Speaker", "SpeechUnavailable"]

log = logging.getLogger(__name__)

_ESPEAK_VOICES = {"en": "en-us", "pt": "pt-br"}
_GOOGLE_TIMEOUT_S = 8.0
_PROGRAM_TIMEOUT_S = 20.0
_MOST_CHARACTERS = 1500


class SpeechUnavailable(Exception):  # noqa: N818 - named as people say it
    """Nothing on this machine can speak."""


class Speaker:
    """Turns words into Ogg/Opus.

    Args:
        google: Whether words may be sent to Google Translate's voice.
        enabled: Whether to speak at all.
        most: Spoken answers remembered.
    """

    def __init__(self, *, google: bool = False, enabled: bool = True, most: int = 20) -> None:
        self._google = google
        self._enabled = enabled
        self._most = most
        self._spoken: OrderedDict[tuple[tuple[str, str], ...], bytes] = OrderedDict()

    @classmethod
    def from_settings(cls, settings: BotSettings) -> Speaker:
        """A speaker as the settings want it."""
        return cls(
            google=settings.speech is SpeechMode.GOOGLE,
            enabled=settings.speech is not SpeechMode.OFF,
        )

    async def speak(self, parts: Sequence[tuple[str, str]]) -> bytes:
        """Reads aloud what is given, one part after the other.

        Args:
            parts: (language, words), such as ``("hi", "…")``.

        Returns:
            An Ogg file, Opus, mono.

        Raises:
            SpeechUnavailable: It is switched off, or a program is missing or failed.
        """
        key = tuple((language, words[:_MOST_CHARACTERS]) for language, words in parts if words)
        if not self._enabled or not key:
            raise SpeechUnavailable("speech is switched off" if key else "there is nothing to say")
        if key not in self._spoken:
            self._spoken[key] = await self._make(key)
            while len(self._spoken) > self._most:
                self._spoken.popitem(last=False)
        self._spoken.move_to_end(key)
        return self._spoken[key]

    async def _make(self, parts: Sequence[tuple[str, str]]) -> bytes:
        if self._google and shutil.which("ffmpeg"):
            try:
                async with asyncio.timeout(_GOOGLE_TIMEOUT_S):
                    # MP3 frames stand for themselves: files can simply follow each other.
                    audio = b"".join([await asyncio.to_thread(_google, *part) for part in parts])
                return await _to_opus(audio)
            except (gTTSError, TimeoutError, OSError, ValueError, AssertionError) as error:
                log.warning("Google's voice does not answer: %s", type(error).__name__)
        return await _to_opus(_join([await _espeak(*part) for part in parts]))


def _google(language: str, words: str) -> bytes:
    buffer = io.BytesIO()
    gTTS(words, lang=language, timeout=_GOOGLE_TIMEOUT_S).write_to_fp(buffer)
    return buffer.getvalue()


async def _espeak(language: str, words: str) -> bytes:
    """WAV of the words."""
    voice = _ESPEAK_VOICES.get(language, language)
    return await _run(words.encode(), "espeak-ng", "-v", voice, "-s", "150", "--stdin", "--stdout")


def _join(files: Sequence[bytes]) -> bytes:
    """WAV files of the same kind as one, with a breath between them."""
    joined = io.BytesIO()
    with wave.open(joined, "wb") as target:
        for number, content in enumerate(files):
            # espeak-ng writes to a pipe and so cannot know the length: the header's is wrong.
            with wave.open(io.BytesIO(content)) as source:
                if number == 0:
                    target.setnchannels(source.getnchannels())
                    target.setsampwidth(source.getsampwidth())
                    target.setframerate(source.getframerate())
                else:
                    target.writeframes(bytes(2 * source.getframerate() // 3))
                header = content.index(b"data") + 8
            target.writeframes(content[header:])
    return joined.getvalue()


async def _to_opus(audio: bytes) -> bytes:
    if shutil.which("ffmpeg"):
        options = ("-loglevel", "error", "-i", "pipe:0", "-ac", "1", "-c:a", "libopus")
        return await _run(audio, "ffmpeg", *options, "-b:a", "32k", "-f", "ogg", "pipe:1")
    return await _run(audio, "opusenc", "--quiet", "--bitrate", "32", "-", "-")


async def _run(given: bytes, program: str, *arguments: str) -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise SpeechUnavailable(f"{program} is not installed") from error
    try:
        async with asyncio.timeout(_PROGRAM_TIMEOUT_S):
            output, _ = await process.communicate(given)
    except TimeoutError:
        raise SpeechUnavailable(f"{program} does not come to an end") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or not output:
        raise SpeechUnavailable(f"{program} failed")
    return output
