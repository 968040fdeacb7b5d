"""The bundle "faces" from LFW, in one unattended run that goes on where it was stopped.

    python -m training.recipes.faces --version VERSION --data LFW --work runs/faces

LFW holds images.tar, images.csv and attributes.csv.gz. The detector's bundle must be there:
portraits are cut by the very code that serves them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from model_server.bundle import BUNDLES, MANIFEST
from training.checkpoint import load_model
from training.config import TrainConfig
from training.evaluate import Candidate, open_candidate
from training.export import BundleFacts, complete_bundle, export_bundle, sample_photos
from training.faces.captioner import captioned
from training.faces.pipeline import Tuned, evaluate_faces, teach, tune, yardstick
from training.faces.study import Study, prepare_study
from training.faces.tuning import TuneOptions
from training.precision import choose_precision
from training.recipes.faces_card import model_card
from training.recipes.licences import OPEN_NSFW_LICENSE

__all__ = ["CAPTIONER", "PHASES", "main"]

_log = logging.getLogger(__name__)

DECODING: Mapping[str, Any] = {"beam_size": 3, "max_length": 40, "length_penalty": 1.0}

PHASES: Mapping[str, TuneOptions] = {
    "stage-4": TuneOptions(stages=1, views=1, epochs=3),
    "stage-4-again": TuneOptions(
        stages=1, views=1, epochs=3, learning_rate=1.5e-4, head_learning_rate=5e-4
    ),
}
"""How the encoder learns attributes: each phase starts from the weights of the one before."""

CAPTIONER = TrainConfig(
    decoder="merge",
    decoder_options={"hidden": 256, "dropout": 0.1},
    min_count=1,
    max_length=40,
    photos_per_batch=64,
    epochs=10,
    learning_rate=2e-3,
    label_smoothing=0.0,
    ema=0.995,
    patience=10,
)
"""How the decoder learns to put them into words."""


def main(
    *,
    version: Annotated[str, typer.Option(help="Of the bundle; none that is in use.")],
    data: Annotated[Path, typer.Option(help="Folder of LFW.")],
    work: Annotated[Path, typer.Option(help="For runs and caches.")] = Path("runs/faces"),
    out: Annotated[Path, typer.Option(help="The bundle.")] = BUNDLES / "faces",
    threads: int = 1,
) -> None:
    """Trains, exports, evaluates, writes the model card."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    study = prepare_study(data, work, threads=threads)
    phases = {name: replace(options, threads=threads) for name, options in PHASES.items()}
    tuned = tune(study, work, phases)
    last = list(phases.values())[-1]
    best = teach(study, tuned, work, last, replace(CAPTIONER, threads=threads))
    _export(out, work, best, study, tuned, version=version)


def _export(out: Path, work: Path, best: Path, study: Study, tuned: Tuned, *, version: str) -> None:
    """Writes the bundle, in fp16 where int8 costs too much, scores it and fp32, adds its card."""
    model, vocabulary, preprocessing, config, _ = load_model(best)
    learn = captioned(study, study.learn)
    facts = BundleFacts(
        "faces",
        version,
        "BSD-2-Clause AND LicenseRef-LFW-research",
        DECODING,
        data={"learn": learn.digest, "val": captioned(study, study.val).digest},
        training={
            "encoder": {name: asdict(options) for name, options in PHASES.items()},
            "decoder": {**config.to_dict(), "encoder_weights": tuned.file.name},
        },
        notices={"LICENSE.open_nsfw.txt": OPEN_NSFW_LICENSE},
    )
    photos = sample_photos(study.portraits, learn.names, 200)
    head = yardstick(study, tuned)

    def write(precision: str) -> None:
        calibration = photos if precision == "int8" else ()
        export_bundle(out, model, vocabulary, preprocessing, facts, calibration=calibration)

    def evaluated(name: str, candidate: Candidate) -> dict[str, Any]:
        result = evaluate_faces(candidate, study, head)
        text = json.dumps(result, indent=2)
        (work / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        return {key: value for key, value in result.items() if key != "captions"}

    fp32 = evaluated("fp32", replace(open_candidate(str(best), **DECODING), name="fp32"))
    choice = choose_precision(
        write,
        lambda: evaluated("served", open_candidate(str(out))),
        value=_micro_f1,
        reference=_micro_f1(fp32),
    )
    metrics = {"served": choice.served, "fp32": fp32}
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    complete_bundle(out, metrics, model_card({**manifest, "metrics": metrics}))
    _log.info("%s", json.dumps(choice.served["ratios"]))


def _micro_f1(result: Mapping[str, Any]) -> float:
    return float(result["captioner"]["micro_f1"])


if __name__ == "__main__":
    typer.run(main)
