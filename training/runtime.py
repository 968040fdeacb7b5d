"""Where a run computes: device, precision, threads, and its place among torchrun's processes."""

from __future__ import annotations

import functools
import logging
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import distributed, nn

__all__ = [
    "Runtime",
    "computes_in_bfloat16",
    "cpu_autocast",
    "seed_generators",
    "start_runtime",
    "to_channels_last",
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Runtime:
    """This process.

    Attributes:
        device: "cpu" or "cuda:N".
        rank: Among the processes of the run.
        world: How many processes there are.
        dtype: Of the computations under autocast; None: float32 everywhere.
    """

    device: torch.device
    rank: int = 0
    world: int = 1
    dtype: torch.dtype | None = None

    @property
    def leads(self) -> bool:
        """Whether this process evaluates and writes."""
        return self.rank == 0

    def autocast(self) -> torch.autocast:
        """Mixed precision where it was asked for."""
        return torch.autocast(
            self.device.type, self.dtype or torch.bfloat16, enabled=self.dtype is not None
        )


@functools.cache
def computes_in_bfloat16() -> bool:
    """Whether this CPU does (it needs AVX-512 or AMX).

    Elsewhere torch has no LSTM in bfloat16 at all, and emulates convolutions slowly.
    """
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 (nothing public says it)


def cpu_autocast() -> torch.autocast:
    """bfloat16 on CPUs that compute in it, float32 on the others."""
    return torch.autocast("cpu", torch.bfloat16, enabled=computes_in_bfloat16())


def to_channels_last(module: nn.Module) -> None:
    """Stores convolutions' weights the way in which CPUs and tensor cores read them fastest."""
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def seed_generators(*numbers: int) -> None:
    """Seeds Python's, numpy's and torch's generators, those of all devices among them.

    Args:
        numbers: What the randomness may depend on, such as seed, rank and epoch.
    """
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (for libraries that use it)
    torch.manual_seed(seed)


@contextmanager
def start_runtime(precision: str, threads: int, seed: int) -> Iterator[Runtime]:
    """Sets up the process; under torchrun joins the others, and leaves them at the end.

    Raises:
        ValueError: There is no such precision.
    """
    if precision not in {"float32", "bfloat16"}:
        raise ValueError(f'precision is "float32" or "bfloat16", not "{precision}"')
    if threads:
        torch.set_num_threads(threads)
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    seed_generators(seed, rank)
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    dtype = torch.bfloat16 if precision == "bfloat16" else None
    if dtype is not None and device.type == "cpu" and not computes_in_bfloat16():
        _log.warning("this CPU does not compute in bfloat16: float32 is used, which takes longer")
        dtype = None
    if world > 1:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Runtime(device, rank, world, dtype)
    finally:
        if world > 1:
            distributed.destroy_process_group()
