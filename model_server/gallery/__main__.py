"""Administration of the gallery, for operators: ``python -m model_server.gallery``.

Works on the database that the settings name, while servers go on serving from it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
from pydantic import ValidationError
from rich.console import Console

from model_server.analyzer import Analyzer
from model_server.bundle import load_bundle
from model_server.errors import LookalikeError
from model_server.faces.embedder import FaceEmbedder
from model_server.gallery.archive import export_gallery, restore_gallery
from model_server.gallery.database import Database
from model_server.gallery.duplicates import Duplicate, find_duplicates
from model_server.gallery.gallery import Gallery
from model_server.gallery.importing import ImportReport, Journal, import_photos
from model_server.gallery.rebuild import prune
from model_server.gallery.seed import Seed
from model_server.gallery.sources import (
    Candidate,
    from_csv,
    from_folder,
    from_wikidata,
    people_query,
)
from model_server.gallery.store import GalleryStore
from model_server.metrics import Metrics
from model_server.models import close_models, load_models
from model_server.portraits.fetch import Fetcher
from model_server.portraits.portrait import PortraitProviderError
from model_server.settings import ServerSettings

__all__ = ["main"]

_WIKIMEDIA = (
    "https://query.wikidata.org",
    "https://commons.wikimedia.org",
    "https://upload.wikimedia.org",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    console = Console()
    try:
        return asyncio.run(_run(options, ServerSettings.load(), console))
    except LookalikeError as error:
        console.print(error.message, style="red", markup=False)
    except ValidationError as error:
        console.print(f"settings: {error.error_count()} are wrong", style="red")
    except OSError as error:
        said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        console.print(said, style="red", markup=False, soft_wrap=True)
    except PortraitProviderError as error:
        console.print(str(error), style="red", markup=False)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model_server.gallery", description="Looks after the gallery."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("status", help="say what the gallery holds")
    twice = commands.add_parser("duplicates", help="list people who may be in it twice")
    twice.add_argument(
        "--likeness",
        type=float,
        default=99.0,
        help="from here on faces count as alike; lower finds more, and more by chance",
    )

    def importer(name: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text)
        command.add_argument("--keep-pictures", action="store_true", help="keep the heads too")
        command.add_argument("--journal", type=Path, help="file that lets a second run go on")
        return command

    folder = importer("import-folder", "enrol a folder per person")
    folder.add_argument("folder", type=Path)
    table = importer("import-csv", "enrol the photos of a table with the columns name and url")
    table.add_argument("table", type=Path)
    table.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="https://HOST",
        help="the only places to load photos from",
    )
    wikidata = importer("import-wikidata", "enrol people with a picture on Wikimedia Commons")
    wikidata.add_argument("--occupation", default="Q33999", help="item; Q33999 is actor")
    wikidata.add_argument("--country", default="", help="item of the citizenship")
    wikidata.add_argument("--limit", type=int, default=100)
    wikidata.add_argument("--sparql", type=Path, help="a query of your own, instead")
    wikidata.add_argument("--tag", action="append", default=[], help='such as "field:actor"')

    commands.add_parser("export", help="write all to one file").add_argument("file", type=Path)
    restore = commands.add_parser("restore", help="replace all by what is in a file")
    restore.add_argument("file", type=Path)
    restore.add_argument("--yes", action="store_true", help="do not ask")
    commands.add_parser("rebuild", help="embed kept pictures for the present embedder")
    commands.add_parser("prune", help="remove the faces of embedders that no server runs")
    return parser


async def _run(options: argparse.Namespace, settings: ServerSettings, console: Console) -> int:
    bundles = settings.bundles_dir
    seed = Seed.load(load_bundle(bundles / "gallery", kind=Seed.KIND))
    # That of the embedder itself: the seed may be of another one, which opening then refuses.
    embedder_version = load_bundle(bundles / "embedder", kind=FaceEmbedder.KIND).version
    if options.command in {"export", "restore", "prune"}:
        database = Database(settings.gallery_url)
        try:
            store = GalleryStore(database, embedder_version, seed.dimension)
            return _on_store(options, store, console)
        finally:
            database.close()
    gallery = Gallery.open(settings.gallery_url, bundles / "gallery", embedder_version)
    try:
        if options.command == "status":
            total = gallery.list(page_size=1).total
            console.print(f"{total} people, {len(gallery)} faces of {embedder_version}")
            return 0
        if options.command == "duplicates":
            _print_duplicates(find_duplicates(gallery, options.likeness), console)
            return 0
        return await _with_models(options, settings, gallery, console)
    finally:
        gallery.close()


def _on_store(options: argparse.Namespace, store: GalleryStore, console: Console) -> int:
    if options.command == "export":
        console.print(f"{export_gallery(store, options.file)} people written")
    elif options.command == "prune":
        console.print(f"{prune(store)} faces of other embedders removed")
    else:
        question = "This replaces all people of the gallery. Go on? (yes/no) "
        if not options.yes and console.input(question).strip() != "yes":
            return 1
        console.print(f"{restore_gallery(store, options.file)} people restored")
    return 0


async def _with_models(
    options: argparse.Namespace, settings: ServerSettings, gallery: Gallery, console: Console
) -> int:
    models = load_models(settings.bundles_dir, settings.threads, Metrics(), settings.engine)
    analyzer = Analyzer(models, gallery, settings.image_limits, settings.threads)
    try:
        if options.command == "rebuild":
            rebuild = gallery.rebuild(analyzer)
            try:
                await asyncio.to_thread(rebuild.wait)
            finally:
                console.print(f"{rebuild.done} pictures embedded, {rebuild.failed} failed")
            return 0
        async with httpx.AsyncClient(timeout=30.0) as client:
            report = await import_photos(
                gallery,
                analyzer,
                _source(options, settings, client),
                keep_pictures=options.keep_pictures,
                journal=Journal(options.journal),
                progress=lambda candidate, _report: console.print(
                    candidate.source, style="dim", markup=False
                ),
            )
    finally:
        analyzer.close()
        close_models(models)
    _print(report, console)
    return 0


def _source(
    options: argparse.Namespace, settings: ServerSettings, client: httpx.AsyncClient
) -> AsyncIterator[Candidate]:
    if options.command == "import-folder":
        return from_folder(options.folder)
    agent = f"Lookalike ({settings.contact or 'no contact given'}) httpx/{httpx.__version__}"
    if options.command == "import-csv":
        return from_csv(options.table, Fetcher(client, options.allow_host, user_agent=agent))
    query = options.sparql.read_text("utf-8") if options.sparql else None
    return from_wikidata(
        Fetcher(client, _WIKIMEDIA, user_agent=agent),
        query or people_query(options.occupation, options.country, options.limit),
        tags=options.tag,
    )


def _print_duplicates(found: Sequence[Duplicate], console: Console) -> None:
    for pair in found:
        said = ", ".join(pair.evidence)
        if pair.likeness:
            said += f" (likeness {pair.likeness:.1f})"
        console.print(f"{pair.first} {pair.second}: {said}", markup=False, soft_wrap=True)
    console.print(f"{len(found)} pairs to look at")


def _print(report: ImportReport, console: Console) -> None:
    for source, reason in report.skipped:
        console.print(f"skipped {source}: {reason}", markup=False)
    console.print(
        f"{report.photos} photos enrolled, {report.people} people new, "
        f"{report.known} known before, {len(report.skipped)} skipped"
    )


if __name__ == "__main__":
    sys.exit(main())
