"""``lookalike`` with a real server, shared or private, and real photos."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from typer.testing import CliRunner

from bots.console.app import app

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def astronaut():
    """The sample photo: public domain, NASA; one face."""
    from skimage import data

    return Image.fromarray(data.astronaut())


@pytest.fixture(scope="module")
def folder(tmp_path_factory, astronaut):
    """Photos made of the sample: itself, mirrored, two in one, none."""
    folder = tmp_path_factory.mktemp("photos")
    astronaut.save(folder / "astronaut.jpg", quality=92)
    ImageOps.mirror(astronaut).save(folder / "mirrored.png")
    pair = Image.new("RGB", (1100, 560), "gray")
    pair.paste(astronaut, (10, 24))
    pair.paste(ImageOps.mirror(astronaut), (560, 24))
    pair.save(folder / "pair.jpg", quality=92)
    Image.linear_gradient("L").resize((640, 480)).convert("RGB").save(folder / "nobody.jpg")
    (folder / "text.jpg").write_text("this is no photo")
    return folder


@pytest.fixture(scope="module")
def environment(model_server):
    """Nothing of whoever runs the tests; the gallery is the shared server's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LOOKALIKE_", "LC_", "LANG"))}
    return kept | {
        "LOOKALIKE_DATA_DIR": str(model_server.folder / "data"),
        "LOOKALIKE_CACHE_DIR": str(model_server.folder / "cache"),
        "COLUMNS": "160",
    }


@pytest.fixture
def lookalike(model_server, environment, folder, monkeypatch):
    """Runs the command in this process, which spares each its start."""
    monkeypatch.chdir(folder)
    for name in set(os.environ) - set(environment):
        monkeypatch.delenv(name)

    def lookalike(*arguments):
        variables = environment | {"LOOKALIKE_SERVER": model_server.address}
        return CliRunner().invoke(app, [str(argument) for argument in arguments], env=variables)

    return lookalike


def objects(result):
    """The JSON objects printed, one a line."""
    assert "Traceback" not in result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_describe_answers_about_a_real_photo(lookalike):
    """Caption, description, look-alikes, timings."""
    result = lookalike("describe", "astronaut.jpg", "--json")
    assert result.exit_code == 0, result.stderr
    (answer,) = objects(result)
    assert set(answer) == {"photo", "caption", "faces", "timings_ms"}
    assert answer["photo"] == "astronaut.jpg"
    assert len(answer["caption"].split()) >= 3
    (face,) = answer["faces"]
    assert set(face) == {"box", "caption", "matches"}
    x, y, width, height = face["box"]
    assert x < 225 < x + width  # the tip of her nose
    assert y < 130 < y + height
    assert face["caption"]
    assert len(face["matches"]) == 5
    for match in face["matches"]:
        assert set(match) == {"celebrity", "name", "similarity", "likeness"}
        assert -1 <= match["similarity"] <= 1
        assert 0 <= match["likeness"] <= 100
    likenesses = [match["likeness"] for match in face["matches"]]
    assert likenesses == sorted(likenesses, reverse=True)
    assert answer["timings_ms"]["total"] > 0


def test_several_photos_good_and_bad(lookalike):
    """Two faces, none, and a file that is no photo: each gets its answer."""
    result = lookalike("describe", "pair.jpg", "nobody.jpg", "text.jpg", "gone.jpg", "--json")
    assert result.exit_code == 4
    assert [(o["photo"], len(o["faces"])) for o in objects(result)] == [
        ("pair.jpg", 2),
        ("nobody.jpg", 0),
    ]
    assert "text.jpg:" in result.stderr
    assert "gone.jpg cannot be read" in result.stderr


def test_text_for_people(lookalike):
    """Everything that JSON has is readable too."""
    (answer,) = objects(lookalike("describe", "astronaut.jpg", "--json"))
    text = lookalike("describe", "astronaut.jpg").stdout
    assert answer["caption"][1:] in text
    assert answer["faces"][0]["caption"] in text
    assert answer["faces"][0]["matches"][0]["name"] in text


def test_compare_tells_the_same_person(lookalike):
    """A mirrored photo shows the same person."""
    result = lookalike("compare", "astronaut.jpg", "mirrored.png", "--json")
    assert result.exit_code == 0, result.stderr
    (answer,) = objects(result)
    assert answer["similarity"] > 0.8
    assert answer["likeness"] > 90
    assert answer["same_person_probability"] > 0.9


