"""Generates the Python code that lies beside the .proto files.

    python protos/generate.py            write it into protos/
    python protos/generate.py --check    exit 1 where what is committed differs

The generator (the dependency group "protos") is grpcio-tools 1.81: the newest whose
code both the protobuf 6 and the protobuf 7 runtime load. It asks for protobuf 6
itself, so it lives in a folder of its own (build/generator) and never meets the
project's packages.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROTOS = Path(__file__).resolve().parent
TOOLS = PROTOS.parent / "build" / "generator"


def install_tools(tools: Path = TOOLS) -> None:
    """Puts the generator and its plugin into ``tools`` unless they are there."""
    if (tools / "bin" / "protoc-gen-mypy_grpc").exists():
        return
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-warn-conflicts"]
    subprocess.run(
        [*command, "--target", str(tools), "--group", "protos"], check=True, cwd=PROTOS.parent
    )


def generate(destination: Path, tools: Path = TOOLS) -> None:
    """Writes ``*_pb2.py``, ``*_pb2_grpc.py`` and their stubs below ``destination``."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("lookalike/**/*.proto"))
    well_known = tools / "grpc_tools" / "_proto"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"--proto_path={PROTOS}",
            f"--proto_path={well_known}",
            f"--plugin=protoc-gen-mypy_grpc={tools / 'bin' / 'protoc-gen-mypy_grpc'}",
            f"--python_out={destination}",
            f"--pyi_out={destination}",
            f"--grpc_python_out={destination}",
            f"--mypy_grpc_out={destination}",
            *sources,
        ],
        check=True,
        cwd=PROTOS,
        env={**os.environ, "PYTHONPATH": str(tools)},
    )


def differences(tools: Path = TOOLS) -> list[str]:
    """Names of generated files that are missing or differ from what is committed."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh, tools)
        wanted = _generated(fresh)
    found = _generated(PROTOS)
    return sorted(
        str(name) for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
    )


def _generated(folder: Path) -> dict[Path, str]:
    """Text of the generated files below ``folder``, by their place in it."""
    files = [*folder.rglob("*_pb2*.py"), *folder.rglob("*_pb2*.pyi")]
    return {file.relative_to(folder): file.read_text(encoding="utf-8") for file in files}


def main() -> int:
    """Runs the command line; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    install_tools()
    if not arguments.check:
        generate(PROTOS)
        return 0
    stale = differences()
    for name in stale:
        print(f"not what the .proto files give: protos/{name}", file=sys.stderr)
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
