"""One step of learning: rate, gradient, clipping, the moving average of the weights."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, distributed, nn

from training.checkpoint import MovingAverage
from training.config import TrainConfig
from training.progress import Progress

__all__ = ["NonFiniteLossError", "Optimization", "cosine", "finite_loss"]


class NonFiniteLossError(ArithmeticError):
    """The loss is no number any more: training stops rather than going on with broken weights."""


def cosine(step: int, total: int, warmup: float, floor: float = 0.05) -> float:
    """Share of the peak rate: up in a line, down along a cosine.

    Args:
        step: From 0.
        total: Steps of the run.
        warmup: Share of them in which the rate rises.
        floor: Share of the peak that is left at the end.
    """
    rising = max(1.0, warmup * total)
    if step < rising:
        return (step + 1) / rising
    done = min(1.0, (step - rising) / max(1.0, total - rising))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))


def finite_loss(loss: Tensor, step: int, checkpoint: Path) -> float:
    """The value of a loss, before anything is learnt from it.

    Args:
        loss: A scalar.
        step: Whose it is.
        checkpoint: Where good weights are kept, for the message.

    Raises:
        NonFiniteLossError: It is infinite or no number.
    """
    value = float(loss.detach())
    if not math.isfinite(value):
        raise NonFiniteLossError(
            f"the loss is {value} at step {step}; the last good checkpoint is {checkpoint}"
        )
    return value


class Optimization:
    """AdamW over what is trained, with a rate of its own for the encoder.

    Args:
        model: Its parameters called ``encoder.…`` get the encoder's rate.
        config: Rates, weight decay, clipping, decay of the average.
        progress: Counts the steps.
        folder: Of the run, named where a loss is no number.
    """

    def __init__(
        self, model: nn.Module, config: TrainConfig, progress: Progress, folder: Path
    ) -> None:
        self.model, self.config, self.progress, self.folder = model, config, progress, folder
        self.average = MovingAverage(model, config.ema)
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                key = (name.startswith("encoder."), parameter.dim() > 1)
                groups.setdefault(key, []).append(parameter)
        self.optimizer = torch.optim.AdamW(
            [
                {
                    "params": parameters,
                    "encoder": encoder,
                    "weight_decay": config.weight_decay if matrix else 0.0,
                }
                for (encoder, matrix), parameters in groups.items()
            ],
            lr=config.learning_rate,
            betas=(0.9, 0.98),
        )

    def set_rate(self, factor: float, peak: float | None = None) -> None:
        """Takes ``factor`` of the peak rates; ``peak`` is the decoder's instead of its own."""
        for group in self.optimizer.param_groups:
            if group["encoder"]:
                group["lr"] = factor * self.config.encoder_learning_rate
            else:
                group["lr"] = factor * (self.config.learning_rate if peak is None else peak)

    def learn(self, loss: Tensor, *, share: bool = False) -> float:
        """Moves the weights down the gradient of ``loss``, and returns its value.

        Args:
            loss: Of this process's photos.
            share: Whether to average the gradient over torchrun's processes here, because the
                loss did not come out of a DistributedDataParallel.

        Raises:
            NonFiniteLossError: It is infinite or no number; the weights stay as they are.
        """
        value = finite_loss(loss, self.progress.step, self.folder / "last.pt")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        if share:
            for parameter in trained:
                if parameter.grad is not None:
                    distributed.all_reduce(parameter.grad)
                    parameter.grad /= distributed.get_world_size()
        torch.nn.utils.clip_grad_norm_(trained, self.config.clip)
        self.optimizer.step()
        self.average.update(self.model)
        self.progress.step += 1
        return value
