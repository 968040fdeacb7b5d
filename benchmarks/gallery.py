"""Searches a million made-up faces: ``python -m benchmarks.gallery [--faces N]``.

The faces are drawn as real embeddings are spread: people are Gaussian around a common
mean, with a spectrum that falls off, and each query is another photo of somebody.
Exact search, ours and (where installed) FAISS answer the same queries in one run.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from model_server.analysis import FloatArray
from model_server.gallery.hubness import Hubness
from model_server.gallery.index import FaceIndex
from model_server.gallery.records import PersonFaces

DIMENSION = 128
QUERIES = 300
ADDED = 6_000


def faces(count: int, seed: int) -> FloatArray:
    """Unit rows, shape (count, 128)."""
    rng = np.random.default_rng(seed)
    spectrum = np.exp(-np.arange(DIMENSION, dtype=np.float32) / 40)
    mean = np.random.default_rng(99).normal(size=DIMENSION).astype(np.float32) * spectrum
    rows = rng.standard_normal((count, DIMENSION), dtype=np.float32) * spectrum + mean
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def photos_of(rows: FloatArray, seed: int) -> FloatArray:
    """Another photo of each face: cosine about 0.9."""
    noise = np.random.default_rng(seed).standard_normal(rows.shape, dtype=np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    seen = rows + 0.45 * noise
    return np.asarray(seen / np.linalg.norm(seen, axis=1, keepdims=True), np.float32)


def resident_mb() -> float:
    """Of this process, now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def timed(queries: FloatArray, search: Callable[[FloatArray], list[int]]) -> tuple[list, str]:
    """Answers, and median and 99th percentile of the milliseconds."""
    answers, times = [], []
    for query in queries:
        started = time.perf_counter()
        answers.append(search(query))
        times.append((time.perf_counter() - started) * 1000)
    return answers, f"p50 {np.median(times):7.2f} ms   p99 {np.percentile(times, 99):7.2f} ms"


def recall(answers: list[list[int]], truth: list[list[int]], count: int) -> float:
    """Share of the truth's first ``count`` that the answers have among theirs."""
    hits = [len(set(a[:count]) & set(t[:count])) for a, t in zip(answers, truth, strict=True)]
    return sum(hits) / (count * len(truth))


def people(rows: FloatArray, first: int = 0) -> list[PersonFaces]:
    """Each face a person of its own."""
    return [PersonFaces(first + key, rows[key : key + 1]) for key in range(len(rows))]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="keep the built index here between runs")
    options = parser.parse_args()
    rows = faces(options.faces, 1)
    queries = photos_of(rows[:: max(options.faces // QUERIES, 1)][:QUERIES], 2)

    def exact(query: FloatArray) -> list[int]:
        cosines = rows @ query
        best = np.argpartition(-cosines, 10)[:10]
        return best[np.argsort(-cosines[best])].tolist()

    print(f"{options.faces} faces of {DIMENSION} dimensions, {len(queries)} queries")
    truth, line = timed(queries, exact)
    print(f"exact (numpy float32)   {line}   recall 1")

    folder = options.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{options.faces}.usearch"
    none = Hubness.fit(np.zeros((0, DIMENSION), np.float32), 1, 0.0)
    if not path.exists():
        started = time.perf_counter()
        built = FaceIndex(DIMENSION, none, exact_limit=0)
        built.replace(people(rows), known=False)
        built.settle(everything=True, threads=2)
        seconds = time.perf_counter() - started
        print(f"built in {seconds:.0f} s, {options.faces / seconds:.0f} faces/s")
        built.save(path)
        del built

    _ours(path, none, queries, truth)
    try:
        import faiss  # noqa: PLC0415 - compared with only where it is installed
    except ImportError:
        print("faiss is not installed: pip install faiss-cpu")
        return
    faiss.omp_set_num_threads(2)
    graph = faiss.IndexHNSWFlat(DIMENSION, 24, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = 96
    started = time.perf_counter()
    graph.add(rows)
    print(f"FAISS HNSW built in {time.perf_counter() - started:.0f} s")
    faiss.omp_set_num_threads(1)
    graph.hnsw.efSearch = 512
    found, line = timed(queries, lambda query: graph.search(query[None], 10)[1][0].tolist())
    print(
        f"FAISS HNSW (float32)    {line}   recall@1 {recall(found, truth, 1):.4f}   "
        f"recall@10 {recall(found, truth, 10):.4f}"
    )


def _ours(path: Path, none: Hubness, queries: FloatArray, truth: list[list[int]]) -> None:
    before = resident_mb()
    started = time.perf_counter()
    index = FaceIndex(DIMENSION, none)
    index.open(path)
    index.search(queries[:1], 10)
    print(f"ours: loaded (memory-mapped) in {time.perf_counter() - started:.2f} s")

    def search(query: FloatArray) -> list[int]:
        return [hit.key for hit in index.search(query[None], 10)[0]]

    found, line = timed(queries, search)
    print(
        f"ours                    {line}   recall@1 {recall(found, truth, 1):.4f}   "
        f"recall@10 {recall(found, truth, 10):.4f}   memory {resident_mb() - before:.0f} MB"
    )
    new = faces(ADDED, 3)
    first = len(index)
    rate = []

    def add() -> None:
        started = time.perf_counter()
        for start in range(0, ADDED, 50):
            index.replace(people(new[start : start + 50], first + start))
        rate.append(ADDED / (time.perf_counter() - started))

    writer = threading.Thread(target=add)
    writer.start()
    times = []
    while writer.is_alive():
        started = time.perf_counter()
        search(queries[len(times) % len(queries)])
        times.append((time.perf_counter() - started) * 1000)
    writer.join()
    print(
        f"ours, while {rate[0]:.0f} faces/s are added: p50 {np.median(times):.2f} ms   "
        f"p99 {np.percentile(times, 99):.2f} ms   ({len(times)} queries)"
    )
    started = time.perf_counter()
    index.settle(everything=True, threads=2)
    moved = ADDED / (time.perf_counter() - started)
    memory = resident_mb() - before
    print(f"new faces move into the graph at {moved:.0f} faces/s, memory {memory:.0f} MB")
    newest = [hit[0].key for hit in index.search(new[:500], 1)]
    right = np.mean(np.array(newest) == first + np.arange(500))
    print(f"added faces that find themselves: {right:.4f}")


if __name__ == "__main__":
    main()
