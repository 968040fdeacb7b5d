"""Captions and scores of a captioner on any photos, by the code that serves it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from model_server.bundle import BUNDLES, load_bundle
from model_server.captioning.beam_search import DecodingOptions, search
from model_server.captioning.captioner import encode_images, load_decoding, with_articles
from model_server.captioning.vocabulary import Vocabulary, tokenize
from model_server.engines import Session
from model_server.engines.openvino import OpenVinoEngine
from model_server.engines.torch import torch_sessions
from model_server.errors import BundleError
from model_server.imaging import Preprocessing
from training.checkpoint import load_model
from training.dataset import CaptionedPhotos, references
from training.metrics import score_captions
from training.photos import BrokenPhotoError

__all__ = ["Candidate", "Evaluation", "evaluate", "open_candidate"]

_log = logging.getLogger(__name__)

_BAD_ENDINGS = {"a", "an", "the", "and", "or", "of", "with", "in", "on", "at", "to", "by", "for"}
_BAD_ENDINGS |= {"from", "while", "as", "his", "her", "its", "their", "is", "are"}
"""A caption that ends in one of these was broken off."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A captioner to evaluate: networks, words, and how it searches."""

    name: str
    encoder: Session
    decoder: Session
    vocabulary: Vocabulary
    preprocessing: Preprocessing
    decoding: DecodingOptions

    def caption(
        self,
        dataset: CaptionedPhotos,
        *,
        batch: int = 16,
        progress: Callable[[int], None] | None = None,
    ) -> dict[str, str]:
        """Captions all photos of a data set as they are served, in its order.

        Broken ones are left out.
        """
        captions: dict[str, str] = {}
        names = dataset.names
        for start in range(0, len(names), batch):
            images = {}
            for name in names[start : start + batch]:
                try:
                    images[name] = dataset.photos.open(name)
                except BrokenPhotoError as error:
                    _log.warning("left out: %s", error)
            opened = list(images.values())
            encoded = [item for item, _ in encode_images(self.encoder, opened, self.preprocessing)]
            for name, found in zip(
                images, search(self.decoder, encoded, self.decoding), strict=True
            ):
                captions[name] = with_articles(self.vocabulary.decode(found.tokens))
            if progress:
                progress(min(start + batch, len(names)))
        return captions


def open_candidate(
    where: str,
    *,
    beam_size: int | None = None,
    length_penalty: float | None = None,
    max_length: int | None = None,
) -> Candidate:
    """A bundle by name or path, or a checkpoint (.pt).

    Args:
        where: Such as "photos", a bundle's folder, or runs/photos/best.pt.
        beam_size: Instead of the bundle's own; 1 is greedy.
        length_penalty: Likewise.
        max_length: Likewise.

    Raises:
        BundleError: There is no such bundle, or it is damaged.
    """
    path = Path(where)
    if path.suffix == ".pt":
        model, vocabulary, preprocessing, config, _ = load_model(path)
        encoder, decoder = torch_sessions(model)
        decoding = DecodingOptions(
            sos_id=vocabulary.sos_id,
            eos_id=vocabulary.eos_id,
            banned_ids=(vocabulary.pad_id, vocabulary.sos_id, vocabulary.unk_id),
            max_length=config.max_length,
        )
        candidate = Candidate(where, encoder, decoder, vocabulary, preprocessing, decoding)
    else:
        folder = path if path.is_dir() else BUNDLES / where
        if not folder.is_dir():
            raise BundleError(f"there is no bundle called {where}")
        bundle = load_bundle(folder, kind="captioner")
        vocabulary = Vocabulary.load(bundle.file("vocab.json"))
        engine = OpenVinoEngine()
        candidate = Candidate(
            bundle.version,
            engine.load(bundle.file("encoder.xml")),
            engine.load(bundle.file("decoder.xml")),
            vocabulary,
            Preprocessing.from_manifest(bundle.read("preprocessing")),
            load_decoding(bundle, vocabulary),
        )
    wanted = {"beam_size": beam_size, "length_penalty": length_penalty, "max_length": max_length}
    changes: dict[str, Any] = {key: value for key, value in wanted.items() if value is not None}
    return replace(candidate, decoding=replace(candidate.decoding, **changes))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a captioner.

    Attributes:
        candidate: Its name and version.
        photos: How many.
        decoding: How it searched.
        metrics: BLEU, ROUGE-L, CIDEr-D, METEOR where Java is present.
        distinct: Different captions, as a share of all.
        vocabulary_used: Different words in all captions together.
        copied: Share of captions that are word for word in the training data (where given).
        bad_endings: Share of captions that end in "with a" and the like.
        mean_words: Mean length.
        seconds: For captioning.
        captions: Name → caption.
        cider: Name → CIDEr-D of that caption.
    """

    candidate: str
    photos: int
    decoding: Mapping[str, Any]
    metrics: Mapping[str, float]
    distinct: float
    vocabulary_used: int
    copied: float | None
    bad_endings: float
    mean_words: float
    seconds: float
    captions: Mapping[str, str]
    cider: Mapping[str, float]

    def summary(self) -> dict[str, Any]:
        """All but what there is per photo."""
        full = asdict(self)
        del full["captions"], full["cider"]
        return full

    def to_json(self) -> str:
        """Everything."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)


def evaluate(
    candidate: Candidate,
    dataset: CaptionedPhotos,
    *,
    training_captions: Sequence[str] = (),
    meteor: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Captions every photo and scores the captions against the data set's.

    Args:
        candidate: From :func:`open_candidate`.
        dataset: Photos with reference captions.
        training_captions: To see how many captions are copies.
        meteor: Whether to run METEOR where Java is present.
        progress: Called with the number of photos done.

    Raises:
        ValueError: Not one photo could be read.
    """
    started = time.perf_counter()
    captions = candidate.caption(dataset, progress=progress)
    seconds = time.perf_counter() - started
    if not captions:
        raise ValueError("none of the photos can be read")
    words = {name: " ".join(tokenize(text)) for name, text in captions.items()}
    scores = score_captions(references(dataset), words, meteor=meteor)
    known = {" ".join(tokenize(text)) for text in training_captions}
    split = [text.split() for text in words.values()]
    options = candidate.decoding
    return Evaluation(
        candidate=candidate.name,
        photos=len(captions),
        decoding={
            "beam_size": options.beam_size,
            "max_length": options.max_length,
            "length_penalty": options.length_penalty,
        },
        metrics={name: round(value, 5) for name, value in scores.metrics.items()},
        distinct=len(set(words.values())) / len(words),
        vocabulary_used=len({word for text in split for word in text}),
        copied=_share(text in known for text in words.values()) if known else None,
        bad_endings=_share(not text or text[-1] in _BAD_ENDINGS for text in split),
        mean_words=sum(map(len, split)) / len(split),
        seconds=round(seconds, 1),
        captions=captions,
        cider=dict(zip(captions, (round(value, 4) for value in scores.cider), strict=True)),
    )


def _share(flags: Iterable[bool]) -> float:
    listed = [float(flag) for flag in flags]
    return sum(listed) / len(listed)
