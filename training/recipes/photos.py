"""The bundle "photos" from Flickr8k, in one unattended run that goes on where it was stopped.

    python -m training.recipes.photos --version VERSION --data FLICKR8K --work runs/photos

FLICKR8K holds train.tar, dev.tar, captions_train.csv and captions_dev.csv. On a GPU the same
command runs there. With ``--ladder`` the runs that the model card compares are made as well.
Tuning the encoder takes by far the longest on a CPU; ``--stages attention,self-critical`` leaves
it out.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from model_server.bundle import BUNDLES
from model_server.captioning.exported import NsfwBranch
from model_server.captioning.networks import ResNet
from training.bias import bias_table
from training.checkpoint import load_model
from training.config import TrainConfig
from training.dataset import CaptionedPhotos, load_dataset
from training.distil import DistilConfig, distil
from training.evaluate import Evaluation, evaluate, open_candidate
from training.export import BundleFacts, complete_bundle, export_bundle, sample_photos
from training.open_nsfw import load_open_nsfw
from training.photos import open_photos
from training.precision import choose_precision
from training.recipes.licences import OPEN_NSFW_LICENSE
from training.recipes.photos_card import model_card
from training.recipes.photos_plans import DECODING, DISTILLED, LADDER, LITE2, STAGES
from training.report import write_report
from training.trainer import train

__all__ = ["main"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Splits:
    train: CaptionedPhotos
    dev: CaptionedPhotos


def main(
    *,
    version: Annotated[str, typer.Option(help="Of the bundle; none that is in use.")],
    data: Annotated[Path, typer.Option(help="Folder of Flickr8k.")],
    work: Annotated[Path, typer.Option(help="For runs and caches.")] = Path("runs/photos"),
    out: Annotated[Path, typer.Option(help="The bundle.")] = BUNDLES / "photos",
    stages: Annotated[str, typer.Option(help="In this order, each from the one before.")] = (
        ",".join(STAGES)
    ),
    ladder: Annotated[bool, typer.Option(help="Also what it is compared with.")] = False,
    unlabelled: Annotated[
        Path | None, typer.Option(help="Photos without captions, to distil with.")
    ] = None,
    training: Annotated[bool, typer.Option(help="Off: export what the runs hold now.")] = True,
    threads: int = 0,
) -> None:
    """Trains, exports, evaluates, writes the model card."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    splits = _Splits(
        load_dataset(open_photos(data / "train.tar"), data / "captions_train.csv"),
        load_dataset(open_photos(data / "dev.tar"), data / "captions_dev.csv"),
    )
    names = stages.split(",")
    if training:
        _train_chain(work, {name: STAGES[name] for name in names}, splits, threads)
        if ladder:
            _train_ladder(work, splits, unlabelled, threads)
    for name in (*STAGES, *LITE2, *LADDER):
        weights, scores = work / name / "best.pt", work / name / "scores.json"
        if weights.exists() and not _scored(scores, weights):
            _score(str(weights), work / name, splits)
    _export(out, version, work, names, splits)


def _train_chain(
    work: Path, stages: Mapping[str, TrainConfig], splits: _Splits, threads: int
) -> None:
    start = ""
    for name, config in stages.items():
        chosen = config.changed(start_from=start, threads=threads)
        train(work / name, chosen, splits.train, splits.dev, cache=work / "features")
        start = str(work / name / "best.pt")


def _train_ladder(work: Path, splits: _Splits, unlabelled: Path | None, threads: int) -> None:
    _train_chain(work, LITE2, splits, threads)
    for name, config in LADDER.items():
        chosen = config.changed(threads=threads)
        if name == DISTILLED:
            if unlabelled is None:
                _log.info("%s is left out: --unlabelled says where photos for it are", name)
                continue
            teaching = DistilConfig(epochs=1, precision="bfloat16", threads=threads)
            distil(work / "distillation", teaching, open_photos(unlabelled))
            chosen = chosen.changed(encoder_weights=str(work / "distillation" / "student.pt"))
        train(work / name, chosen, splits.train, splits.dev, cache=work / "features")


