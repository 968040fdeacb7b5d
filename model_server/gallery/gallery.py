"""The gallery as the rest of the server sees it: store, index and scores in one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_server.analysis import FloatArray, Match, Similarity
from model_server.bundle import load_bundle
from model_server.errors import GalleryMismatchError
from model_server.gallery.cache import CelebrityCache
from model_server.gallery.celebrity import (
    Celebrity,
    check_celebrity,
    check_query,
    check_required_tags,
)
from model_server.gallery.database import Database
from model_server.gallery.enrolment import check_new_faces, photo_digest
from model_server.gallery.exact import Keys
from model_server.gallery.following import Follower
from model_server.gallery.index import FaceIndex
from model_server.gallery.pages import PageTokens
from model_server.gallery.planting import plant
from model_server.gallery.rebuild import Enroller, Rebuild, refuse_lost_people
from model_server.gallery.records import NewFace
from model_server.gallery.scoring import BestMatches, Scorer
from model_server.gallery.seed import Seed
from model_server.gallery.snapshots import IndexSnapshots
from model_server.gallery.store import GalleryStore

__all__ = ["MUTABLE_FIELDS", "Gallery", "Page", "photo_digest"]

log = logging.getLogger(__name__)

MUTABLE_FIELDS = ("display_name", "aliases", "tags", "wikidata_id")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    Attributes:
        celebrities: Of this page.
        next_token: Where the next page starts; empty on the last.
        total: Celebrities over all pages.
    """

    celebrities: tuple[Celebrity, ...]
    next_token: str
    total: int


