"""What runs a network: OpenVINO on CPUs (the default), torch on CUDA and as reference.

The rest of the server sees only :class:`Engine` and :class:`Session`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Engine", "Session"]

Array = npt.NDArray[Any]


class Session(Protocol):
    """A loaded network. May be called from several threads at once."""

    @property
    def input_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of each input by name; -1 where a dimension is free."""
        ...

    @property
    def output_names(self) -> Sequence[str]:
        """Names of the outputs, in the network's order."""
        ...

    def run(self, inputs: Mapping[str, Array]) -> dict[str, npt.NDArray[np.float32]]:
        """Runs the network once. The arrays returned belong to the caller."""
        ...


class Engine(Protocol):
    """Loads networks."""

    def load(self, path: Path) -> Session:
        """Loads the network at ``path``.

        Raises:
            BundleError: The file cannot be read as a network.
        """
        ...
