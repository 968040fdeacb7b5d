"""Answers read aloud: by Google's voice where that is allowed, else by espeak-ng.

The result is an Ogg file with Opus, which every platform plays. The voice that needs no
net is a program of the system: ``espeak-ng``.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections import OrderedDict
from collections.abc import Sequence

from gtts import gTTS, gTTSError

from bots.core.media import UnreadableMedia, to_opus
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
        if self._google:
            try:
                async with asyncio.timeout(_GOOGLE_TIMEOUT_S):
                    sounds = [await asyncio.to_thread(_google, *part) for part in parts]
                return await asyncio.to_thread(to_opus, *sounds)
            except (gTTSError, TimeoutError, OSError, ValueError, UnreadableMedia) as error:
                log.warning("Google's voice does not answer: %s", type(error).__name__)
        sounds = [await _espeak(*part) for part in parts]
        try:
            return await asyncio.to_thread(to_opus, *sounds)
        except UnreadableMedia as error:
            raise SpeechUnavailable("espeak-ng made no sound") from error


def _google(language: str, words: str) -> bytes:
    buffer = io.BytesIO()
    gTTS(words, lang=language, timeout=_GOOGLE_TIMEOUT_S).write_to_fp(buffer)
    return buffer.getvalue()


async def _espeak(language: str, words: str) -> bytes:
    """WAV of the words."""
    voice = _ESPEAK_VOICES.get(language, language)
    return await _run(words.encode(), "espeak-ng", "-v", voice, "-s", "150", "--stdin", "--stdout")


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
