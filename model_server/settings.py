"""What can be set, from the environment, a .env file or a folder of secrets.

Every name starts with ``LOOKALIKE_``: ``LOOKALIKE_PORT=50051``. Secrets can also be
files, one a setting, in the folder that ``LOOKALIKE_SECRETS_DIR`` names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import platformdirs
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from model_server.bundle import BUNDLES
from model_server.cores import usable_cores
from model_server.limits import MAX_MESSAGE_BYTES, MOST_PIXELS, ImageLimits

__all__ = ["ServerSettings"]

_PRIVATE: Mapping[str, Any] = {
    "tls_certificate": None,
    "tls_key": None,
    "tls_client_ca": None,
    "admin_tokens": (),
    "metrics_port": None,
    "health_port": None,
}


class ServerSettings(BaseSettings):
    """Settings of the model server; built once, in main()."""

    model_config = SettingsConfigDict(
        env_prefix="LOOKALIKE_", env_file=".env", extra="ignore", frozen=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    port: int = Field(50051, ge=0, le=65535, description="0 takes a free one.")
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Prometheus metrics; unset: none."
    )
    health_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Health checks without TLS, and nothing else; unset: only at port.",
    )

    data_dir: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("lookalike"),
        description="Where the gallery's database lies.",
    )
    cache_dir: Path = Field(
        default_factory=lambda: platformdirs.user_cache_path("lookalike"),
        description="Where downloaded portraits are kept.",
    )
    database_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of the gallery; unset: SQLite in data_dir."
    )
    bundles_dir: Path = Field(BUNDLES, description="Where the models lie.")
    engine: Literal["openvino", "torch"] = Field(
        "openvino", description="What runs the captioners; torch uses CUDA where there is one."
    )

    threads: int = Field(default_factory=usable_cores, ge=1, description="Cores to use.")
    max_in_flight: int = Field(
        16, ge=1, description="Photos worked on or waiting; one more is turned away."
    )
    drain_s: float = Field(30.0, ge=0, description="Seconds that running calls get at the end.")
    max_photo_bytes: int = Field(
        20 * 2**20,
        ge=1024,
        le=MAX_MESSAGE_BYTES,
        description="Size of a photo's file; no larger than a message.",
    )
    max_photo_pixels: int = Field(
        80_000_000, ge=1024, le=MOST_PIXELS, description="Pixels of a photo."
    )

    tls_certificate: Path | None = Field(None, description="PEM file; turns TLS on.")
    tls_key: Path | None = Field(None, description="PEM file of the certificate's key.")
    tls_client_ca: Path | None = Field(
        None, description="PEM file; callers must show a certificate of this authority (mTLS)."
    )
    tokens: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Bearer tokens that may call, separated by commas; none: everyone may."
    )
    admin_tokens: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Bearer tokens that may change the gallery; none: every caller may."
    )

    contact: str = Field(
        "",
        description="Mail address or URL that Wikimedia can reach the operator by; "
        "unset: Wikimedia is not asked.",
    )
    google_api_key: SecretStr | None = Field(None, description="Google Custom Search: API key.")
    google_cx: str | None = Field(None, description="Google Custom Search: engine id.")
    wikidata_url: str = Field("https://www.wikidata.org", description="Base URL, for mirrors.")
    commons_url: str = Field("https://commons.wikimedia.org", description="Base URL, for mirrors.")
    google_url: str | None = Field(None, description="Base URL, for tests; unset: Google's.")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR."
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("tokens", "admin_tokens", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _whole_tls(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are needed together")
        if self.tls_client_ca and not self.tls_certificate:
            raise ValueError("tls_client_ca needs tls_certificate and tls_key")
        return self

    @classmethod
    def load(cls, *, private: bool = False, **given: Any) -> ServerSettings:
        """Reads the settings, secrets from ``LOOKALIKE_SECRETS_DIR`` included.

        Args:
            private: For the one on this machine who starts the server: no TLS, no admin
                tokens, no metrics and no port for health checks, wherever they are set.
            given: Settings that count more than any other.

        Raises:
            ValidationError: A setting cannot be meant.
        """
        secrets = os.environ.get("LOOKALIKE_SECRETS_DIR")
        return cls(_secrets_dir=secrets or None, **{**(_PRIVATE if private else {}), **given})

    @property
    def gallery_url(self) -> str:
        """SQLAlchemy URL of the gallery's database."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'gallery.sqlite3'}"

    @property
    def image_limits(self) -> ImageLimits:
        """What a photo may be."""
        return ImageLimits(max_bytes=self.max_photo_bytes, max_pixels=self.max_photo_pixels)
