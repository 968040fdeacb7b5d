"""The faces behind the lists, by slot: whose they are, their biases, and their vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from model_server.analysis import FloatArray
from model_server.gallery.exact import Keys

__all__ = ["FaceSlots", "Slots"]

Slots = npt.NDArray[np.int64]
"""Numbers of faces, from 0; each is given out once."""

_NOBODY = -1

_MAPPED = "vectors.npy"
_LOADED = "owners.npz"


class FaceSlots:
    """Faces by slot. Vectors are kept as float16; those of a file are mapped into memory.

    One thread at a time may write; others read meanwhile.

    Args:
        dimension: D, of the embeddings.
    """

    def __init__(self, dimension: int) -> None:
        self._count = 0
        self._owners: Keys = np.zeros(0, np.int64)
        self._bias: npt.NDArray[np.float16] = np.zeros(0, np.float16)
        none = np.zeros((0, dimension), np.float16)
        self._vectors = _Vectors(none, none)
        # Whether a celebrity has faces here, so that to replace a new one costs no search.
        self._present: npt.NDArray[np.bool_] = np.zeros(0, bool)
        self._removed = 0

    def __len__(self) -> int:
        """Faces, without those that were removed."""
        return self._count - self._removed

    @property
    def count(self) -> int:
        """Slots that were given out."""
        return self._count

    def all(self) -> Slots:
        """Of the faces that are there."""
        found: Slots = np.flatnonzero(self._owners[: self._count] != _NOBODY)
        return found

    def put(self, keys: Keys, vectors: FloatArray, bias: FloatArray) -> Slots:
        """Gives faces slots: unit rows (n, D), biases (n,)."""
        slots: Slots = np.arange(self._count, self._count + len(keys))
        self._count += len(keys)
        self._owners = _grown(self._owners, self._count, _NOBODY)
        self._bias = _grown(self._bias, self._count, 0)
        self._present = _grown(self._present, int(keys.max(initial=0)) + 1, 0)
        self._vectors = self._vectors.grown(self._count)
        self._vectors.write(slots, vectors)
        self._bias[slots] = bias
        self._present[keys] = True
        self._owners[slots] = keys
        return slots

    def present(self, keys: Iterable[int]) -> list[int]:
        """Those of some celebrities who have faces here."""
        known = self._present
        return [key for key in keys if key < len(known) and known[key]]

    def remove(self, keys: Sequence[int]) -> None:
        """Forgets all faces of some celebrities."""
        slots = self.slots_of(np.array(keys, np.int64))
        self._owners[slots] = _NOBODY
        self._present[keys] = False
        self._removed += len(slots)

    def slots_of(self, keys: Keys) -> Slots:
        """All slots of some celebrities."""
        if not len(keys):
            return np.zeros(0, np.int64)
        found: Slots = np.flatnonzero(np.isin(self._owners[: self._count], keys))
        return found

    def read(self, slots: Slots) -> tuple[Keys, FloatArray, FloatArray]:
        """Celebrities (n,), vectors (n, D) and biases (n,); those removed are left out."""
        owners = self._owners[slots]
        there = owners != _NOBODY
        slots = slots[there]
        return owners[there], self._vectors.read(slots), self._bias[slots].astype(np.float32)

    def save(self, path: Path) -> None:
        """Writes the faces beside ``path``, and maps what was written."""
        vectors = path.with_suffix(f".new.{_MAPPED}")
        shape = (self._count, self._vectors.base.shape[1])
        # The file that is mapped now may be the one that is replaced.
        written = np.lib.format.open_memmap(vectors, "w+", np.float16, shape)
        self._vectors.copy_to(written)
        written.flush()
        del written
        np.savez(
            path.with_suffix(f".{_LOADED}"),
            owners=self._owners[: self._count],
            bias=self._bias[: self._count],
        )
        vectors.replace(path.with_suffix(f".{_MAPPED}"))
        self._vectors = _Vectors.mapped(path)

    def open(self, path: Path) -> None:
        """Takes in what was saved.

        Raises:
            OSError: A file is missing.
            ValueError: A file is damaged.
        """
        vectors = _Vectors.mapped(path)
        try:
            with path.with_suffix(f".{_LOADED}").open("rb") as file, np.load(file) as loaded:
                owners, bias = loaded["owners"], loaded["bias"]
        except (KeyError, EOFError, BadZipFile) as error:
            raise ValueError("the list of owners is damaged") from error
        if vectors.base.shape != (len(owners), self._vectors.base.shape[1]):
            raise ValueError("the files of the index do not belong together")
        self._owners, self._bias, self._vectors = owners, bias, vectors
        self._count = len(owners)
        self._present = np.zeros(int(owners.max(initial=0)) + 1, bool)
        self._present[owners[owners != _NOBODY]] = True
        self._removed = int(np.count_nonzero(owners == _NOBODY))


_Scalar = TypeVar("_Scalar", bound=np.generic)


def _grown(array: npt.NDArray[_Scalar], count: int, fill: int) -> npt.NDArray[_Scalar]:
    if count <= len(array):
        return array
    grown = np.full(max(count, len(array) * 3 // 2, 1024), fill, array.dtype)
    grown[: len(array)] = array
    return grown


@dataclass(frozen=True, slots=True)
class _Vectors:
    """Rows of a file, and those that came later."""

    base: npt.NDArray[np.float16]
    tail: npt.NDArray[np.float16]

    @classmethod
    def mapped(cls, path: Path) -> _Vectors:
        # Copied where it is written to: the file stays as it was saved.
        base = np.load(path.with_suffix(f".{_MAPPED}"), mmap_mode="c")
        if base.ndim != 2 or base.dtype != np.float16:
            raise ValueError("the file holds no vectors")
        return cls(base, np.zeros((0, base.shape[1]), np.float16))

    def grown(self, count: int) -> _Vectors:
        needed = count - len(self.base)
        if needed <= len(self.tail):
            return self
        size = max(needed, len(self.tail) * 3 // 2, 1024)
        # Memory that nobody writes to yet takes no room.
        tail = np.empty((size, self.base.shape[1]), np.float16)
        tail[: len(self.tail)] = self.tail
        return _Vectors(self.base, tail)

    def write(self, slots: Slots, vectors: FloatArray) -> None:
        later = slots >= len(self.base)
        self.base[slots[~later]] = vectors[~later]
        self.tail[slots[later] - len(self.base)] = vectors[later]

    def read(self, slots: Slots) -> FloatArray:
        later = slots >= len(self.base)
        rows = np.empty((len(slots), self.base.shape[1]), np.float32)
        rows[~later] = self.base[slots[~later]]
        rows[later] = self.tail[slots[later] - len(self.base)]
        return rows

    def copy_to(self, rows: npt.NDArray[np.float16]) -> None:
        known = len(self.base)
        rows[:known] = self.base[: len(rows)]
        rows[known:] = self.tail[: len(rows) - known]
