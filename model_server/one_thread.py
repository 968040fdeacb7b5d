"""Keeps numpy and OpenCV to one thread a call: photos are what is worked on at the same time."""

from __future__ import annotations

import cv2
from threadpoolctl import threadpool_limits

__all__ = ["keep_to_one_thread"]


def keep_to_one_thread() -> None:
    """Makes each call run on the thread that makes it, from now on.

    Products and pictures here are small. A library that spreads them over all cores keeps those
    threads spinning afterwards: a quarter of the processor time of a photo went into that.
    """
    threadpool_limits(1, user_api="blas")
    cv2.setNumThreads(1)
