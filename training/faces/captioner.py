"""The decoder learns to say what the attribute head sees.

Its captions are the head's decisions in the words of the grammar (sequence-level knowledge
distillation, Kim & Rush 2016): consistent, complete also where no label is known, and at the
thresholds that give the best F1, which a decoder trained on the labels alone would miss, as it
mentions only what is likelier than not. Half of the portraits are mixtures of two (Zhang et al.
2018, mixup, on features), so that the decoder meets the borders of each decision often.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model_server.captioning.face_grammar import describe
from model_server.captioning.vocabulary import END
from model_server.imaging import Preprocessing
from training.batches import Batch, PhotoSource, ahead, collate
from training.config import TrainConfig
from training.dataset import CaptionedPhotos, DataReport
from training.faces.attributes import AttributeHead
from training.faces.labels import VALUES, Labels
from training.faces.scoring import consistent, score_texts
from training.faces.study import Study
from training.runtime import Runtime, cpu_autocast
from training.trainer import Trainer

__all__ = ["FaceTrainer", "FeatureViews", "captioned"]


def captioned(study: Study, names: Sequence[str]) -> CaptionedPhotos:
    """Portraits with one caption each: what is surely present."""
    rows = {name: row for row, name in enumerate(study.faces.names)}
    labels: Labels = study.labels
    captions = {name: (describe(labels.attributes(rows[name])),) for name in names}
    report = DataReport(rows=len(captions), photos=len(captions), captions=len(captions))
    return CaptionedPhotos(study.portraits, captions, report)


class FeatureViews:
    """Features of portraits, in one or several views.

    Args:
        names: Of the portraits, N.
        views: Each of shape (N, 1, channels), float16; the first one as the server sees it.
    """

    def __init__(self, names: Sequence[str], views: Sequence[npt.NDArray[np.float16]]) -> None:
        self._rows = {name: row for row, name in enumerate(names)}
        self._views = views

    def read(self, names: Sequence[str], rng: random.Random | None) -> Tensor:
        """Float32, shape (len(names), 1, channels); with ``rng`` a random view of each."""
        chosen = [rng.choice(self._views) if rng else self._views[0] for _ in names]
        rows = [view[self._rows[name]] for name, view in zip(names, chosen, strict=True)]
        return torch.from_numpy(np.stack(rows).astype(np.float32))


class FaceTrainer(Trainer):
    """Trains the decoder on features of portraits; chooses the epoch by F1 of attributes.

    Args:
        folder: As for :class:`Trainer`.
        config: Likewise; "encoder_weights" names the tuned backbone.
        study: The portraits.
        preprocessing: How the tuned encoder sees them.
        head: Whose decisions are put into words.
        thresholds: Of the head, shape (len(VALUES),).
        learn: Features to learn from.
        held_out: Features of ``study.tune``.
        runtime: Where to compute.
        mixed: Share of the portraits that are mixed with another one.
    """

    select_by = "micro_f1"

    def __init__(
        self,
        folder: Path,
        config: TrainConfig,
        study: Study,
        *,
        preprocessing: Preprocessing,
        head: AttributeHead,
        thresholds: npt.NDArray[np.float32],
        learn: FeatureViews,
        held_out: FeatureViews,
        runtime: Runtime,
        mixed: float = 0.5,
    ) -> None:
        self._features = learn, held_out
        self._head, self._thresholds, self._mixed = head.eval(), thresholds, mixed
        rows = study.rows(study.tune)
        self._table = np.stack([rows[name] for name in study.tune])
        data = captioned(study, study.learn)
        # One caption for each value, so that the vocabulary holds all of the grammar's words.
        words = tuple(describe([value]) for value in VALUES)
        first = next(iter(data.captions))
        data = CaptionedPhotos(
            data.photos, {**data.captions, first: (*data.captions[first], *words)}, data.report
        )
        super().__init__(folder, config, data, captioned(study, study.tune), runtime=runtime)
        # For whoever loads the checkpoint: the features were made with it already.
        self.preprocessing = preprocessing

    def _sources(self, cache: Path) -> tuple[PhotoSource, PhotoSource]:  # noqa: ARG002
        return self._features

    def score_held_out(self, captions: Mapping[str, str]) -> Mapping[str, float]:
        """As ``lookalike-train faces evaluate`` scores them."""
        found = score_texts([captions[name] for name in self.held_out.names], self._table)
        return {name: found[name] for name in _SHOWN}

    def _batches(self) -> Iterator[Batch]:
        rng = random.Random(self.config.seed * 1000 + self.progress.epoch)  # noqa: S311
        order = list(self.data.names)
        rng.shuffle(order)
        size = self.config.photos_per_batch

        def make() -> Iterator[Batch]:
            for start in range(0, len(order) - size + 1, size):
                yield self._batch(order[start : start + size], rng)

        return ahead(make)

    @torch.no_grad()
    def _batch(self, names: Sequence[str], rng: random.Random) -> Batch:
        regions = self.source.read(names, rng)
        count = round(self._mixed * len(names))
        share = torch.tensor([rng.uniform(0.5, 1.0) for _ in range(count)]).view(-1, 1, 1)
        other = regions[rng.sample(range(len(names)), count)]
        regions[:count] = share * regions[:count] + (1 - share) * other
        logits = self._head(regions).numpy()
        captions: dict[str, list[list[int]]] = {
            name: [[*self.vocabulary.encode(describe(said)), END]]
            for name, said in zip(names, consistent(logits, self._thresholds), strict=True)
        }
        return collate(names, regions, captions, rng)


_SHOWN = ("micro_f1", "macro_f1", "precision", "recall", "contradictions", "distinct")


def stage_features(
    stages: nn.Module, trunk: npt.NDArray[np.float16], file: Path, *, batch: int = 32
) -> npt.NDArray[np.float16]:
    """What the tuned stages make of cached trunk features, pooled, kept in ``file``.

    The merge decoder reads nothing but the mean over the regions, so the mean is all it needs.

    Returns:
        Shape (N, 1, channels).
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f"partial-{file.name}")
        store: Any = None
        with torch.inference_mode(), cpu_autocast():
            for start in range(0, len(trunk), batch):
                x = torch.from_numpy(np.array(trunk[start : start + batch])).float()
                x = stages(x.contiguous(memory_format=torch.channels_last))
                found = x.float().mean((2, 3)).unsqueeze(1).half().numpy()
                if store is None:
                    store = np.lib.format.open_memmap(
                        partial, mode="w+", dtype=np.float16, shape=(len(trunk), *found.shape[1:])
                    )
                store[start : start + len(found)] = found
        store.flush()
        partial.replace(file)
    features: npt.NDArray[np.float16] = np.load(file, mmap_mode="r")
    return features
