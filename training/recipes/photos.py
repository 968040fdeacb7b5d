"""The bundle "photos" from Flickr8k, in one unattended run that goes on where it was stopped.

    python -m training.recipes.photos --data FLICKR8K --work runs/photos

FLICKR8K holds train.tar, dev.tar, captions_train.csv and captions_dev.csv. On a GPU the same
command runs there. With ``--ladder`` the runs that the model card compares are made as well.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from model_server.bundle import BUNDLES
from model_server.captioning.networks import ResNet
from training.checkpoint import load_model
from training.config import TrainConfig
from training.dataset import CaptionedPhotos, load_dataset
from training.evaluate import Evaluation, evaluate, open_candidate
from training.export import BundleFacts, export_bundle, sample_photos
from training.exported import NsfwBranch
from training.open_nsfw import load_open_nsfw
from training.photos import open_photos
from training.recipes.photos_card import LICENSE_TEXT, model_card
from training.report import write_report
from training.trainer import train

__all__ = ["LADDER", "STAGES", "main"]

_log = logging.getLogger(__name__)

VERSION = "1"
DECODING = {"beam_size": 3, "max_length": 20, "length_penalty": 0.7}

STAGES: Mapping[str, TrainConfig] = {
    "attention": TrainConfig(
        epochs=9,
        photos_per_batch=48,
        learning_rate=1e-3,
        weight_decay=0.02,
        patience=5,
        precision="bfloat16",
        decoder_options={"dropout": 0.5},
    ),
    "fine-tuned": TrainConfig(
        epochs=8,
        photos_per_batch=16,
        learning_rate=6e-4,
        encoder_learning_rate=7e-5,
        fine_tune=("backbone.layer3", "backbone.layer4"),
        crop=0.75,
        weight_decay=0.02,
        ema=0.998,
        patience=5,
        precision="bfloat16",
        decoder_options={"dropout": 0.35},
        start_from="attention",
    ),
    "self-critical": TrainConfig(
        epochs=0,
        self_critical_epochs=8,
        photos_per_batch=32,
        self_critical_learning_rate=1e-4,
        ema=0.995,
        precision="bfloat16",
        decoder_options={"dropout": 0.2},
        start_from="fine-tuned",
    ),
}
"""What is shipped: each stage starts from the best weights of the one it names."""

LADDER: Mapping[str, TrainConfig] = {
    "pooled": replace(STAGES["attention"], decoder="pooled"),
    "merge": replace(STAGES["attention"], decoder="merge"),
    "transformer": replace(
        STAGES["attention"], decoder="transformer", decoder_options={"dropout": 0.3}
    ),
    "efficientnet-lite2": replace(STAGES["attention"], encoder="efficientnet-lite2"),
}
"""What the card compares it with; all with a frozen encoder."""


@dataclass(frozen=True, slots=True)
class _Splits:
    train: CaptionedPhotos
    dev: CaptionedPhotos


def main(
    data: Annotated[Path, typer.Option(help="Folder of Flickr8k.")],
    work: Annotated[Path, typer.Option(help="For runs and caches.")] = Path("runs/photos"),
    out: Annotated[Path, typer.Option(help="The bundle.")] = BUNDLES / "photos",
    *,
    ladder: Annotated[bool, typer.Option(help="Also what it is compared with.")] = False,
    threads: int = 0,
) -> None:
    """Trains, exports, evaluates, writes the model card."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    splits = _Splits(
        load_dataset(open_photos(data / "train.tar"), data / "captions_train.csv"),
        load_dataset(open_photos(data / "dev.tar"), data / "captions_dev.csv"),
    )
    stages = {**STAGES, **(LADDER if ladder else {})}
    for name, config in stages.items():
        start = str(work / config.start_from / "best.pt") if config.start_from else ""
        chosen = config.changed(start_from=start, threads=threads)
        train(work / name, chosen, splits.train, splits.dev, cache=work / "features")
        _score(str(work / name / "best.pt"), work / name, splits)
    _export(out, work, splits)


def _score(candidate: str, folder: Path, splits: _Splits) -> Evaluation:
    """Beam search on the dev split by the server's code; kept as scores.json."""
    known = [text for texts in splits.train.captions.values() for text in texts]
    result = evaluate(
        open_candidate(candidate, **_search()), splits.dev, training_captions=known, meteor=True
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scores.json").write_text(result.to_json() + "\n", encoding="utf-8")
    write_report(folder / "index.html", result, splits.dev)
    _log.info("%s: %s", candidate, json.dumps(dict(result.metrics)))
    return result


def _search() -> dict[str, Any]:
    return {"beam_size": DECODING["beam_size"], "length_penalty": DECODING["length_penalty"]}


def _export(out: Path, work: Path, splits: _Splits) -> None:
    """Writes the bundle, scores it as it is served, then writes it again with its card."""
    last = list(STAGES)[-1]
    model, vocabulary, preprocessing, _, _ = load_model(work / last / "best.pt")
    original, classifier = load_open_nsfw()
    backbone = model.encoder.backbone
    if not isinstance(backbone, ResNet):
        raise TypeError("the photo captioner's encoder is a ResNet")
    facts = BundleFacts(
        "photos",
        VERSION,
        "BSD-2-Clause AND LicenseRef-Flickr8k-research",
        DECODING,
        data={"train": splits.train.digest, "dev": splits.dev.digest},
        training={name: config.to_dict() for name, config in STAGES.items()},
        notices={"LICENSE.open_nsfw.txt": LICENSE_TEXT},
    )
    photos = sample_photos(splits.train.photos, splits.train.names, 300)

    def write(facts: BundleFacts) -> None:
        export_bundle(
            out,
            model,
            vocabulary,
            preprocessing,
            facts,
            calibration=photos,
            nsfw=NsfwBranch(original, classifier, backbone),
        )

    write(facts)
    served = _score(str(out), work / "served", splits)
    metrics = {"served": served.summary()} | _scores(work)
    write(replace(facts, metrics=metrics, card=model_card(metrics)))


def _scores(work: Path) -> dict[str, Any]:
    """Summaries of all runs that were scored."""
    found = {}
    for name in (*STAGES, *LADDER):
        file = work / name / "scores.json"
        if file.exists():
            full = json.loads(file.read_text(encoding="utf-8"))
            del full["captions"], full["cider"]
            found[name] = full
    return found


if __name__ == "__main__":
    typer.run(main)
