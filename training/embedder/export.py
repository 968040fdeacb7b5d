"""Our network as the bundle that the server loads."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import openvino as ov
import torch
from torch import nn

from model_server.analysis import Image
from model_server.bundle import MANIFEST, write_manifest
from training.embedder.crops import SIDE, TEMPLATE
from training.embedder.network import PREPROCESSING, FaceNetwork, to_tensor

__all__ = ["export_embedder", "save_network"]


def save_network(network: nn.Module, file: Path, calibration: Image | None = None) -> None:
    """Writes a network of faces for OpenVINO, any number of faces a call.

    Args:
        network: Takes (N, 3, 150, 150).
        file: The .xml file.
        calibration: Aligned faces, shape (N, 150, 150, 3), to choose int8's ranges by; none:
            weights in 16 bits.
    """
    with warnings.catch_warnings():
        # OpenVINO traces with torch.jit; its successor cannot be converted as well yet.
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        model = ov.convert_model(network.eval(), example_input=torch.zeros(1, 3, SIDE, SIDE))
    model.reshape([-1, 3, SIDE, SIDE])
    model.inputs[0].set_names({"image"})
    model.outputs[0].set_names({"embedding"})
    if calibration is not None:
        import nncf

        faces = nncf.Dataset(calibration, lambda face: {"image": to_tensor(face[None]).numpy()})
        model = nncf.quantize(
            model,
            faces,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(calibration),
            # The head sums 4,096 standardised numbers: there int8 would cost the most.
            ignored_scope=nncf.IgnoredScope(types=["MatMul"]),
        )
    ov.save_model(model, file, compress_to_fp16=True)


def export_embedder(
    network: FaceNetwork,
    destination: Path,
    version: str,
    *,
    flip: bool,
    scales: Sequence[float] = (1.0,),
    calibration: Image | None = None,
) -> None:
    """Writes the bundle; texts that lie in its folder stay.

    Args:
        network: Trained.
        destination: Folder of the bundle.
        version: Changes with every training: embeddings of two versions do not compare.
        flip: Whether the server shall average a face and its mirror image.
        scales: At which it shall look at a face and average.
        calibration: As :func:`save_network` takes it.
    """
    destination.mkdir(parents=True, exist_ok=True)
    (destination / MANIFEST).unlink(missing_ok=True)
    save_network(network, destination / "network.xml", calibration)
    write_manifest(
        destination,
        {
            "name": "embedder",
            "version": version,
            "kind": "face_embedder",
            "license": "CC0-1.0 AND LicenseRef-LFW-and-Glint360K-research",
            "origin": "dlib's face recognition network, trained further; see MODEL_CARD.md",
            "dimension": network.embedding.out_features,
            "template": [[round(float(x), 4) for x in point] for point in TEMPLATE],
            "flip": flip,
            "scales": list(scales),
            "precision": "fp16" if calibration is None else "int8",
            "preprocessing": PREPROCESSING.to_manifest(),
        },
    )
