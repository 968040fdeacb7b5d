"""Loads the bundles and the engine that runs them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from model_server.bundle import load_bundle
from model_server.captioning.captioner import Captioner
from model_server.engines import Engine
from model_server.engines.openvino import OpenVinoEngine
from model_server.errors import BundleError
from model_server.faces.detector import FaceDetector
from model_server.faces.embedder import FaceEmbedder
from model_server.metrics import Metrics
from model_server.protocols import Models

__all__ = ["close_models", "load_models", "warm_up"]


def load_models(
    bundles: Path, threads: int, metrics: Metrics, engine_name: str = "openvino"
) -> Models:
    """Loads every network that the server runs.

    Args:
        bundles: Folder of the bundles.
        threads: Cores to use; also the number of calls that run side by side.
        metrics: Told of the decoders' batches.
        engine_name: "openvino", or "torch" for captioners on CUDA.

    Raises:
        BundleError: A bundle is missing, damaged or does not fit; says which file.
    """
    # A network is in use for less than half of a photo's time: while one waits for it, others
    # are at other networks, and the cores stay busy.
    engine: Engine = OpenVinoEngine(copies=(threads + 1) // 2, threads=1, at_once=threads)
    if engine_name == "torch":
        engine = _torch_engine(engine)

    def captioner(name: str) -> Captioner:
        bundle = load_bundle(bundles / name, kind=Captioner.KIND)
        return Captioner(bundle, engine, metrics.observe_decoder_rows(name))

    # Side by side: engines compile without holding Python back.
    with ThreadPoolExecutor(threads) as pool:
        photos, faces = (pool.submit(captioner, name) for name in ("photos", "faces"))
        detector = pool.submit(
            lambda: FaceDetector(load_bundle(bundles / "detector", kind=FaceDetector.KIND), engine)
        )
        embedder = pool.submit(
            lambda: FaceEmbedder(load_bundle(bundles / "embedder", kind=FaceEmbedder.KIND), engine)
        )
    return Models(detector.result(), embedder.result(), photos.result(), faces.result())


def _torch_engine(others: Engine) -> Engine:
    try:
        # Here and not above: the server does without torch unless it is asked for.
        from model_server.engines.torch import TorchEngine  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise BundleError(
            f"LOOKALIKE_ENGINE=torch needs {error.name}: pip install torch safetensors, "
            "or leave the setting out"
        ) from error
    return TorchEngine(others)


def warm_up(models: Models) -> None:
    """Runs every network once, so that the first caller does not wait for it."""
    noise = np.random.default_rng(0).integers(0, 256, (960, 1280, 3), dtype=np.uint8)
    models.detector.detect(noise, noise)
    models.photos.caption([noise])
    models.faces.caption([noise])


def close_models(models: Models) -> None:
    """Stops the decoders' threads."""
    for model in (models.photos, models.faces):
        if isinstance(model, Captioner):
            model.close()
