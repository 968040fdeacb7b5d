"""Puts the seed's people into a gallery: at first start, and when a new seed comes."""

from __future__ import annotations

import sqlalchemy as sa

from model_server.gallery.records import NewFace
from model_server.gallery.schema import CELEBRITIES, DELETIONS, FACES
from model_server.gallery.seed import Seed
from model_server.gallery.store import SEED_FACT, GalleryStore, set_fact

__all__ = ["plant"]


def plant(store: GalleryStore, seed: Seed) -> bool:
    """Adds the seed's people, unless this very seed was planted before.

    Who was deleted stays away; names and tags that an operator changed stay as they are,
    and so do the faces that operators enrolled.

    Returns:
        Whether there was something to do.
    """
    name = f"{SEED_FACT}{store.embedder_version}"[:40]
    if store.fact(name) == seed.version:
        return False
    people = list(seed.people())
    with store.writing() as (connection, revision):
        deleted = set(connection.scalars(sa.select(DELETIONS.c.celebrity_id)))
        known = store.keys_of(connection, [celebrity.id for celebrity, _ in people])
        new = [
            (celebrity, faces)
            for celebrity, faces in people
            if celebrity.id not in known and celebrity.id not in deleted
        ]
        # First the old faces go, else the new people would lose theirs with them.
        _renew(store, connection, revision, [(known[c.id], f) for c, f in people if c.id in known])
        if new:
            store.insert(connection, revision, new, from_seed=True)
        set_fact(connection, name, seed.version)
    return True


def _renew(
    store: GalleryStore,
    connection: sa.Connection,
    revision: int,
    people: list[tuple[int, list[NewFace]]],
) -> None:
    """Replaces the seed's faces of people who are there already."""
    if not people:
        return
    connection.execute(
        sa.delete(FACES).where(
            FACES.c.from_seed, FACES.c.embedder_version == store.embedder_version
        )
    )
    faces = [(key, face) for key, new in people for face in new]
    store.insert_faces(connection, faces, from_seed=True)
    connection.execute(
        sa.update(CELEBRITIES)
        .where(CELEBRITIES.c.key == sa.bindparam("changed_key"))
        .values(revision=revision, faces_revision=revision),
        [{"changed_key": key} for key, _ in people],
    )
