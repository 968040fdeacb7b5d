"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _sortable(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _celebrity_key(*, primary_key: bool = False, index: bool = False) -> sa.Column[int]:
    return sa.Column(
        "celebrity_key",
        _KEY,
        sa.ForeignKey("celebrities.key", ondelete="CASCADE"),
        nullable=False,
        primary_key=primary_key,
        index=index,
    )


def upgrade() -> None:
    """Makes the tables as ``schema.py`` has them."""
    op.create_table(
        "celebrities",
        sa.Column("key", _KEY, primary_key=True),
        sa.Column("id", _sortable(63), nullable=False, unique=True),
        sa.Column("display_name", sa.String(200), nullable=False),
        sa.Column("sort_key", _sortable(400), nullable=False),
        sa.Column("search_key", sa.Text, nullable=False),
        sa.Column("aliases", sa.JSON, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("wikidata_id", sa.String(20), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False, index=True),
        sa.Column("faces_revision", sa.BigInteger, nullable=False, index=True),
        sa.Index("ix_celebrities_sort_key_id", "sort_key", "id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "celebrity_tags",
        sa.Column("tag", _sortable(130), primary_key=True),
        _celebrity_key(primary_key=True, index=True),
    )
    op.create_table(
        "pictures",
        sa.Column("id", _KEY, primary_key=True),
        _celebrity_key(index=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("quality", sa.Float, nullable=False),
    )
    op.create_table(
        "faces",
        sa.Column("id", _KEY, primary_key=True),
        _celebrity_key(),
        sa.Column("embedder_version", sa.String(100), nullable=False),
        sa.Column("embedding", sa.LargeBinary, nullable=False),
        sa.Column("quality", sa.Float, nullable=False),
        sa.Column("photo_digest", sa.String(64)),
        sa.Column("picture_id", _KEY, sa.ForeignKey("pictures.id", ondelete="CASCADE"), index=True),
        sa.Column("from_seed", sa.Boolean, nullable=False),
        sa.UniqueConstraint("celebrity_key", "embedder_version", "photo_digest"),
    )
    op.create_table(
        "deletions",
        sa.Column("celebrity_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("celebrity_id", sa.String(63), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False, index=True),
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    counter = op.create_table(
        "revision",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counter, [{"id": 1, "value": 0}])
