"""``lookalike celebrities import``."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import grpc
import pytest

from bots.console.importing import Importer, Person, PersonReport, find_people
from bots.core.client import LookalikeClient
from tests.support.fake_server import (
    Failure,
    FakeServer,
    analysis,
    face,
    picture,
    running_server,
)


@pytest.fixture
def people(tmp_path):
    """Makes folders of people, each photo of its own colour."""

    def people(**photos):
        for number, (name, count) in enumerate(photos.items()):
            folder = tmp_path / "people" / name
            folder.mkdir(parents=True, exist_ok=True)
            for photo in range(count):
                content = picture((number * 7 % 256, photo * 11 % 256, 99))
                (folder / f"{photo:02}.jpg").write_bytes(content)
        return tmp_path / "people"

    return people


class PickyServer(FakeServer):
    """Enrols photos by what was written behind their last byte."""

    def photo_problem(self, content, known):
        for mark, code, reason in (
            (b"noface", grpc.StatusCode.FAILED_PRECONDITION, "NO_FACE"),
            (b"stranger", grpc.StatusCode.FAILED_PRECONDITION, "WRONG_PERSON"),
            (b"twice", grpc.StatusCode.ALREADY_EXISTS, "DUPLICATE_PHOTO"),
            (b"crowd", grpc.StatusCode.FAILED_PRECONDITION, "SEVERAL_FACES"),
            (b"broken", grpc.StatusCode.INVALID_ARGUMENT, "CORRUPT_PHOTO"),
        ):
            if content.endswith(mark) and (known or reason != "WRONG_PERSON"):
                raise Failure(code, reason, f"it says {mark.decode()}")

    on_create = None

    async def CreateCelebrity(self, request, context):
        if self.on_create:
            self.on_create()
        return await self._checked(super().CreateCelebrity, request, context, request.photos, False)

    async def AddCelebrityPhoto(self, request, context):
        return await self._checked(
            super().AddCelebrityPhoto, request, context, [request.photo], True
        )

    async def _checked(self, method, request, context, photos, known):
        try:
            for photo in photos:
                self.photo_problem(photo.content, known)
        except Failure as failure:
            self.failures.insert(0, failure)
        return await method(request, context)


@pytest.fixture
def make_fake():
    return PickyServer


def test_everyone_is_added_with_all_photos(lookalike, people, fake):
    """Folder names become names, underscores become spaces."""
    result = lookalike("celebrities", "import", people(Ada_Lovelace=3, Alan_Turing=1))
    assert result.exit_code == 0
    assert "2 people added; 4 photos enrolled." in result.stdout
    assert fake.gallery["celebrities/ada-lovelace"].display_name == "Ada Lovelace"
    assert fake.gallery["celebrities/ada-lovelace"].face_count == 3


def test_running_it_again_adds_nobody_twice(lookalike, people, fake):
    """Whoever is there already is left as they are, whatever case and accents."""
    folder = people(Ada=2, Élise=1)
    lookalike("celebrities", "import", folder)
    calls = len(fake.calls)
    (folder / "Élise").rename(folder / "ELISE")
    folder = people(Grace=1)
    result = lookalike("celebrities", "import", folder)
    assert result.exit_code == 0
    assert "1 person added; 1 photos enrolled." in result.stdout
    assert "2 people in the gallery already." in result.stdout
    assert [name for name, _ in fake.calls[calls:]] == ["ListCelebrities", "CreateCelebrity"]


def test_names_in_other_scripts_get_an_id(lookalike, people, fake):
    """The server cannot make one of them."""
    lookalike("celebrities", "import", people(Владимир_Высоцкий=1))
    request = next(request for name, request in fake.calls if name == "CreateCelebrity")
    assert request.celebrity.display_name == "Владимир Высоцкий"
    assert request.celebrity_id.startswith("person-")


def test_update_adds_photos_to_those_who_are_there(lookalike, people, fake):
    """Only the photos are new."""
    lookalike("celebrities", "import", people(Ada=1))
    result = lookalike("celebrities", "import", people(Ada=3), "--update")
    assert result.exit_code == 0
    assert fake.count("CreateCelebrity") == 1
    assert fake.count("AddCelebrityPhoto") == 3


def test_tags_keep_pictures_and_person_json_reach_the_server(lookalike, people, fake):
    """What a folder's name cannot say, a file beside the photos can."""
    folder = people(ada=1)
    info = {"display_name": "Ada Lovelace", "aliases": ["Ada King"], "tags": ["field:science"]}
    (folder / "ada" / "person.json").write_text(json.dumps(info | {"wikidata_id": "Q7259"}))
    lookalike("celebrities", "import", folder, "--tag", "country:uk", "--keep-pictures")
    request = next(request for name, request in fake.calls if name == "CreateCelebrity")
    assert request.celebrity.display_name == "Ada Lovelace"
    assert list(request.celebrity.tags) == ["country:uk", "field:science"]
    assert request.celebrity.wikidata_id == "Q7259"
    assert request.photos[0].keep_picture


