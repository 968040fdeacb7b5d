"""The training loop: teacher forcing first, then self-critical training on CIDEr-D."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from model_server.captioning.networks import ImageCaptioningModel, build_decoder
from model_server.captioning.vocabulary import END, START, Vocabulary
from model_server.imaging import Preprocessing
from training.batches import (
    Batch,
    CachedFeatures,
    LivePhotos,
    PhotoSource,
    encode_captions,
    epoch_batches,
)
from training.checkpoint import (
    MovingAverage,
    load_model,
    random_state,
    restore_random_state,
    save_checkpoint,
)
from training.cider import CiderReward
from training.config import TrainConfig
from training.dataset import CaptionedPhotos, check_leakage, references
from training.encoders import build_encoder
from training.features import FeatureCache, cache_features
from training.history import History
from training.metrics import score_captions
from training.objective import CaptionLoss, rows_of, sample_captions
from training.runtime import Runtime, start_runtime, to_channels_last

__all__ = ["NonFiniteLossError", "Trainer", "train"]

_log = logging.getLogger(__name__)


class NonFiniteLossError(ArithmeticError):
    """The loss is no number any more: training stops rather than going on with broken weights."""


@dataclass(slots=True)
class Progress:
    """Where a run is."""

    epoch: int = 0
    step: int = 0
    best: float = -1.0
    best_epoch: int = -1
    history: list[dict[str, Any]] = field(default_factory=list)


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
        ValueError: The folder holds a run of another configuration or vocabulary.
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
        saved = self._saved()
        self.model, self.preprocessing = self._make_model()
        if saved:
            # Before features are computed: the encoder must be the run's own.
            self.model.load_state_dict(saved["model"])
        self.live = bool(config.fine_tune)
        self._choose_trained()
        self.model.to(runtime.device)
        to_channels_last(self.model.encoder)
        self.captions = encode_captions(data, self.vocabulary, config.max_length)
        self.references = references(held_out)
        self.source, self.held_out_source = self._sources(cache or folder / "features")
        self.average = MovingAverage(self.model, config.ema)
        self.loss: nn.Module = CaptionLoss(
            self.model, live=self.live, smoothing=config.label_smoothing
        )
        if runtime.world > 1:
            self.loss = DistributedDataParallel(self.loss, find_unused_parameters=True)
        self.optimizer = self._make_optimizer()
        if saved:
            self._resume(saved)
        elif runtime.leads:
            self.vocabulary.save(folder / "vocab.json")
            config.save(folder / "config.json")
        self.history = History(folder, self.progress.history) if runtime.leads else None

    # --- setting up ---------------------------------------------------------------

    def _make_model(self) -> tuple[ImageCaptioningModel, Preprocessing]:
        config = self.config
        if config.start_from:
            # The vocabulary must be the same, or words would get other words' weights.
            model, _, preprocessing, _, _ = load_model(Path(config.start_from), self.vocabulary)
            for module in model.decoder.modules():
                if isinstance(module, nn.Dropout):
                    module.p = config.decoder_options.get("dropout", module.p)
            return model, preprocessing
        encoder, preprocessing = build_encoder(config.encoder, config.encoder_weights)
        decoder = build_decoder(
            config.decoder, len(self.vocabulary), encoder.channels, **config.decoder_options
        )
        return ImageCaptioningModel(encoder, decoder), preprocessing

    def _choose_trained(self) -> None:
        tuned = self.config.fine_tune
        for name, parameter in self.model.encoder.named_parameters():
            parameter.requires_grad = name.startswith(tuned) if tuned else False
        if tuned and not any(p.requires_grad for p in self.model.encoder.parameters()):
            raise ValueError(f"the encoder has no parameters called {', '.join(tuned)}…")

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

    def _make_optimizer(self) -> torch.optim.AdamW:
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                key = (name.startswith("encoder."), parameter.dim() > 1)
                groups.setdefault(key, []).append(parameter)
        return torch.optim.AdamW(
            [
                {
                    "params": parameters,
                    "encoder": encoder,
                    "weight_decay": self.config.weight_decay if matrix else 0.0,
                }
                for (encoder, matrix), parameters in groups.items()
            ],
            lr=self.config.learning_rate,
            betas=(0.9, 0.98),
        )

    def _saved(self) -> dict[str, Any] | None:
        """The interrupted run in the folder, if there is one and it is this one."""
        file = self.folder / "last.pt"
        if not file.exists():
            return None
        content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=False)
        # Only what does not change the weights may differ from the run that was interrupted.
        free = {"epochs", "self_critical_epochs", "patience", "threads"}
        old, new = content["config"], self.config.to_dict()
        changed = sorted(key for key in new if key not in free and old.get(key) != new[key])
        if changed:
            raise ValueError(f"{self.folder} holds another run: {', '.join(changed)} differ")
        if tuple(content["vocabulary"]) != self.vocabulary.words:
            raise ValueError(f"{self.folder} holds a run with another vocabulary")
        return content

    def _resume(self, saved: dict[str, Any]) -> None:
        device = self.runtime.device
        self.average.values = {name: value.to(device) for name, value in saved["average"].items()}
        self.average.updates = saved["average_updates"]
        self.optimizer.load_state_dict(saved["optimizer"])
        self.progress = Progress(**saved["progress"])
        restore_random_state(saved["random"])

    # --- running ------------------------------------------------------------------

    def run(self) -> Progress:
        """Trains to the end, or until the held-out score stops rising."""
        total = self.config.epochs + self.config.self_critical_epochs
        while self.progress.epoch < total and not self._stalled():
            critical = self.progress.epoch >= self.config.epochs
            started = time.perf_counter()
            entry = self._self_critical_epoch() if critical else self._teacher_epoch()
            entry |= {
                "epoch": self.progress.epoch,
                "phase": "self-critical" if critical else "teacher forcing",
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

    def _stalled(self) -> bool:
        since = self.progress.epoch - 1 - self.progress.best_epoch
        if self.progress.epoch == self.config.epochs:
            return False  # self-critical training always gets its chance
        return self.progress.best_epoch >= 0 and since >= self.config.patience

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

    def _teacher_epoch(self) -> dict[str, Any]:
        config = self.config
        self._train_mode()
        steps = self._steps_per_epoch()
        sampling = config.scheduled_sampling * self.progress.epoch / max(1, config.epochs - 1)
        losses, waited = [], 0.0
        clock = time.perf_counter()
        for batch in self._batches():
            waited += time.perf_counter() - clock
            self._set_rate(cosine(self.progress.step, steps * config.epochs, config.warmup))
            with self.runtime.autocast():
                loss = self.loss(*self._moved(batch), sampling)
            self._learn(loss, loss)
            losses.append(float(loss.detach()))
            clock = time.perf_counter()
        return {"loss": sum(losses) / len(losses), "waited": round(waited, 1)}

    def _self_critical_epoch(self) -> dict[str, Any]:
        config = self.config
        self._train_mode()
        reward_of = self._reward()
        rewards, losses = [], []
        for batch in self._batches():
            self._set_rate(1.0, config.self_critical_learning_rate)
            pixels = batch.pixels.to(self.runtime.device)
            with self.runtime.autocast():
                regions = self.model.encoder(pixels) if self.live else pixels
                tokens, chances = sample_captions(
                    self.model, regions, config.samples, config.max_length
                )
            names = [name for name in batch.names for _ in range(config.samples)]
            reward = torch.from_numpy(reward_of(names, rows_of(tokens))).view(-1, config.samples)
            # Luo 2020: the other samples' mean is the baseline.
            others = (reward.sum(1, keepdim=True) - reward) / (config.samples - 1)
            advantage = (reward - others).view(-1, 1).to(self.runtime.device)
            words = (tokens != 0).float()
            loss = -(advantage * chances * words).sum() / words.sum()
            self._learn(loss, loss)
            rewards.append(float(reward.mean()))
            losses.append(float(loss.detach()))
        return {"loss": sum(losses) / len(losses), "reward": sum(rewards) / len(rewards)}

    def _reward(self) -> CiderReward:
        encoded = {
            name: [[*self.vocabulary.encode(text), END] for text in texts]
            for name, texts in self.data.captions.items()
        }
        return CiderReward(encoded)

    def _train_mode(self) -> None:
        self.model.decoder.train()
        # BatchNorm keeps its statistics: a captioner's batches are too small and too alike.
        self.model.encoder.eval()

    def _moved(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        device = self.runtime.device
        pixels = batch.pixels.to(device)
        if pixels.dim() == 4:
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        return pixels, batch.tokens.to(device), batch.targets.to(device)

    def _set_rate(self, factor: float, peak: float | None = None) -> None:
        for group in self.optimizer.param_groups:
            if group["encoder"]:
                group["lr"] = factor * self.config.encoder_learning_rate
            else:
                group["lr"] = factor * (self.config.learning_rate if peak is None else peak)

    def _learn(self, loss: Tensor, shown: Tensor) -> None:
        if not math.isfinite(float(shown.detach())):
            raise NonFiniteLossError(
                f"the loss is {float(shown.detach())} at step {self.progress.step}; "
                f"the last good checkpoint is {self.folder / 'last.pt'}"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(trained, self.config.clip)
        self.optimizer.step()
        self.average.update(self.model)
        self.progress.step += 1

    # --- after each epoch ---------------------------------------------------------

    def _finish_epoch(self, entry: dict[str, Any]) -> None:
        self.average.swap(self.model)
        captions = self.caption_held_out()
        metrics = self.score_held_out(captions)
        entry |= {name: round(value, 4) for name, value in metrics.items()}
        self.progress.history.append(entry)
        better = metrics[self.select_by] > self.progress.best
        if better:
            self.progress.best = metrics[self.select_by]
            self.progress.best_epoch = entry["epoch"]
            save_checkpoint(self.folder / "best.pt", self._content(weights_only=True))
        self.average.swap(self.model)
        save_checkpoint(self.folder / "last.pt", self._content(weights_only=False))
        if self.history:
            self.history.write(self.progress.history, captions)
        _log.info("%s%s", json.dumps(entry), " *" if better else "")

    def score_held_out(self, captions: Mapping[str, str]) -> Mapping[str, float]:
        """Scores of captions of the held-out photos; the best epoch has the best ``select_by``."""
        words = {name: " ".join(text.split()) for name, text in captions.items()}
        return score_captions(self.references, words).metrics

    def _content(self, *, weights_only: bool) -> dict[str, Any]:
        content: dict[str, Any] = {
            "model": self.model.state_dict(),
            "vocabulary": self.vocabulary.words,
            "config": self.config.to_dict(),
            "preprocessing": self.preprocessing.to_manifest(),
            "data": self.data.digest,
            "history": self.progress.history,
        }
        if not weights_only:
            content |= {
                "average": self.average.values,
                "average_updates": self.average.updates,
                "optimizer": self.optimizer.state_dict(),
                "progress": {
                    name: getattr(self.progress, name)
                    for name in ("epoch", "step", "best", "best_epoch", "history")
                },
                "random": random_state(),
            }
        return content

    @torch.inference_mode()
    def caption_held_out(self, batch: int = 64) -> dict[str, str]:
        """Greedy captions of the held-out photos."""
        self.model.eval()
        captions: dict[str, str] = {}
        names = self.held_out.names
        for start in range(0, len(names), batch):
            chosen = names[start : start + batch]
            pixels = self.held_out_source.read(chosen, None).to(self.runtime.device)
            with self.runtime.autocast():
                regions = self.model.encoder(pixels) if self.live else pixels
                tokens = self.model.greedy(regions, START, END, self.config.max_length)
            for name, row in zip(chosen, tokens.tolist(), strict=True):
                captions[name] = self.vocabulary.decode(row)
        return captions


def cosine(step: int, total: int, warmup: float) -> float:
    """Share of the peak rate: up in a line, down along a cosine to a twentieth."""
    rising = max(1.0, warmup * total)
    if step < rising:
        return (step + 1) / rising
    done = min(1.0, (step - rising) / max(1.0, total - rising))
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done))


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
