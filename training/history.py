"""What a run leaves to look at: history.json, curves.png, TensorBoard, sample captions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["History"]


class History:
    """Written after every epoch; an interrupted run goes on with the same files.

    Args:
        folder: Of the run.
        entries: What happened so far.
    """

    def __init__(self, folder: Path, entries: Sequence[Mapping[str, Any]]) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        self._folder = folder
        self._writer: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=len(entries))

    def write(self, entries: Sequence[Mapping[str, Any]], captions: Mapping[str, str]) -> None:
        """Adds the last entry; ``captions`` are those of the held-out photos."""
        text = json.dumps(entries, indent=2)
        (self._folder / "history.json").write_text(text + "\n", encoding="utf-8")
        last = entries[-1]
        for name, value in last.items():
            if isinstance(value, int | float):
                self._writer.add_scalar(name, value, last["epoch"])
        samples = list(captions.items())[:: max(1, len(captions) // 8)][:8]
        lines = "\n".join(f"{name}: {caption}" for name, caption in samples)
        self._writer.add_text("samples", lines, last["epoch"])
        self._writer.flush()
        with (self._folder / "samples.txt").open("a", encoding="utf-8") as stream:
            stream.write(f"epoch {last['epoch']}\n{lines}\n\n")
        self._draw(entries)

    def _draw(self, entries: Sequence[Mapping[str, Any]]) -> None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 3.5), layout="constrained")
        left, right = figure.subplots(1, 2)
        epochs = [entry["epoch"] for entry in entries]
        left.plot(epochs, [entry["loss"] for entry in entries], marker=".")
        left.set(title="training loss", xlabel="epoch")
        for name in ("bleu_1", "bleu_4", "cider"):
            right.plot(epochs, [entry.get(name) for entry in entries], marker=".", label=name)
        right.set(title="held-out photos, greedy", xlabel="epoch")
        right.legend()
        figure.savefig(self._folder / "curves.png", dpi=90)

    def close(self) -> None:
        """Closes TensorBoard's file."""
        self._writer.close()
