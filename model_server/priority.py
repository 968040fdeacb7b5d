"""Lets the thread that talks to callers go before those that compute."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

__all__ = ["compute_politely"]

_NICENESS = 10


def compute_politely() -> None:
    """Lowers the priority of the thread that calls; threads that it starts are like it.

    With as many computing threads as cores, whoever wants a word with the server would wait
    for one of them to have used up its share of time. Where nothing else is to be done, a
    polite thread computes as fast as any. Only Linux has a priority for each thread.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
