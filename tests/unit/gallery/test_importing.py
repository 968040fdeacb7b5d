"""Importing from folders, tables and Wikidata."""

import http.server
import json
import threading
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from model_server.errors import GalleryUnavailableError, InvalidRequestError, NoFaceError
from model_server.gallery.importing import Journal, import_photos
from model_server.gallery.sources import from_csv, from_folder, from_wikidata, people_query
from model_server.portraits.fetch import Fetcher
from tests.support.galleries import (
    face_of,
)


class Enroller:
    """Photos say whom they show: "NAME NUMBER"; "nobody" shows no face."""

    def __init__(self):
        self.seen = 0

    def enrol(self, data):
        self.seen += 1
        if data == b"nobody":
            raise NoFaceError("no face was found")
        name, number = data.decode().split()
        face = face_of(name, int(number))
        return SimpleNamespace(embedding=face.embedding, quality=0.5, picture=b"head of " + data)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "photos"
    for path, content in {
        "Ada_Lovelace/1.jpg": b"ada 1",
        "Ada_Lovelace/2.png": b"ada 2",
        "Ada_Lovelace/3.jpg": b"eve 1",
        "Ada_Lovelace/notes.txt": b"no photo",
        "Eve/1.jpg": b"eve 1",
        "Eve/2.jpg": b"nobody",
    }.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_bytes(content)
    return made


async def test_a_folder_per_person_is_imported_with_a_report(library, folder):
    """Good photos are enrolled; each other one is named with its reason."""
    report = await import_photos(library, Enroller(), from_folder(folder), keep_pictures=True)
    assert (report.people, report.photos, report.known) == (2, 3, 0)
    assert [source for source, _ in report.skipped] == ["Ada_Lovelace/3.jpg", "Eve/2.jpg"]
    assert "does not look like" in report.skipped[0][1]
    assert library.get("ada-lovelace").face_count == 2
    assert library.picture_of("ada-lovelace") == b"head of ada 1"


async def test_names_in_any_script_are_imported(library, tmp_path):
    """Their ids are made of a digest, the same every time; nobody stands in the way of others."""
    for path in ("周杰伦/1.jpg", "周杰伦/2.jpg", "赵薇/1.jpg", "Zoe/1.jpg"):
        (tmp_path / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / path).write_bytes(path.replace("/", " ")[:-4].encode())
    report = await import_photos(library, Enroller(), from_folder(tmp_path / "photos"))
    assert (report.people, report.photos, report.skipped) == (3, 4, [])
    found = library.list(page_size=1, query="周杰伦").celebrities[0]
    assert (found.id, found.face_count) == ("person-d1d51d7a7c5c", 2)


async def test_a_row_that_is_wrong_is_skipped(gallery, tmp_path):
    """It is named in the report; those behind it are imported."""
    table = tmp_path / "people.csv"
    table.write_text("name,url,id\nAda,one,a\0\nBob,two,No Id\n周杰伦,three,\n", encoding="utf-8")

    class Downloads:
        async def picture(self, url):
            return b"jay 1"

    rows = from_csv(table, Downloads(), pause_s=0)
    report = await import_photos(gallery, Enroller(), rows)
    assert [source for source, _ in report.skipped] == ["one", "two"]
    assert (report.people, report.photos) == (1, 1)


async def test_a_second_run_adds_nothing(library, folder, tmp_path):
    """Without a journal photos are known by their bytes; with one they are not even read."""
    journal = tmp_path / "journal"
    enroller = Enroller()
    await import_photos(library, enroller, from_folder(folder), journal=Journal(journal))
    assert enroller.seen == 5
    again = await import_photos(library, enroller, from_folder(folder))
    assert (again.photos, again.known) == (0, 3)
    enroller.seen = 0
    third = await import_photos(library, enroller, from_folder(folder), journal=Journal(journal))
    assert (third.photos, third.known) == (0, 3)
    assert enroller.seen == 2  # those that were skipped are tried again


async def test_an_import_stops_when_the_database_fails_and_goes_on_later(
    library, folder, tmp_path, monkeypatch
):
    """What was done stays done; the journal may even end in the middle of a line."""
    journal = tmp_path / "journal"
    with monkeypatch.context() as patch:
        patch.setattr(library, "add_face", _failing_after(library.add_face, 2))
        with pytest.raises(GalleryUnavailableError):
            await import_photos(library, Enroller(), from_folder(folder), journal=Journal(journal))
    with journal.open("a") as file:
        file.write('\n"half')
    report = await import_photos(library, Enroller(), from_folder(folder), journal=Journal(journal))
    assert report.known == 2
    assert library.get("ada-lovelace").face_count == 2
    assert library.get("eve").face_count == 1


def _failing_after(function, count):
    calls = iter(range(count))

    def call(*arguments):
        if next(calls, None) is None:
            raise GalleryUnavailableError("the disk is full")
        return function(*arguments)

    return call


