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
from training.gallery.groups import apparent_groups, read_ages
from training.gallery.seed import write_seed
from training.gallery.skin import face_mesh, tones
from training.gallery.stability import PEOPLE, stability


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.gallery", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/gallery"), help="what is kept")
    parser.add_argument("--destination", type=Path, default=BUNDLES / "gallery")
    parser.add_argument("--no-stability", action="store_true", help="leave out the slowest part")
    parser.add_argument("--stability-people", type=int, default=PEOPLE, help="of 517 val people")
    options = parser.parse_args()
    models = FaceModels.load()
    table = embed_all(options.data, options.work, models)
    skin_tones = tones(options.data, options.work, models.fingerprints[0], face_mesh())
    result = evaluate(table, apparent_groups(table, skin_tones, read_ages(options.data)))
    if not options.no_stability:
        result.figures.update(stability(options.data, table, models, options.stability_people))
    about = {
        "embedder_version": models.embedder.version,
        "detector_version": models.detector.version,
    }
    # The manifest lists the card's hash too: the card comes first.
    options.destination.mkdir(parents=True, exist_ok=True)
    write_card(options.destination / "MODEL_CARD.md", result, about)
    measured = {"figures": result.figures, "tables": result.tables}
    write_seed(options.data, options.destination, table, {**about, **measured})
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
