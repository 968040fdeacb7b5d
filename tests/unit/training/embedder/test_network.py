"""Reading dlib's file, and teaching our network on a handful of random faces."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from model_server.bundle import MANIFEST, load_bundle
from model_server.engines.openvino import OpenVinoEngine
from model_server.faces.embedder import FaceEmbedder
from model_server.imaging import preprocess
from training.embedder import commands
from training.embedder.augment import augment, blends, centre
from training.embedder.crops import MARGIN, SIDE, FaceSet
from training.embedder.distil import (
    BLEND,
    DistilOptions,
    distil,
    losses,
    training_rows,
)
from training.embedder.dlib_network import DlibBlock, DlibResNet, load_dlib_network
from training.embedder.export import export_embedder
from training.embedder.network import PREPROCESSING, FaceNetwork, to_tensor
from training.embedder.spaces import principal_axes, turned
from training.embedder.trained import mixed, read_shipped
from training.optimization import NonFiniteLossError


def packed(number):
    size = max((number.bit_length() + 7) // 8, 1)
    return bytes([size]) + number.to_bytes(size, "little")


def tensor(values, rows=None):
    shape = (values.size, 1, 1, 1) if rows is None else (rows, values.size // rows, 1, 1)
    header = b"".join(packed(number) for number in (2, *shape))
    return b"noise" + header + values.astype("<f4").tobytes()


@pytest.fixture(scope="module")
def trunk():
    torch.manual_seed(0)
    return DlibResNet().eval()


@pytest.fixture(scope="module")
def faces():
    rng = np.random.default_rng(0)
    # In squares of 26 pixels: what is finer is smoothed away, of the colours most.
    squares = rng.integers(0, 256, (12, (SIDE + 2 * MARGIN) // 26, (SIDE + 2 * MARGIN) // 26, 3))
    return FaceSet(
        [f"lfw/P{n // 2}/{n}.webp" for n in range(12)],
        [f"P{n // 2}" for n in range(12)],
        ["train"] * 8 + ["val"] * 4,
        np.zeros((12, 5, 2), np.float32),
        squares.repeat(26, 1).repeat(26, 2).astype(np.uint8),
    )


def test_dlib_file(trunk, tmp_path):
    """Convolutions, folded affine layers and the embedding come back as they were."""
    convolutions = [trunk.stem]
    for block in trunk.blocks:
        assert isinstance(block, DlibBlock)
        convolutions += [block.first, block.second]
    data = b""
    for layer in convolutions:
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        gamma = np.full(len(bias), 2.0, np.float32)
        data += tensor(np.concatenate([weight.ravel() / 2, bias - 1]))
        data += tensor(np.concatenate([gamma, 2 - bias]))
    data += tensor(trunk.embedding.weight.detach().numpy().T.ravel(), rows=256)
    file = tmp_path / "network.dat"
    file.write_bytes(data)
    network = load_dlib_network(file)
    for name, value in trunk.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value, msg=name)
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="another network"):
        load_dlib_network(file)


def test_training_leaves_val_people_out(faces):
    """Nobody of LFW's val people is learnt from, nor photos without a face."""
    assert training_rows(faces).tolist() == list(range(8))
    landmarks = faces.landmarks.copy()
    landmarks[3] = np.nan
    fewer = FaceSet(faces.names, faces.people, faces.splits, landmarks, faces.crops)
    assert 3 not in training_rows(fewer)
    celebrity = FaceSet(
        [*faces.names, "celebrities/P5/1.webp"],
        [*faces.people, "P5"],
        [*faces.splits, "gallery"],
        np.zeros((13, 5, 2), np.float32),
        faces.crops,
    )
    assert 12 not in training_rows(celebrity)


def test_variations_are_of_the_same_size_and_differ(faces):
    """A varied face has the network's size and is not the face itself."""
    crop = faces.crops[0]
    varied = [augment(crop, np.random.default_rng(seed)) for seed in range(8)]
    assert {face.shape for face in varied} == {(SIDE, SIDE, 3)}
    assert all(np.abs(face.astype(int) - centre(crop)).mean() > 1 for face in varied)