class Gallery:
    """The celebrities. Thread-safe; what it cannot do without its database it says.

    Args:
        store: Where they are kept.
        seed: Reference and calibration for the scores.
        snapshots: Folder for saved indexes; None saves none.
        follow: Whether to take in what others change.

    Raises:
        GalleryUnavailableError: From every method that needs the database, where it does
            not answer or cannot be written.
    """

    def __init__(
        self,
        store: GalleryStore,
        seed: Seed,
        *,
        snapshots: Path | None = None,
        follow: bool = True,
    ) -> None:
        self.store = store
        self._seed = seed
        self._index = FaceIndex(seed.dimension, seed.hubness)
        gallery_id = store.gallery_id()
        self._tokens = PageTokens(gallery_id)
        self._cache = CelebrityCache(store)
        self._refreshing = threading.Lock()
        self._revision = -1
        identity = f"{gallery_id} {store.embedder_version} {seed.version}"
        self._snapshots = IndexSnapshots(snapshots, identity) if snapshots else None
        self._load()
        self._settler: threading.Thread | None = None
        self._rebuild: Rebuild | None = None
        self._follower = Follower(store.database, self.refresh) if follow else None

    @classmethod
    def open(
        cls,
        url: str,
        seed: Path,
        embedder_version: str,
        *,
        snapshots: Path | None = None,
        follow: bool = True,
    ) -> Gallery:
        """Opens the gallery; a new one is filled from the seed.

        Args:
            url: SQLAlchemy URL of the database.
            seed: Folder of the seed bundle.
            embedder_version: Of the embedder that will ask.
            snapshots: Folder for saved indexes; None: beside an SQLite file, else none.
            follow: Whether to take in what others change.

        Raises:
            GalleryMismatchError: Database or seed hold another embedder's vectors, and
                there are no pictures to embed anew.
            GalleryUnavailableError: The database cannot be used.
            BundleError: The seed is damaged.
        """
        loaded = Seed.load(load_bundle(seed, kind=Seed.KIND))
        if loaded.embedder_version != embedder_version:
            raise GalleryMismatchError(
                f"the bundle {loaded.version} was made with {loaded.embedder_version}, the server "
                f"runs {embedder_version}: use bundles that belong together, or make the "
                "gallery's anew with python -m training.gallery"
            )
        database = Database(url)
        try:
            store = GalleryStore(database, embedder_version, loaded.dimension)
            plant(store, loaded)
            refuse_lost_people(store)
            if snapshots is None and database.is_sqlite and database.url.database:
                snapshots = Path(f"{database.url.database}.index")
            return cls(store, loaded, snapshots=snapshots, follow=follow)
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Stops following changes, saves a large index, and closes the database."""
        if self._rebuild:
            self._rebuild.close()
        if self._follower:
            self._follower.close()
        if self._settler:
            self._settler.join()
        if self._snapshots and self._index.has_lists and self._saved_revision != self._revision:
            self._snapshots.save(self._index, self._revision)
        self.store.database.close()

    def __len__(self) -> int:
        """Faces that can be matched."""
        return len(self._index)

    # Faces

    def match(
        self, embeddings: FloatArray, *, max_matches: int, required_tags: Sequence[str] = ()
    ) -> list[tuple[Match, ...]]:
        """The celebrities that faces resemble.

        Args:
            embeddings: Unit rows, shape (N, D).
            max_matches: For each face, at most.
            required_tags: Only celebrities that carry all of these.

        Returns:
            For each face, best first.
        """
        allowed: Keys | None = None
        if required_tags:
            allowed = self._cache.keys_with_tags(required_tags)
        # How likely the best one is the person depends on the second, asked for or not.
        found = self._index.search(embeddings, max(max_matches, 2), allowed)
        people = self._cache.by_keys({hit.key for hits in found for hit in hits})
        scorer = self._scorer
        return [
            tuple(
                Match(people[hit.key], similarity)
                for hit, similarity in zip(hits, scorer.matches(hits), strict=True)
                if hit.key in people  # else deleted since the search
            )[:max_matches]
            for hits in found
        ]

    def compare(self, first: FloatArray, second: FloatArray) -> Similarity:
        """How alike two faces are; unit vectors, shape (D,) each."""
        cosine = float(first @ second)
        bias = float(self._seed.hubness.bias(np.stack([first, second])).mean())
        return self._scorer.pair(cosine, bias)

    # Celebrities

    def get(self, celebrity_id: str) -> Celebrity:
        """One celebrity.

        Raises:
            CelebrityNotFoundError: There is none of this id.
        """
        return self._cache.get(celebrity_id)

    def list(
        self,
        *,
        page_size: int,
        page_token: str = "",
        query: str = "",
        required_tags: Sequence[str] = (),
    ) -> Page:
        """Celebrities by display name, in pages.

        Args:
            page_size: Celebrities a page.
            page_token: Of the page before; empty for the first.
            query: Only names and aliases that contain this, whatever the case and the
                accents; those that start with it come first.
            required_tags: Only celebrities that carry all of these.

        Raises:
            InvalidRequestError: Query or tags are too long, too many or malformed.
            InvalidPageTokenError: The token is not one of this list.
        """
        check_query(query)
        check_required_tags(required_tags)
        after = self._tokens.read(page_token, query, required_tags)
        # One more than asked for tells whether there is a next page.
        rows, total = self.store.page(page_size + 1, after, query, required_tags)
        shown = rows[:page_size]
        more = len(rows) > page_size
        token = self._tokens.make(shown[-1][0], query, required_tags) if more else ""
        return Page(tuple(celebrity for _, celebrity in shown), token, total)

    def create(self, celebrity: Celebrity, faces: Sequence[NewFace] = ()) -> Celebrity:
        """Adds a celebrity with its faces, all or nothing.

        Raises:
            InvalidRequestError: A field is out of range.
            WrongPersonError: The faces are not of one person.
            DuplicatePhotoError: A photo comes twice.
            CelebrityExistsError: The id is taken.
        """
        check_celebrity(celebrity)
        check_new_faces(faces, (), celebrity.display_name, self._seed.calibration)
        created = self.store.create(celebrity, faces)
        self.refresh()
        return created

    def update(self, celebrity: Celebrity, fields: Sequence[str] = ()) -> Celebrity:
        """Changes the named fields, or all that can be changed.

        Raises:
            InvalidRequestError: A field is out of range.
            CelebrityNotFoundError: There is none of this id.
        """
        values = {name: getattr(celebrity, name) for name in fields or MUTABLE_FIELDS}
        stored = self.store.update(celebrity.id, values)
        self.refresh()
        return stored

    def delete(self, celebrity_id: str) -> None:
        """Removes a celebrity with all faces and pictures.

        Raises:
            CelebrityNotFoundError: There is none of this id.
        """
        self.store.delete(celebrity_id)
        self.refresh()

    def add_face(self, celebrity_id: str, face: NewFace) -> Celebrity:
        """Adds a face.

        Raises:
            CelebrityNotFoundError: There is no such celebrity.
            WrongPersonError: The face is far from the person's others.
            DuplicatePhotoError: The same photo is enrolled already.
        """
        name = self.get(celebrity_id).display_name
        enrolled = self.store.faces_of(celebrity_id)
        check_new_faces([face], enrolled, name, self._seed.calibration)
        changed = self.store.add_face(celebrity_id, face)
        self.refresh()
        return changed

    def picture_of(self, celebrity_id: str) -> bytes | None:
        """The best picture that is kept of a celebrity, JPEG."""
        return self.store.picture_of(celebrity_id)

    def rebuild(self, enroller: Enroller) -> Rebuild:
        """Embeds kept pictures anew that only another embedder has seen; in the background."""
        self._rebuild = Rebuild(self.store, enroller, self.refresh)
        return self._rebuild

    # Following changes

    def refresh(self) -> None:
        """Takes in what changed in the database since the last time."""
        with self._refreshing:
            if self.store.revision() == self._revision:
                return
            changes = self.store.changes(self._revision)
            touched = {*changes.changed, *changes.deleted_ids}
            for matches, ids in self._reference_matches():
                if not touched.isdisjoint(ids):
                    matches.identify(self._keys_of(ids))
            self._index.remove(changes.deleted)
            self._index.replace(changes.faces)
            for matches, _ in self._reference_matches():
                matches.change(self._index, changes.faces, changes.deleted)
            self._scorer = self._new_scorer()
            self._cache.forget(tuple(touched), changes.revision)
            self._revision = changes.revision
            if self._index.is_outgrown and not (self._settler and self._settler.is_alive()):
                self._settler = threading.Thread(
                    target=self._index.settle, name="gallery-settler", daemon=True
                )
                self._settler.start()

    def _load(self) -> None:
        """Fills the index: from a saved one and what changed since, or from the database."""
        self._saved_revision = self._snapshots.open(self._index) if self._snapshots else None
        if self._saved_revision is not None:
            changes = self.store.changes(self._saved_revision)
            self._index.remove(changes.deleted)
            self._index.replace(changes.faces)
            self._revision = changes.revision
        else:
            self._revision, people = self.store.all_faces()
            self._index.replace(people, known=False)
            del people
            if self._index.is_outgrown:
                log.info("building the index", extra={"faces": len(self._index)})
                self._index.settle()
                if self._snapshots:
                    self._snapshots.save(self._index, self._revision)
                    self._saved_revision = self._revision
        seed = self._seed
        self._strangers = BestMatches(
            seed.hubness, seed.reference, self._keys_of(seed.reference_ids)
        )
        self._rivals = BestMatches(seed.hubness, seed.probes, self._keys_of(seed.probe_ids))
        for matches, _ in self._reference_matches():
            matches.search_all(self._index)
        self._scorer = self._new_scorer()
        self._cache.forget((), self._revision)

    def _reference_matches(self) -> tuple[tuple[BestMatches, Sequence[str]], ...]:
        """Each with the ids of its reference people."""
        seed = self._seed
        return (self._strangers, seed.reference_ids), (self._rivals, seed.probe_ids)

    def _new_scorer(self) -> Scorer:
        """For the gallery as it is now."""
        seed = self._seed
        return Scorer(seed.calibration, seed.genuine, self._rivals.scores, self._strangers.scores)

    def _keys_of(self, ids: Sequence[str]) -> Sequence[int]:
        """Key in the gallery of each, -1 where there is none."""
        with self.store.database.reading() as connection:
            keys = self.store.keys_of(connection, list(dict.fromkeys(ids)))
        return [keys.get(celebrity_id, -1) for celebrity_id in ids]
