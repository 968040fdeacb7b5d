"""The gallery's tables, and how its database is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine, make_url

from model_server.errors import GalleryUnavailableError

__all__ = ["CELEBRITIES", "DELETIONS", "FACES", "FACTS", "METADATA", "connect"]

METADATA = sa.MetaData()

CELEBRITIES = sa.Table(
    "celebrities",
    METADATA,
    sa.Column("id", sa.String(63), primary_key=True),
    sa.Column("display_name", sa.String(200), nullable=False),
    sa.Column("sort_key", sa.String(400), nullable=False, index=True),
    sa.Column("search_key", sa.Text, nullable=False),
    sa.Column("aliases", sa.JSON, nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("wikidata_id", sa.String(20), nullable=False),
    sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False, index=True),
)

FACES = sa.Table(
    "faces",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "celebrity_id",
        sa.ForeignKey("celebrities.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("embedding", sa.LargeBinary, nullable=False),  # little-endian float16
    sa.Column("quality", sa.Float, nullable=False),
    # sha256 of the photo; NULL for faces of the seed, which have none.
    sa.Column("photo_digest", sa.String(64)),
    sa.Column("picture", sa.LargeBinary),
    sa.UniqueConstraint("celebrity_id", "photo_digest"),
)

# Who was deleted, so that other replicas forget them too.
DELETIONS = sa.Table(
    "deletions",
    METADATA,
    sa.Column("revision", sa.BigInteger, primary_key=True),
    sa.Column("celebrity_id", sa.String(63), nullable=False),
)

FACTS = sa.Table(
    "facts",
    METADATA,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


def connect(url: str) -> Engine:
    """An engine for the database.

    Raises:
        GalleryUnavailableError: The folder of an SQLite file cannot be made.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed, pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        try:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GalleryUnavailableError(
                f"the data directory cannot be made ({error.strerror}): "
                "set LOOKALIKE_DATA_DIR to one that can be written"
            ) from error
    engine = sa.create_engine(parsed, connect_args={"timeout": 10})

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        # Readers do not wait for the writer, and a killed process loses nothing committed.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine
