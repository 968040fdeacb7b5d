"""What others offer for the search that ``benchmarks.gallery`` measures.

None is needed; the row of one that is not installed is left out. ``pip install
'lookalike[benchmarks]'`` brings them.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray

__all__ = ["RIVALS", "Rival"]

Search = Callable[[FloatArray], list[int]]

_COUNT = 10
_TRAINED_ON = 100_000


class Rival(ABC):
    """Another way to search.

    Args:
        folder: For what is built.
        rows: The faces, unit rows (N, D).
    """

    name: ClassVar[str]
    package: ClassVar[str]

    def __init__(self, folder: Path, rows: FloatArray) -> None:
        self._path = folder / f"{type(self).__name__.lower()}-{len(rows)}.index"
        self._rows = rows

    @property
    def installed(self) -> bool:
        """Whether its package is there; else it is said which one is missing."""
        there = importlib.util.find_spec(self.package) is not None
        if not there:
            print(f"{self.name} is left out: {self.package} is not installed")
        return there

    def build(self) -> None:
        """Builds the index into the folder, unless it is there."""
        if not self._path.exists():
            started, cpu = time.perf_counter(), time.process_time()
            self._build()
            seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
            print(
                f"{self.name}: built in {seconds:.0f} s, {len(self._rows) / seconds:.0f} faces/s; "
                f"{len(self._rows) / cpu:.0f} faces per second of processor time",
                flush=True,
            )

    @abstractmethod
    def _build(self) -> None: ...

    @abstractmethod
    def open(self) -> Search:
        """Loads what was built; gives what answers one query, shape (D,), in one thread."""

    @property
    def files_mb(self) -> float:
        """What lies on the disk; nothing where all is in memory."""
        return self._path.stat().st_size / 1e6 if self._path.exists() else 0.0


class Faiss(Rival):
    """An index of FAISS; the best are compared again in float16."""

    package = "faiss"
    compared_again: ClassVar[int]
    """How many times as many as are asked for."""

    @abstractmethod
    def _kind(self) -> str:
        """For FAISS's index factory, without what compares again."""

    @abstractmethod
    def _prepare(self, index: Any, *, building: bool) -> None:
        """Sets how the index links or searches."""

    def _build(self) -> None:
        import faiss  # noqa: PLC0415 - slow to load

        # Its threads would wait for each other by spinning, which other programs pay for.
        faiss.omp_set_num_threads(1)
        kind = f"{self._kind()},Refine(SQfp16)"
        index: Any = faiss.index_factory(self._rows.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
        self._prepare(faiss.downcast_index(index.base_index), building=True)
        index.train(self._rows[:: max(1, len(self._rows) // _TRAINED_ON)])
        index.add(self._rows)
        faiss.write_index(index, str(self._path))

    def open(self) -> Search:
        import faiss  # noqa: PLC0415 - slow to load

        faiss.omp_set_num_threads(1)
        index: Any = faiss.read_index(str(self._path))
        index.k_factor = self.compared_again
        self._prepare(faiss.downcast_index(index.base_index), building=False)
        return lambda query: index.search(query[None], _COUNT)[1][0].tolist()


class FaissBytes(Faiss):
    """HNSW over bytes."""

    name = "FAISS HNSW-SQ8, best in float16"
    compared_again = 8

    def _kind(self) -> str:
        return "HNSW20_SQ8"

    def _prepare(self, index: Any, *, building: bool) -> None:
        if building:
            index.hnsw.efConstruction = 200
        else:
            index.hnsw.efSearch = 448


class FaissLists(Faiss):
    """Lists of bytes, a third of which are searched."""

    name = "FAISS IVF-SQ8, best in float16"
    compared_again = 4

    def _kind(self) -> str:
        return f"IVF{round(len(self._rows) ** 0.5)},SQ8"

    def _prepare(self, index: Any, *, building: bool) -> None:
        if not building:
            index.nprobe = index.nlist // 3


class UsearchBytes(Rival):
    """HNSW over bytes: the mean is taken off, the best are compared again in float16."""

    name = "USearch HNSW-i8, best in float16"
    package = "usearch"

    def __init__(self, folder: Path, rows: FloatArray) -> None:
        super().__init__(folder, rows)
        sample = rows[: max(512, len(rows) // 20)]
        self._mean = sample.mean(0)
        self._scale = np.float32(127 / np.quantile(np.abs(sample - self._mean), 0.9999))

    def _codes(self, rows: FloatArray) -> npt.NDArray[np.int8]:
        codes = np.rint((rows - self._mean) * self._scale).clip(-127, 127)
        return np.asarray(codes, np.int8)

    def _index(self) -> Any:
        from usearch.index import Index  # noqa: PLC0415 - of an extra

        return Index(
            ndim=self._rows.shape[1],
            metric="l2sq",
            dtype="i8",
            connectivity=20,
            expansion_add=200,
            expansion_search=448,
        )

    def _build(self) -> None:
        index = self._index()
        step = 10_000
        for start in range(0, len(self._rows), step):
            some = self._rows[start : start + step]
            index.add(np.arange(start, start + len(some)), self._codes(some), threads=1)
        index.save(str(self._path))

    def open(self) -> Search:
        index = self._index()
        index.view(str(self._path))
        vectors = self._rows.astype(np.float16)

        def search(query: FloatArray) -> list[int]:
            keys = index.search(self._codes(query), 80, threads=1).keys.astype(np.int64)
            cosines = vectors[keys].astype(np.float32) @ query
            found: list[int] = keys[np.argsort(-cosines)[:_COUNT]].tolist()
            return found

        return search


class QdrantLocal(Rival):
    """Qdrant inside the process: it compares all."""

    name = "Qdrant, local mode"
    package = "qdrant_client"

    def build(self) -> None:
        """Nothing: it is filled when it is opened."""

    def _build(self) -> None: ...

    def open(self) -> Search:
        from qdrant_client import QdrantClient, models  # noqa: PLC0415 - of an extra

        client = QdrantClient(":memory:")
        of = models.VectorParams(size=self._rows.shape[1], distance=models.Distance.DOT)
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is not meant for so many
            client.create_collection("faces", vectors_config=of)
            client.upload_collection("faces", self._rows, ids=range(len(self._rows)))
        print(f"{self.name}: filled in {time.perf_counter() - started:.0f} s", flush=True)

        def search(query: FloatArray) -> list[int]:
            found = client.query_points("faces", query, limit=_COUNT, with_payload=False)
            return [int(point.id) for point in found.points]

        return search


RIVALS: dict[str, type[Rival]] = {
    "faiss-hnsw": FaissBytes,
    "faiss-ivf": FaissLists,
    "usearch": UsearchBytes,
    "qdrant": QdrantLocal,
}
