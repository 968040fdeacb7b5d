"""``make run``'s last step for real: server and page up, one Ctrl-C, everything gone."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request

import pytest


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def refuses(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


class Supervised:
    """A supervisor process and what it printed so far."""

    def __init__(self, folder, *arguments, port=None, web_port=None):
        self.port = free_port() if port is None else port
        self.web_port = free_port() if web_port is None else web_port
        environment = {
            name: value for name, value in os.environ.items() if not name.endswith("_TOKEN")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bots.supervisor", *arguments],
            env={
                **environment,
                "LOOKALIKE_PORT": str(self.port),
                "LOOKALIKE_WEB_PORT": str(self.web_port),
                "LOOKALIKE_DATA_DIR": str(folder / "data"),
                "LOOKALIKE_CACHE_DIR": str(folder / "cache"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = []

    def read_until(self, text):
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return
        raise AssertionError("".join(self.lines))

    def interrupt(self):
        """Ctrl-C; the exit status, once all its output is there."""
        self.process.send_signal(signal.SIGINT)
        self.lines += self.process.stdout.readlines()
        return self.process.wait(60)


@pytest.fixture
def supervised(tmp_path):
    running = []

    def start(*arguments, **options):
        running.append(Supervised(tmp_path, *arguments, **options))
        return running[-1]

    yield start
    for one in running:
        # Whatever a failed test left behind: the supervisor takes its programs along.
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGINT)
            killer = threading.Timer(60, one.process.kill)
            killer.start()
            one.process.communicate()
            killer.cancel()
        one.process.stdout.close()


@pytest.mark.timeout(300)
def test_up_and_down(supervised):
    """The sample is answered, the page is where it is said to be; Ctrl-C ends it, then the server.

    With port 0 that is a free one.
    """
    one = supervised(web_port=0)
    one.read_until("Ctrl-C stops everything")
    text = "".join(one.lines)
    assert "of 100" in text  # a look-alike's likeness, in the answer about the sample
    [(page, web_port)] = re.findall(r"web page +(http://127\.0\.0\.1:([1-9]\d*))", text)
    with urllib.request.urlopen(f"{page}/readyz") as response:
        assert response.status == 200
    assert one.interrupt() == 0
    text = "".join(one.lines)
    assert text.index("Finished server process") < text.index("draining")
    assert refuses(one.port)
    assert refuses(int(web_port))


@pytest.mark.timeout(300)
def test_a_port_that_is_taken(supervised):
    """Without its server the page is not started, and the exit status says so."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        one = supervised("--no-sample", port=taken.getsockname()[1])
        one.read_until("the server ended with status 1")
        assert one.process.wait(60) == 1
    assert refuses(one.web_port)


@pytest.mark.timeout(300)
def test_somebody_elses_page_is_not_called_ours(supervised):
    """Where the page's port is taken, no address is given out as the page's."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        one = supervised("--no-sample", web_port=taken.getsockname()[1])
        one.read_until("Ctrl-C stops everything")
        assert one.interrupt() == 0
    text = "".join(one.lines)
    assert "address already in use" in text
    assert f"Is port {one.web_port} taken?" in text
    assert "http://" not in text
