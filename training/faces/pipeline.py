"""The steps of the recipe: tune the encoder, teach the decoder, score, each resumable."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from model_server.captioning.networks import CNNEncoder, ResNet
from model_server.faces.alignment import PORTRAIT_SIDE
from model_server.imaging import Preprocessing
from training.checkpoint import check_same_run, save_checkpoint
from training.config import TrainConfig
from training.encoders import build_encoder
from training.evaluate import Candidate
from training.faces.attributes import AttributeHead, best_thresholds, head_logits
from training.faces.captioner import FaceTrainer, FeatureViews, captioned, stage_features
from training.faces.scoring import (
    constant_caption,
    decide,
    score,
    score_texts,
    summary,
)
from training.faces.study import Study
from training.faces.trunk import Trunk, cache_trunk
from training.faces.tuning import TuneOptions, label_digest, tune_encoder
from training.features import network_digest, weights_digest
from training.runtime import start_runtime

__all__ = ["Tuned", "evaluate_faces", "load_tuned", "teach", "tune", "yardstick"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tuned:
    """An encoder that knows attributes.

    Attributes:
        file: Where it is kept.
        encoder: Tuned, in evaluation mode.
        preprocessing: Of the encoder.
        head: On its features.
        thresholds: Of the head's logits, shape (len(VALUES),).
    """

    file: Path
    encoder: CNNEncoder
    preprocessing: Preprocessing
    head: AttributeHead
    thresholds: npt.NDArray[np.float32]


def tune(study: Study, work: Path, phases: Mapping[str, TuneOptions]) -> Tuned:
    """Runs the phases one after the other, each from the weights of the one before.

    Raises:
        ValueError: ``work`` holds an encoder that was tuned with other options or on other faces.
    """
    file = work / f"{'-'.join(phases)}.pt"
    made_of = {
        **{name: options.of_weights() for name, options in phases.items()},
        "portraits": study.portraits.digest([*study.learn, *study.tune]),
        "labels": label_digest(study.rows(study.learn), study.rows(study.tune)),
    }
    if file.exists():
        check_same_run(work, torch.load(file, weights_only=True).get("made_of", {}), made_of)
    else:
        encoder, preprocessing = _build_encoder("package")
        head = AttributeHead(encoder.channels)
        for name, options in phases.items():
            tune_encoder(
                encoder,
                preprocessing,
                study.portraits,
                head=head,
                learn=study.rows(study.learn),
                held_out=study.rows(study.tune),
                folder=work / name,
                cache=work / "trunk",
                options=options,
            )
        trunk = _trunk(encoder, options)
        logits = _cached_logits(study, work, trunk, preprocessing, head)
        rows = study.rows(study.tune)
        thresholds = best_thresholds(logits, np.stack([rows[n] for n in sorted(rows)]))
        backbone = {
            name: value.contiguous() for name, value in encoder.backbone.state_dict().items()
        }
        content = {
            "backbone": backbone,
            "head": head.state_dict(),
            "thresholds": thresholds.tolist(),
            "made_of": made_of,
        }
        save_checkpoint(file, content)
    return load_tuned(file)


def _build_encoder(weights: str) -> tuple[CNNEncoder, Preprocessing]:
    """The encoder, which sees portraits at the size at which the server cuts them."""
    encoder, preprocessing = build_encoder("resnet50-half", weights)
    return encoder, replace(preprocessing, height=PORTRAIT_SIDE, width=PORTRAIT_SIDE)


def _trunk(encoder: CNNEncoder, options: TuneOptions) -> Trunk:
    backbone = encoder.backbone
    assert isinstance(backbone, ResNet)  # noqa: S101 (for mypy)
    return Trunk(backbone, options.stages).eval()


@torch.inference_mode()
def _cached_logits(
    study: Study, work: Path, trunk: Trunk, preprocessing: Preprocessing, head: AttributeHead
) -> npt.NDArray[np.float32]:
    """The head's logits for ``study.tune``, sorted by name, from what tuning has cached."""
    cached = cache_trunk(
        trunk, preprocessing, study.portraits, sorted(study.tune), work / "trunk", view=0
    )
    found = []
    for start in range(0, len(cached), 32):
        x = trunk.tail(torch.from_numpy(np.array(cached[start : start + 32])).float())
        found.append(head(x.flatten(2).transpose(1, 2)))
    logits: npt.NDArray[np.float32] = torch.cat(found).numpy()
    return logits


def load_tuned(file: Path) -> Tuned:
    """Reads what :func:`tune` kept."""
    content = torch.load(file, weights_only=True)
    encoder, preprocessing = _build_encoder("none")
    encoder.backbone.load_state_dict(content["backbone"])
    head = AttributeHead(encoder.channels)
    head.load_state_dict(content["head"])
    thresholds = np.array(content["thresholds"], np.float32)
    return Tuned(file, encoder.eval(), preprocessing, head.eval(), thresholds)


