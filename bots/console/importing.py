"""Enrols a folder of folders: one a person, with photos in it.

A folder's name is the person's name, with spaces for underscores. A file
``person.json`` in it may say more: display_name, aliases, tags, wikidata_id.

Running it again continues: people who are in the gallery already are left as they are.
Each person is added photo by photo, for one bad photo must not cost the others.
"""

from __future__ import annotations

import asyncio
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bots.console.errors import ConsoleError, ExitCode, explain
from bots.console.ids import bare_id, folded, id_if_needed
from bots.console.photos import photos_in, read_photo
from bots.core.client import LookalikeClient
from bots.core.errors import (
    AlreadyExists,
    ClientError,
    DeadlineExceeded,
    Denied,
    ServerUnavailable,
    UnsuitablePhoto,
)
from lookalike.v1 import celebrity_pb2, photo_pb2

__all__ = ["Importer", "Person", "PersonReport", "Skipped", "find_people"]

INFO_FILE = "person.json"
_DUPLICATE = "DUPLICATE_PHOTO"


@dataclass(frozen=True, slots=True)
class Person:
    """A person to enrol.

    Attributes:
        folder: Where the photos are.
        photos: The files, sorted.
        celebrity: Name, aliases, tags and Wikidata id.
    """

    folder: Path
    photos: tuple[Path, ...]
    celebrity: celebrity_pb2.Celebrity


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was left out, and why."""

    path: str
    reason: str

    @property
    def is_there_already(self) -> bool:
        """Whether it is the same photo once more: nothing is lost with it."""
        return self.reason.startswith(_DUPLICATE)


@dataclass(slots=True)
class PersonReport:
    """What became of one person.

    Attributes:
        name: As people write it.
        celebrity: The id in the gallery; empty where the person was not added.
        added: Photos enrolled.
        existed: In the gallery already.
        skipped: Photos, or the folder itself.
    """

    name: str
    celebrity: str = ""
    added: int = 0
    existed: bool = False
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether the person, or a photo of theirs, could not be used."""
        missing = not self.celebrity and not self.existed
        return missing or not all(skipped.is_there_already for skipped in self.skipped)

    def to_json(self) -> dict[str, Any]:
        """For a report file."""
        return asdict(self)


