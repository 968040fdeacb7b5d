"""A trained model into the bundle that the server loads: OpenVINO, int8 where it costs little."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import torch
from torch import nn

from model_server.analysis import Image
from model_server.bundle import MANIFEST, write_manifest
from model_server.captioning.exported import ExportedDecoder, ExportedEncoder, NsfwBranch
from model_server.captioning.networks import ImageCaptioningModel
from model_server.captioning.vocabulary import Vocabulary
from model_server.captioning.weights import WEIGHTS, save_weights
from model_server.imaging import Preprocessing, preprocess
from training.lighten import lighten

__all__ = ["BundleFacts", "complete_bundle", "export_bundle", "git_revision", "trace"]


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """What a bundle says about itself.

    Attributes:
        name: Such as "photos".
        version: Such as "1"; a new one whenever captions may change.
        license: Of the weights, as an SPDX expression where there is one.
        decoding: Options of the beam search: beam_size, max_length, length_penalty.
        data: What it was trained on, with the digests of the splits.
        metrics: On held-out photos, by precision: {"fp32": {...}, "served": {...}}.
        training: Configurations of the runs that led here.
        card: MODEL_CARD.md.
        notices: Other texts to put beside it, by file name, such as licences.
    """

    name: str
    version: str
    license: str
    decoding: Mapping[str, Any]
    data: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""
    notices: Mapping[str, str] = field(default_factory=dict)


def export_bundle(
    folder: Path,
    model: ImageCaptioningModel,
    vocabulary: Vocabulary,
    preprocessing: Preprocessing,
    facts: BundleFacts,
    *,
    calibration: Sequence[Image] = (),
    nsfw: NsfwBranch | None = None,
    keep_weights: bool = True,
) -> Path:
    """Writes a bundle; what was in ``folder`` before is replaced only once it is whole.

    Args:
        folder: Of the bundle.
        model: Trained, on the CPU.
        vocabulary: The one it was trained with.
        preprocessing: Of its encoder.
        facts: For bundle.json and the card.
        calibration: Training photos for int8; none: everything stays in fp16.
        nsfw: Where the encoder's NSFW score is to be served.
        keep_weights: Whether to add weights.safetensors (16 bits), for CUDA and fine-tuning.

    Raises:
        ValueError: The vocabulary is not the model's.
    """
    if model.decoder.output.out_features != len(vocabulary):
        raise ValueError(
            f"the model knows {model.decoder.output.out_features} words, "
            f"the vocabulary has {len(vocabulary)}: they are of different runs"
        )
    model = model.eval()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        draft = Path(name) / folder.name
        draft.mkdir()
        convert(draft, model, preprocessing, calibration, nsfw)
        vocabulary.save(draft / "vocab.json")
        if keep_weights:
            save_weights(draft / WEIGHTS, model, nsfw)
        for file, text in {"MODEL_CARD.md": facts.card, **facts.notices}.items():
            if text:
                (draft / file).write_text(text, encoding="utf-8")
        write_manifest(draft, _manifest(vocabulary, preprocessing, facts, calibration))
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    return folder


def complete_bundle(folder: Path, metrics: Mapping[str, Any], card: str) -> None:
    """Adds what is known only once the bundle was evaluated: scores, and the card about them."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    write_manifest(folder, {**manifest, "metrics": dict(metrics)})


def _manifest(
    vocabulary: Vocabulary,
    preprocessing: Preprocessing,
    facts: BundleFacts,
    calibration: Sequence[Image],
) -> dict[str, Any]:
    return {
        "name": facts.name,
        "version": facts.version,
        "kind": "captioner",
        "license": facts.license,
        "precision": dict.fromkeys(("encoder", "decoder"), "int8" if calibration else "fp16"),
        "preprocessing": preprocessing.to_manifest(),
        "vocabulary": vocabulary.digest,
        "decoding": dict(facts.decoding),
        "data": dict(facts.data),
        "metrics": dict(facts.metrics),
        "training": json.loads(json.dumps(facts.training)),
        "git_revision": git_revision(),
    }


def convert(
    folder: Path,
    model: ImageCaptioningModel,
    preprocessing: Preprocessing,
    calibration: Sequence[Image],
    nsfw: NsfwBranch | None,
) -> None:
    """Writes encoder.xml and decoder.xml (and their .bin) with a free batch dimension."""
    encoder = ExportedEncoder(model, nsfw).eval()
    decoder = ExportedDecoder(encoder).eval()
    image = torch.randn(2, 3, preprocessing.height, preprocessing.width)
    with torch.inference_mode():
        produced = encoder(image)
    rest = produced[: len(encoder.memory_names) + len(encoder.state_names)]
    example = (torch.full((2,), 1), *(value.clone() for value in rest))

    sizes = [-1, 3, preprocessing.height, preprocessing.width]
    graph = trace(encoder, (image,), ["image"], encoder.names, [sizes])
    if calibration:
        graph = _quantize(graph, calibration, preprocessing)
    ov.save_model(graph, folder / "encoder.xml", compress_to_fp16=True)
    shapes = [[-1, *value.shape[1:]] for value in example]
    graph = trace(decoder, example, decoder.inputs, decoder.names, shapes)
    if calibration:
        graph = lighten(graph)
    ov.save_model(graph, folder / "decoder.xml", compress_to_fp16=True)


def trace(
    module: nn.Module,
    example: tuple[torch.Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    shapes: Sequence[Sequence[int]],
) -> Any:
    """A module as OpenVINO's graph.

    Args:
        module: In evaluation mode.
        example: Its arguments.
        inputs: Names for them.
        outputs: Names for what it returns.
        shapes: Of the inputs; -1 where a dimension is free.
    """
    with torch.no_grad(), warnings.catch_warnings():
        # OpenVINO's converter reads traced modules, though torch would rather export them; and
        # what torch's LSTM checks while it is traced depends on no input.
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            module, example, check_trace=False
        )
        graph = ov.convert_model(traced, example_input=example)
    for port, name in zip(graph.inputs, inputs, strict=True):
        port.get_tensor().set_names({name})
        port.get_node().set_friendly_name(name)
    for port, name in zip(graph.outputs, outputs, strict=True):
        port.get_tensor().set_names({name})
    graph.reshape({name: ov.PartialShape(list(s)) for name, s in zip(inputs, shapes, strict=True)})
    return graph


def _quantize(graph: Any, photos: Sequence[Image], preprocessing: Preprocessing) -> Any:
    import nncf

    dataset = nncf.Dataset(photos, lambda photo: {"image": preprocess(photo, preprocessing)[None]})
    return nncf.quantize(
        graph,
        dataset,
        preset=nncf.QuantizationPreset.MIXED,  # asymmetric activations: better and as fast
        subset_size=len(photos),
    )


def git_revision() -> str:
    """Of the working tree, "unknown" outside one."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    found = subprocess.run(  # noqa: S603 (fixed arguments)
        [git, "rev-parse", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"


def sample_photos(photos: Any, names: Sequence[str], count: int, seed: int = 0) -> list[Image]:
    """Some training photos to calibrate with."""
    chosen = np.random.default_rng(seed).permutation(len(names))[:count]
    return [photos.open(names[index]) for index in chosen]
