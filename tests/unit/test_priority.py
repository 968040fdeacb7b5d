"""Threads that compute stand back."""

import os
import sys
import threading

import pytest

from model_server.priority import compute_politely

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority there")


def niceness():
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_only_the_thread_that_asks_stands_back():
    """The caller's other threads keep their priority."""
    seen = {}

    def compute():
        seen["before"] = niceness()
        compute_politely()
        seen["after"] = niceness()

    before = niceness()
    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    assert seen["after"] > seen["before"] == before
    assert niceness() == before
