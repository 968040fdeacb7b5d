"""What a face mesh tells of a face: turned to the front, measured, freed of pose and expression.

A mesh is first turned onto the mean mesh (generalised Procrustes analysis, Gower 1975), then
measured in lengths relative to the face's width or height. What head pose, smile and an open
mouth explain of a measure is taken out by linear regression; what remains belongs to the person,
so it may be averaged over the person's photos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["MEASURES", "Frontal", "average_by_person", "frontalise", "measure", "residuals"]

Floats = npt.NDArray[np.float64]

# Numbers of points in the mesh, as MediaPipe counts them. Left and right as in the picture.
TOP, CHIN, BROW_CENTER, NOSE_ROOT, NOSE_BASE = 10, 152, 9, 168, 2
CHEEKS, JAW, CHIN_SIDES, TEMPLES = (234, 454), (136, 365), (149, 378), (54, 284)
NOSTRILS, MOUTH, INNER_EYES = (48, 278), (61, 291), (133, 362)
UPPER_LIP, LOWER_LIP = (0, 13), (14, 17)
EYE_LIDS = ((159, 145), (158, 153), (160, 144)), ((386, 374), (385, 380), (387, 373))
EYE_CORNERS = (33, 133), (263, 362)
BROWS = (70, 105, 107), (300, 334, 336)  # outer end, peak, inner end

MEASURES = (
    "aspect",
    "jaw",
    "chin",
    "forehead_width",
    "forehead_height",
    "eye_opening",
    "eye_width",
    "eye_distance",
    "nose_width",
    "nose_length",
    "lip_height",
    "brow_arch",
)
"""The measures, see :func:`measure`."""


@dataclass(frozen=True, slots=True)
class Frontal:
    """Meshes turned to the front.

    Attributes:
        points: Shape (N, 468, 3), unit root-mean-square size.
        yaw: Shape (N,), degrees, positive where the face looks to one fixed side.
        pitch: Shape (N,), degrees, 0 in the middle of the faces that were fitted on.
    """

    points: Floats
    yaw: Floats
    pitch: Floats


def frontalise(
    points: npt.NDArray[np.floating], fit_on: npt.NDArray[np.bool_], rounds: int = 5
) -> Frontal:
    """Turns meshes onto a mean, and that to the front.

    Args:
        points: Shape (N, 468, 3).
        fit_on: Shape (N,): the faces whose mean, and whose middle pitch, it is.
        rounds: How often mean and rotations are found anew.
    """
    shapes = np.asarray(points, np.float64)
    shapes = shapes - shapes.mean(1, keepdims=True)
    shapes /= np.sqrt((shapes**2).sum((1, 2), keepdims=True) / shapes.shape[1])
    mean = shapes[fit_on][0]
    for _ in range(rounds):
        turns = _rotations(shapes, mean)
        mean = (shapes[fit_on] @ turns[fit_on]).mean(0)
    # Axes of the mean face: along the eyes, down to the chin, and away from the camera.
    right = mean[EYE_CORNERS[1][0]] - mean[EYE_CORNERS[0][0]]
    right /= np.linalg.norm(right)
    down = mean[CHIN] - mean[TOP]
    down -= down @ right * right
    down /= np.linalg.norm(down)
    turns = turns @ np.stack([right, down, np.cross(right, down)], axis=1)
    yaw, pitch = (np.degrees(np.arcsin(turns[:, 2, axis].clip(-1, 1))) for axis in (0, 1))
    return Frontal(shapes @ turns, yaw, pitch - np.median(pitch[fit_on]))


def _rotations(shapes: Floats, mean: Floats) -> Floats:
    """Rotations R, shape (N, 3, 3), that bring each ``shape @ R`` nearest to ``mean`` (Kabsch)."""
    u, _, v = np.linalg.svd(np.einsum("nki,kj->nij", shapes, mean))
    u[:, :, 2] *= np.sign(np.linalg.det(u @ v))[:, None]
    rotations: Floats = u @ v
    return rotations


def measure(points: Floats) -> dict[str, Floats]:
    """The measures of frontal meshes, shape (N, 468, 3), by name; each of shape (N,).

    Besides :data:`MEASURES` there are "mouth_width" and "mouth_opening", which tell of the
    expression. All are ratios; "brow_arch" is height over width.
    """

    def apart(pair: tuple[int, int]) -> Floats:
        distances: Floats = np.linalg.norm(points[:, pair[0]] - points[:, pair[1]], axis=1)
        return distances

    width, height = apart(CHEEKS), apart((TOP, CHIN))
    eyes = [apart(corners) for corners in EYE_CORNERS]
    lids = [np.mean([apart(pair) for pair in pairs], 0) for pairs in EYE_LIDS]
    return {
        "aspect": height / width,
        "jaw": apart(JAW) / width,
        "chin": apart(CHIN_SIDES) / width,
        "forehead_width": apart(TEMPLES) / width,
        "forehead_height": apart((TOP, BROW_CENTER)) / height,
        "eye_opening": (lids[0] / eyes[0] + lids[1] / eyes[1]) / 2,
        "eye_width": (eyes[0] + eyes[1]) / 2 / width,
        "eye_distance": apart(INNER_EYES) / width,
        "nose_width": apart(NOSTRILS) / width,
        "nose_length": apart((NOSE_ROOT, NOSE_BASE)) / height,
        "lip_height": (apart(UPPER_LIP) + apart(LOWER_LIP)) / width,
        "brow_arch": np.mean([_arch(points, *brow) for brow in BROWS], 0),
        "mouth_width": apart(MOUTH) / width,
        "mouth_opening": apart((UPPER_LIP[1], LOWER_LIP[0])) / width,
    }


def _arch(points: Floats, outer: int, peak: int, inner: int) -> Floats:
    base = points[:, inner, :2] - points[:, outer, :2]
    rise = points[:, peak, :2] - points[:, outer, :2]
    area = np.abs(base[:, 0] * rise[:, 1] - base[:, 1] * rise[:, 0])
    arch: Floats = area / (base**2).sum(1)
    return arch


def residuals(
    measures: Mapping[str, Floats],
    frontal: Frontal,
    smiling: Floats,
    fit_on: npt.NDArray[np.bool_],
) -> dict[str, Floats]:
    """What pose and expression leave unexplained of each measure, in standard deviations.

    Args:
        measures: From :func:`measure`.
        frontal: Where yaw and pitch come from.
        smiling: Shape (N,), 0..1.
        fit_on: Shape (N,): the faces that the regression and the deviations are fitted on.
    """
    opening, width = measures["mouth_opening"], measures["mouth_width"]
    pitch, yaw = frontal.pitch / 10, np.abs(frontal.yaw) / 10
    explained_by = np.stack(
        [np.ones_like(yaw), pitch, pitch**2, yaw, yaw**2, smiling, opening, opening**2, width], 1
    )
    found: dict[str, Floats] = {}
    for name in MEASURES:
        weights, *_ = np.linalg.lstsq(explained_by[fit_on], measures[name][fit_on], rcond=None)
        rest = measures[name] - explained_by @ weights
        found[name] = rest / rest[fit_on].std()
    return found


def average_by_person(
    values: Floats, people: Sequence[str], usable: npt.NDArray[np.bool_]
) -> Floats:
    """Gives every photo the mean over its person's usable photos; NaN where there are none.

    Args:
        values: Shape (N,).
        people: Whom each photo shows.
        usable: Shape (N,): photos that take part in the mean.
    """
    _, numbers = np.unique(np.asarray(people), return_inverse=True)
    counts = np.bincount(numbers, usable)
    sums = np.bincount(numbers, np.where(usable, values, 0.0))
    means: Floats = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return means[numbers]
