"""A training run: sets up, goes from epoch to epoch, keeps what it needs to go on after a kill."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from model_server.captioning.vocabulary import Vocabulary
from training.batches import (
    Batch,
    CachedFeatures,
    LivePhotos,
    PhotoSource,
    encode_captions,
    epoch_batches,
)
from training.checkpoint import save_checkpoint
from training.config import TrainConfig
from training.dataset import CaptionedPhotos, check_leakage, references
from training.features import FeatureCache, cache_features
from training.held_out import greedy_captions, greedy_scores
from training.history import History
from training.model import choose_tuned, first_model
from training.objective import CaptionLoss
from training.optimization import Optimization
from training.progress import Progress, interrupted_run
from training.runtime import Runtime, seed_generators, start_runtime, to_channels_last
from training.self_critical import reward_of, self_critical_epoch
from training.teacher_forcing import teacher_forcing_epoch

__all__ = ["Trainer", "train"]

_log = logging.getLogger(__name__)

TEACHER_FORCING, SELF_CRITICAL = "teacher forcing", "self-critical"


class Trainer:
    """One run in one folder.

    Args:
        folder: For checkpoints, history, curves; a run that is there already goes on.
        config: All choices.
        data: To learn from.
        held_out: To stop early by.
        runtime: Where to compute.
        cache: Folder of feature caches; by default inside ``folder``.

    Raises:
        LeakageError: A held-out photo is among those to learn from.
        ValueError: The folder holds a run of another configuration, vocabulary or split.
    """

    select_by = "cider"
    """The held-out score by which the best epoch is chosen."""

    def __init__(
        self,
        folder: Path,
        config: TrainConfig,
        data: CaptionedPhotos,
        held_out: CaptionedPhotos,
        *,
        runtime: Runtime,
        cache: Path | None = None,
    ) -> None:
        check_leakage(data, held_out)
        self.folder, self.config, self.runtime = folder, config, runtime
        self.data, self.held_out = data, held_out
        folder.mkdir(parents=True, exist_ok=True)
        self.progress = Progress()
        self.vocabulary = Vocabulary.build(
            (text for texts in data.captions.values() for text in texts), config.min_count
        )
        saved = interrupted_run(folder, config, self.vocabulary, self._digests())
        self.model, self.preprocessing = first_model(config, self.vocabulary)
        if saved:
            # Before features are computed: the encoder must be the run's own.
            self.model.load_state_dict(saved["model"])
        self.live = bool(config.fine_tune)
        choose_tuned(self.model.encoder, config.fine_tune)
        self.model.to(runtime.device)
        to_channels_last(self.model.encoder)
        self.captions = encode_captions(data, self.vocabulary, config.max_length)
        self.references = references(held_out)
        self.source, self.held_out_source = self._sources(cache or folder / "features")
        self.loss: nn.Module = CaptionLoss(
            self.model, live=self.live, smoothing=config.label_smoothing
        )
        if runtime.world > 1:
            self.loss = DistributedDataParallel(self.loss, find_unused_parameters=True)
        self.optimization = Optimization(self.model, config, self.progress, folder)
        if saved:
            self._resume(saved)
        elif runtime.leads:
            self.vocabulary.save(folder / "vocab.json")
            config.save(folder / "config.json")
        self.history = History(folder, self.progress.history) if runtime.leads else None

    # --- setting up ---------------------------------------------------------------

    def _sources(self, cache: Path) -> tuple[PhotoSource, PhotoSource]:
        if self.live:
            sources = [
                LivePhotos(split.photos, self.preprocessing, self.config.crop)
                for split in (self.data, self.held_out)
            ]
            return sources[0], sources[1]
        return CachedFeatures(self._cached(self.data, cache, mirrored=True)), CachedFeatures(
            self._cached(self.held_out, cache, mirrored=False)
        )

    def _cached(self, split: CaptionedPhotos, folder: Path, *, mirrored: bool) -> FeatureCache:
        def make() -> FeatureCache:
            return cache_features(
                split.photos,
                sorted(split.names),
                self.model.encoder,
                self.preprocessing,
                folder,
                mirrored=mirrored,
                device=str(self.runtime.device),
                dtype=self.runtime.dtype,
            )

        if self.runtime.world > 1:  # one process computes, the others wait and read
            if self.runtime.leads:
                make()
            distributed.barrier()
        return make()

    def _resume(self, saved: dict[str, Any]) -> None:
        average, device = self.optimization.average, self.runtime.device
        average.values = {name: value.to(device) for name, value in saved["average"].items()}
        average.updates = saved["average_updates"]
        self.optimization.optimizer.load_state_dict(saved["optimizer"])
        self.progress = self.optimization.progress = Progress.from_dict(saved["progress"])

    # --- running ------------------------------------------------------------------

    def run(self) -> Progress:
        """Trains to the end, or until the held-out score stops rising."""
        while (phase := self._next_phase()) is not None:
            started = time.perf_counter()
            entry = self._epoch(critical=phase == SELF_CRITICAL)
            entry |= {
                "epoch": self.progress.epoch,
                "phase": phase,
                "seconds": round(time.perf_counter() - started, 1),
            }
            self.progress.epoch += 1
            if self.runtime.leads:
                self._finish_epoch(entry)
            if self.runtime.world > 1:
                # Everybody must agree on whether to stop.
                best = torch.tensor(
                    [self.progress.best, float(self.progress.best_epoch)],
                    device=self.runtime.device,
                )
                distributed.broadcast(best, 0)
                self.progress.best, self.progress.best_epoch = float(best[0]), int(best[1])
        if self.history:
            self.history.close()
        return self.progress

    def _next_phase(self) -> str | None:
        """Of the next epoch; none where training is over."""
        progress, config = self.progress, self.config
        if progress.critical_from is None:
            if progress.epoch < config.epochs and not self._stalled(progress.best_epoch):
                return TEACHER_FORCING
            if not config.self_critical_epochs:
                return None
            self._begin_self_critical()
            return SELF_CRITICAL
        if progress.epoch - progress.critical_from >= config.self_critical_epochs:
            return None
        # What teacher forcing reached does not count against the new phase's patience.
        last = max(progress.best_epoch, progress.critical_from - 1)
        return None if self._stalled(last) else SELF_CRITICAL

    def _stalled(self, best_epoch: int) -> bool:
        return best_epoch >= 0 and self.progress.epoch - 1 - best_epoch >= self.config.patience

    def _begin_self_critical(self) -> None:
        """From the best weights so far, with an optimizer that remembers nothing."""
        self.progress.critical_from = self.progress.epoch
        if self.progress.best_epoch < 0:
            return
        best = torch.load(self.folder / "best.pt", map_location="cpu", weights_only=False)
        self.model.load_state_dict(best["model"])
        self.optimization = Optimization(self.model, self.config, self.progress, self.folder)

    def _batches(self) -> Iterator[Batch]:
        return epoch_batches(
            self.data.names,
            self.source,
            self.captions,
            self.config.photos_per_batch,
            seed=self.config.seed * 1000 + self.progress.epoch,
            rank=self.runtime.rank,
            world=self.runtime.world,
        )

    def _steps_per_epoch(self) -> int:
        share = len(self.data.names) // self.runtime.world
        return max(1, share // self.config.photos_per_batch)

    def _epoch(self, *, critical: bool) -> dict[str, Any]:
        # Each epoch anew, so that a resumed run draws what an uninterrupted one would have,
        # on whatever device and in each process its own.
        seed_generators(self.config.seed, self.runtime.rank, self.progress.epoch)
        self.model.decoder.train()
        # BatchNorm keeps its statistics: a captioner's batches are too small and too alike.
        self.model.encoder.eval()
        batches, optimization = self._batches(), self.optimization
        if critical:
            return self_critical_epoch(
                self.model,
                batches,
                optimization,
                reward=reward_of(self.data, self.vocabulary),
                config=self.config,
                runtime=self.runtime,
                live=self.live,
            )
        return teacher_forcing_epoch(
            self.loss,
            batches,
            optimization,
            config=self.config,
            runtime=self.runtime,
            steps=self._steps_per_epoch(),
        )

    # --- after each epoch ---------------------------------------------------------

    def _finish_epoch(self, entry: dict[str, Any]) -> None:
        self.optimization.average.swap(self.model)
        captions = self.caption_held_out()
        metrics = self.score_held_out(captions)
        entry |= {name: round(value, 4) for name, value in metrics.items()}
        self.progress.history.append(entry)
        better = metrics[self.select_by] > self.progress.best
        if better:
            self.progress.best = metrics[self.select_by]
            self.progress.best_epoch = entry["epoch"]
            save_checkpoint(self.folder / "best.pt", self._content(weights_only=True))
        self.optimization.average.swap(self.model)
        save_checkpoint(self.folder / "last.pt", self._content(weights_only=False))
        if self.history:
            self.history.write(self.progress.history, captions)
        _log.info("%s%s", json.dumps(entry), " *" if better else "")

    def score_held_out(self, captions: Mapping[str, str]) -> Mapping[str, float]:
        """Scores of captions of the held-out photos; the best epoch has the best ``select_by``."""
        return greedy_scores(self.references, captions)

    def _digests(self) -> dict[str, str]:
        return {"data": self.data.digest, "held_out": self.held_out.digest}

    def _content(self, *, weights_only: bool) -> dict[str, Any]:
        content: dict[str, Any] = {
            "model": self.model.state_dict(),
            "vocabulary": self.vocabulary.words,
            "config": self.config.to_dict(),
            "preprocessing": self.preprocessing.to_manifest(),
            **self._digests(),
            "history": self.progress.history,
        }
        if not weights_only:
            content |= {
                "average": self.optimization.average.values,
                "average_updates": self.optimization.average.updates,
                "optimizer": self.optimization.optimizer.state_dict(),
                "progress": self.progress.to_dict(),
            }
        return content

    def caption_held_out(self) -> dict[str, str]:
        """Greedy captions of the held-out photos."""
        return greedy_captions(
            self.model,
            self.vocabulary,
            self.held_out.names,
            self.held_out_source,
            self.runtime,
            live=self.live,
            max_length=self.config.max_length,
        )


def train(
    folder: Path,
    config: TrainConfig,
    data: CaptionedPhotos,
    held_out: CaptionedPhotos,
    *,
    cache: Path | None = None,
    watch: Callable[[Trainer], None] | None = None,
) -> Progress:
    """Trains a captioner, or goes on with an interrupted run in ``folder``.

    Args:
        folder: best.pt, last.pt, vocab.json, config.json, history.json, curves.png, samples.txt.
        config: All choices.
        data: To learn from.
        held_out: To evaluate on after each epoch.
        cache: Folder of feature caches, to share them between runs.
        watch: Called with the trainer before it starts.
    """
    with start_runtime(config.precision, config.threads, config.seed) as runtime:
        trainer = Trainer(folder, config, data, held_out, runtime=runtime, cache=cache)
        if watch:
            watch(trainer)
        return trainer.run()
