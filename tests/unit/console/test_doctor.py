"""``lookalike doctor``."""

from __future__ import annotations

import json

from bots.console import doctor


def checks(result):
    """The checks by what they looked at."""
    return {check["what"]: check for check in json.loads(result.stdout)["checks"]}


def test_all_is_well_with_a_server(lookalike):
    """Alive, loaded, and how many are in the gallery."""
    result = lookalike("doctor", "--json")
    assert result.exit_code == 0
    found = checks(result)
    assert found["model server"]["state"] == "ok"
    assert found["models"]["state"] == "ok"
    assert found["gallery"]["says"].startswith("30 celebrities")
    assert [c["part"] for c in found.values()] == sorted(
        [c["part"] for c in found.values()],
        key=["installed", "configured", "reachable"].index,
    )


def test_no_server_is_bad_and_has_a_remedy(call):
    """The exit code tells scripts."""
    result = call("doctor", "--server", "127.0.0.1:1", "--json")
    assert result.exit_code == 1
    assert checks(result)["model server"]["state"] == "bad"
    assert "make run" in checks(result)["model server"]["says"]


def test_what_is_missing_names_how_to_get_it(lookalike, monkeypatch):
    """Missing libraries are notes: not everyone needs them."""
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "torch" else object())
    found = checks(lookalike("doctor", "--json"))
    assert found["torch"]["state"] == "note"
    assert 'pip install "lookalike[training]"' in found["torch"]["says"]


def test_the_one_program_that_bots_use_is_looked_for(lookalike, monkeypatch):
    """A voice; what makes sound and video of its own accord is a library."""
    monkeypatch.setattr(doctor.shutil, "which", lambda _: None)
    found = checks(lookalike("doctor", "--json"))
    assert found["espeak-ng"]["state"] == "note"
    assert found["espeak-ng"]["says"] == "missing, for speech without Google"
    assert "ffmpeg" not in found


def test_settings_are_seen_wherever_they_are(lookalike, monkeypatch, tmp_path):
    """The environment, the .env file, the folder of secrets."""
    monkeypatch.setenv("LOOKALIKE_TELEGRAM_TOKEN", "12345:secret")
    (tmp_path / ".env").write_text("LOOKALIKE_DISCORD_TOKEN = secret\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "lookalike_google_api_key").write_text("secret")
    monkeypatch.setenv("LOOKALIKE_SECRETS_DIR", str(tmp_path / "secrets"))
    result = lookalike("doctor", "--json")
    found = checks(result)
    for name in ("TELEGRAM_TOKEN", "DISCORD_TOKEN", "GOOGLE_API_KEY"):
        assert found[f"LOOKALIKE_{name}"]["state"] == "ok", name
    assert found["LOOKALIKE_CONTACT"]["state"] == "note"
    assert "secret" not in result.output.replace(str(tmp_path), "")


def test_a_data_folder_that_cannot_be_written_is_bad(lookalike, monkeypatch, tmp_path):
    """The gallery would not start."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LOOKALIKE_DATA_DIR", str(tmp_path / "file" / "data"))
    result = lookalike("doctor", "--json")
    assert result.exit_code == 1
    assert checks(result)["data folder"]["state"] == "bad"


def test_a_setting_that_does_not_fit_is_bad(call, monkeypatch):
    """And named."""
    monkeypatch.setenv("LOOKALIKE_DEADLINE_S", "soon")
    result = call("doctor", "--json")
    assert result.exit_code == 1
    assert checks(result)["LOOKALIKE_DEADLINE_S"]["state"] == "bad"


def test_people_get_a_table(lookalike):
    """Three headings, one line a check."""
    text = lookalike("doctor").stdout
    assert text.index("Installed") < text.index("Configured") < text.index("Reachable")
    assert "alive at 127.0.0.1" in text
