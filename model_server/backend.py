"""What the services work with: models, gallery, portraits; loaded once, closed once."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor

from model_server.admission import Admission
from model_server.analyzer import Analyzer
from model_server.bundle import load_bundle
from model_server.deferred import Deferred
from model_server.faces.embedder import FaceEmbedder
from model_server.gallery.gallery import Gallery
from model_server.metrics import Metrics
from model_server.models import close_models, load_models, warm_up
from model_server.one_thread import keep_to_one_thread
from model_server.portraits.assembly import build_portraits
from model_server.portraits.chain import PortraitChain
from model_server.priority import compute_politely
from model_server.protocols import Models
from model_server.services.celebrity import CelebrityService
from model_server.services.photo import PhotoService
from model_server.settings import ServerSettings
from model_server.workers import Workers

__all__ = ["Backend"]

log = logging.getLogger(__name__)


class Backend:
    """Builds the services at once; what they work with comes with :meth:`load`.

    Args:
        settings: Of the server.
        metrics: Told of stages, batches and photos in flight.
    """

    def __init__(self, settings: ServerSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._models: Models | None = None
        self._analyzer: Deferred[Analyzer] = Deferred()
        self._gallery: Deferred[Gallery] = Deferred()
        self._portraits: Deferred[PortraitChain] = Deferred()
        # One a core: while one waits for a shared step of the decoder, the captions' threads
        # keep the core busy. More of them would only wait for Python, callers among them.
        self.executor = ThreadPoolExecutor(
            settings.threads, thread_name_prefix="photo", initializer=compute_politely
        )
        self.admission = Admission(settings.max_in_flight)
        metrics.watch_in_flight(lambda: self.admission.in_flight)
        workers = Workers(self.executor, self.admission, metrics)
        self.photo = PhotoService(self._analyzer.proxy, workers)
        self.celebrity = CelebrityService(
            self._gallery.proxy, self._analyzer.proxy, self._portraits.proxy, workers
        )

    @property
    def analyzer(self) -> Analyzer:
        """The pipeline.

        Raises:
            NotReadyError: :meth:`load` has not finished.
        """
        return self._analyzer.get()

    def load(self) -> None:
        """Loads models and gallery; blocks for a few seconds.

        Raises:
            BundleError: A model's files are missing or damaged.
            GalleryMismatchError: The gallery was made with another embedder.
            GalleryUnavailableError: The database cannot be opened.
        """
        started = time.perf_counter()
        keep_to_one_thread()
        settings = self._settings
        # Models are compiled outside Python and the gallery is read in it: together they take
        # little longer than one of them.
        with ThreadPoolExecutor(1, thread_name_prefix="gallery") as pool:
            opening = pool.submit(self._open_gallery)
            models = self._models = load_models(
                settings.bundles_dir, settings.threads, self._metrics, settings.engine
            )
            warm_up(models)
        gallery = opening.result()
        self._portraits.set(build_portraits(settings, gallery))
        self._analyzer.set(Analyzer(models, gallery, settings.image_limits, settings.threads))
        # After a change of the embedder; nothing to do otherwise.
        gallery.rebuild(self._analyzer.get())
        log.info(
            "loaded",
            extra={
                "seconds": round(time.perf_counter() - started, 2),
                "models": [
                    models.detector.version,
                    models.embedder.version,
                    models.photos.version,
                    models.faces.version,
                ],
            },
        )

    def _open_gallery(self) -> Gallery:
        settings = self._settings
        embedder = load_bundle(settings.bundles_dir / "embedder", kind=FaceEmbedder.KIND)
        gallery = Gallery.open(
            settings.gallery_url,
            seed=settings.bundles_dir / "gallery",
            embedder_version=embedder.version,
            # Beside an SQLite file there is a place for it.
            snapshots=settings.cache_dir / "gallery" if settings.database_url else None,
        )
        self._gallery.set(gallery)
        return gallery

    async def close(self) -> None:
        """Lets what runs finish, then frees threads, connections and the database."""
        await asyncio.to_thread(self.executor.shutdown)
        # After a failed start some of it is there.
        if self._analyzer.ready:
            await asyncio.to_thread(self._analyzer.get().close)
        if self._portraits.ready:
            await self._portraits.get().close()
        if self._gallery.ready:
            await asyncio.to_thread(self._gallery.get().close)
        if self._models:
            await asyncio.to_thread(close_models, self._models)