@pytest.fixture
def web():
    """A local server that plays a photo host and Wikidata; tells what it was asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            url = urlsplit(self.path)
            asked.append(self.path)
            if url.path == "/busy.jpg" and asked.count(self.path) == 1:
                self._answer(429, "text/plain", b"", {"Retry-After": "0.01"})
            elif url.path == "/sparql":
                assert "wdt:P106" in parse_qs(url.query)["query"][0]
                self._answer(200, "application/sparql-results+json", sparql_answer(self.server))
            elif url.path == "/away.jpg":
                self._answer(302, "text/plain", b"", {"Location": "http://localhost:1/x.jpg"})
            elif url.path == "/missing.jpg":
                self._answer(404, "text/plain", b"")
            else:
                self._answer(
                    200, "image/jpeg", url.path[1:].split(".")[0].encode().replace(b"-", b" ")
                )

        def _answer(self, status, kind, body, headers=None):
            self.send_response(status)
            for name, value in {
                "Content-Type": kind,
                "Content-Length": len(body),
                **(headers or {}),
            }.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield SimpleNamespace(base=f"http://127.0.0.1:{server.server_port}", asked=asked)
        server.shutdown()
        thread.join()


def sparql_answer(server):
    base = f"http://127.0.0.1:{server.server_port}"

    def row(item, label, image):
        return {
            "item": {"value": f"http://www.wikidata.org/entity/{item}"},
            "itemLabel": {"value": label},
            "image": {"value": f"{base}/{image}"},
        }

    rows = [
        row("Q7259", "Ada Lovelace", "ada-1.jpg"),
        row("Q5", "Q5", "bob-1.jpg"),
        row("Q9", "李小龙", "eve-1.jpg"),
        {"item": "garbage"},
    ]
    return json.dumps({"results": {"bindings": rows}}).encode()


async def test_a_table_is_imported_from_allowed_hosts_only(library, web, tmp_path):
    """A host that is not allowed is never asked, not even through a redirect."""
    table = tmp_path / "people.csv"
    table.write_text(
        "name,url,tags,wikidata_id\n"
        f"Ada Lovelace,{web.base}/ada-1.jpg,field:math;country:uk,Q7259\n"
        "Mallory,http://localhost:1/mallory-1.jpg,,\n"
        f"Trent,{web.base}/away.jpg,,\n"
        f"Oscar,{web.base}/missing.jpg,,\n"
        f",{web.base}/nameless.jpg,,\n"
    )
    async with httpx.AsyncClient() as client:
        downloads = Fetcher(client, [web.base], user_agent="test")
        report = await import_photos(library, Enroller(), from_csv(table, downloads, pause_s=0))
    assert report.photos == 1
    assert library.get("ada-lovelace").tags == ("field:math", "country:uk")
    assert library.get("ada-lovelace").wikidata_id == "Q7259"
    assert [reason.split()[0] for _, reason in report.skipped] == ["not", "not", "127.0.0.1"]
    assert web.asked == ["/ada-1.jpg", "/away.jpg", "/missing.jpg"]


async def test_a_host_that_asks_to_wait_is_given_its_time(library, web, tmp_path):
    """429 with Retry-After is waited for, and the photo is asked for once more."""
    table = tmp_path / "people.csv"
    table.write_text(f"name,url\nBusy,{web.base}/busy.jpg\n")
    enroller = SimpleNamespace(enrol=lambda data: Enroller().enrol(b"busy 1"))
    async with httpx.AsyncClient() as client:
        downloads = Fetcher(client, [web.base], user_agent="test")
        report = await import_photos(library, enroller, from_csv(table, downloads, pause_s=0))
    assert report.photos == 1
    assert web.asked == ["/busy.jpg", "/busy.jpg"]


async def test_people_are_imported_from_wikidata(library, web):
    """Items with a name and a picture are enrolled with their item and the given tags."""
    async with httpx.AsyncClient() as client:
        candidates = from_wikidata(
            Fetcher(client, [web.base], user_agent="test"),
            people_query("Q33999", "Q668", 10),
            endpoint=f"{web.base}/sparql",
            tags=["field:actor"],
            pause_s=0,
        )
        report = await import_photos(library, Enroller(), candidates)
    assert report.photos == 2
    assert library.get("ada-lovelace").wikidata_id == "Q7259"
    # No id can be made of this name: the item stands in.
    assert library.get("q9").display_name == "李小龙"
    assert library.get("q9").tags == ("field:actor",)
    assert web.asked[1:] == ["/ada-1.jpg?width=500", "/eve-1.jpg?width=500"]


def test_only_items_go_into_a_query():
    """What is put into SPARQL is checked."""
    with pytest.raises(InvalidRequestError):
        people_query("Q1 . } DROP ALL #")


async def test_a_table_without_its_columns_is_refused(library, tmp_path):
    """The message says which column is missing."""
    table = tmp_path / "people.csv"
    table.write_text("name,link\nAda,x\n")
    with pytest.raises(InvalidRequestError, match="url"):
        await import_photos(library, Enroller(), from_csv(table, None))
