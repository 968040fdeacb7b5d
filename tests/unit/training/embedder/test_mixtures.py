"""Faces of nobody, and learning from what the teacher says of them."""

import copy

import numpy as np
import torch

from training.embedder.crops import MARGIN, SIDE, FaceSet
from training.embedder.distil import DistilOptions, distil
from training.embedder.dlib_network import DlibResNet
from training.embedder.mixtures import load_mixtures, mix, write_mixtures
from training.embedder.network import FaceNetwork
from training.embedder.teacher import DIMENSION

WIDE = SIDE + 2 * MARGIN


class Teacher:
    """Says how bright a face is, and sees it as it comes."""

    def align_crop(self, crop):
        return crop

    def embed(self, faces):
        vectors = np.zeros((len(faces), DIMENSION), np.float32)
        vectors[:, 0] = faces.mean((1, 2, 3))
        return vectors


def plain(value, side=WIDE):
    return np.full((side, side, 3), value, np.uint8)


def test_a_mixture_lies_between_its_faces():
    """Everywhere, and each time elsewhere; of two that are the same nothing else is made."""
    rng = np.random.default_rng(0)
    mixed = [mix(plain(40), plain(200), rng) for _ in range(12)]
    assert all(one.shape == (WIDE, WIDE, 3) and one.dtype == np.uint8 for one in mixed)
    assert all(one.min() >= 40 and one.max() <= 200 for one in mixed)
    assert len({one.tobytes() for one in mixed}) == 12
    assert (mix(plain(90), plain(90), rng) == 90).all()


def test_some_mixtures_have_one_face_on_each_side_and_some_are_even():
    """A share that changes along a direction is steep enough to show both faces."""
    rng = np.random.default_rng(0)
    spread = [int(np.ptp(mix(plain(0), plain(250), rng))) for _ in range(30)]
    assert min(spread) <= 1
    assert max(spread) > 230


def test_a_mixture_is_bent_a_little():
    """Stripes are moved by some pixels, not by many, and not all alike."""
    columns = np.arange(WIDE)
    stripes = np.repeat(np.tile((columns % 2 * 255).astype(np.uint8), (WIDE, 1))[..., None], 3, 2)
    ramp = np.repeat(np.tile(columns.astype(np.uint8), (WIDE, 1))[..., None], 3, 2)
    assert (mix(stripes, stripes, np.random.default_rng(1)) != stripes).mean() > 0.2
    inner = slice(20, -20)
    moved = (mix(ramp, ramp, np.random.default_rng(1)).astype(int) - ramp)[inner, inner]
    assert 1 <= np.abs(moved).max() <= 12
    assert len(np.unique(moved)) > 2


def test_the_teacher_is_asked_about_every_mixture(tmp_path):
    """What is read back are the mixtures of the rows that were to be mixed, and what was said."""
    crops = np.stack([plain(value, 20) for value in (10, 20, 30, 250)])
    faces = FaceSet(list("abcd"), list("abcd"), ["train"] * 4, np.zeros((4, 5, 2)), crops)
    write_mixtures(faces, np.arange(3), Teacher(), tmp_path, 20)
    images, said = load_mixtures(tmp_path)
    assert images.shape == (20, 20, 20, 3)
    assert said.shape == (20, DIMENSION)
    np.testing.assert_allclose(said[:, 0], images.mean((1, 2, 3)), rtol=1e-5)
    assert images.max() <= 30
    assert len(np.unique(said[:, 0])) > 5


def test_frozen_blocks_stay_as_they_are(tmp_path):
    """The stem and the first blocks keep their weights, also in what is kept; the others learn."""
    torch.manual_seed(0)
    network = FaceNetwork(DlibResNet(), 16)
    before = copy.deepcopy(network.state_dict())
    crops = np.random.default_rng(0).integers(0, 256, (4, WIDE, WIDE, 3), dtype=np.uint8)
    options = DistilOptions(2, batch=4, learning_rate=1e-2, solve_head=False, frozen_blocks=3)
    targets = np.eye(16, dtype=np.float32)[:4]
    distil(network, crops, np.array(list("abcd")), targets, run=tmp_path, options=options)
    after = network.state_dict()
    kept = ("stem.", "blocks.0.", "blocks.1.", "blocks.2.", "mean", "deviation")
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed
    assert not [name for name in changed if name.startswith(kept)]
    assert {name for name in after if name not in changed and not name.startswith(kept)} == set()
