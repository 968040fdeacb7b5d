"""The commands put together."""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from bots.console.card import card
from bots.console.celebrities import celebrities
from bots.console.compare import compare
from bots.console.describe import describe
from bots.console.doctor import doctor

__all__ = ["app"]

app = typer.Typer(
    name="lookalike",
    help="Photos in; captions, face descriptions and celebrity look-alikes out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(describe)
app.command()(compare)
app.command()(card)
app.add_typer(celebrities)
app.command()(doctor)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        typer.echo(version("lookalike"))
    except PackageNotFoundError:
        typer.echo("unknown")
    raise typer.Exit


@app.callback()
def options(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Photos in; captions, face descriptions and celebrity look-alikes out."""
    # What is worth knowing is said by the commands themselves.
    logging.getLogger().addHandler(logging.NullHandler())
