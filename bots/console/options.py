"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["Embedded", "Json", "KeepPictures", "Server", "Tags"]

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="HOST:PORT",
        help="Model server to ask.",
        show_default="LOOKALIKE_SERVER, else localhost:50051",
    ),
]
Embedded = Annotated[bool, typer.Option("--embedded", help="Start a private server for this call.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", help="key:value, such as field:actor; repeatable.")
]
KeepPictures = Annotated[
    bool,
    typer.Option("--keep-pictures", help="Keep the photos too, to be shown as portraits."),
]
