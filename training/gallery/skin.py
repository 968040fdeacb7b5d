"""Apparent skin tone: the individual typology angle of the cheeks in a photo.

ITA = arctan((L* - 50) / b*) in degrees, with the classes of A. Chardon et al., "Skin
colour typology and suntanning pathways", 1991. News photos are lit and balanced as they
come: this is how light the skin appears, not what it is, and nothing about anybody's
origin.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw
from rich.progress import track

from model_server.analysis import FloatArray, Image
from model_server.bundle import BUNDLES, load_bundle
from model_server.engines.openvino import OpenVinoEngine
from model_server.faces.detector import FaceDetector
from model_server.faces.mesh import FaceMesh
from training.embedder.crops import read_people
from training.gallery.features import KeptRows

__all__ = ["CLASSES", "cheek_pixels", "face_mesh", "lab", "tone", "tone_class", "tones"]

CLASSES: tuple[tuple[str, float], ...] = (
    ("very light", 55.0),
    ("light", 41.0),
    ("intermediate", 28.0),
    ("tan", 10.0),
    ("brown", -30.0),
    ("dark", -90.0),
)
"""Names, and the angle above which they begin; lightest first."""

_CHEEKS = ((117, 118, 101, 36, 205, 187), (346, 347, 330, 266, 425, 411))
"""Points of the mesh around each cheek: below the eye, beside the nose, above the mouth."""

_LEAST_PIXELS = 30
_LEAST_YELLOW = 2.0
"""Of b*: below it the photo is black and white or its light is blue, and the angle says
nothing of skin."""

_MIN_PRESENCE = 0.5
_BOX_SIDES = 2.4
"""Side of the box around a face, in distances between the eyes."""

_D65 = np.array([0.95047, 1.0, 1.08883])
_XYZ_OF_RGB = np.array(
    [
        (0.4124564, 0.3575761, 0.1804375),
        (0.2126729, 0.7151522, 0.0721750),
        (0.0193339, 0.1191920, 0.9503041),
    ]
)


def lab(pixels: Image) -> FloatArray:
    """CIELAB of sRGB pixels, D65, as IEC 61966-2-1 and CIE 15 define them.

    Args:
        pixels: uint8, shape (n, 3).

    Returns:
        L*, a* and b*, shape (n, 3).
    """
    values = pixels.astype(np.float64) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    ratio = linear @ _XYZ_OF_RGB.T / _D65
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1).astype(np.float32)


def cheek_pixels(photo: Image, points: FloatArray) -> Image:
    """The pixels of both cheeks.

    Args:
        photo: RGB uint8.
        points: Of the mesh, shape (468, 3), pixels.

    Returns:
        Shape (n, 3).
    """
    mask = PillowImage.new("1", (photo.shape[1], photo.shape[0]))
    for cheek in _CHEEKS:
        corners = [(float(x), float(y)) for x, y in points[list(cheek), :2]]
        ImageDraw.Draw(mask).polygon(corners, fill=1)
    inside: Image = photo[np.asarray(mask)]
    return inside


def tone(pixels: Image) -> float:
    """ITA of skin in degrees, of the median colour.

    Args:
        pixels: RGB uint8, shape (n, 3).

    Returns:
        NaN where there are too few pixels, or where they have not the colour of skin.
    """
    if len(pixels) < _LEAST_PIXELS:
        return float("nan")
    lightness, _, yellow = np.median(lab(pixels), axis=0).tolist()
    if yellow < _LEAST_YELLOW:
        return float("nan")
    return float(np.degrees(np.arctan((lightness - 50) / yellow)))


def tone_class(degrees: float) -> str:
    """The class of Chardon et al."""
    return next(name for name, low in CLASSES if degrees > low or name == CLASSES[-1][0])


def face_mesh(bundles: Path = BUNDLES) -> FaceMesh:
    """The mesh of the server's detector."""
    bundle = load_bundle(bundles / "detector", kind=FaceDetector.KIND)
    return FaceMesh(OpenVinoEngine().load(bundle.file("mesh.tflite")))


def tones(data: Path, work: Path, detector: str, mesh: FaceMesh) -> dict[str, float]:
    """ITA by photo of LFW, kept between runs; photos without a measure are left out.

    Args:
        data: Folder with "lfw".
        work: Folder where ``embed_all`` kept what the detector found.
        detector: Fingerprint of that detector.
        mesh: Measures the faces.
    """
    found = KeptRows(work / f"{detector}.npz")
    kept = KeptRows(work / f"{detector}-tones.npz")
    wanted = {name for name in found.rows if name.startswith("lfw/") and found.rows[name][10]}
    missing = wanted - kept.rows.keys()
    if missing:
        for face in track(read_people(data, "lfw"), "skin tones", total=len(found.rows)):
            if face.name in missing:
                landmarks = found.rows[face.name][:10].reshape(5, 2)
                value = _tone_of(face.photo, landmarks, mesh)
                kept.add(face.name, np.array([value], np.float32))
        kept.save()
    values = {name: float(kept.rows[name][0]) for name in wanted}
    return {name: value for name, value in values.items() if not np.isnan(value)}


def _tone_of(photo: Image, landmarks: FloatArray, mesh: FaceMesh) -> float:
    eyes = landmarks[:2]
    half = _BOX_SIDES * float(np.hypot(*(eyes[1] - eyes[0]))) / 2
    if half < 1:
        return float("nan")
    centre = landmarks.mean(0)
    points, presence = mesh.measure(photo, np.concatenate([centre - half, centre + half]), eyes)
    return tone(cheek_pixels(photo, points)) if presence >= _MIN_PRESENCE else float("nan")
