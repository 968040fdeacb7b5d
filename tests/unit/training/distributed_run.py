"""Started twice by torchrun: trains, once in one piece and once in two, and writes the weights."""

import os
import sys
from pathlib import Path

import torch
from torch import nn

from model_server.imaging import Preprocessing
from tests.unit.training.conftest import TINY
from training import encoders
from training.dataset import load_dataset
from training.photos import FolderPhotos
from training.runtime import start_runtime
from training.trainer import Trainer


def main(work: Path) -> None:
    spec = encoders.EncoderSpec(
        lambda _: nn.Conv2d(3, 8, 8, 8), 8, Preprocessing(16, 16), ("none",)
    )
    encoders.ENCODERS["tiny"] = spec  # type: ignore[index]
    splits = [
        load_dataset(FolderPhotos(work / name), work / name / "captions.csv")
        for name in ("photos-0", "photos-100")
    ]
    config = TINY.changed(epochs=2, self_critical_epochs=1, threads=1)
    rank = os.environ["RANK"]
    with start_runtime(config.precision, config.threads, config.seed) as runtime:
        torch.manual_seed(0)
        trainer = Trainer(work / "run", config, *splits, runtime=runtime)
        trainer.run()
        torch.save(trainer.model.state_dict(), work / f"weights-{rank}.pt")
        torch.manual_seed(0)
        cut = Trainer(work / "cut", config, *splits, runtime=runtime)
        following = cut._next_phase
        cut._next_phase = lambda: None if cut.progress.epoch == 2 else following()  # type: ignore[method-assign]
        cut.run()
        again = Trainer(work / "cut", config, *splits, runtime=runtime)
        again.run()
        torch.save(again.model.state_dict(), work / f"resumed-{rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
