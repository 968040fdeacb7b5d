"""Keeps numpy to one thread a call: photos are what is worked on at the same time."""

from __future__ import annotations

from threadpoolctl import threadpool_limits

__all__ = ["keep_to_one_thread"]


def keep_to_one_thread() -> None:
    """Makes numpy's matrix products run on the thread that asks for them, from now on.

    Products here are small. A BLAS that spreads them over all cores keeps those threads
    spinning afterwards: a quarter of the processor time of a photo went into that.
    """
    threadpool_limits(1, user_api="blas")