def _scored(scores: Path, weights: Path) -> bool:
    """Whether these are the scores of these weights, with the search that will be served."""
    if not scores.exists() or scores.stat().st_mtime <= weights.stat().st_mtime:
        return False
    searched: Any = json.loads(scores.read_text(encoding="utf-8"))["decoding"]
    return bool(searched == DECODING)


def _score(candidate: str, folder: Path, splits: _Splits) -> Evaluation:
    """Beam search on the dev split by the server's code; kept as scores.json."""
    known = [text for texts in splits.train.captions.values() for text in texts]
    result = evaluate(
        open_candidate(candidate, **DECODING), splits.dev, training_captions=known, meteor=True
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scores.json").write_text(result.to_json() + "\n", encoding="utf-8")
    write_report(folder / "index.html", result, splits.dev)
    _log.info("%s: %s", candidate, json.dumps(dict(result.metrics)))
    return result


def _export(out: Path, version: str, work: Path, names: Sequence[str], splits: _Splits) -> None:
    """Writes the bundle, in fp16 where int8 costs too much, scores it, adds its card."""
    model, vocabulary, preprocessing, *_ = load_model(work / names[-1] / "best.pt")
    original, classifier = load_open_nsfw()
    backbone = model.encoder.backbone
    if not isinstance(backbone, ResNet):
        raise TypeError("the photo captioner's encoder is a ResNet")
    facts = BundleFacts(
        "photos",
        version,
        "BSD-2-Clause AND LicenseRef-Flickr8k-research",
        DECODING,
        data={"train": splits.train.digest, "dev": splits.dev.digest},
        training={
            name: _facts(work / name, before)
            for name, before in zip(names, ["", *names], strict=False)
        },
        notices={"LICENSE.open_nsfw.txt": OPEN_NSFW_LICENSE},
    )
    photos = sample_photos(splits.train.photos, splits.train.names, 300)
    nsfw = NsfwBranch.beside(backbone, original, classifier)

    def write(precision: str) -> None:
        calibration = photos if precision == "int8" else ()
        export_bundle(
            out, model, vocabulary, preprocessing, facts, calibration=calibration, nsfw=nsfw
        )

    scores = _scores(work)
    choice = choose_precision(
        write,
        lambda: _score(str(out), work / "served", splits),
        value=lambda result: result.metrics["cider"],
        reference=scores[names[-1]]["metrics"]["cider"],
    )
    tried = {name: result.summary() for name, result in choice.scores.items()}
    metrics = {"served": tried.pop(choice.precision)} | tried | scores
    bias = bias_table(splits.dev.captions, choice.served.captions)
    card = model_card(metrics, bias, facts.training, precision=choice.precision)
    complete_bundle(out, metrics, card)


def _facts(run: Path, before: str) -> dict[str, Any]:
    """How a stage's weights came to be: its options, and each epoch up to the one kept.

    Who ran it may leave a line in note.txt: it goes into the card.
    """
    *_, config, _ = load_model(run / "best.pt")
    history = json.loads((run / "history.json").read_text(encoding="utf-8"))
    best = max(range(len(history)), key=lambda epoch: float(history[epoch]["cider"]))
    note = run / "note.txt"
    return {
        "config": config.changed(start_from=before).to_dict(),
        "history": history[: best + 1],
        "note": note.read_text(encoding="utf-8").strip() if note.exists() else "",
    }


def _scores(work: Path) -> dict[str, Any]:
    """Summaries of all runs that were scored."""
    found = {}
    for name in (*STAGES, *LITE2, *LADDER):
        file = work / name / "scores.json"
        if file.exists():
            full = json.loads(file.read_text(encoding="utf-8"))
            found[name] = {key: full[key] for key in full if key not in {"captions", "cider"}}
            found[name]["candidate"] = name
    return found


if __name__ == "__main__":
    typer.run(main)
