"""BlazeFace made fully convolutional, on a small network of the same form."""

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as operations

from model_server.bundle import BUNDLES
from training.embedder.convert_detector import convert_detector, fully_convolutional


@pytest.fixture
def square(tmp_path):
    """Squares of 64 floats; a grid of 4 x 4 cells with two outputs of fixed shape."""
    rng = np.random.default_rng(0)
    image = operations.parameter([1, 64, 64, 3], np.float32, "input")
    first = operations.transpose(image, operations.constant([0, 3, 1, 2]))
    outputs = []
    for count in (16, 1):
        kernel = operations.constant(rng.normal(0, 0.1, (count, 3, 16, 16)).astype(np.float32))
        cells = operations.convolution(first, kernel, [16, 16], [0, 0], [0, 0], [1, 1])
        last = operations.transpose(cells, operations.constant([0, 2, 3, 1]))
        outputs.append(operations.reshape(last, operations.constant([1, 16, count]), False))
    path = tmp_path / "square.xml"
    ov.save_model(ov.Model(outputs, [image]), path, compress_to_fp16=False)
    return path


def run(network, image):
    config = {"INFERENCE_PRECISION_HINT": "f32"}
    return list(ov.Core().compile_model(network, "CPU", config)(image[None]).values())


def test_squares_give_what_they_gave(square):
    """Bytes instead of floats from -1 to 1, and the same numbers."""
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    expected = run(square, pixels.astype(np.float32) / 127.5 - 1)
    for one, other in zip(run(fully_convolutional(square), pixels), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_other_shapes_have_more_anchors(square):
    """What a square shows is found in a wider picture, too, row by row."""
    pixels = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    network = fully_convolutional(square)
    boxes, logits = run(network, pixels)
    assert boxes.shape == (1, 24, 16)
    assert logits.shape == (1, 24, 1)
    left = run(network, np.ascontiguousarray(pixels[:, :64]))[0].reshape(4, 4, 16)
    np.testing.assert_allclose(boxes.reshape(4, 6, 16)[:, :4], left, atol=1e-4)


def test_another_file_is_refused(square):
    """Only the file whose licence and origin the bundle states."""
    with pytest.raises(SystemExit, match="is not the file"):
        convert_detector(square, BUNDLES / "detector")