@pytest.mark.parametrize("content", ["{", "[]", '"x"', '{"aliases": 3}', '{"display_name": []}'])
def test_a_broken_person_json_costs_one_person(lookalike, people, content):
    """The others are added, the report names the file."""
    folder = people(Ada=1, Bob=1)
    (folder / "Ada" / "person.json").write_text(content)
    result = lookalike("celebrities", "import", folder)
    assert result.exit_code == 4
    assert "1 person added" in result.stdout
    assert "person.json cannot be used" in result.stdout


def test_the_report_names_what_was_skipped_and_why(lookalike, people, tmp_path, fake):
    """Empty folders, unreadable names, photos the server refused."""
    folder = people(Ada=3, Bob=0, Cy=1)
    (folder / "loose.jpg").write_bytes(picture())
    for path in (folder / "Ada" / "01.jpg", folder / "Cy" / "00.jpg"):
        path.write_bytes(path.read_bytes() + b"noface")
    result = lookalike("celebrities", "import", folder, "--report", "report.json")
    assert result.exit_code == 4
    assert "1 person added; 2 photos enrolled." in result.stdout
    assert "2 people could not be added." in result.stdout
    assert f"{folder / 'Ada' / '01.jpg'}: NO_FACE: It says noface" in result.stdout
    assert f"{folder / 'Bob'}: There is no photo in it." in result.stdout
    report = {person["name"]: person for person in json.loads(Path("report.json").read_text())}
    assert (report["Ada"]["celebrity"], report["Ada"]["added"]) == ("ada", 2)
    assert (report["Cy"]["celebrity"], report["Cy"]["added"]) == ("", 0)
    assert report["Cy"]["skipped"] == [
        {"path": str(folder / "Cy" / "00.jpg"), "reason": "NO_FACE: It says noface"}
    ]


def test_a_long_report_is_summed_up(lookalike, people, fake):
    """Reasons are counted, the first are named, the file has the rest."""
    folder = people(Ada=40)
    for path in (folder / "Ada").glob("[1-3]?.jpg"):
        path.write_bytes(path.read_bytes() + b"twice")
    result = lookalike("celebrities", "import", folder)
    assert result.exit_code == 0  # they are there: nothing is lost
    assert "30 x DUPLICATE_PHOTO" in result.stdout
    assert "and 10 more; --report FILE lists them all" in result.stdout


@pytest.mark.parametrize("folder", ["gone", "empty"])
def test_a_folder_without_people_is_an_error(lookalike, tmp_path, folder):
    """With how it should look."""
    (tmp_path / "empty").mkdir()
    result = lookalike("celebrities", "import", folder)
    assert result.exit_code == 4


@pytest.mark.parametrize(("bad", "code"), [((), 0), (("00",), 4), (("00", "01"), 4)])
def test_the_exit_code_tells_whether_all_could_be_used(lookalike, people, fake, bad, code):
    """Scripts learn of a photo that was left out, and of a person without any."""
    folder = people(Ada=2, Bob=1)
    for name in bad:
        path = folder / "Ada" / f"{name}.jpg"
        path.write_bytes(path.read_bytes() + b"noface")
    assert lookalike("celebrities", "import", folder).exit_code == code
    assert "celebrities/bob" in fake.gallery  # the others are added all the same


async def imported(folder, fake, **options):
    """Imports the folder; the reports by name, and what ended it."""
    reports = {}
    async with running_server(fake), LookalikeClient(fake.address, deadline_s=2) as client:
        importer = Importer(client, **options)
        found = list(find_people(folder))
        people = [entry for entry in found if isinstance(entry, Person)]
        failure = await importer.run(people, lambda report: reports.update({report.name: report}))
    return reports, failure


async def test_bad_photos_cost_only_themselves(people):
    """No face, damaged, enrolled already: each is skipped with its reason."""
    folder = people(Ada=5)
    for number, mark in ((0, b"noface"), (1, b"broken"), (3, b"twice")):
        path = folder / "Ada" / f"{number:02}.jpg"
        path.write_bytes(path.read_bytes() + mark)
    reports, failure = await imported(folder, PickyServer())
    assert failure is None
    assert reports["Ada"].celebrity == "ada"
    assert reports["Ada"].added == 2
    assert [skipped.reason for skipped in reports["Ada"].skipped] == [
        "NO_FACE: It says noface",
        "CORRUPT_PHOTO: It says broken",
        "DUPLICATE_PHOTO: It says twice",
    ]


