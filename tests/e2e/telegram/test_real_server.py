"""The whole way: Telegram over HTTP, the bot, the real model server, a real photo."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from bots.telegram.journal import JournaledApplication
from tests.support.model_server import ModelServerProcess
from tests.support.telegram_bot import running_bot
from tests.support.telegram_world import TelegramWorld


def jpeg(picture: Image.Image, orientation: int = 1) -> bytes:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(buffer, "JPEG", quality=92, exif=exif)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    """Eileen Collins, by NASA; in the public domain."""
    return Image.fromarray(data.astronaut())


@pytest.fixture
async def bot(
    world: TelegramWorld, model_server: ModelServerProcess, tmp_path: Path
) -> AsyncIterator[JournaledApplication]:
    async with running_bot(world, model_server.address, tmp_path, deadline_s=60.0) as application:
        yield application


@pytest.mark.usefixtures("bot")
async def test_a_real_photo_gets_a_real_answer(
    world: TelegramWorld, astronaut: Image.Image
) -> None:
    """A caption, a description, three look-alikes, a card; pages, details, Spanish."""
    message = world.photo_message(jpeg(astronaut))
    await world.write(message)
    [sent] = await world.until("sendPhoto", timeout_s=60)
    assert sent.picture
    with Image.open(io.BytesIO(sent.picture)) as card:
        card.load()
    assert "\n1. " in sent.text
    assert "\n3. " in sent.text
    assert sent.text.startswith("<i>")
    await world.press(sent.buttons["More look-alikes"], sent, message)
    [page] = await world.until("editMessageMedia", timeout_s=60)
    assert "\n5. " in page.text
    await world.write(world.photo_message(jpeg(astronaut), language="es"))
    spanish = (await world.until("sendPhoto", 2, timeout_s=60))[1]
    assert "La descripción de la imagen está escrita en inglés" in spanish.text


@pytest.mark.usefixtures("bot")
async def test_photos_as_people_take_them(world: TelegramWorld, astronaut: Image.Image) -> None:
    """Turned by EXIF, two faces side by side, no face at all, too small to see anything."""
    turned = jpeg(astronaut.transpose(Image.Transpose.ROTATE_90), orientation=6)
    await world.write(world.photo_message(turned))
    await world.until("sendPhoto", 1, timeout_s=60)
    face = astronaut.crop((100, 0, 350, 250))
    pair = Image.new("RGB", (640, 320), "gray")
    pair.paste(face, (30, 30))
    pair.paste(face.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (350, 30))
    await world.write(world.photo_message(jpeg(pair)))
    two = (await world.until("sendPhoto", 2, timeout_s=60))[1]
    assert "Face 2" in two.text
    await world.write(world.photo_message(jpeg(Image.fromarray(data.coffee()))))
    [nobody] = await world.until("sendMessage", timeout_s=60)
    assert "I found no face in this picture." in nobody.text
    await world.write(world.photo_message(jpeg(Image.new("RGB", (2, 2)))))
    small = (await world.until("sendMessage", 2, timeout_s=60))[1]
    assert "too small" in small.text
    await world.write(world.photo_message(jpeg(astronaut)[:5000]))
    damaged = (await world.until("sendMessage", 3, timeout_s=60))[2]
    assert "damaged" in damaged.text


@pytest.mark.usefixtures("bot")
async def test_two_photos_of_one_person(world: TelegramWorld, astronaut: Image.Image) -> None:
    """/compare says that they are very alike."""
    await world.write(world.message(text="/compare"))
    for number, width in enumerate((512, 400), start=1):
        await world.until("sendMessage", number)
        await world.write(world.photo_message(jpeg(astronaut.resize((width, width)))))
    [sent] = await world.until("sendPhoto", timeout_s=60)
    [likeness] = re.findall(r"The two faces are alike: (\d+) of 100", sent.text)
    assert int(likeness) >= 90
