"""Sound and moving pictures, without programs of the system: PyAV brings FFmpeg along."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
from av.error import FFmpegError
from PIL import Image

__all__ = ["UnreadableMedia", "first_frame", "to_opus"]

_OPUS_RATE = 48_000
_MOST_SIDE = 1920


class UnreadableMedia(Exception):  # noqa: N818 - named as people say it
    """The bytes are no video, or no sound, that can be decoded."""


def first_frame(video: bytes) -> bytes:
    """JPEG of a video's first frame, 1920 pixels at most.

    Raises:
        UnreadableMedia: There is none that can be decoded.
    """
    try:
        with av.open(io.BytesIO(video), "r") as container:
            frame: Any = next(container.decode(video=0))
            picture = frame.to_image()
    except (FFmpegError, StopIteration, IndexError, ValueError, OSError):
        # ``from None``: nothing of the video goes into logs.
        raise UnreadableMedia("the video cannot be decoded") from None
    picture.thumbnail((_MOST_SIDE, _MOST_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def to_opus(*sounds: bytes, pause_s: float = 0.4) -> bytes:
    """Ogg/Opus, mono, of sounds in any format, one after the other.

    Raises:
        UnreadableMedia: One of them cannot be decoded.
    """
    buffer = io.BytesIO()
    try:
        with av.open(buffer, "w", format="ogg") as target:
            stream = target.add_stream("libopus", rate=_OPUS_RATE, layout="mono", bit_rate=32_000)
            samples = 0
            for number, sound in enumerate(sounds):
                if number:
                    samples += round(pause_s * _OPUS_RATE)
                for frame in _decoded(sound):
                    frame.pts = samples
                    frame.time_base = Fraction(1, _OPUS_RATE)
                    samples += frame.samples
                    target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
    except (FFmpegError, IndexError, ValueError, OSError):
        raise UnreadableMedia("the sound cannot be decoded") from None
    return buffer.getvalue()


def _decoded(sound: bytes) -> list[av.AudioFrame]:
    resampler = av.AudioResampler("s16", "mono", _OPUS_RATE, frame_size=960)
    frames: list[av.AudioFrame] = []
    with av.open(io.BytesIO(sound), "r") as container:
        for frame in container.decode(audio=0):
            frames += resampler.resample(frame)
    frames += resampler.resample(None)
    return frames
