"""Searches a million made-up faces: ``python -m benchmarks.gallery [--faces N]``.

The faces are drawn as real embeddings are spread: people are Gaussian around a common
mean, with a spectrum that falls off, and each query is another photo of somebody. Exact
search, ours and what others offer (see ``gallery_rivals``) answer the same queries in one run.

Each way is measured in a process of its own: "memory" is what that grew by while it opened the
index and answered, mapped files among it, "files" what lies on the disk.

Built indexes are kept in ``--folder``, so that ``--build`` may take its time and the
measurement can be repeated: without ``--build`` what is there is only read.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.gallery_rivals import RIVALS
from model_server.analysis import FloatArray
from model_server.gallery.hubness import Hubness
from model_server.gallery.index import FaceIndex
from model_server.gallery.records import PersonFaces

DIMENSION = 128
QUERIES = 300
COUNT = 10

PACES = (2_000, math.inf)
"""Faces added a second while queries are answered: as aimed at, and as many as can be."""

ADDED = 20_000
BATCH = 50

NO_HUBNESS = Hubness.fit(np.zeros((0, DIMENSION), np.float32), 1, 0.0)


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
    """Of this process, now; pages of mapped files among them. 1 MB is 10^6 bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


@dataclass(frozen=True, slots=True)
class Answers:
    """What was found, and how long each query took: by the clock, and of processor time."""

    found: list[list[int]]
    wall_ms: list[float]
    cpu_ms: list[float]

    def times(self) -> str:
        """For a row of the table. On a busy machine the processor time is the one to trust."""
        return (
            f"p50 {np.median(self.wall_ms):7.2f} ms   p99 {np.percentile(self.wall_ms, 99):7.2f} ms"
            f"   processor p50 {np.median(self.cpu_ms):6.2f} ms"
        )

    def recall(self, truth: list[list[int]], count: int) -> float:
        """Share of the truth's first ``count`` that are among as many answers.

        What an answer lacks is not found.
        """
        hits = sum(
            len(set(answer[:count]) & set(true[:count]))
            for answer, true in zip(self.found, truth, strict=True)
        )
        return hits / sum(len(true[:count]) for true in truth)


def answer(queries: FloatArray, search: Callable[[FloatArray], list[int]]) -> Answers:
    """Asks one query after the other."""
    answers = Answers([], [], [])
    for query in queries:
        cpu, wall = time.thread_time(), time.perf_counter()
        answers.found.append(search(query))
        answers.wall_ms.append((time.perf_counter() - wall) * 1000)
        answers.cpu_ms.append((time.thread_time() - cpu) * 1000)
    return answers


@dataclass(frozen=True, slots=True)
class Taken:
    """What a way to search takes, MB: of the process's memory, and of the disk."""

    memory: float
    files: float


def row(name: str, answers: Answers, truth: list[list[int]], taken: Taken | None = None) -> None:
    """Prints a row of the table."""
    more = f"   memory {taken.memory:.0f} MB   files {taken.files:.0f} MB" if taken else ""
    recalls = "   ".join(
        f"recall@{count} {answers.recall(truth, count):.4f}" for count in (1, COUNT)
    )
    print(f"{name:34}{answers.times()}   {recalls}{more}", flush=True)


def people(rows: FloatArray, first: int = 0) -> list[PersonFaces]:
    """Each face a person of its own."""
    return [PersonFaces(first + key, rows[key : key + 1]) for key in range(len(rows))]


def exact(rows: FloatArray) -> Callable[[FloatArray], list[int]]:
    """Search that compares all."""

    def search(query: FloatArray) -> list[int]:
        cosines = rows @ query
        best = np.argpartition(-cosines, COUNT)[:COUNT]
        found: list[int] = best[np.argsort(-cosines[best])].tolist()
        return found

    return search


def build(path: Path, rows: FloatArray) -> None:
    """Builds our index and saves it."""
    index = FaceIndex(DIMENSION, NO_HUBNESS)
    index.replace(people(rows), known=False)
    started, cpu = time.perf_counter(), time.process_time()
    index.save(path)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(f"ours: built and saved in {seconds:.0f} s, {cpu:.0f} s of processor time", flush=True)


