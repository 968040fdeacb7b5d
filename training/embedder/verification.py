"""The table of an embedder's verification figures, as its card has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.table import Table

from model_server.analysis import FloatArray
from training.embedder.crops import FaceSet
from training.embedder.metrics import Pairs, all_pairs, read_pairs, true_accept_rate, verification
from training.few import MAX_PHOTOS, few_of_each

__all__ = ["PairTests"]


@dataclass(frozen=True, slots=True)
class PairTests:
    """Pairs to verify: LFW's list, those of it whose people no training saw, and val people's.

    The last are all pairs of a few photos of each of them.
    """

    listed: Pairs
    unseen: Pairs
    every: Pairs

    @classmethod
    def read(cls, data: Path, faces: FaceSet) -> PairTests:
        """Reads LFW's list.

        Args:
            data: Folder of the data sets.
            faces: The faces that were found.
        """
        listed = read_pairs(data / "lfw" / "pairs.csv", _index(faces))
        val = np.array([split == "val" for split in faces.splits]) & faces.found
        unseen = listed.where(val[listed.first] & val[listed.second])
        rows = np.flatnonzero(val)
        few = few_of_each(np.array(faces.people)[rows])
        return cls(listed, unseen, all_pairs(faces.people, rows[few]))

    @property
    def used(self) -> npt.NDArray[np.int64]:
        """Rows of the faces that are in some pair."""
        return np.unique(
            np.concatenate(
                [side for p in (self.listed, self.every) for side in (p.first, p.second)]
            )
        )

    def table(self) -> Table:
        """Empty, with its columns."""
        table = Table(
            title=f"LFW: {len(self.listed.same)} pairs; {len(self.unseen.same)} of val people; all "
            f"{len(self.every.same)} pairs of at most {MAX_PHOTOS} photos of each of them, "
            f"{int(self.every.same.sum())} of one person"
        )
        for column in ("embedder", "accuracy %", "TAR@1%", "TAR@0.1%", "val accuracy %"):
            table.add_column(column)
        for column in ("all val TAR@1%", "TAR@0.1%", "TAR@0.01%", "ms a face"):
            table.add_column(column)
        return table

    def figures(self, vectors: FloatArray) -> list[str]:
        """A row of the table, of unit rows for all faces."""
        overall, val = (
            verification(part.scores(vectors), part) for part in (self.listed, self.unseen)
        )
        scores = self.every.scores(vectors)
        rates = [true_accept_rate(scores, self.every.same, rate) for rate in (1e-2, 1e-3, 1e-4)]
        return [
            f"{overall.accuracy * 100:.2f} ± {overall.deviation * 100:.2f}",
            f"{overall.tar_1e2 * 100:.2f}",
            f"{overall.tar_1e3 * 100:.2f}",
            f"{val.accuracy * 100:.2f}",
            *(f"{rate * 100:.2f}" for rate in rates),
        ]


def _index(faces: FaceSet) -> dict[str, int]:
    return {
        name.rsplit("/", 1)[1]: row
        for row, name in enumerate(faces.names)
        if faces.found[row] and name.startswith("lfw/")
    }
