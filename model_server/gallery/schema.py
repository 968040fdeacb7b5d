"""The gallery's tables.

Changes are made by the Alembic migrations in ``migrations``; a test compares both.
"""

from __future__ import annotations

import sqlalchemy as sa

__all__ = [
    "CELEBRITIES",
    "DELETIONS",
    "FACES",
    "FACTS",
    "METADATA",
    "PICTURES",
    "REVISION",
    "TAGS",
]

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts up only in a column of this very type.
_Key = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _sortable(length: int) -> sa.types.TypeEngine[str]:
    """Text that every database sorts alike: by code points."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


CELEBRITIES = sa.Table(
    "celebrities",
    METADATA,
    sa.Column("key", _Key, primary_key=True),
    sa.Column("id", _sortable(63), nullable=False, unique=True),
    sa.Column("display_name", sa.String(200), nullable=False),
    sa.Column("sort_key", _sortable(400), nullable=False),
    # All names folded, each after a line break, so that "starts with" can be asked in SQL.
    sa.Column("search_key", sa.Text, nullable=False),
    sa.Column("aliases", sa.JSON, nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("wikidata_id", sa.String(20), nullable=False),
    sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False, index=True),
    # Of the last change to the faces: other changes leave the index alone.
    sa.Column("faces_revision", sa.BigInteger, nullable=False, index=True),
    sa.Index("ix_celebrities_sort_key_id", "sort_key", "id"),
    sqlite_autoincrement=True,  # a key is never given twice: replicas would mix two people up
)

TAGS = sa.Table(
    "celebrity_tags",
    METADATA,
    sa.Column("tag", _sortable(130), primary_key=True),
    sa.Column(
        "celebrity_key",
        sa.ForeignKey("celebrities.key", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)

PICTURES = sa.Table(
    "pictures",
    METADATA,
    sa.Column("id", _Key, primary_key=True),
    sa.Column(
        "celebrity_key",
        sa.ForeignKey("celebrities.key", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("quality", sa.Float, nullable=False),
)

FACES = sa.Table(
    "faces",
    METADATA,
    sa.Column("id", _Key, primary_key=True),
    sa.Column(
        "celebrity_key",
        sa.ForeignKey("celebrities.key", ondelete="CASCADE"),
        nullable=False,
    ),
    # Faces of several embedders live side by side while servers move from one to the next.
    sa.Column("embedder_version", sa.String(100), nullable=False),
    sa.Column("embedding", sa.LargeBinary, nullable=False),  # little-endian float16
    sa.Column("quality", sa.Float, nullable=False),
    # sha256 of the photo; NULL for faces of the seed, which have none.
    sa.Column("photo_digest", sa.String(64)),
    sa.Column("picture_id", sa.ForeignKey("pictures.id", ondelete="CASCADE"), index=True),
    sa.Column("from_seed", sa.Boolean(create_constraint=False), nullable=False),
    sa.UniqueConstraint("celebrity_key", "embedder_version", "photo_digest"),
)

# Who was deleted, so that replicas forget them and a newer seed does not bring them back.
DELETIONS = sa.Table(
    "deletions",
    METADATA,
    sa.Column("celebrity_key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("celebrity_id", sa.String(63), nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False, index=True),
)

FACTS = sa.Table(
    "facts",
    METADATA,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

# One row. A writer raises it first of all and so waits for the writer before:
# revisions are committed in their order, and a replica that follows them misses nothing.
REVISION = sa.Table(
    "revision",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("value", sa.BigInteger, nullable=False),
)
