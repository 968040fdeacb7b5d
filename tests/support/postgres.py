"""A real PostgreSQL for the tests: started once, on a socket of its own, thrown away after.

The server refuses to run as root; root runs it as ``nobody``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

__all__ = ["find_postgres", "running_postgres"]

_START_S = 60


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's programs: on the PATH, Debian's, or of the package pgserver."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if debian:
        return debian[-1].parent
    try:
        import pgserver
    except ImportError:
        return None
    return Path(pgserver.__file__).parent / "pginstall" / "bin"


@contextmanager
def running_postgres() -> Iterator[sa.URL]:
    """A server with an empty database, as long as the block runs."""
    programs = find_postgres()
    assert programs, "PostgreSQL is not installed"
    # A short path: the name of a socket may have 107 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user = None
    if os.geteuid() == 0:
        user = "nobody"
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs / program, *arguments],
            check=True,
            user=user,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdout=subprocess.DEVNULL,
            timeout=_START_S,
        )

    data = str(folder / "data")
    try:
        run("initdb", "-D", data, "-U", "lookalike", "--auth=trust", "--encoding=UTF8", "--no-sync")
        options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=60"
        run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield sa.URL.create(
                "postgresql", "lookalike", database="postgres", query={"host": str(folder)}
            )
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
