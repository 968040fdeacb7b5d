"""Settings from the environment and from files."""

import pytest
from pydantic import ValidationError

from model_server.settings import ServerSettings


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOOKALIKE_SECRETS_DIR", raising=False)


def test_environment(monkeypatch):
    """Names carry the prefix; lists are separated by commas."""
    monkeypatch.setenv("LOOKALIKE_PORT", "1234")
    monkeypatch.setenv("LOOKALIKE_TOKENS", "one, two,")
    settings = ServerSettings.load()
    assert settings.port == 1234
    assert [token.get_secret_value() for token in settings.tokens] == ["one", "two"]


def test_secrets_from_files(monkeypatch, tmp_path):
    """Docker's and Kubernetes' secrets are files."""
    (tmp_path / "lookalike_google_api_key").write_text("from-a-file")
    monkeypatch.setenv("LOOKALIKE_SECRETS_DIR", str(tmp_path))
    assert ServerSettings.load().google_api_key.get_secret_value() == "from-a-file"


def test_secrets_are_not_shown(monkeypatch):
    """Printing the settings shows no token and no password."""
    monkeypatch.setenv("LOOKALIKE_TOKENS", "hush")
    monkeypatch.setenv("LOOKALIKE_DATABASE_URL", "postgresql://me:hush@db/x")
    assert "hush" not in repr(ServerSettings.load())


def test_the_gallery_lies_in_the_data_directory(tmp_path):
    """Without a database URL it is SQLite in the data directory."""
    settings = ServerSettings(_env_file=None, data_dir=tmp_path)
    assert settings.gallery_url == f"sqlite:///{tmp_path}/gallery.sqlite3"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"port": 70_000}, "65535"),
        ({"threads": 0}, "greater than or equal to 1"),
        ({"tls_certificate": "a.pem"}, "needed together"),
        ({"tls_client_ca": "a.pem"}, "needs tls_certificate"),
    ],
)
def test_mistakes_are_explained(values, complaint):
    """A setting that cannot be meant stops the start with its reason."""
    with pytest.raises(ValidationError, match=complaint):
        ServerSettings(_env_file=None, **values)
