"""Builds, calibrates and measures the seed gallery: ``python -m training.gallery --data DATA``.

DATA holds the folders ``lfw`` and ``celebrities`` as their READMEs describe them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from model_server.bundle import BUNDLES
from training.gallery.card import write_card
from training.gallery.evaluate import evaluate
from training.gallery.features import FaceModels, embed_all
from training.gallery.seed import write_seed
from training.gallery.stability import stability


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.gallery", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/gallery"), help="what is kept")
    parser.add_argument("--destination", type=Path, default=BUNDLES / "gallery")
    parser.add_argument("--no-stability", action="store_true", help="leave out the slowest part")
    options = parser.parse_args()
    models = FaceModels.load()
    table = embed_all(options.data, options.work, models)
    figures = evaluate(table)
    if not options.no_stability:
        figures |= stability(options.data, table, models)
    about = {
        "embedder_version": models.embedder.version,
        "detector_version": models.detector.version,
    }
    # The manifest lists the card's hash too: the card comes first.
    options.destination.mkdir(parents=True, exist_ok=True)
    write_card(options.destination / "MODEL_CARD.md", figures, about)
    write_seed(options.data, options.destination, table, {**about, "figures": figures})
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