def crowd(*sides):
    """The answer about a photo with faces so large."""
    faces = [face(x=10 * number) for number, _ in enumerate(sides)]
    for one, side in zip(faces, sides, strict=True):
        one.box.width = one.box.height = side
    return analysis(*faces)


@pytest.mark.parametrize(
    ("sides", "wanted", "added"),
    [((90, 40), True, 1), ((90, 40), False, 0), ((90, 80), True, 0)],
)
async def test_the_largest_face_is_cut_out_where_there_is_no_doubt(people, sides, wanted, added):
    """People in the background need not cost a photo, if whoever imports wants it so."""
    folder = people(Ada=1)
    path = folder / "Ada" / "00.jpg"
    path.write_bytes(path.read_bytes() + b"crowd")
    fake = PickyServer()
    fake.script = lambda _: crowd(*sides)
    reports, _ = await imported(folder, fake, largest_face=wanted)
    assert reports["Ada"].added == added
    assert [s.reason.partition(":")[0] for s in reports["Ada"].skipped] == ["SEVERAL_FACES"] * (
        1 - added
    )
    if added:
        created = [request for name, request in fake.calls if name == "CreateCelebrity"][-1]
        assert created.photos[0].content == crowd(*sides).faces[0].crop


async def test_somebody_without_a_usable_photo_is_not_added(people):
    """And is tried again the next time."""
    folder = people(Ada=2)
    for path in (folder / "Ada").iterdir():
        path.write_bytes(path.read_bytes() + b"noface")
    fake = PickyServer()
    reports, _ = await imported(folder, fake)
    assert (reports["Ada"].celebrity, reports["Ada"].added) == ("", 0)
    assert "celebrities/ada" not in fake.gallery


async def test_a_first_photo_of_somebody_else_is_put_right(people):
    """If the others do not fit the first one, it is the first that is wrong."""
    folder = people(Ada=4)

    class Server(PickyServer):
        def photo_problem(self, content, known):
            last = content[-1:]
            self.first = getattr(self, "first", None)
            if not known:
                self.first = last
            elif last != self.first:
                raise Failure(grpc.StatusCode.FAILED_PRECONDITION, "WRONG_PERSON", "another face")

    for number, path in enumerate(sorted((folder / "Ada").iterdir())):
        path.write_bytes(path.read_bytes() + (b"x" if number == 0 else b"a"))
    fake = Server()
    reports, _ = await imported(folder, fake)
    assert reports["Ada"].added == 3
    assert [skipped.path[-6:] for skipped in reports["Ada"].skipped] == ["00.jpg"]
    assert fake.gallery["celebrities/ada"].face_count == 3


async def test_a_server_that_goes_away_ends_it(people):
    """Those who were not reached are not reported as refused."""
    folder = people(**{f"Person_{n}": 1 for n in range(20)})
    fake = PickyServer()
    ok = 3

    def leave():
        if fake.count("CreateCelebrity") >= ok:
            fake.failures.append(Failure(grpc.StatusCode.UNAVAILABLE, "NOT_READY", "stopping"))

    fake.on_create = leave
    reports, failure = await imported(folder, fake, at_once=1)
    assert type(failure).__name__ == "ServerUnavailable"
    assert len(reports) == ok + 1
    assert sum(report.added for report in reports.values()) == ok


async def test_stopping_finishes_those_under_way(people):
    """Nobody is left with half of the photos."""
    folder = people(**{f"Person_{n:02}": 3 for n in range(30)})
    fake = FakeServer()
    reports: list[PersonReport] = []
    async with running_server(fake), LookalikeClient(fake.address) as client:
        importer = Importer(client, at_once=4)

        def done(report):
            reports.append(report)
            if len(reports) == 2:
                importer.stop()

        await importer.run([p for p in find_people(folder) if isinstance(p, Person)], done)
    assert 2 <= len(reports) <= 6
    assert {report.added for report in reports} == {3}
    assert len(fake.gallery) == 30 + len(reports)


async def test_people_are_added_side_by_side_but_not_too_many(people):
    """The server's other callers want their turn."""
    fake = FakeServer()
    fake.delay_s = 0.01
    await imported(people(**{f"P{n}": 2 for n in range(12)}), fake, at_once=3)
    assert fake.most_in_flight == 3


def test_the_first_interrupt_finishes_and_says_what_is_left(lookalike, people, fake):
    """Ctrl-C is no reason to lose work."""
    folder = people(**{f"Person_{n:02}": 2 for n in range(40)})
    fake.delay_s = 0.005

    def interrupt():
        if fake.count("CreateCelebrity") == 5:
            signal.raise_signal(signal.SIGINT)

    fake.on_create = interrupt
    result = lookalike("celebrities", "import", folder, "--at-once", "2")
    assert result.exit_code == 130
    assert "left; run it again to continue" in result.stdout
    assert {c.face_count for name, c in fake.gallery.items() if "person" in name} == {2}
