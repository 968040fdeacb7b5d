"""Answers read aloud."""

import shutil

import pytest

from bots.core.settings import SpeechMode
from tests.support.web_world import running_web


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
async def test_voice(world):
    """The answer is an Ogg file."""
    body = {"caption": "a dog", "words": "Looks like Star 1"}
    response = await world.http.post("/api/speech", json=body)
    assert response.headers["content-type"] == "audio/ogg"
    assert response.content[:4] == b"OggS"


async def test_voice_switched_off(fake):
    """Without a voice the page is told so."""
    async with running_web(fake, speech=SpeechMode.OFF) as world:
        response = await world.http.post("/api/speech", json={"caption": "x", "words": ""})
    assert response.status_code == 503
    assert response.json()["reason"] == "SPEECH_UNAVAILABLE"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"caption": "x"}', b'{"caption": 1, "words": 2}'])
async def test_nonsense(world, body):
    """What is no speech is refused without being quoted."""
    response = await world.http.post("/api/speech", content=body)
    assert response.status_code == 422


async def test_long_speeches_are_refused(world):
    """Nobody reads a book aloud on our machine."""
    long = {"caption": "", "words": "a" * 2001}
    assert (await world.http.post("/api/speech", json=long)).status_code == 422
    huge = await world.http.post("/api/speech", content=b"a" * 20_000)
    assert huge.status_code == 413
