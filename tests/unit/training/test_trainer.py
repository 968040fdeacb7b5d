"""Tests of the training loop."""

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from model_server.captioning.vocabulary import Vocabulary
from tests.unit.training.conftest import TINY
from training.checkpoint import load_model
from training.config import TrainConfig
from training.dataset import CaptionedPhotos, LeakageError
from training.encoders import ENCODERS
from training.optimization import NonFiniteLossError
from training.progress import Progress
from training.runtime import Runtime, start_runtime
from training.trainer import Trainer, train

pytestmark = pytest.mark.usefixtures("tiny_encoder")
Make = Callable[..., CaptionedPhotos]


@pytest.fixture
def splits(make_dataset: Make) -> tuple[CaptionedPhotos, CaptionedPhotos]:
    return make_dataset(12), make_dataset(6, first=100)


def trainer_of(
    folder: Path, config: TrainConfig, splits: tuple[CaptionedPhotos, CaptionedPhotos]
) -> Trainer:
    return Trainer(folder, config, *splits, runtime=Runtime(torch.device("cpu")))


Splits = tuple[CaptionedPhotos, CaptionedPhotos]


@pytest.mark.timeout(400)
def test_a_run_learns_and_leaves_its_files(tmp_path: Path, splits: Splits) -> None:
    """The loss falls, captions tell photos apart, and everything to look at is there."""
    config = TINY.changed(epochs=6, self_critical_epochs=1, patience=20, learning_rate=2e-2)
    progress = train(tmp_path / "run", config, *splits)
    losses = [entry["loss"] for entry in progress.history if entry["phase"] == "teacher forcing"]
    assert losses[-1] < 0.8 * losses[0]
    assert progress.history[-1]["phase"] == "self-critical"
    for name in ("best.pt", "last.pt", "vocab.json", "config.json", "curves.png", "samples.txt"):
        assert (tmp_path / "run" / name).stat().st_size > 0
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    written = json.loads((tmp_path / "run" / "history.json").read_text())
    assert [entry["epoch"] for entry in written] == list(range(7))
    assert max(entry["cider"] for entry in written) == pytest.approx(progress.best, abs=1e-3)
    trainer = trainer_of(tmp_path / "run", config, splits)
    assert len(set(trainer.caption_held_out().values())) > 1


@pytest.mark.timeout(400)
def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path: Path, splits: Splits) -> None:
    """Weights after a kill and a second start equal those of a run in one piece."""
    config = TINY.changed(epochs=3, self_critical_epochs=1)
    with start_runtime("float32", 0, 0):
        whole = trainer_of(tmp_path / "whole", config, splits)
        whole.run()
    with start_runtime("float32", 0, 0):
        first = trainer_of(tmp_path / "cut", config, splits)
        finish = first._finish_epoch

        def kill(entry: dict[str, object]) -> None:
            finish(entry)
            if entry["epoch"] == 1:
                raise KeyboardInterrupt

        first._finish_epoch = kill  # type: ignore[method-assign, assignment]
        with pytest.raises(KeyboardInterrupt):
            first.run()
    second = trainer_of(tmp_path / "cut", config, splits)
    assert second.progress.epoch == 2
    second.run()
    for (name, one), other in zip(
        whole.model.state_dict().items(), second.model.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(one, other, msg=name)


def test_another_configuration_does_not_go_on(
    tmp_path: Path, splits: Splits, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that holds another run is refused; only lengths may change, which is said."""
    train(tmp_path / "run", TINY.changed(epochs=1), *splits)
    with pytest.raises(ValueError, match="learning_rate"):
        train(tmp_path / "run", TINY.changed(epochs=1, learning_rate=1.0), *splits)
    assert "was begun" not in caplog.text
    assert train(tmp_path / "run", TINY.changed(epochs=2, patience=9), *splits).epoch == 2
    assert "begun with epochs 1 and goes on with 2" in caplog.text
    assert f"begun with patience {TINY.patience} and goes on with 9" in caplog.text


def test_other_photos_do_not_go_on(tmp_path: Path, splits: Splits) -> None:
    """Neither other ones to learn from nor other held-out ones, even of the same words."""
    data, held_out = splits
    train(tmp_path, TINY.changed(epochs=1), data, held_out)
    with pytest.raises(ValueError, match="holds another run: data differ"):
        train(tmp_path, TINY.changed(epochs=1), data.subset(data.names[:9]), held_out)
    with pytest.raises(ValueError, match="holds another run: held_out differ"):
        train(tmp_path, TINY.changed(epochs=1), data, held_out.subset(held_out.names[:3]))


def test_another_vocabulary_is_refused(tmp_path: Path, splits: Splits) -> None:
    """Neither going on nor starting from weights accepts another run's words."""
    config = TINY.changed(epochs=1)
    train(tmp_path / "run", config, *splits)
    data, held_out = splits
    captions = {**data.captions, data.names[0]: ("something else entirely",)}
    other = CaptionedPhotos(data.photos, captions, data.report)
    with pytest.raises(ValueError, match="another vocabulary"):
        train(tmp_path / "run", config, other, held_out)
    start = config.changed(start_from=str(tmp_path / "run" / "best.pt"))
    with pytest.raises(ValueError, match="was trained with vocabulary"):
        train(tmp_path / "next", start, other, held_out)
    with pytest.raises(ValueError, match="was trained with vocabulary"):
        load_model(tmp_path / "run" / "best.pt", Vocabulary.build(["a dog"], 1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"decoder_options": {"dropout": 0.1}}, r'set decoder_options={"hidden": 16}'),
        ({"decoder": "merge"}, r'set decoder="attention"'),
        ({"encoder": "small"}, r'set encoder="tiny"'),
    ],
)
def test_weights_of_other_networks_are_refused(
    tmp_path: Path,
    splits: Splits,
    monkeypatch: pytest.MonkeyPatch,
    changes: Mapping[str, object],
    said: str,
) -> None:
    """Before training: else weights would be saved with options that do not describe them."""
    monkeypatch.setitem(ENCODERS, "small", ENCODERS["tiny"])  # type: ignore[arg-type]
    train(tmp_path / "run", TINY.changed(epochs=1), *splits)
    start = TINY.changed(epochs=1, start_from=str(tmp_path / "run" / "best.pt"))
    with pytest.raises(ValueError, match=re.escape(said)):
        train(tmp_path / "next", start.changed(**changes), *splits)
    assert not (tmp_path / "next" / "last.pt").exists()
    other_dropout = start.changed(decoder_options={"hidden": 16, "dropout": 0.1})
    assert train(tmp_path / "next", other_dropout, *splits).epoch == 1
    load_model(tmp_path / "next" / "best.pt")


