"""The command line against a fake model server."""

from __future__ import annotations

import os

import pytest
from anyio.from_thread import start_blocking_portal
from typer.testing import CliRunner

from bots.console.app import app
from tests.support.fake_server import FakeServer, picture, running_server


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """No setting of whoever runs the tests counts, and wide lines are not broken."""
    for name in list(os.environ):
        if name.startswith(("LOOKALIKE_", "LC_")) or name == "LANG":
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LOOKALIKE_DEADLINE_S", "5")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def make_fake():
    """What makes the server that :func:`fake` starts."""
    return FakeServer


@pytest.fixture
def fake(make_fake):
    """A fake server, in a thread of its own."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(running_server(make_fake())) as fake,
    ):
        yield fake


@pytest.fixture
def call(monkeypatch):
    """Runs ``lookalike`` with arguments; what it printed and its exit code."""

    def call(*arguments, **options):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)

    return call


@pytest.fixture
def lookalike(fake, call, monkeypatch):
    """The same, with the fake server as the default server."""
    monkeypatch.setenv("LOOKALIKE_SERVER", fake.address)
    return call


@pytest.fixture
def photo(tmp_path):
    """Makes a photo file."""

    def photo(name="photo.jpg", color="teal", file_format="JPEG"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(color, file_format=file_format))
        return path

    return photo
