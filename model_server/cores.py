"""How many cores this process may use."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

__all__ = ["usable_cores"]

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(cpu_max: Path = CPU_MAX) -> int:
    """Cores that the process may run on, or fewer where its container may use less of them.

    Args:
        cpu_max: The container's quota and period in microseconds, as Linux's control groups v2
            have them; a started core counts as one.
    """
    # Only Linux says which cores a process is kept to.
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, period = cpu_max.read_text(encoding="ascii").split()
        return min(cores, max(1, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError, ZeroDivisionError):
        return cores  # no such group, or "max": no quota
