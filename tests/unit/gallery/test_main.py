"""The operator's commands."""

from types import SimpleNamespace

import pytest

from model_server.analyzer import Enrolment
from model_server.bundle import write_manifest
from model_server.errors import GalleryUnavailableError
from model_server.faces.embedder import FaceEmbedder
from model_server.gallery import __main__ as commands
from model_server.gallery.rebuild import Rebuild
from tests.support.galleries import face_of, write_seed


class Analyzer:
    """Stands in for the pipeline: photos say whom they show."""

    def __init__(self, *arguments):
        pass

    def enrol(self, data):
        name, number = data.decode().split()
        return Enrolment(face_of(name, int(number)).embedding, 0.7, b"head")

    def close(self):
        pass


def write_embedder(folder, version="test"):
    folder.mkdir(exist_ok=True)
    write_manifest(
        folder,
        {
            "name": "embedder",
            "version": version,
            "kind": FaceEmbedder.KIND,
            "license": "made up",
        },
    )


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a command in an installation of its own; returns status and output."""
    write_seed(tmp_path / "bundles" / "gallery")
    write_embedder(tmp_path / "bundles" / "embedder")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOOKALIKE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LOOKALIKE_BUNDLES_DIR", str(tmp_path / "bundles"))
    monkeypatch.setattr(commands, "load_models", lambda *_: SimpleNamespace())
    monkeypatch.setattr(commands, "close_models", lambda _: None)
    monkeypatch.setattr(commands, "Analyzer", Analyzer)

    def call(*arguments):
        status = commands.main([str(argument) for argument in arguments])
        return status, " ".join(capsys.readouterr().out.split())

    return call


def test_a_folder_is_imported_exported_and_restored(run, tmp_path):
    """What was imported is in the file, and is back after a restore; each step says what it did."""
    for number in (1, 2):
        (tmp_path / "photos" / "Ada").mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / "Ada" / f"{number}.jpg").write_bytes(f"ada {number}".encode())
    (tmp_path / "photos" / "Ada" / "3.jpg").write_bytes(b"eve 1")
    status, output = run("import-folder", tmp_path / "photos", "--keep-pictures")
    assert status == 0
    assert "2 photos enrolled, 1 people new, 0 known before, 1 skipped" in output
    assert "skipped Ada/3.jpg" in output
    assert run("status")[1] == "3 people, 4 faces of embedder-test"
    assert run("export", tmp_path / "all.zip") == (0, "3 people written")
    assert run("rebuild") == (0, "0 pictures embedded, 0 failed")
    assert run("prune") == (0, "0 faces of other embedders removed")
    (tmp_path / "data" / "gallery.sqlite3").unlink()
    assert run("restore", tmp_path / "all.zip", "--yes") == (0, "3 people restored")
    assert run("status")[1] == "3 people, 4 faces of embedder-test"


def test_an_interrupted_rebuild_is_no_success(run, monkeypatch):
    """What was done is said, then what went wrong."""

    def fail(self):
        raise GalleryUnavailableError("the disk is full")

    monkeypatch.setattr(Rebuild, "wait", fail)
    assert run("rebuild") == (1, "0 pictures embedded, 0 failed the disk is full")


def test_a_mistake_is_said_in_one_sentence(run, tmp_path):
    """No traceback: what is wrong, and a status of 1."""
    (tmp_path / "all.zip").write_bytes(b"no archive")
    status, output = run("restore", tmp_path / "all.zip", "--yes")
    assert (status, output) == (1, "the file is no gallery, or it is damaged")
    assert run("status")[1] == "2 people, 2 faces of embedder-test"


@pytest.mark.parametrize(
    "arguments",
    [
        ("restore", "missing.zip", "--yes"),
        ("import-folder", "missing"),
        ("import-csv", "missing.csv"),
        ("export", "missing/all.zip"),
    ],
)
def test_a_file_that_is_not_there_is_named(run, arguments):
    """No traceback, whichever command it is."""
    status, output = run(*arguments)
    assert status == 1
    assert output.startswith("missing")
    assert output.endswith(": No such file or directory")


def test_faces_are_those_of_the_embedder_that_runs(run, tmp_path):
    """An embedder that the seed is not of is refused: its faces would pass for the seed's."""
    write_embedder(tmp_path / "bundles" / "embedder", "newer")
    (tmp_path / "photos" / "Ada").mkdir(parents=True)
    (tmp_path / "photos" / "Ada" / "1.jpg").write_bytes(b"ada 1")
    status, output = run("import-folder", tmp_path / "photos")
    assert status == 1
    assert "was made with embedder-test, the server runs embedder-newer" in output


def test_people_who_are_there_twice_are_listed(run, tmp_path):
    """With what says so; whoever is there once is not named."""
    for folder, photos in {"Ada": (1, 2), "Ada_L": (3,), "Bob": (1,)}.items():
        (tmp_path / "photos" / folder).mkdir(parents=True)
        for number in photos:
            person = folder.partition("_")[0].lower()
            (tmp_path / "photos" / folder / f"{number}.jpg").write_bytes(
                f"{person} {number}".encode()
            )
    assert run("import-folder", tmp_path / "photos")[0] == 0
    status, output = run("duplicates")
    assert status == 0
    assert output.startswith("ada ada-l: faces alike (likeness 99")
    assert output.endswith("1 pairs to look at")
