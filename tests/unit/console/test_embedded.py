"""The private server: a child process that must come up, be used, and go away."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
import textwrap
from pathlib import Path

import pytest

from bots.console import embedded
from bots.console.errors import ConsoleError
from bots.core.client import LookalikeClient

ROOT = Path(__file__).parents[3]

GOOD = """
    import asyncio, json, os, signal, sys
    sys.path[:0] = [{root!r}, {root!r} + "/protos"]
    from tests.support.fake_server import running_server

    port_file = sys.argv[sys.argv.index("--port-file") + 1]
    stop_at_once = signal.SIGTERM

    async def main():
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        async with running_server() as fake:
            with open({notes!r}, "w") as notes:
                kept = {{k: v for k, v in os.environ.items() if k.startswith("LOOKALIKE_")}}
                json.dump([os.getpid(), sys.argv[1:], kept], notes)
            with open(port_file + ".tmp", "w") as file:
                file.write(fake.address.rsplit(":")[-1] + "\\n")
            os.replace(port_file + ".tmp", port_file)
            await stop.wait()
    asyncio.run(main())
"""
FAILING = """
    import json, sys
    print("some library chatters", file=sys.stderr)
    print(json.dumps({{"level": "CRITICAL", "message": "cannot start: the bundle is damaged"}}),
          file=sys.stderr)
    sys.exit(1)
"""
MISSING = """
    import sys
    sys.exit("/usr/bin/python3: No module named model_server")
"""
SILENT = """
    import os, time
    with open({notes!r}, "w") as notes:
        notes.write("[%d]" % os.getpid())
    time.sleep(60)
"""


@pytest.fixture
def python(tmp_path, monkeypatch):
    """Makes what is started in place of ``python -m model_server``."""

    def python(script):
        path = tmp_path / "python"
        notes = tmp_path / "notes.json"
        body = textwrap.dedent(script).format(root=str(ROOT), notes=str(notes))
        path.write_text(f"#!{sys.executable}\n{body}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(embedded.sys, "executable", str(path))
        return notes

    return python


def is_running(pid):
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_it_serves_for_the_call_and_is_gone_afterwards(python):
    """On a free port of loopback, for one caller."""
    notes = python(GOOD)
    async with embedded.embedded_server() as server:
        pid, arguments, _ = json.loads(notes.read_text())
        assert arguments[:2] == ["-m", "model_server"]
        assert arguments[2:7] == ["--private", "--host", "127.0.0.1", "--port", "0"]
        async with LookalikeClient(server.address, token=server.token) as client:
            assert await client.is_serving()
        assert is_running(pid)
    assert not is_running(pid)


async def test_it_has_a_token_of_its_own_and_the_other_settings(python, monkeypatch):
    """Others on this machine are kept out; it works on the same gallery."""
    monkeypatch.setenv("LOOKALIKE_TOKENS", "public")
    monkeypatch.setenv("LOOKALIKE_DATA_DIR", "/data")
    notes = python(GOOD)
    async with embedded.embedded_server() as server:
        kept = json.loads(notes.read_text())[2]
    assert kept["LOOKALIKE_DATA_DIR"] == "/data"
    assert kept["LOOKALIKE_TOKENS"] == server.token
    assert len(server.token) > 20


async def test_it_is_stopped_when_the_call_fails(python):
    """An error in the middle leaves no server behind."""
    notes = python(GOOD)
    with pytest.raises(ZeroDivisionError):
        async with embedded.embedded_server():
            raise ZeroDivisionError
    assert not is_running(json.loads(notes.read_text())[0])


async def test_it_is_stopped_when_the_call_is_cancelled(python):
    """Ctrl-C leaves no server behind either."""
    notes = python(GOOD)
    started = asyncio.Event()

    async def call():
        async with embedded.embedded_server():
            started.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(call())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_running(json.loads(notes.read_text())[0])


async def test_a_server_that_cannot_start_says_why(python):
    """The last message of its log, not all of it."""
    python(FAILING)
    with pytest.raises(ConsoleError, match="cannot start: the bundle is damaged") as caught:
        async with embedded.embedded_server():
            pass
    assert "doctor" in caught.value.hint
    assert "chatters" not in caught.value.message


async def test_without_the_server_installed_there_is_a_remedy(python):
    """The console can be installed alone."""
    python(MISSING)
    with pytest.raises(ConsoleError, match="not installed") as caught:
        async with embedded.embedded_server():
            pass
    assert "pip install" in caught.value.hint


async def test_a_server_that_never_gets_ready_is_given_up(python):
    """And ended."""
    notes = python(SILENT)
    with pytest.raises(ConsoleError, match="not ready in time"):
        async with embedded.embedded_server(timeout_s=1.0):
            pass
    assert not is_running(json.loads(notes.read_text())[0])


def test_describe_embedded_needs_no_running_server(python, call, photo):
    """One command from a photo to an answer."""
    python(GOOD)
    result = call("describe", photo(), "--embedded", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["caption"] == "a person smiles"