def test_held_out_photos_never_train(tmp_path: Path, splits: Splits) -> None:
    """A photo on both sides stops the run before it starts."""
    data, held_out = splits
    with pytest.raises(LeakageError):
        train(tmp_path, TINY, data, data.subset(data.names[:2]))
    assert not (tmp_path / "last.pt").exists()
    assert not set(data.names) & set(held_out.names)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path, splits: Splits) -> None:
    """At once, and the weights of the last good epoch stay."""
    trainer = trainer_of(tmp_path, TINY, splits)
    before = trainer.model.decoder.embedding.weight.detach().clone()
    with torch.no_grad():
        trainer.model.decoder.output.bias[5] = math.nan
    with pytest.raises(NonFiniteLossError, match="step 0"):
        trainer.run()
    torch.testing.assert_close(trainer.model.decoder.embedding.weight, before)
    assert not (tmp_path / "last.pt").exists()


def test_fine_tuning_moves_what_it_names_and_no_statistics(tmp_path: Path, splits: Splits) -> None:
    """Only the named encoder parameters change; BatchNorm keeps its statistics."""
    config = TINY.changed(fine_tune=("backbone.0",), encoder_learning_rate=1e-2, epochs=1)
    trainer = trainer_of(tmp_path, config, splits)
    norm = nn.BatchNorm2d(8)
    trainer.model.encoder.backbone.add_module("2", norm)
    before = trainer.model.encoder.backbone.get_parameter("0.weight").detach().clone()
    trainer.run()
    assert not torch.equal(trainer.model.encoder.backbone.get_parameter("0.weight"), before)
    assert norm.num_batches_tracked == 0
    with pytest.raises(ValueError, match="no parameters called backbone.9"):
        trainer_of(tmp_path / "other", TINY.changed(fine_tune=("backbone.9",)), splits)


def test_a_frozen_encoder_stays_as_it_is(tmp_path: Path, splits: Splits) -> None:
    """Without fine-tuning the encoder of the checkpoint is the one that was loaded."""
    trainer = trainer_of(tmp_path, TINY.changed(epochs=1), splits)
    before = {name: value.clone() for name, value in trainer.model.encoder.state_dict().items()}
    trainer.run()
    model, *_ = load_model(tmp_path / "best.pt")
    for name, value in model.encoder.state_dict().items():
        torch.testing.assert_close(value, before[name])


def test_early_stopping(tmp_path: Path, splits: Splits) -> None:
    """Without a better score for `patience` epochs, training ends."""
    trainer = trainer_of(tmp_path, TINY.changed(epochs=20, patience=2, learning_rate=0.0), splits)
    assert trainer.run().epoch == 3


def test_self_critical_training_follows_early_stopping(tmp_path: Path, splits: Splits) -> None:
    """It begins when teacher forcing stalls, from the best weights, with a patience of its own."""
    config = TINY.changed(epochs=20, patience=1, learning_rate=0.0, weight_decay=0.0)
    config = config.changed(self_critical_epochs=9, self_critical_learning_rate=0.0)
    trainer = trainer_of(tmp_path, config, splits)
    began: list[float] = []
    epoch = trainer._epoch

    def watched(*, critical: bool) -> dict[str, object]:
        if critical:
            began.append(float(trainer.model.decoder.output.bias.detach().sum()))
        entry = epoch(critical=critical)
        with torch.no_grad():  # what comes after the best epoch is worse
            trainer.model.decoder.output.bias += float(trainer.progress.epoch > 0)
        return entry

    trainer._epoch = watched  # type: ignore[method-assign, assignment]
    phases = [entry["phase"] for entry in trainer.run().history]
    assert phases == ["teacher forcing"] * 2 + ["self-critical"]
    assert began[0] == 0.0


def test_a_checkpoint_that_does_not_say_when_self_critical_training_began() -> None:
    """The history says it."""
    entries = [{"epoch": 0, "phase": "teacher forcing"}, {"epoch": 1, "phase": "self-critical"}]
    assert Progress.from_dict({"epoch": 2, "history": entries}).critical_from == 1
    assert Progress.from_dict({"epoch": 1, "history": entries[:1]}).critical_from is None
    assert Progress.from_dict({"critical_from": 4, "history": entries}).critical_from == 4


def test_mixed_precision(tmp_path: Path, splits: Splits) -> None:
    """A run in bfloat16 works, and its weights are float32."""
    train(tmp_path, TINY.changed(epochs=1, self_critical_epochs=1, precision="bfloat16"), *splits)
    model, *_ = load_model(tmp_path / "best.pt")
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    with pytest.raises(ValueError, match="float16"), start_runtime("float16", 0, 0):
        pass
