"""The generated code is what the .proto files give, and loads under old and new runtimes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build" / "generator"

IMPORT_AND_ROUND_TRIP = """
import google.protobuf
from lookalike.v1 import celebrity_pb2, photo_pb2
print(google.protobuf.__version__.split(".")[0])
box = photo_pb2.BoundingBox(x=1, y=2, width=3, height=4)
response = photo_pb2.AnalyzePhotoResponse(faces=[photo_pb2.Face(box=box)])
assert photo_pb2.AnalyzePhotoResponse.FromString(response.SerializeToString()) == response
"""


@pytest.mark.parametrize(("major", "folders"), [("6", [TOOLS, ROOT / "protos"]), ("7", [])])
def test_generated_code_loads_under_both_runtimes(major, folders):
    """Users have protobuf 6 or 7; both can import the contract."""
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_AND_ROUND_TRIP],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == major


def test_generated_code_is_up_to_date():
    """Whoever changes a .proto file also commits what it generates."""
    result = subprocess.run(
        [sys.executable, str(ROOT / "protos" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
