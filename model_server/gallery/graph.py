"""Millions of faces in a navigable graph (HNSW, Malkov & Yashunin 2018), by USearch."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from usearch.index import Index

from model_server.analysis import FloatArray
from model_server.gallery.exact import Candidates, Keys

__all__ = ["FaceGraph"]

_CONNECTIVITY = 24
_EXPANSION_ADD = 96
_EXPANSION_SEARCH = 512

_BATCH = 64
"""Rows that are added at once: a search never waits for more than these."""


class FaceGraph:
    """Finds nearly all of the nearest faces while others are added. Thread-safe.

    Faces are kept as float16. One that was opened from a file is mapped into memory
    and read where it lies; the first addition loads it whole.

    Args:
        dimension: D, of the embeddings.
    """

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._graph = self._new()
        self._bias = np.zeros(1024, np.float16)
        self._gone: set[int] = set()
        self._mapped: Path | None = None
        self._access = _Access()

    def _new(self) -> Index:
        return Index(
            ndim=self._dimension,
            metric="ip",
            dtype="f16",
            connectivity=_CONNECTIVITY,
            expansion_add=_EXPANSION_ADD,
            expansion_search=_EXPANSION_SEARCH,
            multi=True,
        )

    def __len__(self) -> int:
        return len(self._graph)

    @property
    def memory_bytes(self) -> int:
        """What the graph takes in memory."""
        return int(self._graph.memory_usage)

    def add(self, keys: Keys, vectors: FloatArray, bias: FloatArray, *, threads: int = 1) -> None:
        """Adds faces: unit rows (n, D), celebrities and their biases (n,)."""
        self._load_whole()
        # First of all: a face may be found the moment that it is in the graph.
        self._set_bias(keys, bias)
        batch = _BATCH * threads
        for start in range(0, len(keys), batch):
            part = slice(start, start + batch)
            rows = vectors[part].astype(np.float16)
            # The graph moves its memory when it grows: only then everybody must wait.
            grows = len(self._graph) + len(rows) > self._graph.capacity
            with self._access.alone() if grows else self._access.shared():
                self._graph.add(keys[part].astype(np.uint64), rows, threads=threads)

    def _set_bias(self, keys: Keys, bias: FloatArray) -> None:
        highest = int(keys.max(initial=0))
        if highest >= len(self._bias):
            grown = np.zeros(2 * highest + 1, np.float16)
            grown[: len(self._bias)] = self._bias
            self._bias = grown
        self._bias[keys] = bias

    def remove(self, keys: Iterable[int]) -> None:
        """Removes all faces of some celebrities."""
        present = [key for key in keys if key in self._graph]
        if self._mapped:
            # A mapped file cannot be changed: they are left out of the answers.
            self._gone.update(present)
        elif present:
            with self._access.alone():
                self._graph.remove(np.array(present, np.uint64))

    def search(self, embeddings: FloatArray, wanted: int, allowed: Keys | None) -> list[Candidates]:
        """About ``wanted`` best faces of each query, unit rows (N, D)."""
        if not len(self._graph):
            none = np.zeros(0, np.float32)
            return [Candidates(np.zeros(0, np.int64), none, none, complete=True)] * len(embeddings)
        asked = min(wanted + len(self._gone), len(self._graph))
        found = []
        for row in embeddings:
            with self._access.shared():
                matches = self._graph.search(row.astype(np.float16), asked, threads=1)
            keys = matches.keys.astype(np.int64)
            cosines = (1.0 - matches.distances).astype(np.float32)
            stays = np.ones(len(keys), bool)
            if self._gone:
                stays &= ~np.isin(keys, list(self._gone))
            if allowed is not None:
                stays &= np.isin(keys, allowed)
            keys, cosines = keys[stays], cosines[stays]
            bias = self._bias[keys].astype(np.float32)
            found.append(Candidates(keys, cosines, bias, complete=asked >= len(self._graph)))
        return found

    def vectors_of(self, keys: Sequence[int]) -> tuple[Keys, FloatArray, FloatArray]:
        """Faces of some celebrities: keys, unit rows and biases."""
        owners, parts = [], [np.zeros((0, self._dimension), np.float32)]
        with self._access.shared():
            for key in keys:
                rows = None if key in self._gone else self._graph.get(key)
                if rows is not None:
                    part = np.atleast_2d(np.asarray(rows)).astype(np.float32)
                    owners += [key] * len(part)
                    parts.append(part)
        found = np.array(owners, np.int64)
        return found, np.concatenate(parts), self._bias[found].astype(np.float32)

    def save(self, path: Path) -> None:
        """Writes the graph, and its biases beside it."""
        self._load_whole()
        with self._access.alone():
            self._graph.save(str(path))
            np.save(path.with_suffix(".bias.npy"), self._bias)

    def open(self, path: Path) -> None:
        """Maps a saved graph into memory.

        Raises:
            OSError: A file is missing.
            ValueError: A file is not such a graph.
        """
        graph = self._new()
        try:
            bias = np.load(path.with_suffix(".bias.npy"))
            graph.view(str(path))
        except RuntimeError as error:  # USearch's word for anything
            raise ValueError(str(error)) from error
        if graph.ndim != self._dimension:
            raise ValueError("the graph is of another dimension")
        self._graph, self._bias, self._mapped = graph, bias, path

    def _load_whole(self) -> None:
        if self._mapped is None:
            return
        whole = self._new()
        whole.load(str(self._mapped))
        gone = [key for key in self._gone if key in whole]
        if gone:
            whole.remove(np.array(gone, np.uint64))
        with self._access.alone():
            self._graph, self._mapped = whole, None
            self._gone.clear()


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
