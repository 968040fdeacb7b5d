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


def test_a_private_server_is_reached_without_what_the_public_one_asks_for(monkeypatch, tmp_path):
    """Set in the environment, in .env or as a secret: the rest of the settings counts."""
    (tmp_path / ".env").write_text("LOOKALIKE_TLS_KEY=key.pem\nLOOKALIKE_THREADS=3\n")
    (tmp_path / "lookalike_admin_tokens").write_text("hush")
    monkeypatch.setenv("LOOKALIKE_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("LOOKALIKE_TLS_CERTIFICATE", "certificate.pem")
    monkeypatch.setenv("LOOKALIKE_TLS_CLIENT_CA", "authority.pem")
    monkeypatch.setenv("LOOKALIKE_METRICS_PORT", "9464")
    monkeypatch.setenv("LOOKALIKE_HEALTH_PORT", "50052")
    monkeypatch.setenv("LOOKALIKE_TOKENS", "mine")
    settings = ServerSettings.load(private=True)
    assert settings.threads == 3
    assert [token.get_secret_value() for token in settings.tokens] == ["mine"]
    assert settings.tls_certificate is settings.tls_key is settings.tls_client_ca is None
    assert settings.admin_tokens == ()
    assert settings.metrics_port is None
    assert settings.health_port is None


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
        ({"max_photo_bytes": 25 * 2**20}, "less than or equal to 25165824"),
        ({"max_photo_pixels": 179_000_000}, "less than or equal to 178956970"),
        ({"log_level": "verbose"}, "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ({"tls_certificate": "a.pem"}, "needed together"),
        ({"tls_client_ca": "a.pem"}, "needs tls_certificate"),
    ],
)
def test_mistakes_are_explained(values, complaint):
    """A setting that cannot be meant stops the start with its reason."""
    with pytest.raises(ValidationError, match=complaint):
        ServerSettings(_env_file=None, **values)


def test_a_log_level_in_small_letters(monkeypatch):
    """It is the same level."""
    monkeypatch.setenv("LOOKALIKE_LOG_LEVEL", "warning")
    assert ServerSettings.load().log_level == "WARNING"


def test_what_is_given_counts_most(monkeypatch):
    """More than the environment, and it is checked like everything else."""
    monkeypatch.setenv("LOOKALIKE_PORT", "1234")
    assert ServerSettings.load(port=4321).port == 4321
    assert ServerSettings.load(private=True, metrics_port=9999).metrics_port == 9999
    with pytest.raises(ValidationError, match="65535"):
        ServerSettings.load(port=70_000)


@pytest.mark.parametrize(
    ("arguments", "level", "complaint"),
    [
        (["--metrics-port", "70000"], "INFO", "--metrics-port: "),
        (["--port", "-1"], "INFO", "--port: "),
        ([], "verbose", "LOOKALIKE_LOG_LEVEL: "),
    ],
)
def test_the_program_names_the_mistake(monkeypatch, capsys, arguments, level, complaint):
    """One line and an exit status instead of a traceback."""
    from model_server.__main__ import main

    monkeypatch.setenv("LOOKALIKE_LOG_LEVEL", level)
    assert main(arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(complaint)