def teach(
    study: Study, tuned: Tuned, work: Path, options: TuneOptions, config: TrainConfig
) -> Path:
    """Trains the decoder on the encoder's features; returns the best checkpoint."""
    # The name is part of the run's configuration: no run of another encoder goes on with this one.
    weights = work / f"{tuned.file.stem}-{weights_digest(tuned.encoder)}-backbone.pt"
    torch.save(tuned.encoder.backbone.state_dict(), weights)
    digest = network_digest(tuned.encoder, tuned.preprocessing)
    torch.set_num_threads(max(options.threads, 1))
    trunk = _trunk(tuned.encoder, options)

    def features(names: Sequence[str], view: int) -> npt.NDArray[np.float16]:
        listed = sorted(names)
        cached = cache_trunk(
            trunk, tuned.preprocessing, study.portraits, listed, work / "trunk", view=view
        )
        file = work / "features" / f"{digest}-{study.portraits.digest(listed)}-{view}-pooled.npy"
        return stage_features(trunk.tail, cached, file)

    learn = FeatureViews(
        sorted(study.learn), [features(study.learn, view) for view in range(options.views)]
    )
    held_out = FeatureViews(sorted(study.tune), [features(study.tune, 0)])
    folder = work / f"{tuned.file.stem}-captioner"
    with start_runtime(config.precision, config.threads, config.seed) as runtime:
        FaceTrainer(
            folder,
            config.changed(encoder_weights=str(weights)),
            study,
            preprocessing=tuned.preprocessing,
            head=tuned.head,
            thresholds=tuned.thresholds,
            learn=learn,
            held_out=held_out,
            runtime=runtime,
        ).run()
    return folder / "best.pt"


def yardstick(study: Study, tuned: Tuned) -> dict[str, dict[str, float]]:
    """Scores of the attribute head on the validation faces, at its thresholds and at one half."""
    rows = study.rows(study.val)
    table = np.stack([rows[name] for name in study.val])
    logits = head_logits(tuned.encoder, tuned.head, tuned.preprocessing, study.portraits, study.val)
    return {
        "classifier": summary(score(decide(logits, tuned.thresholds), table)),
        "classifier_at_half": summary(score(logits >= 0, table)),
    }


def evaluate_faces(
    candidate: Candidate, study: Study, head: Mapping[str, Mapping[str, float]] | None
) -> dict[str, Any]:
    """Scores captions of the validation faces beside the head's and the constant caption's.

    Args:
        candidate: The captioner.
        study: Where the faces are.
        head: From :func:`yardstick`; None leaves it out.

    Returns:
        For JSON: "captioner", "constant", "classifier" (at its tuned thresholds) and
        "classifier_at_half", "ratios", and "captions" by photo.
    """
    rows = study.rows(study.val)
    table = np.stack([rows[name] for name in study.val])
    started = time.perf_counter()
    captions = candidate.caption(captioned(study, study.val))
    seconds = time.perf_counter() - started
    texts = [captions[name] for name in study.val]
    learnt = study.rows(study.learn)
    constant = constant_caption(np.stack([learnt[name] for name in study.learn]))
    result: dict[str, Any] = {
        "candidate": candidate.name,
        "faces": len(texts),
        "seconds": round(seconds, 1),
        "captioner": score_texts(texts, table),
        "constant": {"caption": constant, **score_texts([constant] * len(texts), table)},
        "groups": _groups(study, texts, table),
    }
    found, plain = result["captioner"], result["constant"]
    ratios = {"macro_f1_to_constant": found["macro_f1"] / max(plain["macro_f1"], 1e-9)}
    if head is not None:
        result |= head
        best = max(scores["micro_f1"] for scores in head.values())
        ratios["micro_f1_to_classifier"] = found["micro_f1"] / best
    result["ratios"] = {name: round(value, 4) for name, value in ratios.items()}
    result["captions"] = captions
    _log.info("%s", json.dumps({key: result[key] for key in ("ratios",)}))
    return result


def _groups(study: Study, texts: Sequence[str], table: npt.NDArray[np.int8]) -> dict[str, Any]:
    """Scores by how FaRL reads sex and age: to see whom the captioner serves worse."""
    index = {name: row for row, name in enumerate(study.faces.names)}
    chosen = np.array([index[name] for name in study.val])
    groups: dict[str, Any] = {}
    for score_name, high, low in (("Male", "read as male", "read as female"),
                                  ("Young", "read as young", "read as not young")):  # fmt: skip
        values = study.faces.scores[score_name][chosen]
        for title, members in ((high, values > 0.5), (low, values <= 0.5)):
            of_group = [text for text, member in zip(texts, members, strict=True) if member]
            if of_group:
                found = score_texts(of_group, table[members])
                kept = ("captions", "micro_f1", "macro_f1", "attributes_per_caption")
                groups[title] = {key: found[key] for key in kept}
    return groups
