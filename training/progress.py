"""Where a run is, and how an interrupted one is found again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from model_server.captioning.vocabulary import Vocabulary
from training.checkpoint import check_same_run
from training.config import TrainConfig

__all__ = ["Progress", "interrupted_run"]

_log = logging.getLogger(__name__)

_FREE = {"self_critical_epochs", "threads"}
"""May differ from the run that was interrupted: the weights up to a given epoch do not depend
on them."""

_SCHEDULE = {"epochs", "patience"}
"""May differ too, with a warning: learning rate and scheduled sampling follow the planned epochs,
and patience decides on when self-critical training begins. From here on the run is another one
than it would have been."""


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
    folder: Path, config: TrainConfig, vocabulary: Vocabulary, data: Mapping[str, str]
) -> dict[str, Any] | None:
    """Content of the folder's last.pt; none where no run was begun.

    Args:
        folder: Of the run.
        config: To go on with.
        vocabulary: Likewise.
        data: Digests of the splits by the names that they have in a checkpoint.

    Raises:
        ValueError: It is of another configuration, vocabulary or split.
    """
    file = folder / "last.pt"
    if not file.exists():
        return None
    content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=False)
    old, new = content["config"], config.to_dict()
    check_same_run(folder, old, {key: new[key] for key in new if key not in _FREE | _SCHEDULE})
    if tuple(content["vocabulary"]) != vocabulary.words:
        raise ValueError(f"{folder} holds a run with another vocabulary")
    # Checkpoints of before tell nothing of the held-out photos.
    check_same_run(folder, {**data, **content}, data)
    for name in sorted(_SCHEDULE):
        if old[name] != new[name]:
            _log.warning(
                "%s was begun with %s %s and goes on with %s: it will be another run than either",
                *(folder, name, old[name], new[name]),
            )
    return content
