"""Page tokens: opaque to callers, checked when they come back."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence

from model_server.errors import InvalidPageTokenError
from model_server.gallery.reader import Position

__all__ = ["PageTokens"]

_DIGEST_BYTES = 12


class PageTokens:
    """Makes and reads page tokens; all replicas of one gallery understand each other's.

    Args:
        gallery_id: Of the gallery whose pages these are.
    """

    def __init__(self, gallery_id: str) -> None:
        self._key = gallery_id.encode()

    def make(self, last: Position, query: str, tags: Sequence[str]) -> str:
        """The token of the page behind the celebrity at ``last``."""
        data = json.dumps(last, ensure_ascii=False).encode()
        return base64.urlsafe_b64encode(self._digest(data, query, tags) + data).decode()

    def read(self, token: str, query: str, tags: Sequence[str]) -> Position | None:
        """Behind whom the page starts; None for the first page.

        Raises:
            InvalidPageTokenError: The token was not given for this gallery and query.
        """
        if not token:
            return None
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raw = b""
        digest, data = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        if not hmac.compare_digest(digest, self._digest(data, query, tags)):
            raise InvalidPageTokenError(
                "page_token is not one that this server gave for this query: "
                "start with the first page",
                metadata={"field": "page_token"},
            )
        rank, sort_key, celebrity_id = json.loads(data)
        return int(rank), str(sort_key), str(celebrity_id)

    def _digest(self, data: bytes, query: str, tags: Sequence[str]) -> bytes:
        said = json.dumps([query, sorted(set(tags))]).encode()
        return hmac.digest(self._key, said + b"\0" + data, hashlib.sha256)[:_DIGEST_BYTES]
