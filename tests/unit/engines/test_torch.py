"""Captioners run by torch from the weights in their bundle."""

import numpy as np
import pytest
import torch

from model_server import models
from model_server.bundle import BUNDLES, load_bundle
from model_server.captioning.captioner import Captioner
from model_server.captioning.exported import NsfwBranch
from model_server.captioning.networks import (
    DECODERS,
    CNNEncoder,
    ImageCaptioningModel,
    ResNet,
    build_decoder,
)
from model_server.captioning.vocabulary import Vocabulary
from model_server.captioning.weights import WEIGHTS, load_weights, save_weights
from model_server.engines.openvino import OpenVinoEngine
from model_server.engines.torch import TorchEngine, torch_sessions
from model_server.errors import BundleError
from model_server.imaging import Preprocessing
from training.export import BundleFacts, export_bundle

WORDS = Vocabulary.build(["a red dog runs over the green grass"] * 5, 1)
FACTS = BundleFacts(
    "test", "1", "MIT", {"beam_size": 2, "max_length": 6, "length_penalty": 0.5}, card="# test\n"
)
IMAGE = np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)


def resnet():
    return ResNet(4, caffe=True, layers=(1, 1))


def captioner(decoder="attention", seed=0):
    torch.manual_seed(seed)
    backbone = resnet()
    options = {"hidden": 16}
    if decoder in {"attention", "transformer"}:
        options |= {"heads": 2}
    decoder = build_decoder(decoder, len(WORDS), backbone.channels, **options)
    return ImageCaptioningModel(CNNEncoder(backbone, backbone.channels), decoder).eval()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    original, model = resnet().eval(), captioner()
    tuned = model.encoder.backbone
    for shared in ("conv1", "bn1", "layer1"):
        original.get_submodule(shared).load_state_dict(tuned.get_submodule(shared).state_dict())
    nsfw = NsfwBranch.beside(tuned, original, torch.nn.Linear(original.channels, 2))
    folder = tmp_path_factory.mktemp("bundles") / "test"
    preprocessing = Preprocessing(32, 32, "RGB", (127.0, 127.0, 127.0), (64.0, 64.0, 64.0))
    return export_bundle(folder, model, WORDS, preprocessing, FACTS, nsfw=nsfw)


@pytest.mark.parametrize("name", DECODERS)
def test_weights_come_back_as_they_were(tmp_path, name):
    """Every decoder is built again from the file alone, and says the same."""
    model = captioner(name)
    save_weights(tmp_path / WEIGHTS, model)
    again, nsfw = load_weights(tmp_path / WEIGHTS)
    assert nsfw is None
    before, after = torch_sessions(model)[0], torch_sessions(again)[0]
    for key, value in before.run({"image": IMAGE}).items():
        np.testing.assert_allclose(after.run({"image": IMAGE})[key], value, atol=0.02, rtol=0.02)


def test_both_engines_say_the_same(bundle):
    """Torch and OpenVINO agree on every output, the NSFW score included."""
    openvino = OpenVinoEngine(1, 1)
    theirs = openvino.load(bundle / "encoder.xml").run({"image": IMAGE})
    ours = TorchEngine(openvino, "cpu").load(bundle / "encoder.xml").run({"image": IMAGE})
    assert set(ours) == set(theirs)
    assert "nsfw" in ours
    for name, value in theirs.items():  # OpenVINO may compute in bfloat16
        np.testing.assert_allclose(ours[name], value, atol=0.06, rtol=0.02)


def test_the_captioner_runs_on_torch(bundle):
    """The server's captioner takes either engine, and writes the same words."""
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    texts = []
    for engine in (OpenVinoEngine(1, 1), TorchEngine(OpenVinoEngine(1, 1), "cpu")):
        model = Captioner(load_bundle(bundle, kind="captioner"), engine)
        texts.append(model.caption([image])[0].text)
        model.close()
    assert texts[0] == texts[1]


def test_what_torch_cannot_run_goes_to_the_other_engine(bundle):
    """A network without torch weights is loaded by OpenVINO; a damaged file is named."""
    engine = TorchEngine(OpenVinoEngine(1, 1), "cpu")
    network = BUNDLES / "embedder" / "network.xml"
    assert engine.load(network).run({"image": np.zeros((1, 3, 150, 150), np.float32)})[
        "embedding"
    ].shape == (1, 128)
    (bundle / WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(BundleError, match="weights.safetensors holds no weights"):
        TorchEngine(OpenVinoEngine(1, 1), "cpu").load(bundle / "encoder.xml")


def test_an_encoder_that_only_training_knows_is_refused(tmp_path):
    """Weights of another encoder are kept for training, and the server says so."""
    backbone = torch.nn.Conv2d(3, 8, 3, 2)
    decoder = build_decoder("pooled", len(WORDS), 8, hidden=16)
    save_weights(tmp_path / WEIGHTS, ImageCaptioningModel(CNNEncoder(backbone, 8), decoder))
    with pytest.raises(BundleError, match="use OpenVINO"):
        load_weights(tmp_path / WEIGHTS)


def test_without_torch_the_setting_says_what_is_missing(monkeypatch):
    """LOOKALIKE_ENGINE=torch on a machine without torch ends with a sentence."""
    monkeypatch.setitem(__import__("sys").modules, "model_server.engines.torch", None)
    with pytest.raises(BundleError, match="LOOKALIKE_ENGINE=torch needs"):
        models._torch_engine(OpenVinoEngine(1, 1))
