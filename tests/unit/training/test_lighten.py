"""Tests of the light decoder: an LSTM written out, int8 weights."""

import json
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

from model_server.bundle import load_bundle, write_manifest
from training.commands import app
from training.export import trace
from training.lighten import lighten, lighten_bundle

HIDDEN, WORDS = 64, 100


class Step(torch.nn.Module):
    """A word and a state → logits and the next state."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(WORDS, HIDDEN)
        self.lstm = torch.nn.LSTM(HIDDEN, HIDDEN, batch_first=True)
        self.words = torch.nn.Linear(HIDDEN, WORDS)

    def forward(
        self, token: torch.Tensor, h: torch.Tensor, c: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """As a decoder's step."""
        word = self.embedding(token).unsqueeze(1)
        output, (h, c) = self.lstm(word, (h.unsqueeze(0), c.unsqueeze(0)))
        return self.words(output[:, 0]), h[0], c[0]


@pytest.fixture
def step() -> tuple[ov.Model, list[NDArray[np.float32]], list[NDArray[np.generic]]]:
    """The graph, what it gives for an example, and the example."""
    torch.manual_seed(0)
    module = Step().eval()
    example = (torch.tensor([3, 50, 7]), torch.randn(3, HIDDEN), torch.randn(3, HIDDEN))
    with torch.inference_mode():
        expected = [value.numpy() for value in module(*example)]
    shapes = [[-1], [-1, HIDDEN], [-1, HIDDEN]]
    graph = trace(module, example, ["token", "h", "c"], ["logits", "next.h", "next.c"], shapes)
    return graph, expected, [value.numpy() for value in example]


def run(graph: ov.Model, inputs: list[NDArray[np.generic]]) -> list[NDArray[np.float32]]:
    config = {"INFERENCE_PRECISION_HINT": "f32"}
    return list(ov.Core().compile_model(graph, "CPU", config)(inputs).values())


def test_the_numbers_stay(
    step: tuple[ov.Model, list[NDArray[np.float32]], list[NDArray[np.generic]]],
) -> None:
    """Logits and both states are the same but for the rounding of the weights."""
    graph, expected, inputs = step
    light = lighten(graph)
    kinds = [node.get_type_name() for node in light.get_ordered_ops()]
    assert "LSTMSequence" not in kinds
    for one, other in zip(run(light, inputs), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=0.03)


def test_a_bundle_is_made_lighter_once(
    tmp_path: Path,
    step: tuple[ov.Model, list[NDArray[np.float32]], list[NDArray[np.generic]]],
) -> None:
    """The file is half as long, the manifest says so, and a second time is refused.

    It is said that the scores are of the decoder before.
    """
    ov.save_model(step[0], tmp_path / "decoder.xml", compress_to_fp16=True)
    write_manifest(
        tmp_path,
        {
            "name": "test",
            "version": "1",
            "kind": "captioner",
            "license": "MIT",
            "precision": {"encoder": "int8", "decoder": "fp16"},
        },
    )
    before = (tmp_path / "decoder.bin").stat().st_size
    done = CliRunner().invoke(app, ["lighten", "--bundle", str(tmp_path), "--version", "2"])
    assert done.exit_code == 0
    assert "still those of the decoder before" in " ".join(done.output.split())
    assert (tmp_path / "decoder.bin").stat().st_size < 0.6 * before
    bundle = load_bundle(tmp_path, kind="captioner")
    assert bundle.version == "test-2"
    assert json.loads((tmp_path / "bundle.json").read_text())["precision"]["decoder"] == "int8"
    with pytest.raises(ValueError, match="already"):
        lighten_bundle(tmp_path, "3")
