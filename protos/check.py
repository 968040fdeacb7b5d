"""Checks the contract with buf: its style, and that it breaks no caller.

"Breaks" is judged against the last release tag, or against main where there is none;
in a checkout without history there is nothing to compare with.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Runs both checks; the exit status."""
    status = subprocess.run(["buf", "lint"], cwd=ROOT, check=False).returncode
    reference = last_release() or main_branch()
    if reference is None:
        print("no release tag and no main branch: nothing to compare the contract with")
        return status
    against = f"{ROOT / '.git'}#ref={reference}"
    command = ["buf", "breaking", "--against", against]
    return status or subprocess.run(command, cwd=ROOT, check=False).returncode


def last_release() -> str | None:
    """The newest tag like v1.2.3 that this commit descends from."""
    return _git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")


def main_branch() -> str | None:
    """The commit at the tip of main, here or at the origin."""
    for name in ("main", "origin/main"):
        if commit := _git("rev-parse", "--verify", "--quiet", name):
            return commit
    return None


def _git(*arguments: str) -> str | None:
    result = subprocess.run(
        ["git", *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )
    return result.stdout.strip() if result.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
