"""What the web bot can be told, on top of what every bot can."""

from __future__ import annotations

from pydantic import Field

from bots.core.settings import BotSettings

__all__ = ["WebSettings"]


class WebSettings(BotSettings):
    """Settings of the web page and its REST endpoints."""

    web_host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    web_port: int = Field(8080, ge=0, le=65535, description="Port; 0 takes a free one.")
    web_public_url: str = Field(
        "", description="How others reach the page, where that differs from what they ask for."
    )
    web_trusted_proxies: str = Field(
        "",
        description="Addresses and networks of proxies whose X-Forwarded-For is believed, "
        "by commas.",
    )
    web_max_photo_bytes: int = Field(20 * 2**20, ge=1, description="Size of an uploaded photo.")
    web_upload_s: float = Field(60.0, gt=0, description="Seconds that an upload may take.")
    web_requests_per_minute: int = Field(
        1200, ge=1, description="Requests without a photo that a client may send a minute."
    )
    web_live_per_client: int = Field(2, ge=1, description="Live views of a client at a time.")
    web_live_total: int = Field(16, ge=1, description="Live views of all clients at a time.")
