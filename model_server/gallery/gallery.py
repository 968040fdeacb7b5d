"""The gallery as the rest of the server sees it: store, index and scores in one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from model_server.analysis import FloatArray, Match, Similarity
from model_server.bundle import load_bundle
from model_server.errors import (
    GalleryMismatchError,
    GalleryUnavailableError,
    InvalidPageTokenError,
    WrongPersonError,
)
from model_server.gallery.celebrity import Celebrity, check_celebrity, fold
from model_server.gallery.index import FaceIndex
from model_server.gallery.scoring import Scorer
from model_server.gallery.seed import Seed
from model_server.gallery.store import GalleryStore, NewFace

__all__ = ["Gallery", "Page"]

log = logging.getLogger(__name__)

POLL_S = 0.5
"""How often a replica looks for changes that others made."""

_EMBEDDER = "embedder_version"
_MIN_SAME_PERSON = 0.02
"""A new photo less likely than this to show the same person is refused."""


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
    """The celebrities. Thread-safe.

    Args:
        store: Where they are kept.
        seed: Reference and calibration for the scores.
        dimension: D, of the embeddings.
        poll_s: Seconds between looks for changes by others; 0 never looks.
    """

    def __init__(
        self, store: GalleryStore, seed: Seed, dimension: int, poll_s: float = POLL_S
    ) -> None:
        self._store = store
        self._seed = seed
        self._index = FaceIndex(dimension)
        self._celebrities: dict[str, Celebrity] = {}
        self._revision = -1
        self._refreshing = threading.Lock()
        self._scorer = Scorer(seed.calibration, np.zeros(0, np.float32))
        self.refresh()
        self._stop = threading.Event()
        self._poller = threading.Thread(
            target=self._poll, args=(poll_s,), name="gallery", daemon=True
        )
        if poll_s:
            self._poller.start()

    @classmethod
    def open(cls, url: str, seed: Path, embedder_version: str) -> Gallery:
        """Opens the gallery; a new one is filled from the seed.

        Args:
            url: SQLAlchemy URL of the database.
            seed: Folder of the seed bundle.
            embedder_version: Of the embedder that will ask.

        Raises:
            GalleryMismatchError: Database or seed hold another embedder's vectors.
            GalleryUnavailableError: The database cannot be used.
            BundleError: The seed is damaged.
        """
        loaded = Seed.load(load_bundle(seed, kind=Seed.KIND))
        if loaded.embedder_version != embedder_version:
            raise GalleryMismatchError(
                f"the seed gallery was made with {loaded.embedder_version}, the server runs "
                f"{embedder_version}: make it anew with python -m training.gallery"
            )
        store = GalleryStore(url)
        stored = store.fact(_EMBEDDER)
        if stored is None:
            store.create_many(loaded.people())
            store.set_fact(_EMBEDDER, embedder_version)
        elif stored != embedder_version:
            raise GalleryMismatchError(
                f"the gallery's faces were embedded by {stored}, the server runs "
                f"{embedder_version}: start with an empty database, or with the old bundle"
            )
        return cls(store, loaded, loaded.reference.shape[1])

    def close(self) -> None:
        """Stops following changes and closes the database."""
        self._stop.set()
        if self._poller.is_alive():
            self._poller.join()
        self._store.close()

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
        allowed = self._with_tags(required_tags) if required_tags else None
        scorer = self._scorer
        return [
            tuple(
                Match(celebrity_id, scorer.score(cosine))
                for celebrity_id, cosine in self._index.search(vector, max_matches, allowed)
            )
            for vector in embeddings
        ]

    def compare(self, first: FloatArray, second: FloatArray) -> Similarity:
        """How alike two faces are; unit vectors, shape (D,) each."""
        return self._scorer.score(float(first @ second))

    # Celebrities

    def get(self, celebrity_id: str) -> Celebrity:
        """One celebrity.

        Raises:
            CelebrityNotFoundError: There is none of this id.
        """
        return self._celebrities.get(celebrity_id) or self._store.get(celebrity_id)

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
            query: Only names and aliases that contain this; those that start with it
                come first.
            required_tags: Only celebrities that carry all of these.

        Raises:
            InvalidPageTokenError: The token is not one of this list.
        """
        folded, tags = fold(query), set(required_tags)
        ranked = sorted(
            (rank, fold(person.display_name), person.id)
            for person in self._celebrities.values()
            if tags <= set(person.tags) and (rank := _rank(person, folded)) is not None
        )
        start = _read_token(page_token, folded, tags, ranked)
        page = ranked[start : start + page_size]
        more = start + page_size < len(ranked)
        return Page(
            tuple(self._celebrities[celebrity_id] for _, _, celebrity_id in page),
            _make_token(page[-1], folded, tags) if more else "",
            len(ranked),
        )

    def create(self, celebrity: Celebrity, faces: Sequence[NewFace] = ()) -> Celebrity:
        """Adds a celebrity with its faces, all or nothing.

        Raises:
            InvalidRequestError: A field is out of range.
            WrongPersonError: The faces are not of one person.
            CelebrityExistsError: The id is taken.
        """
        check_celebrity(celebrity)
        for number, face in enumerate(faces):
            others = [other.embedding for other in faces[:number]]
            self._check_person(face.embedding, others, celebrity.id)
        created = self._store.create(celebrity, faces)
        self.refresh()
        return created

    def update(self, celebrity: Celebrity, fields: Sequence[str] = ()) -> Celebrity:
        """Changes the named fields, or all that can be changed.

        Raises:
            InvalidRequestError: A field is out of range.
            CelebrityNotFoundError: There is none of this id.
        """
        values = {name: getattr(celebrity, name) for name in fields or MUTABLE_FIELDS}
        changed = replace(self._store.get(celebrity.id), **values)
        check_celebrity(changed)
        stored = self._store.update(changed)
        self.refresh()
        return stored

    def delete(self, celebrity_id: str) -> None:
        """Removes a celebrity with all faces and pictures.

        Raises:
            CelebrityNotFoundError: There is none of this id.
        """
        self._store.delete(celebrity_id)
        self.refresh()

    def add_face(self, celebrity_id: str, face: NewFace) -> Celebrity:
        """Adds a face.

        Raises:
            CelebrityNotFoundError: There is no such celebrity.
            WrongPersonError: The face is far from the person's others.
            DuplicatePhotoError: The same photo is enrolled already.
        """
        self.get(celebrity_id)
        self._check_person(face.embedding, self._index.faces_of(celebrity_id), celebrity_id)
        changed = self._store.add_face(celebrity_id, face)
        self.refresh()
        return changed

    def picture_of(self, celebrity_id: str) -> bytes | None:
        """The best picture that is kept of a celebrity, JPEG."""
        return self._store.picture_of(celebrity_id)

    def _check_person(
        self, face: FloatArray, others: Sequence[FloatArray] | FloatArray, celebrity_id: str
    ) -> None:
        if not len(others):
            return
        best = max(float(face @ other) for other in others)
        probability = self._scorer.score(best).same_person_probability
        if probability < _MIN_SAME_PERSON:
            raise WrongPersonError(
                f"this photo does not look like the other photos of {celebrity_id} "
                f"(similarity {best:.2f}): check whom it shows",
                metadata={"similarity": f"{best:.3f}"},
            )

    def _with_tags(self, tags: Sequence[str]) -> frozenset[str]:
        wanted = set(tags)
        return frozenset(
            person.id for person in self._celebrities.values() if wanted <= set(person.tags)
        )

    # Following changes

    def refresh(self) -> None:
        """Takes in what changed in the database since the last time."""
        with self._refreshing:
            if self._store.revision() == self._revision:
                return
            revision, changed, deleted = self._store.read(self._revision)
            faces = self._store.faces(self._revision)
            missing = dict.fromkeys(changed.keys() - faces.keys(), self._no_faces())
            self._index.update({**faces, **missing}, deleted)
            celebrities = {**self._celebrities, **changed}
            for celebrity_id in deleted:
                celebrities.pop(celebrity_id, None)
            self._celebrities = celebrities
            self._scorer = self._make_scorer()
            self._revision = revision

    def _no_faces(self) -> FloatArray:
        return np.zeros((0, self._seed.reference.shape[1]), np.float32)

    def _make_scorer(self) -> Scorer:
        best = self._index.best_of_others(self._seed.reference, self._seed.reference_ids)
        return Scorer(self._seed.calibration, best)

    def _poll(self, seconds: float) -> None:
        while not self._stop.wait(seconds):
            try:
                self.refresh()
            except GalleryUnavailableError as error:
                log.warning("the gallery cannot be followed: %s", error.message)
                time.sleep(seconds)


