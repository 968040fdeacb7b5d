"""Which programs are started, and where they find each other."""

from pathlib import Path

import pytest

from bots.supervisor import __main__ as main
from bots.supervisor.__main__ import SupervisorSettings, readable


def settings(**values):
    return SupervisorSettings(_env_file=None, **values)


def test_web_always_bots_with_tokens():
    """The page is always there, other bots where their token is set."""
    for nothing in ({}, {"telegram_token": "", "discord_token": ""}):
        names = [program.name for program in main._bots(settings(**nothing), "x:1", Path("port"))]
        assert names == ["web"]
    with_tokens = settings(telegram_token="1:a", discord_token="b")
    programs = main._bots(with_tokens, "x:1", Path("port"))
    assert [program.name for program in programs] == ["web", "telegram", "discord"]
    assert {program.environment["LOOKALIKE_SERVER"] for program in programs} == {"x:1"}
    # Tokens travel in the environment, where other users of the machine cannot see them.
    assert not any("1:a" in part for program in programs for part in program.command)


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ({}, "127.0.0.1:7000"),
        ({"host": "0.0.0.0"}, "127.0.0.1:7000"),
        ({"host": "10.0.0.5"}, "10.0.0.5:7000"),
        ({"server": "lookalike.example:443"}, "lookalike.example:443"),
    ],
)
def test_address_of_the_server(values, address):
    """Bots use the name that was set, else the address that the server listens on."""
    assert main._address(settings(**values), 7000) == address


def test_summary_says_what_else_there_is():
    """The page, the API, the terminal, and how to start the other bots."""
    with_token = settings(web_port=1234, telegram_token="t")
    text = "\n".join(main._summary(with_token, "x:1", has_page=True))
    assert "http://127.0.0.1:1234" in text
    assert "describe PHOTO" in text
    assert "LOOKALIKE_DISCORD_TOKEN" in text
    assert "LOOKALIKE_TELEGRAM_TOKEN" not in text


def test_summary_names_no_page_that_is_not_ours():
    """Where the page could not be started, its address is somebody else's."""
    text = "\n".join(main._summary(settings(web_port=1234), "x:1", has_page=False))
    assert "http://" not in text
    assert "Is port 1234 taken?" in text


def test_wrong_setting_is_named(monkeypatch, capsys):
    """A setting that cannot be read is named, without its value."""
    monkeypatch.setenv("LOOKALIKE_WEB_PORT", "secret")
    assert main.main([]) == 2
    error = capsys.readouterr().err
    assert "LOOKALIKE_WEB_PORT" in error
    assert "secret" not in error


def test_log_lines_for_people():
    """The server's JSON lines become words; other lines stay as they are."""
    line = '{"time": "t", "level": "INFO", "logger": "a", "message": "serving", "port": 1}'
    assert readable(line) == "serving port=1"
    warning = '{"level": "WARNING", "message": "slow"}'
    assert readable(warning) == "WARNING slow"
    for other in ("plain", "{broken", "[1]", '{"no": "message"}'):
        assert readable(other) == other
