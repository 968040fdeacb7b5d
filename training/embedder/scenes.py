"""Detection on scenes composed of heads whose place is known."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw
from rich.table import Table

from model_server.analysis import Detection, Image
from model_server.faces.detector import FaceDetector
from training.embedder.crops import read_people
from training.photos import open_photos

__all__ = ["Scene", "compose", "detection_table", "hits"]

# In LFW's frames of 250 pixels the face's centre, and its width from ear to ear.
_FACE_CENTRE = (125, 132)
_FACE_WIDTH = 92
_HEAD = (45, 35, 205, 225)


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture with known faces.

    Attributes:
        picture: RGB uint8.
        faces: Centre x, centre y and width of each, pixels.
    """

    picture: Image
    faces: list[tuple[float, float, float]]


def compose(
    heads: Sequence[Image],
    background: Image,
    width_px: float,
    rng: np.random.Generator,
    *,
    degrees: float = 0.0,
    covered: bool = False,
) -> Scene:
    """Pastes heads into a 1280 x 960 picture, none over another's face.

    Args:
        heads: Frames of LFW, 250 x 250.
        background: Anything without faces.
        width_px: Of the faces, pixels.
        rng: Draws places and angles.
        degrees: Heads are turned by up to this.
        covered: Whether one half of each face, left or right, is covered.
    """
    canvas = PillowImage.fromarray(background).resize((1280, 960)).convert("RGB")
    scale = width_px / _FACE_WIDTH
    placed: list[tuple[float, float, float]] = []
    for head in heads:
        picture = PillowImage.fromarray(head)
        mask = PillowImage.new("L", picture.size, 0)
        ImageDraw.Draw(mask).ellipse(_HEAD, fill=255)
        if covered:
            side = _FACE_CENTRE[0] if rng.random() < 0.5 else 0
            ImageDraw.Draw(picture).rectangle((side, 0, side + 125, 250), fill=(90, 70, 60))
        turn = float(rng.uniform(-degrees, degrees))
        size = max(round(250 * scale), 1)
        resample = PillowImage.Resampling.BICUBIC
        picture = picture.rotate(turn, resample, center=_FACE_CENTRE).resize((size, size))
        mask = mask.rotate(turn, center=_FACE_CENTRE).resize((size, size))
        for _ in range(200):
            x = rng.uniform(0.6 * width_px, max(1280 - 0.6 * width_px, 0.6 * width_px + 1))
            y = rng.uniform(0.8 * width_px, max(960 - 0.8 * width_px, 0.8 * width_px + 1))
            apart = [np.hypot(x - other[0], y - other[1]) for other in placed]
            if all(distance > 1.9 * width_px for distance in apart):
                corner = (round(x - _FACE_CENTRE[0] * scale), round(y - _FACE_CENTRE[1] * scale))
                canvas.paste(picture, corner, mask)
                placed.append((x, y, width_px))
                break
    return Scene(np.asarray(canvas), placed)


def hits(scene: Scene, detections: Sequence[Detection]) -> tuple[int, int]:
    """Faces that were found, and detections that are none of them."""
    open_faces = list(scene.faces)
    false = 0
    for detection in detections:
        x = detection.box.x + detection.box.width / 2
        y = detection.box.y + detection.box.height / 2
        near = [
            face
            for face in open_faces
            if np.hypot(x - face[0], y - face[1]) < 0.5 * face[2]
            and 0.5 < detection.box.width / face[2] < 2.0
        ]
        if near:
            open_faces.remove(near[0])
        else:
            false += 1
    return len(scene.faces) - len(open_faces), false


def detection_table(data: Path, detector: FaceDetector, scenes: int) -> Table:
    """Recall, false positives and speed by kind of scene.

    Args:
        data: Folder with "lfw" and "natural".
        detector: As served.
        scenes: Pictures of each kind.
    """
    rng = np.random.default_rng(0)
    heads = [face.photo for face, _ in zip(read_people(data, "lfw"), range(400), strict=False)]
    photos = open_photos(data / "natural" / "images.tar")
    with (data / "natural" / "images.csv").open(encoding="utf-8", newline="") as lines:
        landscapes = [
            row["image_name"]
            for row in csv.DictReader(lines)
            if row["source_set"] == "intel_scenes"
        ]
    table = Table(title="Detection, 1280 x 960 pixels, one core")
    for column in ("scene", "faces", "recall %", "false positives a photo", "ms a photo"):
        table.add_column(column)
    kinds: list[tuple[str, int, float, float, bool]] = [
        *((f"one face, {size} px", 1, float(size), 0.0, False) for size in (24, 32, 40, 60)),
        *((f"one face, {size} px", 1, float(size), 0.0, False) for size in (120, 240, 400, 600)),
        ("10 faces, 80 px", 10, 80.0, 0.0, False),
        ("30 faces, 60 px", 30, 60.0, 0.0, False),
        ("5 faces, 120 px, turned up to 45°", 5, 120.0, 45.0, False),
        ("5 faces, 120 px, half covered", 5, 120.0, 0.0, True),
        ("none", 0, 1.0, 0.0, False),
    ]
    for name, count, width, degrees, covered in kinds:
        found = total = false = 0
        elapsed = 0.0
        for _ in range(scenes):
            chosen = [heads[index] for index in rng.choice(len(heads), count, replace=False)]
            background = photos.open(landscapes[int(rng.integers(len(landscapes)))])
            scene = compose(chosen, background, width, rng, degrees=degrees, covered=covered)
            began = time.process_time()
            detections = detector.detect(scene.picture)
            elapsed += time.process_time() - began
            right, wrong = hits(scene, detections)
            found, false, total = found + right, false + wrong, total + len(scene.faces)
        recall = f"{found / total * 100:.1f}" if total else "-"
        table.add_row(
            name, str(total), recall, f"{false / scenes:.2f}", f"{elapsed / scenes * 1000:.0f}"
        )
    return table
