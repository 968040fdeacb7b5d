"""One photo, one thread: milliseconds of CPU by stage of the pipeline.

    python -m benchmarks.stages [--rounds 40] [--photo FILE]

Prints the least and the median of each stage, of all threads of the process together;
other load on the machine moves the median, the least hardly.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.photos import compose, jpeg
from model_server.analyzer import AnalyzeOptions
from model_server.backend import Backend
from model_server.faces.alignment import align_portrait
from model_server.faces.quality import face_quality
from model_server.imaging import decode
from model_server.metrics import Metrics
from model_server.settings import ServerSettings

Stage = Callable[[], object]


def stages(backend: Backend, data: bytes) -> dict[str, Stage]:
    """The stages by name, each with what the one before it gave; "all" is the whole."""
    analyzer = backend.analyzer
    models = analyzer.models
    photo = decode(data)
    faces = models.detector.detect(photo.pixels, photo.reduced)
    portraits = [align_portrait(photo.pixels, face) for face in faces]
    return {
        "decode": lambda: decode(data),
        "detect": lambda: models.detector.detect(photo.pixels, photo.reduced),
        "embed": lambda: models.embedder.embed(photo.pixels, faces),
        "quality": lambda: [face_quality(photo.pixels, face) for face in faces],
        "portrait": lambda: [align_portrait(photo.pixels, face) for face in faces],
        "photo caption": lambda: models.photos.caption([photo.reduced]),
        "face caption": lambda: models.faces.caption(portraits),
        "all": lambda: analyzer.analyze(data, AnalyzeOptions()),
    }


def measure(parts: dict[str, Stage], rounds: int) -> dict[str, list[float]]:
    """CPU milliseconds of each run of each stage; they take turns."""
    times: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(rounds):
        for name, run in parts.items():
            began = time.process_time()
            run()
            times[name].append((time.process_time() - began) * 1000)
    return times


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--photo", type=Path, help="a photo of your own")
    options = parser.parse_args()
    data = options.photo.read_bytes() if options.photo else jpeg(compose())
    with tempfile.TemporaryDirectory() as folder:
        backend = Backend(ServerSettings(data_dir=Path(folder), threads=1), Metrics())
        backend.load()
        times = measure(stages(backend, data), options.rounds)
    print(f"{'CPU ms':16} {'least':>7} {'median':>7}")
    for name, values in times.items():
        print(f"{name:16} {min(values):7.1f} {statistics.median(values):7.1f}")


if __name__ == "__main__":
    main()