def test_compare_without_a_face_says_so(lookalike):
    """The reason is the server's."""
    result = lookalike("compare", "astronaut.jpg", "nobody.jpg")
    assert result.exit_code == 4
    assert "face" in result.stderr


def test_a_card_of_two_faces(lookalike, folder):
    """A picture that can be shared."""
    result = lookalike("card", "pair.jpg", "-o", "card.png")
    assert result.exit_code == 0, result.stderr
    with Image.open(folder / "card.png") as card:
        card.load()
        assert card.width == 960


@pytest.fixture
def nobody_new(lookalike):
    """Whatever happens, the shared gallery is left as it was."""
    yield
    lookalike("celebrities", "remove", "mae-example", "--yes")


@pytest.mark.usefixtures("nobody_new")
def test_a_celebrity_comes_and_goes(lookalike, folder):
    """Added from a folder, found as the best match, shown with a portrait, removed."""
    person = folder / "people" / "Mae_Example"
    person.mkdir(parents=True)
    (person / "1.png").write_bytes((folder / "mirrored.png").read_bytes())
    (person / "2.jpg").write_bytes((folder / "nobody.jpg").read_bytes())
    result = lookalike("celebrities", "import", "people", "--tag", "field:test", "--keep-pictures")
    assert result.exit_code == 4, result.stderr  # for the photo without a face
    assert "1 person added; 1 photos enrolled." in result.stdout
    assert "NO_FACE" in result.stdout
    again = lookalike("celebrities", "import", "people")
    assert again.exit_code == 0
    assert "1 person in the gallery already." in again.stdout

    (answer,) = objects(lookalike("describe", "astronaut.jpg", "--json", "--tag", "field:test"))
    (match,) = answer["faces"][0]["matches"]
    assert (match["celebrity"], match["name"]) == ("mae-example", "Mae Example")
    assert match["likeness"] > 90

    (shown,) = objects(
        lookalike("celebrities", "show", "mae-example", "--json", "--portrait", "mae.jpg")
    )
    assert shown["has_picture"]
    assert shown["faces"] == 1
    with Image.open(folder / "mae.jpg") as portrait:
        assert portrait.width > 100
    assert len(objects(lookalike("celebrities", "list", "mae ex", "--json"))) == 1
    assert lookalike("celebrities", "remove", "mae-example", "--yes").exit_code == 0
    assert lookalike("celebrities", "show", "mae-example").exit_code == 4


def test_doctor_finds_the_server_well(lookalike):
    """Models loaded, a gallery of people."""
    result = lookalike("doctor", "--json")
    assert result.exit_code == 0, result.stdout
    checks = {check["what"]: check for check in objects(result)[0]["checks"]}
    assert checks["models"]["state"] == "ok"
    assert int(checks["gallery"]["says"].split()[0]) > 1000


def test_embedded_needs_no_server_and_leaves_none(environment, folder, tmp_path):
    """From nothing to an answer in one command, beside the .env of a public server, too."""
    (tmp_path / ".env").write_text(
        "LOOKALIKE_TLS_CERTIFICATE=public.pem\nLOOKALIKE_TLS_KEY=public.pem\n"
        "LOOKALIKE_ADMIN_TOKENS=operator\n"
    )
    photo = str(folder / "astronaut.jpg")
    result = subprocess.run(
        [sys.executable, "-m", "bots.console", "describe", photo, "--json", "--embedded"],
        env=environment | {"LOOKALIKE_SERVER": "127.0.0.1:1", "LOOKALIKE_TOKENS": "others"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert len(objects(result)[0]["faces"]) == 1


def test_an_embedded_server_does_not_outlive_a_kill(environment, folder):
    """A terminated command takes its server with it."""
    with subprocess.Popen(
        [sys.executable, "-m", "bots.console", "describe", "astronaut.jpg", "--embedded"],
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        end = time.monotonic() + 60
        while not children(process.pid, "model_server") and time.monotonic() < end:
            time.sleep(0.02)
        (server,) = children(process.pid, "model_server")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130
    assert not Path(f"/proc/{server}").exists()


def children(parent, name):
    """Child processes, at any depth, whose command line has ``name``."""
    parents, names = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            pid = int(entry.name)
            parents[pid] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            names[pid] = (entry / "cmdline").read_text()
        except OSError:
            continue  # it ended meanwhile

    def descends(pid):
        while pid in parents:
            pid = parents[pid]
            if pid == parent:
                return True
        return False

    return [pid for pid in parents if name in names[pid] and descends(pid)]