MUTABLE_FIELDS = ("display_name", "aliases", "tags", "wikidata_id")


def photo_digest(photo: bytes) -> str:
    """What a photo is recognised by when it is enrolled twice."""
    return hashlib.sha256(photo).hexdigest()


def _rank(person: Celebrity, query: str) -> int | None:
    """0 where a name starts with the query, 1 where one contains it, None where none does."""
    if not query:
        return 0
    names = [fold(name) for name in (person.display_name, *person.aliases)]
    if any(name.startswith(query) for name in names):
        return 0
    return 1 if any(query in name for name in names) else None


def _make_token(last: tuple[int, str, str], query: str, tags: set[str]) -> str:
    data = json.dumps([*last, query, sorted(tags)], ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(data).decode()


def _read_token(
    token: str, query: str, tags: set[str], ranked: Sequence[tuple[int, str, str]]
) -> int:
    """Index of the first celebrity behind the token's, also where that one is gone by now."""
    if not token:
        return 0
    try:
        rank, key, celebrity_id, *same = json.loads(base64.urlsafe_b64decode(token))
        last = (int(rank), str(key), str(celebrity_id))
    except (ValueError, TypeError, binascii.Error) as error:
        raise InvalidPageTokenError(
            "page_token is not one that this server gave: start with the first page"
        ) from error
    if same != [query, sorted(tags)]:
        raise InvalidPageTokenError(
            "page_token belongs to another query: start with the first page"
        )
    return sum(entry <= last for entry in ranked)
