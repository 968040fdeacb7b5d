"""Our network as the bundle that the server loads."""

from __future__ import annotations

from pathlib import Path

import openvino as ov
import torch

from model_server.bundle import MANIFEST, write_manifest
from model_server.imaging import Preprocessing
from training.embedder.crops import SIDE, TEMPLATE
from training.embedder.dlib_network import MEAN_RGB
from training.embedder.network import FaceNetwork

__all__ = ["export_embedder"]


def export_embedder(network: FaceNetwork, destination: Path, version: str, *, flip: bool) -> None:
    """Writes the bundle; texts that lie in its folder stay.

    Args:
        network: Trained.
        destination: Folder of the bundle.
        version: Changes with every training: embeddings of two versions do not compare.
        flip: Whether the server shall average a face and its mirror image.
    """
    model = ov.convert_model(network.eval(), example_input=torch.zeros(1, 3, SIDE, SIDE))
    model.reshape([-1, 3, SIDE, SIDE])
    model.inputs[0].set_names({"image"})
    model.outputs[0].set_names({"embedding"})
    destination.mkdir(parents=True, exist_ok=True)
    (destination / MANIFEST).unlink(missing_ok=True)
    ov.save_model(model, destination / "network.xml", compress_to_fp16=True)
    preprocessing = Preprocessing(SIDE, SIDE, "RGB", MEAN_RGB, (256.0, 256.0, 256.0))
    write_manifest(
        destination,
        {
            "name": "embedder",
            "version": version,
            "kind": "face_embedder",
            "license": "CC0-1.0",
            "origin": "dlib's face recognition network, trained further; see MODEL_CARD.md",
            "dimension": network.embedding.out_features,
            "template": TEMPLATE.round(4).tolist(),
            "flip": flip,
            "preprocessing": preprocessing.to_manifest(),
        },
    )
