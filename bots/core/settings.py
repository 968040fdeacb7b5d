"""What all bots can be told, from the environment, a .env file or a folder of secrets.

Every name starts with ``LOOKALIKE_``: ``LOOKALIKE_SERVER=localhost:50051``. Secrets can
also be files, one a setting, in the folder that ``LOOKALIKE_SECRETS_DIR`` names.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

import platformdirs
from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["BotSettings", "NsfwPolicy", "SpeechMode"]


class NsfwPolicy(StrEnum):
    """What becomes of a photo that is probably not safe for work."""

    SHOW = "show"
    SPOILER = "spoiler"
    REFUSE = "refuse"


class SpeechMode(StrEnum):
    """Who speaks."""

    OFFLINE = "offline"
    """espeak-ng, on this machine."""
    GOOGLE = "google"
    """Google Translate's voice, which is sent the spoken words; espeak-ng where it is silent."""
    OFF = "off"


LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda name: name.upper() if isinstance(name, str) else name),
]
"""In capitals or not: the libraries of the bots differ in what they take."""


class BotSettings(BaseSettings):
    """Settings that every bot has; a platform derives its own from it."""

    model_config = SettingsConfigDict(
        env_prefix="LOOKALIKE_", env_file=".env", extra="ignore", frozen=True
    )

    server: str = Field("localhost:50051", description="Model server, HOST:PORT or a gRPC target.")
    server_token: SecretStr | None = Field(None, description="Bearer token for the model server.")
    server_tls: bool = Field(False, description="Talk to the model server over TLS.")
    server_ca: Path | None = Field(
        None, description="PEM file of the authority of the server's certificate; turns TLS on."
    )
    server_client_certificate: Path | None = Field(None, description="PEM file, for mTLS.")
    server_client_key: Path | None = Field(None, description="PEM file, for mTLS.")
    deadline_s: float = Field(20.0, gt=0, description="Seconds an answer may take, retries too.")
    calls_at_once: int = Field(8, ge=1, description="Photos of a bot at the server at a time.")

    photos_per_minute: int = Field(30, ge=1, description="Photos a person may send a minute.")
    chat_photos_per_minute: int = Field(60, ge=1, description="Photos a group may send a minute.")
    queue_per_user: int = Field(20, ge=1, description="Photos of one person that may wait.")

    max_faces: int = Field(6, ge=1, le=10, description="Faces that an answer shows.")
    nsfw_threshold: float = Field(0.8, ge=0, le=1, description="Score from which a photo counts.")
    nsfw_private: NsfwPolicy = Field(NsfwPolicy.SPOILER, description="In a private chat.")
    nsfw_group: NsfwPolicy = Field(NsfwPolicy.REFUSE, description="In a group.")
    answers_kept: int = Field(500, ge=1, description="Answers in memory, for their buttons.")
    answers_kept_s: float = Field(3600.0, gt=0, description="Seconds they are kept at the most.")

    speech: SpeechMode = Field(SpeechMode.OFFLINE, description="offline, google or off.")
    data_dir: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("lookalike"),
        description="Where the settings of users and chats lie.",
    )
    privacy_contact: str = Field("", description="Whom /privacy names for questions.")
    log_level: LogLevel = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @model_validator(mode="after")
    def _whole_tls(self) -> Self:
        if (self.server_client_certificate is None) != (self.server_client_key is None):
            raise ValueError("server_client_certificate and server_client_key go together")
        return self

    @classmethod
    def load(cls) -> Self:
        """Reads the settings, secrets from ``LOOKALIKE_SECRETS_DIR`` included."""
        secrets = os.environ.get("LOOKALIKE_SECRETS_DIR")
        return cls(_secrets_dir=secrets) if secrets else cls()
