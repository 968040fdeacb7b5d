"""Photos for benchmarks: the sample photo, composed to the size and number of faces wanted."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

from PIL import Image

__all__ = ["compose", "jpeg", "sample_photo"]


def sample_photo() -> Image.Image:
    """The astronaut that scikit-image ships (NASA, public domain), 512 x 512."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise SystemExit('the sample photo comes with scikit-image: pip install ".[sample]"')
    return Image.open(Path(spec.origin).parent / "data" / "astronaut.png").convert("RGB")


def compose(width: int = 1280, height: int = 960) -> Image.Image:
    """The sample photo on a canvas of the size wanted: one face."""
    sample = sample_photo()
    canvas = Image.new("RGB", (width, height), (96, 110, 128))
    side = round(height * 0.9)
    canvas.paste(sample.resize((side, side)), ((width - side) // 2, height - side))
    return canvas


def jpeg(picture: Image.Image, quality: int = 90) -> bytes:
    """Bytes of a JPEG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
