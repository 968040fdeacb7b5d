"""One thread for each of numpy's products and OpenCV's pictures."""

import cv2
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from model_server.one_thread import keep_to_one_thread


def threads():
    np.ones((2, 2)) @ np.ones((2, 2))
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def _as_before():
    pictures = cv2.getNumThreads()
    with threadpool_limits():
        yield
    cv2.setNumThreads(pictures)


def test_nothing_takes_another_thread():
    """Whatever was set before, one thread is what is left."""
    threadpool_limits(2, user_api="blas")
    cv2.setNumThreads(2)
    assert threads() == {2}
    assert cv2.getNumThreads() == 2
    keep_to_one_thread()
    assert threads() == {1}
    assert cv2.getNumThreads() == 1
