"""Test of training in two processes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from training.dataset import CaptionedPhotos


@pytest.mark.timeout(400)
def test_two_processes_train_one_model(
    tmp_path: Path, make_dataset: Callable[..., CaptionedPhotos]
) -> None:
    """Under torchrun both end with the same weights after both phases, and one of them writes.

    A run that was interrupted before its last epoch ends with these weights, too.
    """
    make_dataset(16)
    make_dataset(4, first=100)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "tests.unit.training.distributed_run", str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    one, *others = (
        torch.load(tmp_path / f"{name}-{rank}.pt")
        for name in ("weights", "resumed")
        for rank in (0, 1)
    )
    for other in others:
        for name, value in one.items():
            torch.testing.assert_close(value, other[name], msg=name)
    assert len(json.loads((tmp_path / "run" / "history.json").read_text())) == 3
