"""What the README promises."""

import re
from pathlib import Path

import pytest

from bots.core.settings import BotSettings
from bots.discord.settings import DiscordSettings
from bots.telegram.settings import TelegramSettings
from model_server.settings import ServerSettings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "settings", [ServerSettings, BotSettings, TelegramSettings, DiscordSettings]
)
def test_every_setting_is_documented(settings):
    """Whoever adds a setting tells users."""
    missing = [
        name for name in settings.model_fields if f"`LOOKALIKE_{name.upper()}`" not in README
    ]
    assert missing == []


def test_every_link_into_the_project_leads_somewhere():
    """No picture and no page is missing."""
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_program_is_documented():
    """The table of programs is that of pyproject.toml."""
    scripts = (ROOT / "pyproject.toml").read_text().partition("[project.scripts]")[2]
    names = re.findall(r"^(lookalike[\w-]*) =", scripts.partition("\n[")[0], re.MULTILINE)
    assert len(names) >= 6
    assert [name for name in names if f"| `{name}` |" not in README] == []
