"""What the contract is compared with, in a repository of its own."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Repository:
    """The contract in a git repository with one commit on main, and its protos/check.py."""

    def __init__(self, folder, check):
        self.folder = folder
        self.check = check
        self.contract = folder / "protos" / "lookalike" / "v1" / "photo.proto"
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "Somebody")
        self.git("config", "user.email", "somebody@example.org")
        self.first = self.commit()

    def git(self, *arguments):
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self):
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Something")
        return self.git("rev-parse", "HEAD")

    def reference(self):
        return self.check.reference()


@pytest.fixture
def repository(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("protos_check", ROOT / "protos" / "check.py")
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    monkeypatch.setattr(check, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    folder = tmp_path / "protos" / "lookalike" / "v1"
    folder.mkdir(parents=True)
    for source in (ROOT / "protos" / "lookalike" / "v1").glob("*.proto"):
        shutil.copy(source, folder)
    return Repository(tmp_path, check)


def test_on_main_it_is_the_commit_before(repository):
    """Main is never compared with itself; the first commit has nothing before it."""
    assert repository.reference() is None
    repository.commit()
    assert repository.reference() == repository.first


def test_on_main_that_is_ahead_it_is_the_origin(repository):
    """Several commits that were not pushed yet are judged together."""
    repository.git("update-ref", "refs/remotes/origin/main", repository.first)
    repository.commit()
    repository.commit()
    assert repository.reference() == repository.first


def test_on_a_branch_it_is_main(repository):
    """All commits of the branch are judged together."""
    repository.git("switch", "--quiet", "--create", "branch")
    repository.commit()
    repository.commit()
    assert repository.reference() == repository.first


def test_after_a_release_it_is_the_release(repository):
    """Whatever branch it is."""
    repository.git("tag", "v1.0.0")
    repository.commit()
    repository.commit()
    assert repository.reference() == "v1.0.0"


def test_a_break_that_was_committed_to_main_is_found(repository):
    """A field that callers use is taken away."""
    repository.commit()
    assert repository.check.main() == 0
    text = repository.contract.read_text()
    field = (
        "  // The upright photo's size, to which all boxes refer.\n  ImageSize image_size = 3;\n"
    )
    assert field in text
    repository.contract.write_text(text.replace(field, ""))
    repository.commit()
    assert repository.check.main() != 0
