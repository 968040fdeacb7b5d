"""Millions of faces in a navigable graph (HNSW, Malkov & Yashunin 2018), by USearch.

The graph compares bytes (see ``quantising``); the best that it finds are compared again,
exactly, with the vectors in the memory-mapped file of ``slots``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from usearch.index import Index

from model_server.analysis import FloatArray
from model_server.gallery.exact import Candidates, Keys
from model_server.gallery.quantising import Quantiser
from model_server.gallery.slots import FaceSlots

__all__ = ["FaceGraph"]

_CONNECTIVITY = 20
_EXPANSION_SEARCH = 448

_EXPANSION_ADD = 64
_EXPANSION_BUILD = 200
"""Where nobody waits for it, more is looked at: searches need less for the same recall then."""

_COMPARED_AGAIN = 40
"""At least so many of the faces that the graph finds."""

_BATCH = 64
"""Rows that are added at once: a search never waits for more than these."""


class FaceGraph:
    """Finds nearly all of the nearest faces while others are added. Thread-safe.

    One that was opened from a file is mapped into memory and read where it lies; the
    first addition loads the graph, though not the vectors.

    Args:
        dimension: D, of the embeddings.
    """

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._graph = self._new()
        self._faces = FaceSlots(dimension)
        self._quantiser: Quantiser | None = None
        self._mapped: Path | None = None
        self._access = _Access()
        self._changing = threading.Lock()

    def _new(self) -> Index:
        # Its keys are our slots.
        return Index(
            ndim=self._dimension,
            metric="l2sq",
            dtype="i8",
            connectivity=_CONNECTIVITY,
            expansion_add=_EXPANSION_ADD,
            expansion_search=_EXPANSION_SEARCH,
        )

    def __len__(self) -> int:
        return len(self._faces)

    def add(
        self,
        keys: Keys,
        vectors: FloatArray,
        bias: FloatArray,
        *,
        threads: int = 1,
        thorough: bool = False,
    ) -> None:
        """Adds faces; from one thread at a time.

        Args:
            keys: Their celebrities, shape (n,).
            vectors: Unit rows, shape (n, D).
            bias: What is taken off their cosines, shape (n,).
            threads: To add with.
            thorough: Whether to take three times as long for better links.
        """
        if not len(keys):
            return
        with self._changing:
            self._load_whole()
            self._quantiser = self._quantiser or Quantiser.fit(vectors)
            # First of all: a face may be found the moment that it is in the graph.
            slots = self._faces.put(keys, vectors, bias).astype(np.uint64)
        # mypy does not see a setter that is not beside its getter.
        expansion = _EXPANSION_BUILD if thorough else _EXPANSION_ADD
        self._graph.expansion_add = expansion  # type: ignore[misc]
        batch = _BATCH * threads
        for start in range(0, len(slots), batch):
            part = slice(start, start + batch)
            rows = self._quantiser(vectors[part])
            # The graph moves its memory when it grows: only then everybody must wait.
            grows = len(self._graph) + len(rows) > self._graph.capacity
            with self._access.alone() if grows else self._access.shared():
                self._graph.add(slots[part], rows, threads=threads)

    def remove(self, keys: Iterable[int]) -> None:
        """Removes all faces of some celebrities, none of whom is being added."""
        present = self._faces.present(keys)
        if not present:
            return
        with self._changing:
            slots = self._faces.remove(present)
            # A mapped file cannot be changed: there they are left out of the answers.
            if not self._mapped:
                with self._access.alone():
                    self._graph.remove(slots.astype(np.uint64))

    def search(
        self, embeddings: FloatArray, wanted: int, allowed: Keys | None, hidden: Keys
    ) -> list[Candidates]:
        """About ``wanted`` best faces of each query.

        Args:
            embeddings: Unit rows, shape (N, D).
            wanted: How many.
            allowed: Keys of the only celebrities to look at; None for all.
            hidden: Keys of those that are not looked at.
        """
        # While the first are added, their slots are there before the graph has any of them.
        if self._quantiser is None or not len(self._graph):
            none = np.zeros(0, np.float32)
            return [Candidates(np.zeros(0, np.int64), none, none, complete=True)] * len(embeddings)
        found = []
        for row, code in zip(embeddings, self._quantiser(embeddings), strict=True):
            with self._access.shared():
                asked = min(max(wanted, _COMPARED_AGAIN), len(self._graph))
                slots = self._graph.search(code, asked, threads=1).keys.astype(np.int64)
                complete = asked >= len(self._graph)
                keys, vectors, bias = self._faces.read(slots)
            cosines = vectors @ row
            stays = ~np.isin(keys, hidden)
            if allowed is not None:
                stays &= np.isin(keys, allowed)
            found.append(Candidates(keys[stays], cosines[stays], bias[stays], complete=complete))
        return found

    def vectors_of(self, keys: Keys) -> tuple[Keys, FloatArray, FloatArray]:
        """Faces of some celebrities: keys, unit rows and biases."""
        with self._access.shared():
            return self._faces.read(self._faces.slots_of(keys))

    def save(self, path: Path) -> None:
        """Writes the graph, its faces beside it."""
        with self._changing:
            self._load_whole()
            with self._access.alone():
                self._graph.save(str(path))
                self._faces.save(path)
            if self._quantiser:
                mean, scale = self._quantiser.mean, self._quantiser.scale
                np.savez(path.with_suffix(".quantiser.npz"), mean=mean, scale=scale)

    def open(self, path: Path) -> None:
        """Maps a saved graph into memory.

        Raises:
            OSError: A file is missing.
            ValueError: A file is damaged, or they do not belong together.
        """
        graph, faces = self._new(), FaceSlots(self._dimension)
        faces.open(path)
        try:
            with np.load(path.with_suffix(".quantiser.npz")) as loaded:
                quantiser = Quantiser(loaded["mean"], float(loaded["scale"]))
            graph.view(str(path))
        except (RuntimeError, KeyError, EOFError) as error:  # the first is USearch's for all
            raise ValueError(str(error)) from error
        if graph.ndim != self._dimension or len(graph) != len(faces):
            raise ValueError("the files of the index do not belong together")
        self._graph, self._faces, self._quantiser, self._mapped = graph, faces, quantiser, path

    def _load_whole(self) -> None:
        if self._mapped is None:
            return
        whole = self._new()
        whole.load(str(self._mapped))
        # Those who were removed since; the slots of earlier ones are free in the file too.
        gone = [slot for slot in self._faces.free.tolist() if slot in whole]
        if gone:
            whole.remove(np.array(gone, np.uint64))
        with self._access.alone():
            self._graph, self._mapped = whole, None


class _Access:
    """Many at once, or one alone."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._inside = 0
        self._waiting = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        with self._condition:
            # Whoever wants to be alone goes first, or would wait for ever.
            self._condition.wait_for(lambda: not self._waiting)
            self._inside += 1
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
                self._condition.wait_for(lambda: not self._inside)
                yield
            finally:
                self._waiting -= 1
                self._condition.notify_all()