def test_blends_are_half_of_one_face_and_half_of_another(faces):
    """Each blend is the mean of its face and some other one, rounded down."""
    crops = faces.crops[:8]
    blended = blends(crops, np.random.default_rng(0))
    assert blended.dtype == np.uint8
    means = (crops[:, None].astype(int) + crops[None]) // 2
    partners = [np.flatnonzero((means[row] == blended[row]).all((1, 2, 3))) for row in range(8)]
    assert sorted(int(found[0]) for found in partners) == list(range(8))


def test_vectors_of_another_space_are_turned_without_changing_likenesses():
    """A rotation is found again; where numbers are lost, the ones that matter stay."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0].astype(np.float32)
    np.testing.assert_allclose(turned(vectors, vectors @ rotation), vectors @ rotation, atol=1e-5)
    flat = np.concatenate([vectors[:, :3], np.zeros((50, 3), np.float32)], axis=1)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    fewer = turned(flat, (flat @ rotation)[:, :4])
    assert fewer.shape == (50, 4)
    np.testing.assert_allclose(np.linalg.norm(fewer, axis=1), 1, atol=1e-5)


def test_nothing_is_lost_with_the_teachers_own_vectors():
    """All three parts are zero where student and teacher agree, and positive where not."""
    torch.manual_seed(0)
    teacher = torch.nn.functional.normalize(torch.randn(4, 6), dim=1)
    anchors = teacher[:2]
    assert [float(part) for part in losses(3 * teacher, teacher, anchors)] == pytest.approx(
        [0, 0, 0], abs=1e-5
    )
    assert all(part > 1e-3 for part in losses(teacher.flip(0), teacher, anchors))


def test_principal_axes_keep_the_likenesses():
    """Vectors of rank 3 lose nothing when they are told by three numbers."""
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(20, 3)) @ rng.normal(size=(3, 9))).astype(np.float32)
    told = rows @ principal_axes(rows, 3)
    np.testing.assert_allclose(told @ told.T, rows @ rows.T, rtol=1e-3, atol=1e-3)


def test_training_export_and_serving(trunk, faces, tmp_path):
    """The student nears the teacher, a killed run goes on, and the bundle says what torch says."""
    network = FaceNetwork(trunk, 16)
    rows = training_rows(faces)
    crops, people = faces.crops[rows], np.array(faces.people)[rows]
    targets = np.tile(np.eye(16, dtype=np.float32)[:1], (len(rows), 1))

    def pointing():
        images = to_tensor(np.stack([centre(crop) for crop in crops]))
        with torch.inference_mode():
            said = torch.nn.functional.normalize(network(images))
            return float(1 - (said * torch.from_numpy(targets)).sum(1).mean())

    def go_on(steps):
        options = DistilOptions(steps=steps, batch=4, learning_rate=1e-3)
        distil(network, crops, people, targets, run=tmp_path / "run", options=options)
        return torch.load(tmp_path / "run" / "last.pt", weights_only=False)

    before = pointing()
    first = go_on(2)
    later = go_on(12)
    assert pointing() < before - 0.1
    assert (first["step"], later["step"], later["updates"]) == (2, 12, 12)
    assert go_on(12)["updates"] == 12

    export_embedder(network, tmp_path / "bundle", "7", flip=False)
    bundle = load_bundle(tmp_path / "bundle", kind=FaceEmbedder.KIND)
    embedder = FaceEmbedder(bundle, OpenVinoEngine(1, 1))
    assert (embedder.version, embedder.dimension) == ("embedder-7", 16)
    face = centre(faces.crops[0])
    with torch.inference_mode():
        served = torch.from_numpy(preprocess(face, PREPROCESSING)[None])
        ours = torch.nn.functional.normalize(network(served))[0].numpy()
    assert embedder.embed_aligned([face[None]])[0] @ ours > 0.999


def test_a_run_goes_on_as_it_began(trunk, tmp_path, caplog):
    """Neither with other options nor towards other targets; a longer one is said to be longer."""
    crops = np.random.default_rng(0).integers(0, 256, (4, *[SIDE + 2 * MARGIN] * 2, 3), np.uint8)
    targets = np.eye(16, dtype=np.float32)[:4]
    options = DistilOptions(steps=1, batch=4, solve_head=False)

    def go_on(targets=targets, **changes):
        network = FaceNetwork(copy.deepcopy(trunk), 16)
        people = np.array(list("abcd"))
        distil(network, crops, people, targets, run=tmp_path, options=replace(options, **changes))

    go_on()
    with pytest.raises(ValueError, match="learning_rate differ"):
        go_on(learning_rate=1.0)
    with pytest.raises(ValueError, match="targets differ"):
        go_on(targets=targets[::-1])
    assert not caplog.records
    go_on(steps=2)
    assert "begun for 1 steps" in caplog.text


def test_a_loss_that_is_no_number_stops_the_run(trunk, tmp_path):
    """Before anything is learnt from it, and nothing is kept."""
    crops = np.zeros((4, *[SIDE + 2 * MARGIN] * 2, 3), np.uint8)
    targets = np.full((4, 16), np.nan, np.float32)
    options = DistilOptions(steps=1, batch=4, solve_head=False)
    network = FaceNetwork(copy.deepcopy(trunk), 16)
    with pytest.raises(NonFiniteLossError, match=r"at step 1.*last\.pt"):
        distil(network, crops, np.array(list("abcd")), targets, run=tmp_path, options=options)
    assert not (tmp_path / "last.pt").exists()


def test_what_another_bundle_says_is_not_taken(tmp_path):
    """It is asked anew where the bundle or the faces changed, and not where they did not."""
    run, folder, bundle = tmp_path / "run", tmp_path, tmp_path / "bundle"
    bundle.mkdir()
    (folder / "faces.npz").write_bytes(b"faces")
    asked = []

    def said(version):
        (bundle / MANIFEST).write_text(version)
        return commands._kept(run, folder, bundle, lambda: asked.append(version) or np.ones(1))

    for version in ("1", "1", "2", "1"):
        said(version)
    (folder / "faces.npz").write_bytes(b"others")
    said("1")
    assert asked == ["1", "2", "1"]


@pytest.mark.parametrize("calibrated", [False, True])
def test_a_bundle_can_be_trained_further(trunk, faces, tmp_path, calibrated):
    """What is read back says what the served network says, and training goes on from there."""
    torch.manual_seed(0)
    network = FaceNetwork(trunk, 16)
    rows = training_rows(faces)
    crops, people = faces.crops[rows], np.array(faces.people)[rows]
    images = np.stack([centre(crop) for crop in crops])
    with torch.inference_mode():
        features = network.features(to_tensor(images))
        network.mean.copy_(features.mean(0))
        network.deviation.copy_(features.std(0).clamp(min=0.02))
    calibration = images if calibrated else None
    export_embedder(network, tmp_path / "bundle", "7", flip=False, calibration=calibration)
    again = read_shipped(tmp_path / "bundle" / "network.xml")
    with torch.inference_mode():
        before, after = (
            torch.nn.functional.normalize(one(to_tensor(images))) for one in (network, again)
        )
    assert (before * after).sum(1).min() > (0.95 if calibrated else 0.999)
    options = DistilOptions(steps=1, batch=4, learning_rate=0.0, solve_head=False)
    everyone = np.array([*people, *[BLEND] * len(people)])
    distil(
        again,
        np.concatenate([crops, blends(crops, np.random.default_rng(0))]),
        everyone,
        np.concatenate([before.numpy()] * 2),
        run=tmp_path / "run",
        options=options,
    )
    halfway = mixed(copy.deepcopy(network), again, 0.5).state_dict()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(2 * halfway[name] - again.state_dict()[name], value)
    with torch.inference_mode():
        same = torch.nn.functional.normalize(again.eval()(to_tensor(images)))
    torch.testing.assert_close(same, after)