def measure(path: Path, queries: FloatArray, truth: list[list[int]]) -> None:
    """Prints the rows of our index: at rest, and while faces are added."""
    before = resident_mb()
    started = time.perf_counter()
    index = FaceIndex(DIMENSION, NO_HUBNESS)
    index.open(path)
    index.search(queries[:1], COUNT)
    opened = time.perf_counter() - started
    files = sum(file.stat().st_size for file in path.parent.glob(f"{path.stem}.*")) / 1e6
    print(f"ours: opened and first answer in {opened:.2f} s", flush=True)

    def search(query: FloatArray) -> list[int]:
        return [hit.key for hit in index.search(query[None], COUNT)[0]]

    answers = answer(queries, search)
    row("ours", answers, truth, Taken(resident_mb() - before, files))

    first = len(index)
    for pace in PACES:
        new = faces(ADDED, 3 + len(index))
        adding = _Adding(index, new, pace)
        adding.start()
        during = Answers([], [], [])
        asked: list[list[int]] = []
        while adding.is_alive():
            number = len(asked) % len(queries)
            one = answer(queries[number : number + 1], search)
            # Those who are new were not there when the truth was found, and take places in it.
            old = [key for key in one.found[0] if key < first]
            asked.append(truth[number][: COUNT - (len(one.found[0]) - len(old))])
            during.found.append(old)
            during.wall_ms.append(one.wall_ms[0])
            during.cpu_ms.append(one.cpu_ms[0])
        adding.join()
        name = f"ours, {adding.rate:.0f} faces/s added"
        row(name, during, asked, Taken(resident_mb() - before, files))
        newest = [hits[0].key for hits in index.search(new[:500], 1)]
        found = np.mean(np.array(newest) == adding.first + np.arange(500))
        print(f"ours: added faces that find themselves: {found:.4f}", flush=True)


def measure_rival(
    name: str, folder: Path, count: int, queries: FloatArray, truth: list[list[int]]
) -> None:
    """Prints the row of another way to search."""
    rival = RIVALS[name](folder, faces(count, 1))
    before = resident_mb()
    search = rival.open()
    answers = answer(queries, search)
    row(rival.name, answers, truth, Taken(resident_mb() - before, rival.files_mb))


def in_own_process(target: Callable[..., None], *arguments: object) -> None:
    """Calls ``target``, whose memory is then nobody else's.

    Raises:
        RuntimeError: It failed; what it printed says why.
    """
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{target.__name__} ended with status {process.exitcode}")


class _Adding(threading.Thread):
    """Adds faces at a pace, in faces a second."""

    def __init__(self, index: FaceIndex, new: FloatArray, pace: float) -> None:
        super().__init__()
        self._index, self._new, self._pace = index, new, pace
        self.first = len(index)
        self.rate = 0.0

    def run(self) -> None:
        """Adds all."""
        started = time.perf_counter()
        for start in range(0, ADDED, BATCH):
            time.sleep(max(0.0, started + start / self._pace - time.perf_counter()))
            self._index.replace(people(self._new[start : start + BATCH], self.first + start))
        self.rate = ADDED / (time.perf_counter() - started)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="keep the built indexes here between runs")
    parser.add_argument("--build", action="store_true", help="only build what is not there yet")
    parser.add_argument(
        "--rivals", nargs="*", default=list(RIVALS), choices=list(RIVALS), metavar="NAME",
        help=f"which of {', '.join(RIVALS)}; all that are installed"
    )  # fmt: skip
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="lookalike-gallery-"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"ours-{options.faces}.faiss"
    rows = faces(options.faces, 1)
    if not path.exists():
        build(path, rows)
    rivals = {name: RIVALS[name](folder, rows) for name in options.rivals}
    rivals = {name: rival for name, rival in rivals.items() if rival.installed}
    for rival in rivals.values():
        rival.build()
    if options.build:
        return

    queries = photos_of(rows[:: max(options.faces // QUERIES, 1)][:QUERIES], 2)
    print(f"{options.faces} faces of {DIMENSION} dimensions, {len(queries)} queries, one at a time")
    reference = answer(queries, exact(rows))
    truth = reference.found
    row("exact (numpy, float32)", reference, truth)
    in_own_process(measure, path, queries, truth)
    for name in rivals:
        in_own_process(measure_rival, name, folder, options.faces, queries, truth)


if __name__ == "__main__":
    main()
