"""The command ``lookalike-train``."""

from __future__ import annotations

import importlib
import importlib.util

from training.commands import app

__all__ = ["main"]

# Parts with commands of their own: recipes for one kind of bundle each.
_PARTS = {"faces": "training.faces.commands", "embedder": "training.embedder.commands"}


def main() -> None:
    """Runs the command line."""
    for name, module in _PARTS.items():
        if importlib.util.find_spec(module.rpartition(".")[0]) and importlib.util.find_spec(module):
            app.add_typer(importlib.import_module(module).app, name=name)
    app()


if __name__ == "__main__":
    main()
