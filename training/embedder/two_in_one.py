"""Can the face captioner's encoder tell people apart as well? A linear head on its features.

If it could, one pass would serve description and match. The encoder is left as it is, so that
its captions stay what they are; only the head learns, by least squares, from the teacher.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from model_server.analysis import BoundingBox, Detection, FloatArray
from model_server.captioning.networks import CNNEncoder
from model_server.faces.alignment import align_portrait
from model_server.imaging import Preprocessing, preprocess
from training.embedder.crops import FaceSet, read_people
from training.runtime import cpu_autocast

__all__ = ["encode_portraits", "linear_head"]

_CELLS = 3
"""Features are averaged over this many rows and columns: where on the face they lie counts."""


def encode_portraits(
    data: Path, faces: FaceSet, encoder: CNNEncoder, preprocessing: Preprocessing
) -> FloatArray:
    """What the encoder sees in every face of LFW.

    Args:
        data: Folder with the data set "lfw".
        faces: Where its faces lie.
        encoder: Of the face captioner.
        preprocessing: Of the encoder.

    Returns:
        Shape (faces, 9 x channels); zeros for other data sets' faces and where none was found.
    """
    row_of = {name: row for row, name in enumerate(faces.names) if faces.found[row]}

    def portraits() -> Iterator[tuple[int, FloatArray]]:
        for face in read_people(data, "lfw"):
            row = row_of.get(face.name)
            if row is not None:
                found = Detection(BoundingBox(0, 0, 1, 1), faces.landmarks[row], 1.0)
                portrait = align_portrait(face.photo, found, preprocessing.width)
                yield row, preprocess(portrait, preprocessing)

    features = np.zeros((len(faces.names), _CELLS**2 * encoder.channels), np.float32)
    batch: list[tuple[int, FloatArray]] = []
    for item in portraits():
        batch.append(item)
        if len(batch) == 32:
            _encode(batch, encoder, features)
            batch = []
    if batch:
        _encode(batch, encoder, features)
    return features


@torch.inference_mode()
def _encode(batch: list[tuple[int, FloatArray]], encoder: CNNEncoder, features: FloatArray) -> None:
    pixels = torch.from_numpy(np.stack([pixels for _, pixels in batch]))
    with cpu_autocast():
        seen = encoder.backbone(pixels.contiguous(memory_format=torch.channels_last))
    cells = functional.adaptive_avg_pool2d(seen.float(), _CELLS).flatten(1)
    features[[row for row, _ in batch]] = cells.numpy()


def linear_head(
    features: FloatArray, targets: FloatArray, learn: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> FloatArray:
    """Embeddings by the ridge regression from features to the teacher's vectors.

    Args:
        features: Shape (N, F).
        targets: Shape (N, D).
        learn: Rows to fit on.

    Returns:
        Unit rows, shape (N, D).
    """
    mean, deviation = features[learn].mean(0), features[learn].std(0) + 1e-3
    scaled = torch.from_numpy((features - mean) / deviation)
    known, wanted = scaled[learn], torch.from_numpy(targets[learn])
    gram = known.T @ known
    gram += 0.1 * gram.trace() / len(gram) * torch.eye(len(gram))
    weight = torch.linalg.solve(gram, known.T @ (wanted - wanted.mean(0)))
    rows = functional.normalize(scaled @ weight + wanted.mean(0), dim=1)
    return np.asarray(rows.numpy(), np.float32)
