"""Bundles are refused unless every file is whole."""

import json

import pytest

from model_server.bundle import MANIFEST, load_bundle, write_manifest
from model_server.errors import BundleError

BASICS = {"name": "toy", "version": "3", "kind": "toy_kind", "license": "MIT"}


@pytest.fixture
def bundle_path(tmp_path):
    path = tmp_path / "toy"
    path.mkdir()
    (path / "network.bin").write_bytes(b"weights")
    write_manifest(path, {**BASICS, "dimension": 7})
    return path


def test_a_whole_bundle_is_loaded(bundle_path):
    """What was written is read back, with a version that names the bundle."""
    bundle = load_bundle(bundle_path, kind="toy_kind")
    assert bundle.version == "toy-3"
    assert bundle.read("dimension") == 7
    assert bundle.file("network.bin").read_bytes() == b"weights"


def test_a_damaged_file_is_named(bundle_path):
    """One flipped byte, and the server says which file."""
    (bundle_path / "network.bin").write_bytes(b"weighty")
    with pytest.raises(BundleError, match="toy/network.bin is damaged"):
        load_bundle(bundle_path, kind="toy_kind")


def test_a_missing_file_is_named(bundle_path):
    """A file that was not copied along is named."""
    (bundle_path / "network.bin").unlink()
    with pytest.raises(BundleError, match="toy/network.bin is missing"):
        load_bundle(bundle_path, kind="toy_kind")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read"),
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        (json.dumps({**BASICS}), '"files"'),
        (json.dumps({**BASICS, "kind": "other", "files": {}}), 'of kind "other"'),
    ],
)
def test_a_bad_manifest_is_explained(bundle_path, content, complaint):
    """Each way in which bundle.json can be wrong has its own words."""
    manifest = bundle_path / MANIFEST
    manifest.unlink() if content is None else manifest.write_text(content)
    with pytest.raises(BundleError, match=complaint):
        load_bundle(bundle_path, kind="toy_kind")


def test_files_and_keys_that_are_not_listed(bundle_path):
    """A file that nobody checked and a key that nobody wrote are errors."""
    (bundle_path / "stray.bin").write_bytes(b"?")
    bundle = load_bundle(bundle_path, kind="toy_kind")
    with pytest.raises(BundleError, match=r"does not list stray\.bin"):
        bundle.file("stray.bin")
    with pytest.raises(BundleError, match='no "preprocessing"'):
        bundle.read("preprocessing")
