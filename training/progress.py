"""Where a run is, and how an interrupted one is found again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from model_server.captioning.vocabulary import Vocabulary
from training.config import TrainConfig

__all__ = ["Progress", "interrupted_run"]

_FREE = {"epochs", "self_critical_epochs", "patience", "threads"}
"""Only what does not change the weights may differ from the run that was interrupted."""


@dataclass(slots=True)
class Progress:
    """Where a run is.

    Attributes:
        epoch: The next one.
        step: The next one; counts on from epoch to epoch.
        best: Best held-out score so far.
        best_epoch: Whose it is; -1: none yet.
        history: One entry an epoch.
        critical_from: Epoch in which self-critical training began; none: it did not yet.
    """

    epoch: int = 0
    step: int = 0
    best: float = -1.0
    best_epoch: int = -1
    history: list[dict[str, Any]] = field(default_factory=list)
    critical_from: int | None = None

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Progress:
        """Of a checkpoint; older ones say only in their history when the phase changed."""
        progress = cls(**content)
        if progress.critical_from is None:
            critical = (e["epoch"] for e in progress.history if e.get("phase") == "self-critical")
            progress.critical_from = next(critical, None)
        return progress

    def to_dict(self) -> dict[str, Any]:
        """For a checkpoint; shares the history."""
        return {part.name: getattr(self, part.name) for part in fields(self)}


def interrupted_run(
    folder: Path, config: TrainConfig, vocabulary: Vocabulary
) -> dict[str, Any] | None:
    """Content of the folder's last.pt; none where no run was begun.

    Raises:
        ValueError: It is of another configuration or vocabulary.
    """
    file = folder / "last.pt"
    if not file.exists():
        return None
    content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=False)
    old, new = content["config"], config.to_dict()
    changed = sorted(key for key in new if key not in _FREE and old.get(key) != new[key])
    if changed:
        raise ValueError(f"{folder} holds another run: {', '.join(changed)} differ")
    if tuple(content["vocabulary"]) != vocabulary.words:
        raise ValueError(f"{folder} holds a run with another vocabulary")
    return content
