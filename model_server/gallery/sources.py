"""Where photos for a gallery come from: folders, tables of addresses, Wikidata."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from model_server.errors import InvalidRequestError
from model_server.gallery.celebrity import Celebrity, slug, slug_of_any

__all__ = ["Candidate", "Downloads", "from_csv", "from_folder", "from_wikidata", "people_query"]

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".heic", ".heif"})

_COMMONS = "http://commons.wikimedia.org/"

_PICTURE_WIDTH_PX = 500
"""A width that Wikimedia keeps thumbnails of."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A photo that may be enrolled.

    Attributes:
        celebrity: Whom it shows, as it would be created.
        source: Where it is from, for the report and to know it again.
        load: Gets the bytes of the file.
    """

    celebrity: Celebrity
    source: str
    load: Callable[[], Awaitable[bytes]]


class Downloads(Protocol):
    """Gets what lies on allowed hosts; see ``portraits.fetch``."""

    async def json(self, url: str, params: Mapping[str, str]) -> dict[str, Any]:
        """A JSON object."""
        ...

    async def picture(self, url: str) -> bytes:
        """The bytes of a picture."""
        ...


async def from_folder(folder: Path) -> AsyncIterator[Candidate]:
    """A folder per person, named as the person is, with the person's photos in it."""
    for name, photo in await asyncio.to_thread(_photos_by_person, folder):
        celebrity = Celebrity(slug_of_any(name), name)
        yield Candidate(celebrity, str(photo.relative_to(folder)), _reader(photo))


def _photos_by_person(folder: Path) -> list[tuple[str, Path]]:
    return [
        (" ".join(person.name.replace("_", " ").split()), photo)
        for person in sorted(folder.iterdir())
        if person.is_dir() and not person.name.startswith(".")
        for photo in sorted(person.rglob("*"))
        if photo.suffix.lower() in PICTURES and photo.is_file()
    ]


def _reader(photo: Path) -> Callable[[], Awaitable[bytes]]:
    async def load() -> bytes:
        return await asyncio.to_thread(photo.read_bytes)

    return load


async def from_csv(
    table: Path, downloads: Downloads, *, pause_s: float = 1.0
) -> AsyncIterator[Candidate]:
    """A table with the columns name and url; id, aliases, tags and wikidata_id may be there.

    Args:
        table: UTF-8, with a line of headings; aliases and tags are separated by ";".
        downloads: Gets the pictures; refuses hosts that are not allowed.
        pause_s: Between two downloads.

    Raises:
        InvalidRequestError: A column is missing.
    """
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if missing := {"name", "url"} - set(rows.fieldnames or ()):
            raise InvalidRequestError(f"the table has no column {' and '.join(sorted(missing))}")
        for row in rows:
            name = " ".join((row["name"] or "").split())
            if not name:
                continue
            celebrity = Celebrity(
                row.get("id") or slug_of_any(name),
                name,
                _parts(row.get("aliases")),
                _parts((row.get("tags") or "").lower()),
                row.get("wikidata_id") or "",
            )
            yield Candidate(celebrity, row["url"], _downloader(downloads, row["url"], pause_s))


def _parts(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(";") if part.strip())


def _downloader(downloads: Downloads, url: str, pause_s: float) -> Callable[[], Awaitable[bytes]]:
    async def load() -> bytes:
        # One after the other, with a pause: we are guests there.
        await asyncio.sleep(pause_s)
        return await downloads.picture(url)

    return load


def people_query(occupation: str, country: str = "", limit: int = 100) -> str:
    """SPARQL for people with a picture, the best known first.

    Args:
        occupation: Item of Wikidata, such as "Q33999" for actors.
        country: Item of the citizenship; empty for all.
        limit: How many at most.

    Raises:
        InvalidRequestError: Not an item.
    """
    for item in filter(None, (occupation, country)):
        if not (item.startswith("Q") and item[1:].isdigit()):
            raise InvalidRequestError(f"{item!r} is not an item of Wikidata, such as Q33999")
    of_country = f"?item wdt:P27 wd:{country} ." if country else ""
    return f"""
        SELECT ?item ?itemLabel ?image ?links WHERE {{
          ?item wdt:P106 wd:{occupation} ; wdt:P18 ?image ; wikibase:sitelinks ?links .
          {of_country}
          SERVICE wikibase:label {{ bd:serviceParam wikibase:language "en,mul" . }}
        }} ORDER BY DESC(?links) LIMIT {limit}"""


async def from_wikidata(
    downloads: Downloads,
    query: str,
    *,
    endpoint: str = "https://query.wikidata.org/sparql",
    tags: Sequence[str] = (),
    pause_s: float = 1.0,
) -> AsyncIterator[Candidate]:
    """The people that a SPARQL query finds, with their pictures on Wikimedia Commons.

    Args:
        downloads: May ask the endpoint, Commons and its upload host.
        query: Gives ?item, ?itemLabel and ?image.
        endpoint: Of the query service.
        tags: For all who are found.
        pause_s: Between two downloads.
    """
    answer = await downloads.json(endpoint, {"query": query, "format": "json"})
    for row in answer.get("results", {}).get("bindings", ()):
        try:
            item = row["item"]["value"].rpartition("/")[2]
            name = " ".join(row["itemLabel"]["value"].split())
            image = row["image"]["value"]
        except (KeyError, TypeError, AttributeError):
            continue  # not what was asked for
        if not name or name == item:
            continue  # nobody has given the item a name
        # Wikidata still writes the addresses of Commons without TLS.
        if image.startswith(_COMMONS):
            image = image.replace("http:", "https:", 1)
        # Some names make no id of ours, those in other scripts above all.
        try:
            celebrity_id = slug(name)
        except InvalidRequestError:
            celebrity_id = item.lower()
        celebrity = Celebrity(celebrity_id, name, (), tuple(tags), item)
        url = f"{image}?width={_PICTURE_WIDTH_PX}"
        yield Candidate(celebrity, image, _downloader(downloads, url, pause_s))
