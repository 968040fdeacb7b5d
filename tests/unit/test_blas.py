"""One thread for each of numpy's products."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from model_server.blas import keep_to_one_thread


def threads():
    np.ones((2, 2)) @ np.ones((2, 2))
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def _as_before():
    with threadpool_limits():
        yield


def test_a_product_takes_no_other_thread():
    """Whatever was set before, one thread is what is left."""
    threadpool_limits(2, user_api="blas")
    assert threads() == {2}
    keep_to_one_thread()
    assert threads() == {1}
