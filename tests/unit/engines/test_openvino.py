"""The CPU's engine: small networks, many callers."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as operations

from model_server.engines.openvino import OpenVinoEngine
from model_server.errors import BundleError


@pytest.fixture
def doubling(tmp_path):
    """A network that says 2 x in float32."""
    given = operations.parameter([-1, 3], np.float32, name="x")
    double = operations.multiply(given, np.float32(2))
    double.output(0).get_tensor().set_names({"double"})
    file = tmp_path / "double.xml"
    ov.save_model(ov.Model([double], [given]), file)
    return file


@pytest.mark.parametrize(("copies", "threads"), [(1, 1), (3, 1), (1, 2), (1, 0)])
def test_many_callers_get_their_own_answers(doubling, copies, threads):
    """However many call at the same time, and however few copies there are."""
    session = OpenVinoEngine(copies, threads).load(doubling)
    together = threading.Barrier(8)

    def ask(number):
        rows = np.full((number + 1, 3), number, np.float32)
        together.wait()
        return [session.run({"x": rows})["double"] for _ in range(20)]

    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(ask, range(8)))
    for number, same in enumerate(answers):
        for answer in same:
            np.testing.assert_array_equal(answer, np.full((number + 1, 3), 2 * number))


@pytest.mark.parametrize(("at_once", "expected"), [(2, 2), (None, 1)])
def test_no_more_compute_than_there_are_cores(doubling, monkeypatch, at_once, expected):
    """Whichever networks they are; the rest waits, and nobody is forgotten."""
    lock = threading.Lock()
    computing: list[int] = [0]
    seen: list[int] = []
    infer = ov.InferRequest.infer

    def slow(request, *arguments, **options):
        with lock:
            computing[0] += 1
            seen.append(computing[0])
        time.sleep(0.01)
        try:
            return infer(request, *arguments, **options)
        finally:
            with lock:
                computing[0] -= 1

    monkeypatch.setattr(ov.InferRequest, "infer", slow)
    engine = OpenVinoEngine(1, 1, at_once)
    networks = [engine.load(doubling) for _ in range(4)] * 4
    row = np.ones((1, 3), np.float32)
    with ThreadPoolExecutor(4) as callers:
        answers = list(callers.map(lambda one: one.run({"x": row}), networks))
    assert len(answers) == len(seen) == 16
    assert max(seen) == expected


def test_what_it_says_of_a_network(doubling):
    """Names and shapes, free dimensions as -1."""
    session = OpenVinoEngine().load(doubling)
    assert session.input_shapes == {"x": (-1, 3)}
    assert list(session.output_names) == ["double"]


def test_a_file_that_is_no_network(tmp_path):
    """The error says which file."""
    file = tmp_path / "broken.xml"
    file.write_text("<net")
    with pytest.raises(BundleError, match=r"broken\.xml"):
        OpenVinoEngine().load(file)
