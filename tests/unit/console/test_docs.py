"""docs/console.md says what the console does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from bots.console.errors import ExitCode
from bots.console.jsonout import analysis_json
from tests.support.fake_server import analysis, face

DOCS = (Path(__file__).parents[3] / "docs" / "console.md").read_text(encoding="utf-8")


def shape(value):
    """Keys and types of a JSON value; of lists, their first element's."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items() if key != "timings_ms"}
    if isinstance(value, list):
        return [shape(value[0])]
    return type(value).__name__


def test_the_json_in_the_docs_has_the_real_shape():
    """Whoever writes a script reads that example."""
    block = re.search(r"```json\n(.*?)```", DOCS, re.DOTALL)
    assert block
    example = json.loads(block.group(1))
    real = analysis_json("photo.jpg", analysis(face(matches=1)))
    assert shape(example) == shape(real)
    assert "timings_ms" in example


def test_the_exit_codes_in_the_docs_are_the_real_ones():
    """All of them, and no others."""
    rows = re.findall(r"^\| (\d+) \|", DOCS, re.MULTILINE)
    assert [int(row) for row in rows] == [int(code) for code in ExitCode]


def test_every_command_in_the_docs_exists(call):
    """With the options it is shown with."""
    for line in re.findall(r"^lookalike (.*?)(?:\s+#.*)?$", DOCS, re.MULTILINE):
        words = line.split()
        command = words[:2] if words[0] == "celebrities" else words[:1]
        help_text = call(*command, "--help").stdout
        for option in re.findall(r"--[a-z-]+", line):
            assert option in help_text, line
