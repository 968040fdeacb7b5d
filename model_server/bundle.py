"""Bundles: self-contained folders from which models are loaded.

    <name>/bundle.json     what the model is; sha256 of every other file
           MODEL_CARD.md   and the files that bundle.json names

``bundle.json`` always has "name", "version", "kind", "license", "files" (name →
sha256); what else it has depends on the kind and is read by that kind's loader
through :meth:`Bundle.read`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_server.errors import BundleError

__all__ = ["BUNDLES", "MANIFEST", "Bundle", "load_bundle", "sha256_of", "write_manifest"]

BUNDLES = Path(__file__).parent / "bundles"
"""Where the bundles that come with the server lie."""

MANIFEST = "bundle.json"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files were found whole.

    Attributes:
        path: Its folder.
        manifest: What bundle.json says.
    """

    path: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Such as "photos"."""
        return str(self.manifest["name"])

    @property
    def version(self) -> str:
        """Name and version, such as "photos-1"; changes whenever the answers may change."""
        return f"{self.name}-{self.manifest['version']}"

    def read(self, key: str) -> Any:
        """What bundle.json says under ``key``.

        Raises:
            BundleError: There is no such key.
        """
        try:
            return self.manifest[key]
        except KeyError:
            raise BundleError(f'{self.path.name}/{MANIFEST} has no "{key}"') from None

    def file(self, name: str) -> Path:
        """Path of the file called ``name``.

        Raises:
            BundleError: bundle.json does not list it, so nobody checked it.
        """
        if name not in self.manifest["files"]:
            raise BundleError(f"{self.path.name}/{MANIFEST} does not list {name}")
        return self.path / name


def load_bundle(path: Path, *, kind: str) -> Bundle:
    """Reads the bundle in the folder ``path`` and checks every file's hash.

    Raises:
        BundleError: Something is missing, damaged, or of another kind; the
            message names the file.
    """
    manifest_path = path / MANIFEST
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(f"{path.name}/{MANIFEST} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BundleError(f"{path.name}/{MANIFEST} is not JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise BundleError(f"{path.name}/{MANIFEST} is not a JSON object")
    for key in ("name", "version", "kind", "license", "files"):
        if key not in manifest:
            raise BundleError(f'{path.name}/{MANIFEST} has no "{key}"')
    if manifest["kind"] != kind:
        raise BundleError(f'{path.name} is of kind "{manifest["kind"]}", not "{kind}"')
    for name, expected in manifest["files"].items():
        file = path / name
        if not file.is_file():
            raise BundleError(f"{path.name}/{name} is missing; fetch the bundle again")
        if sha256_of(file) != expected:
            raise BundleError(
                f"{path.name}/{name} is damaged or of another version "
                f"(its sha256 is not the one in {MANIFEST}); fetch the bundle again"
            )
    return Bundle(path, manifest)


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Writes ``bundle.json`` into the folder ``path``, listing every file there with its hash."""
    files = {
        str(file.relative_to(path)): sha256_of(file)
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.name != MANIFEST
    }
    text = json.dumps({**manifest, "files": files}, indent=2, ensure_ascii=False)
    (path / MANIFEST).write_text(text + "\n", encoding="utf-8")


def sha256_of(file: Path) -> str:
    """Hex digest of the file's content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
