"""Millions of faces as short codes in lists (IVF-PQ), by FAISS.

Each face lies in the list of the centre that is nearest to it (Sivic & Zisserman 2003) and
is coded with four bits a dimension (Jégou, Douze & Schmid 2011). A search compares the codes
of the nearest lists, many at a time in the processor's registers (André, Kermarrec &
Le Scouarnec 2017), and then the best once more, exactly, with the vectors of ``slots``.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from model_server.analysis import FloatArray
from model_server.gallery.exact import Candidates, Keys
from model_server.gallery.slots import FaceSlots

__all__ = ["FaceLists"]

_SEARCHED = 0.3
"""Share of the lists that are searched."""

_SEARCHED_AT_LEAST = 200
"""Lists; both so that ``benchmarks.gallery`` finds a recall@10 of .99 from 100,000 faces on."""

_COMPARED_AGAIN = 100
"""At least so many of the faces whose codes are nearest."""

_TRAINED_ON = 100_000

_BATCH = 64
"""Rows that are added at once: a search waits a millisecond for them."""

_CODES = 16
"""Four bits."""

_READ_AT_ONCE = 50_000
"""Faces, while lists are made anew."""


class FaceLists:
    """Finds nearly all of the nearest faces. Thread-safe.

    Args:
        faces: What is in the lists, by slot.
        index: FAISS's index of the slots.
    """

    def __init__(self, faces: FaceSlots, index: Any) -> None:
        self._faces = faces
        self._index = index
        self._access = _Access()

    @classmethod
    def build(cls, keys: Keys, vectors: FloatArray, bias: FloatArray) -> FaceLists:
        """Learns the lists and codes from faces, and holds these.

        Args:
            keys: Their celebrities, shape (n,), n > 0.
            vectors: Unit rows, shape (n, D).
            bias: What is taken off their cosines, shape (n,).
        """
        made = cls(FaceSlots(vectors.shape[1]), _trained(vectors, len(vectors)))
        made.add(keys, vectors, bias)
        return made

    def __len__(self) -> int:
        """Faces, without those that were removed."""
        return len(self._faces)

    @property
    def is_outgrown(self) -> bool:
        """Whether :meth:`rebuilt` would be the better by much."""
        # FAISS 1.15 garbles codes that are added after others were removed. Those of removed
        # faces therefore stay, until they are a third.
        there = len(self._faces)
        if not there:
            return False
        wasted = self._index.ntotal - there
        return wasted > self._index.ntotal // 3 or _list_count(there) > 2 * self._lists

    @property
    def _lists(self) -> int:
        return int(self._index.nlist)

    def rebuilt(self) -> FaceLists:
        """The same faces in lists that fit them; nobody may write meanwhile."""
        there = self._faces.all()
        step = max(1, len(there) // _TRAINED_ON)
        _, sample, _ = self._faces.read(there[::step])
        made = FaceLists(FaceSlots(sample.shape[1]), _trained(sample, len(there)))
        for start in range(0, len(there), _READ_AT_ONCE):
            made.add(*self._faces.read(there[start : start + _READ_AT_ONCE]))
        return made

    def add(self, keys: Keys, vectors: FloatArray, bias: FloatArray) -> None:
        """Adds faces, from one thread at a time; as :meth:`build`."""
        faiss = _faiss()
        # First of all: a face may be found the moment that it is in a list.
        slots = self._faces.put(keys, vectors, bias)
        for start in range(0, len(slots), _BATCH):
            part = slice(start, start + _BATCH)
            with self._access.alone():
                faiss.omp_set_num_threads(1)
                self._index.add_with_ids(vectors[part], slots[part])

    def remove(self, keys: Iterable[int]) -> None:
        """Removes all faces of some celebrities; from one thread at a time."""
        self._faces.remove(self._faces.present(keys))

    def search(self, embeddings: FloatArray, wanted: int, allowed: Keys | None) -> list[Candidates]:
        """About ``wanted`` best faces of each query.

        Args:
            embeddings: Unit rows, shape (N, D).
            wanted: How many.
            allowed: Keys of the only celebrities to look at; None for all.
        """
        faiss = _faiss()
        total = self._index.ntotal
        asked = min(max(wanted, _COMPARED_AGAIN), total)
        searched = max(_SEARCHED_AT_LEAST, math.ceil(_SEARCHED * self._lists))
        if asked > total // 8:
            searched = self._lists  # else they might not hold so many
        how = faiss.SearchParametersIVF(nprobe=min(searched, self._lists))
        found = []
        for row in embeddings:
            with self._access.shared():
                faiss.omp_set_num_threads(1)
                slots = self._index.search(row[None], asked, params=how)[1][0]
            keys, vectors, bias = self._faces.read(slots[slots >= 0])
            cosines = vectors @ row
            if allowed is not None:
                stays = np.isin(keys, allowed)
                keys, cosines, bias = keys[stays], cosines[stays], bias[stays]
            found.append(Candidates(keys, cosines, bias, complete=asked >= total))
        return found

    def vectors_of(self, keys: Keys) -> tuple[Keys, FloatArray, FloatArray]:
        """Faces of some celebrities: keys, unit rows and biases."""
        return self._faces.read(self._faces.slots_of(keys))

    def save(self, path: Path) -> None:
        """Writes the lists, and their faces beside them; nobody may write meanwhile."""
        _faiss().write_index(self._index, str(path))
        self._faces.save(path)

    @classmethod
    def open(cls, path: Path, dimension: int) -> FaceLists:
        """Loads what was saved; the vectors are mapped into memory.

        Args:
            path: As it was saved under.
            dimension: D, as it should be.

        Raises:
            OSError: A file is missing.
            ValueError: A file is damaged, or they do not belong together.
        """
        faces = FaceSlots(dimension)
        faces.open(path)
        if not path.exists():
            raise FileNotFoundError(path)
        try:
            index = _faiss().read_index(str(path))
        except RuntimeError as error:
            raise ValueError("the file of the lists is damaged") from error
        if index.d != dimension or index.ntotal != faces.count or not hasattr(index, "nlist"):
            raise ValueError("the files of the index do not belong together")
        return cls(faces, index)


def _faiss() -> Any:
    # Loaded where there are very many faces: it takes time and memory.
    import faiss  # noqa: PLC0415

    return faiss


def _list_count(faces: int) -> int:
    return max(1, math.isqrt(faces))


def _trained(rows: FloatArray, count: int) -> Any:
    """An empty index for ``count`` faces like these, unit rows (n, D)."""
    faiss = _faiss()
    # More threads would wait for each other by spinning, which other programs pay for.
    faiss.omp_set_num_threads(1)
    lists = _list_count(count)
    dimension = rows.shape[1]
    index = faiss.index_factory(dimension, f"IVF{lists},PQ{dimension}x4fs", faiss.METRIC_L2)
    # Few faces are trained on as they are; it would be said on stderr.
    index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 1
    sample = rows[:: max(1, len(rows) // _TRAINED_ON)]
    if len(sample) < max(lists, _CODES):
        sample = np.resize(sample, (max(lists, _CODES), dimension))
    index.train(sample)
    return index


class _Access:
    """Many at once, or one alone. Who waits longest goes first, more or less."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._inside = 0
        self._queued = 0
        self._waiting = 0
        self._owed = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        with self._condition:
            self._queued += 1
            # Whoever wants to be alone goes before newcomers, or would wait for ever, ...
            self._condition.wait_for(lambda: not self._waiting or self._owed)
            self._queued -= 1
            self._owed = max(self._owed - 1, 0)
            self._inside += 1
            self._condition.notify_all()
        try:
            yield
        finally:
            with self._condition:
                self._inside -= 1
                self._condition.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._condition:
            self._waiting += 1
            try:
                self._condition.wait_for(lambda: not self._inside and not self._owed)
                yield
            finally:
                self._waiting -= 1
                # ... and so would they, while faces are added without a break.
                self._owed = self._queued
                self._condition.notify_all()
