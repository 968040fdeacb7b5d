"""The whole way: a photo in Discord, the bot, a real model server with real models."""

from __future__ import annotations

import io

import av
import pytest
from PIL import Image

from benchmarks.photos import jpeg, sample_photo
from tests.support.discord_world import buttons, embed_text, files, make_bot, world


@pytest.fixture
async def whole(model_server, tmp_path):
    """Alice in a channel, with the real thing behind the bot."""
    bot = make_bot(model_server.address, tmp_path, deadline_s=60.0)
    async with world(bot, settle_timeout=60.0) as env:
        guild = env.create_guild()
        channel = guild.create_text_channel("general")
        yield env, channel, guild.add_member(env.create_user("alice"))


def canvas(*places, size=(1024, 512)):
    """The astronaut at each of (left, top, side) on a plain canvas."""
    picture = Image.new("RGB", size, (96, 110, 128))
    for left, top, side in places:
        picture.paste(sample_photo().resize((side, side)), (left, top))
    return picture


def turned(picture):
    """Bytes of a JPEG that lies on its side and says so in its EXIF."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    picture.rotate(90, expand=True).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


async def test_astronaut(whole):
    """A caption, one face, three look-alikes, a card that decodes, and buttons that answer."""
    env, channel, alice = whole
    result = await alice.slash(channel, "lookalike", photo=("a.jpg", jpeg(sample_photo())))
    text = embed_text(result.response)
    caption, *rest = text.splitlines()
    assert len(caption.split()) >= 3
    assert sum(" of 100" in line for line in rest) == 3
    shown = await files(env, result.response)
    assert Image.open(io.BytesIO(shown["lookalike.jpg"])).width >= 600
    await alice.click(result.response, label="More look-alikes")
    await alice.click(result.response, label="Next")
    assert "10. " in embed_text(result.response)
    await alice.click(result.response, label="Details")
    assert "cosine" in embed_text(result.response)
    await alice.click(result.response, label="Back")
    assert embed_text(result.response) == text
    spoken = await alice.click(result.response, label="Hear it")
    (sound,) = (await files(env, spoken.response)).values()
    with av.open(io.BytesIO(sound)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) > 48_000


@pytest.mark.parametrize(
    ("content", "faces"),
    [
        (turned(sample_photo()), 1),
        (jpeg(canvas((0, 0, 512), (512, 0, 512))), 2),
        (jpeg(canvas((900, 400, 96))), 0),
        (jpeg(canvas()), 0),
    ],
    ids=["turned", "two faces", "tiny", "none"],
)
async def test_composed_pictures(whole, content, faces):
    """Turned, twice, too small and not at all: each is answered as a person would expect."""
    env, channel, alice = whole
    result = await alice.slash(channel, "lookalike", photo=("a.jpg", content))
    text = embed_text(result.response)
    assert ("no face" in text) == (faces == 0)
    assert ("Face 2" in text) == (faces == 2)
    assert ("Another face" in buttons(result.response)) == (faces == 2)
    assert ("lookalike.jpg" in await files(env, result.response)) == (faces > 0)


async def test_the_same_face_twice_is_the_same(whole):
    """/compare finds the astronaut in both of two different pictures of her."""
    _, channel, alice = whole
    result = await alice.slash(
        channel,
        "compare",
        first=("a.jpg", jpeg(sample_photo())),
        second=("b.jpg", jpeg(canvas((200, 40, 400)))),
    )
    text = embed_text(result.response)
    likeness = int(text.split(" of 100")[0].split()[-1])
    assert likeness > 90


async def test_a_celebrity_of_the_gallery(whole):
    """A name that autocomplete offers can be shown."""
    _, channel, alice = whole
    choices = await alice.autocomplete(channel, "celebrity", "name", "a")
    assert choices
    result = await alice.slash(channel, "celebrity", name=choices[0]["value"])
    assert choices[0]["value"] in embed_text(result.response)
