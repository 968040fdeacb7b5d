"""Keeps the index of a large gallery in a file, so that a restart need not build it anew."""

from __future__ import annotations

import json
import logging
import secrets
from dataclasses import dataclass
from pathlib import Path

from model_server.gallery.index import FaceIndex

__all__ = ["IndexSnapshots"]

log = logging.getLogger(__name__)

_POINTER = "index.json"


@dataclass(frozen=True, slots=True)
class IndexSnapshots:
    """Saved indexes in a folder. It is a cache: it may be deleted at any time.

    Attributes:
        folder: Where.
        identity: What the index depends on beside the revision: gallery, embedder, seed.
    """

    folder: Path
    identity: str

    def save(self, index: FaceIndex, revision: int) -> None:
        """Saves the index as of a revision; where that fails, it is logged and that is all."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Another replica may save the same revision at the same time, in another order.
            name = f"faces-{revision}-{secrets.token_hex(4)}.faiss"
            index.save(self.folder / name)
            pointer = (self.folder / name).with_suffix(".json")
            described = {"file": name, "identity": self.identity, "revision": revision}
            pointer.write_text(json.dumps(described), encoding="utf-8")
            # The old files are in use until this moment, the new ones are whole by now.
            pointer.replace(self.folder / _POINTER)
            for old in self.folder.glob("faces-*"):
                if not old.name.startswith(name.removesuffix(".faiss") + "."):
                    old.unlink(missing_ok=True)
        except (OSError, RuntimeError) as error:
            log.warning("the index cannot be saved: %s", error)

    def open(self, index: FaceIndex) -> int | None:
        """Maps the saved index into memory.

        Returns:
            Its revision; None where there is none that fits.
        """
        try:
            described = json.loads((self.folder / _POINTER).read_text(encoding="utf-8"))
            if described["identity"] != self.identity:
                return None
            index.open(self.folder / described["file"])
            return int(described["revision"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the saved index cannot be used and is built anew: %s", error)
            return None
