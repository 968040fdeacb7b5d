"""Names are folded anew: ł, ø and their like count as l and o, joiners do not count."""

import sqlalchemy as sa
from alembic import op

from model_server.gallery.records import folded_columns

revision = "0002"
down_revision = "0001"

_CELEBRITIES = sa.table(
    "celebrities",
    sa.column("key", sa.BigInteger),
    sa.column("display_name", sa.String),
    sa.column("aliases", sa.JSON),
    sa.column("sort_key", sa.String),
    sa.column("search_key", sa.Text),
)

_PEOPLE_AT_ONCE = 10_000


def upgrade() -> None:
    """Changes what people are ordered and searched by, where it changes; ids stay."""
    connection = op.get_bind()
    key, last = _CELEBRITIES.c.key, 0
    some = sa.select(_CELEBRITIES).order_by(key).limit(_PEOPLE_AT_ONCE)
    change = (
        sa.update(_CELEBRITIES)
        .where(key == sa.bindparam("changed_key"))
        .values(sort_key=sa.bindparam("sort_key"), search_key=sa.bindparam("search_key"))
    )
    while rows := connection.execute(some.where(key > last)).all():
        last = rows[-1].key
        changed = [
            {"changed_key": row.key, **folded}
            for row in rows
            if (folded := folded_columns(row.display_name, row.aliases))
            != {"sort_key": row.sort_key, "search_key": row.search_key}
        ]
        if changed:
            connection.execute(change, changed)
