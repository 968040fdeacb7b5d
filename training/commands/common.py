"""What the commands share: options, progress bar, errors in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training.dataset import CaptionedPhotos, load_dataset
from training.photos import open_photos

__all__ = ["Captions", "Folder", "Images", "console", "failed", "load_captioned", "progress_bar"]

console = Console(stderr=True)

Images = Annotated[Path, typer.Option(help="Folder or uncompressed tar of photos.")]
Captions = Annotated[Path, typer.Option(help="CSV with image_name,caption; several rows a photo.")]
Folder = Annotated[Path, typer.Option(help="Where the run lives; an interrupted one goes on.")]


def progress_bar() -> Progress:
    """With what it counts, how many are done, and the time that remains."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def load_captioned(images: Path, captions: Path) -> CaptionedPhotos:
    """Reads photos and captions; an error ends the command."""
    try:
        dataset = load_dataset(open_photos(images), captions)
    except (OSError, ValueError) as error:
        raise failed(error) from error
    if not dataset.names:
        raise failed(f"no photo of {images} has a caption in {captions}")
    return dataset


def failed(reason: object) -> typer.Exit:
    """Prints the reason in one line; raise what is returned."""
    console.print(f"[red]error:[/red] {reason}", highlight=False)
    return typer.Exit(1)
