"""Checks the contract with buf: its style, and that it breaks no caller.

"Breaks" is judged against the last release tag. Where there is none, against main; on main
itself, against what main is at the origin, or else the commit before this one. In a checkout
without history there is nothing to compare with.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Runs both checks; the exit status."""
    status = subprocess.run(["buf", "lint"], cwd=ROOT, check=False).returncode
    before = reference()
    if before is None:
        print("no release tag and no other commit: nothing to compare the contract with")
        return status
    against = f"{ROOT / '.git'}#ref={before}"
    command = ["buf", "breaking", "--against", against]
    return status or subprocess.run(command, cwd=ROOT, check=False).returncode


def reference() -> str | None:
    """What the contract must not break; None where there is nothing."""
    return last_release() or main_branch() or parent()


def last_release() -> str | None:
    """The newest tag like v1.2.3 that this commit descends from."""
    return _git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")


def main_branch() -> str | None:
    """The commit at the tip of main, here or at the origin, unless it is this one."""
    own = _commit("HEAD")
    for name in ("main", "origin/main"):
        if (commit := _commit(name)) and commit != own:
            return commit
    return None


def parent() -> str | None:
    """The commit before this one."""
    return _commit("HEAD^")


def _commit(name: str) -> str | None:
    return _git("rev-parse", "--verify", "--quiet", name)


def _git(*arguments: str) -> str | None:
    result = subprocess.run(
        ["git", *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )
    return result.stdout.strip() if result.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