def find_people(folder: Path, tags: Sequence[str] = ()) -> Iterator[Person | PersonReport]:
    """The people in the folder, in the order of their names.

    Args:
        folder: Has a folder for each person.
        tags: For everyone, besides their own.

    Yields:
        A person, or the report about a folder that cannot be used.

    Raises:
        ConsoleError: The folder cannot be read.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ConsoleError(
            f"{folder} cannot be read: {error.strerror}.", code=ExitCode.BAD_INPUT
        ) from error
    for entry in entries:
        if entry.name.startswith(".") or not entry.is_dir():
            continue
        name = " ".join(unicodedata.normalize("NFC", entry.name).replace("_", " ").split())
        celebrity = celebrity_pb2.Celebrity(display_name=name, tags=tags)
        try:
            _read_info(entry / INFO_FILE, celebrity)
            photos = tuple(photos_in(entry, recursive=True))
        except ConsoleError as error:
            yield PersonReport(name, skipped=[Skipped(str(entry), error.message)])
            continue
        if photos:
            yield Person(entry, photos, celebrity)
        else:
            yield PersonReport(name, skipped=[Skipped(str(entry), "There is no photo in it.")])


def _read_info(path: Path, celebrity: celebrity_pb2.Celebrity) -> None:
    if not path.exists():
        return
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        celebrity.display_name = info.get("display_name", celebrity.display_name)
        celebrity.aliases.extend(info.get("aliases", []))
        celebrity.tags.extend(tag for tag in info.get("tags", []) if tag not in celebrity.tags)
        celebrity.wikidata_id = info.get("wikidata_id", "")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConsoleError(f"{path} cannot be used: {error}.") from error


class Importer:
    """Enrols people, several at a time.

    Args:
        client: Of the model server.
        keep_pictures: Keep the photos too, to be shown as portraits.
        update: Add photos to people who are there already, too.
        largest_face: Of a photo with several faces take the largest, cut out, where it is
            much larger than the others.
        at_once: People.
    """

    def __init__(
        self,
        client: LookalikeClient,
        *,
        keep_pictures: bool = False,
        update: bool = False,
        largest_face: bool = False,
        at_once: int = 4,
    ) -> None:
        self._client = client
        self._keep = keep_pictures
        self._update = update
        self._largest_face = largest_face
        self._at_once = at_once
        self._stop = asyncio.Event()
        self._known: dict[str, str] = {}

    def stop(self) -> None:
        """Begins with no one else; those under way are finished, so nobody is left half done."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._stop.is_set()

    async def run(
        self, people: Sequence[Person], done: Callable[[PersonReport], None]
    ) -> ClientError | None:
        """Enrols the people; ``done`` gets the report of each who was dealt with.

        Returns:
            What ended it early, such as a server that went away; None where nothing did.
        """
        waiting = iter(people)
        failure: ClientError | None = None

        async def work() -> None:
            nonlocal failure
            for person in waiting:  # shared by all workers: each takes the next
                if self._stop.is_set():
                    return
                report = PersonReport(person.celebrity.display_name)
                try:
                    await self._enrol(person, report)
                except (ServerUnavailable, Denied) as error:
                    failure = failure or error
                    self._stop.set()
                    reason = f"{explain(error)} (not finished)"
                    report.skipped.append(Skipped(str(person.folder), reason))
                done(report)

        try:
            await self._list_known()
        except ClientError as error:
            return error
        await asyncio.gather(*(work() for _ in range(self._at_once)))
        return failure

    async def _list_known(self) -> None:
        """Who is in the gallery: name as people write it → its name."""
        token = ""
        while True:
            page = await self._client.list_celebrities(page_size=1000, page_token=token)
            for celebrity in page.celebrities:
                self._known.setdefault(folded(celebrity.display_name), celebrity.name)
            token = page.next_page_token
            if not token:
                return

    async def _enrol(self, person: Person, report: PersonReport) -> None:
        key = folded(person.celebrity.display_name)
        known = self._known.get(key)
        if known is not None:
            report.existed = True
            report.celebrity = bare_id(known)
            if self._update:
                await self._add(person.photos, known, person.celebrity, report)
            return
        self._known[key] = ""  # a second folder of that name is the same person
        name = await self._add(person.photos, "", person.celebrity, report)
        wrong = [skipped for skipped in report.skipped if skipped.reason.startswith(_WRONG)]
        if name and len(wrong) > report.added:
            # The first photo shows somebody else, so the others were all refused: begin
            # with one of those.
            await self._client.delete_celebrity(name)
            others = [Path(skipped.path) for skipped in wrong]
            rest = [photo for photo in person.photos if photo not in others]
            report.skipped, report.added = [], 0
            name = await self._add([*others, *rest], "", person.celebrity, report)
        if name:
            self._known[key] = name
            report.celebrity = bare_id(name)
        else:
            del self._known[key]

    async def _add(
        self,
        photos: Sequence[Path],
        name: str,
        celebrity: celebrity_pb2.Celebrity,
        report: PersonReport,
    ) -> str:
        """Adds photo by photo, the first usable one with the person; the person's name."""
        for path in photos:
            try:
                content = await asyncio.to_thread(read_photo, str(path))
                try:
                    name = await self._add_one(content, name, celebrity)
                except UnsuitablePhoto as error:
                    if error.reason != "SEVERAL_FACES" or not self._largest_face:
                        raise
                    name = await self._add_one(await self._cut_out(content), name, celebrity)
                report.added += 1
            except ConsoleError as error:
                report.skipped.append(Skipped(str(path), error.message))
            except DeadlineExceeded as error:
                report.skipped.append(Skipped(str(path), explain(error)))
            except (ServerUnavailable, Denied):
                raise
            except ClientError as error:
                report.skipped.append(Skipped(str(path), _reason(error)))
                if isinstance(error, AlreadyExists) and error.reason == "CELEBRITY_EXISTS":
                    return name
        return name

    async def _add_one(self, content: bytes, name: str, celebrity: celebrity_pb2.Celebrity) -> str:
        """Adds the photo to the person named so, or the person with it; the name."""
        if name:
            await self._client.add_celebrity_photo(name, content, keep_picture=self._keep)
            return name
        created = await self._client.create_celebrity(
            celebrity,
            celebrity_id=id_if_needed(celebrity.display_name),
            photos=[celebrity_pb2.CelebrityPhoto(content=content, keep_picture=self._keep)],
        )
        return created.name

    async def _cut_out(self, content: bytes) -> bytes:
        """The largest face, where there is no doubt which one is meant."""
        options = photo_pb2.MatchOptions(max_faces=2, max_matches=1, include_crops=True)
        faces = (await self._client.match(content, options)).faces
        areas = [face.box.width * face.box.height for face in faces]
        if len(areas) > 1 and areas[0] < _MUCH_LARGER * areas[1]:
            raise ConsoleError("SEVERAL_FACES: None is much larger than the others.")
        if not faces or not faces[0].crop:
            raise ConsoleError("SEVERAL_FACES: They could not be told apart.")
        return faces[0].crop


_WRONG = "WRONG_PERSON"
_MUCH_LARGER = 2.5
"""Times the area of the next face."""


def _reason(error: ClientError) -> str:
    return f"{error.reason}: {explain(error)}" if error.reason else explain(error)
