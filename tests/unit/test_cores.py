"""How many threads are worth starting."""

import os
import sys

import pytest

from model_server.cores import usable_cores


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("20000 100000\n", 1),
        ("900000 100000\n", 4),
        ("max 100000\n", 4),
        ("", 4),
        ("1 0\n", 4),
    ],
)
def test_a_container_s_quota_counts(tmp_path, quota, cores):
    """A container on a large machine starts no more threads than it may run."""
    (tmp_path / "cpu.max").write_text(quota)
    assert usable_cores(tmp_path / "cpu.max") == cores


def test_without_a_quota_it_is_the_cores_of_the_process(tmp_path):
    """Those that taskset and the like leave it."""
    assert usable_cores(tmp_path / "none") == 4


def test_elsewhere_it_is_the_cores_of_the_machine(monkeypatch, tmp_path):
    """macOS and Windows do not say which cores a process may run on."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert usable_cores(tmp_path / "none") == 8
