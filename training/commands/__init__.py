"""lookalike-train: from a folder of images and a captions.csv to a bundle that is served."""

from __future__ import annotations

import logging

import typer
from rich.logging import RichHandler

from training.commands import bundles, data, learning
from training.commands.common import console

__all__ = ["app"]

app = typer.Typer(
    help=__doc__, no_args_is_help=True, pretty_exceptions_show_locals=False, add_completion=False
)


@app.callback()
def _start() -> None:
    logging.basicConfig(
        level="INFO",
        format="%(message)s",
        handlers=[RichHandler(console=console, show_path=False, markup=False)],
        force=True,
    )
    for loud in ("matplotlib", "nncf"):
        logging.getLogger(loud).setLevel("WARNING")


for _command in (
    data.prepare,
    learning.train,
    learning.distil,
    bundles.evaluate,
    bundles.export,
    bundles.lighten,
):
    app.command()(_command)
