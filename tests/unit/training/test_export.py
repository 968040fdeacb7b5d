"""Tests of exporting, and of evaluating what was exported."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from model_server.bundle import load_bundle
from model_server.captioning.captioner import Captioner
from model_server.captioning.exported import NsfwBranch
from model_server.captioning.networks import DECODERS, ResNet
from model_server.captioning.vocabulary import Vocabulary
from model_server.engines.openvino import OpenVinoEngine
from model_server.engines.torch import torch_sessions
from model_server.errors import BundleError
from tests.unit.training.conftest import TINY
from training.checkpoint import load_model
from training.dataset import CaptionedPhotos
from training.evaluate import evaluate, open_candidate
from training.export import BundleFacts, export_bundle, sample_photos
from training.report import write_report
from training.trainer import train

pytestmark = pytest.mark.usefixtures("tiny_encoder")
Make = Callable[..., CaptionedPhotos]
FACTS = BundleFacts(
    "test", "3", "MIT", {"beam_size": 2, "max_length": 8, "length_penalty": 0.5}, card="# test\n"
)


@pytest.fixture
def splits(make_dataset: Make) -> tuple[CaptionedPhotos, CaptionedPhotos]:
    return make_dataset(12), make_dataset(6, first=100)


@pytest.mark.parametrize("decoder", DECODERS)
def test_served_equals_trained(
    tmp_path: Path, splits: tuple[CaptionedPhotos, CaptionedPhotos], decoder: str
) -> None:
    """OpenVINO gives torch's numbers for every decoder, and the server's captioner takes them."""
    config = TINY.changed(decoder=decoder, decoder_options={"hidden": 16}, epochs=1)
    if decoder == "transformer":
        config = config.changed(decoder_options={"hidden": 16, "heads": 2, "layers": 1})
    train(tmp_path / "run", config, *splits)
    model, vocabulary, preprocessing, *_ = load_model(tmp_path / "run" / "best.pt")
    folder = export_bundle(tmp_path / "bundle", model, vocabulary, preprocessing, FACTS)
    ours, theirs = torch_sessions(model), open_candidate(str(folder))
    image = np.random.default_rng(0).normal(size=(1, 3, 16, 16)).astype(np.float32)
    expected, found = ours[0].run({"image": image}), theirs.encoder.run({"image": image})
    assert set(expected) == set(found)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=0.05)
    # Three rows at a step, though one was traced with another number.
    inputs = {name: np.repeat(value, 3, 0) for name, value in expected.items()}
    inputs["token"] = np.array([1, 4, 5])
    one, other = ours[1].run(inputs), theirs.decoder.run(inputs)
    assert one["log_probs"].shape == (3, len(vocabulary))
    for name, value in one.items():
        np.testing.assert_allclose(other[name], value, atol=0.05, rtol=2e-3)
    captioner = Captioner(load_bundle(folder, kind="captioner"), OpenVinoEngine())
    dev = splits[1]
    captions = captioner.caption([dev.photos.open(name) for name in dev.names])
    captioner.close()
    assert [caption.text for caption in captions] == list(theirs.caption(dev).values())


def test_int8_bundle_and_its_report(
    tmp_path: Path, splits: tuple[CaptionedPhotos, CaptionedPhotos]
) -> None:
    """An int8 bundle with weights says what it is, is evaluated, and gets its page."""
    data, dev = splits
    train(tmp_path / "run", TINY, *splits)
    model, vocabulary, preprocessing, *_ = load_model(tmp_path / "run" / "best.pt")
    folder = export_bundle(
        tmp_path / "bundle",
        model,
        vocabulary,
        preprocessing,
        FACTS,
        calibration=sample_photos(data.photos, data.names, 4),
        keep_weights=True,
    )
    bundle = load_bundle(folder, kind="captioner")
    assert bundle.read("precision")["encoder"] == "int8"
    assert bundle.read("vocabulary") == vocabulary.digest
    assert load_file(bundle.file("weights.safetensors"))["decoder.embedding.weight"].dtype == "f2"
    known = [text for texts in data.captions.values() for text in texts]
    result = evaluate(open_candidate(str(folder)), dev, training_captions=known)
    assert result.photos == 6
    assert set(result.metrics) >= {"bleu_1", "bleu_4", "rouge_l", "cider"}
    assert result.copied is not None
    assert 0 < result.distinct <= 1
    assert "captions" not in result.summary()
    write_report(tmp_path / "index.html", result, dev, photos=2)
    page = (tmp_path / "index.html").read_text()
    assert page.count("<figure>") == 4
    assert f"<b>{result.captions[max(result.cider, key=result.cider.__getitem__)]}</b>" in page
    assert open_candidate(str(folder), beam_size=1).decoding.beam_size == 1


def test_another_run_s_vocabulary_is_not_exported(
    tmp_path: Path, splits: tuple[CaptionedPhotos, CaptionedPhotos]
) -> None:
    """Neither exported nor, where the file was swapped, served; the old bundle stays."""
    train(tmp_path / "run", TINY.changed(epochs=1), *splits)
    model, vocabulary, preprocessing, *_ = load_model(tmp_path / "run" / "best.pt")
    other = Vocabulary.build(["quite other words"], 1)
    with pytest.raises(ValueError, match="different runs"):
        export_bundle(tmp_path / "bundle", model, other, preprocessing, FACTS)
    folder = export_bundle(tmp_path / "bundle", model, vocabulary, preprocessing, FACTS)
    other.save(folder / "vocab.json")
    with pytest.raises(BundleError, match=r"vocab\.json is damaged"):
        open_candidate(str(folder))
    with pytest.raises(BundleError, match="no bundle called nowhere"):
        open_candidate("nowhere")


def test_nsfw_score_survives_fine_tuning() -> None:
    """The branch beside tuned stages gives the untouched network's score."""
    torch.manual_seed(0)
    original = ResNet(2, caffe=True, layers=(1, 1)).eval()
    tuned = ResNet(2, caffe=True, layers=(1, 1)).eval()
    tuned.load_state_dict(original.state_dict())
    with torch.no_grad():
        tuned.get_parameter("layer2.0.conv1.weight").add_(1.0)
    classifier = torch.nn.Linear(original.channels, 2)
    branch = NsfwBranch.beside(tuned, original, classifier)
    assert branch.shared == 1
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected = torch.softmax(classifier(original(images).mean((2, 3))), -1)[:, 1]
        found = branch(tuned.get_submodule("layer1")(tuned.stem(images)))
    torch.testing.assert_close(found, expected)
    with torch.no_grad():
        tuned.conv1.weight.add_(1.0)
    with pytest.raises(ValueError, match="first layers were tuned"):
        NsfwBranch.beside(tuned, original, classifier)
