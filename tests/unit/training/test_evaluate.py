"""Tests of scoring captions and of the page about them."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from model_server.captioning.beam_search import DecodingOptions, Hypothesis
from model_server.captioning.vocabulary import Vocabulary
from model_server.imaging import Preprocessing
from training import evaluate as evaluating
from training import metrics
from training.dataset import CaptionedPhotos, load_dataset
from training.evaluate import Candidate, Evaluation, evaluate
from training.metrics import score_captions
from training.photos import FolderPhotos
from training.report import write_report

Make = Callable[..., CaptionedPhotos]


class Says:
    """A captioner that says what it is told."""

    name = "told"
    decoding = DecodingOptions(sos_id=1, eos_id=2)

    def __init__(self, captions: Mapping[str, str]) -> None:
        self.captions = captions

    def caption(self, dataset: CaptionedPhotos, **_: object) -> dict[str, str]:
        return {name: self.captions[name] for name in dataset.names if name in self.captions}


def scores(dataset: CaptionedPhotos, captions: Mapping[str, str], **options: Any) -> Evaluation:
    return evaluate(Says(captions), dataset, **options)  # type: ignore[arg-type]


def test_captions_are_those_that_are_served(
    make_dataset: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A candidate says "an" where a vowel follows, as the server does."""
    vocabulary = Vocabulary.build(["a orange wall"], 1)
    found = Hypothesis(tuple(vocabulary.encode("a orange wall")), -1.0, finished=True)
    monkeypatch.setattr(
        evaluating, "encode_images", lambda _encoder, images, _spec: [(None, None)] * len(images)
    )
    monkeypatch.setattr(
        evaluating, "search", lambda _decoder, items, _options: [found] * len(items)
    )
    unused: Any = None
    candidate = Candidate("", unused, unused, vocabulary, Preprocessing(), Says.decoding)
    dataset = make_dataset(2)
    assert candidate.caption(dataset) == dict.fromkeys(dataset.names, "an orange wall")


def test_shares(make_dataset: Make) -> None:
    """Copied, distinct and broken-off captions are counted as shares of all of them."""
    dataset = make_dataset(4)
    told = ["A red wall.", "a green wall", "a dog with a", "a dog with a"]
    result = scores(
        dataset,
        dict(zip(dataset.names, told, strict=True)),
        training_captions=["a red wall", "A dog with a ball"],
    )
    assert result.copied == 0.25  # word for word, whatever the case and the full stop
    assert result.distinct == 0.75
    assert result.bad_endings == 0.5
    assert result.vocabulary_used == 6
    assert result.mean_words == 3.5
    assert scores(dataset, dict(zip(dataset.names, told, strict=True))).copied is None
    empty = dict.fromkeys(dataset.names, "")
    assert scores(dataset, empty).bad_endings == 1.0


def test_best_captions_score_best(make_dataset: Make) -> None:
    """What people wrote scores full marks; what fits another photo scores nothing."""
    dataset = make_dataset(6)
    right = {name: texts[1] for name, texts in dataset.captions.items()}
    perfect = scores(dataset, right)
    assert perfect.metrics["bleu_4"] == pytest.approx(1.0, abs=1e-3)
    wrong = scores(dataset, dict.fromkeys(dataset.names, "two dogs run"))
    assert wrong.metrics["cider"] == 0.0
    assert json.loads(perfect.to_json())["captions"] == right


def test_photos_that_nobody_can_read(make_dataset: Make) -> None:
    """A photo without a caption counts for nothing; none at all is an error."""
    dataset = make_dataset(3)
    assert scores(dataset, {dataset.names[0]: "a red wall"}).photos == 1
    with pytest.raises(ValueError, match="none of the photos"):
        scores(dataset, {})


def test_the_page_shows_the_best_and_the_worst_first(tmp_path: Path, make_dataset: Make) -> None:
    """The best photo leads the first part, the worst one the second; text is escaped."""
    dataset = make_dataset(6)
    captions = {name: texts[0] for name, texts in dataset.captions.items()}
    captions["2.png"] = dataset.captions["2.png"][1]
    captions["4.png"] = "<b>two dogs run</b>"
    result = scores(dataset, captions)
    write_report(tmp_path / "index.html", result, dataset, photos=2)
    best, worst = (tmp_path / "index.html").read_text(encoding="utf-8").split("<h2>Worst</h2>")
    assert re.findall('alt="(.*?)"', best)[0] == "2.png"
    assert re.findall('alt="(.*?)"', worst)[0] == "4.png"
    assert best.count("<figure>") == worst.count("<figure>") == 2
    assert "&lt;b&gt;two dogs" in worst
    assert "<b>two dogs" not in worst


def test_a_foreign_data_set(tmp_path: Path, make_dataset: Make) -> None:
    """A BOM, CRLF, quotes with commas and line ends, and names that are not there."""
    make_dataset(3)
    folder = tmp_path / "photos-0"
    (folder / "foreign.csv").write_bytes(
        b"\xef\xbb\xbfImage_Name,Caption\r\n"
        b'0.png,"He said: ""a red, red wall""\r\nand left"\r\n'
        b"1.png,a green wall\r\n2.png,a blue wall\r\nmissing.png,gone\r\n"
    )
    dataset = load_dataset(FolderPhotos(folder), folder / "foreign.csv")
    result = scores(dataset, dict.fromkeys(dataset.names, "he said a red red wall and left"))
    assert result.photos == 3
    assert result.cider["0.png"] == max(result.cider.values()) > 1
    assert dataset.report.missing_photos == ["missing.png"]


def test_no_meteor_without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other scores are there all the same."""
    monkeypatch.setattr(metrics.shutil, "which", lambda _: None)
    found = score_captions({"a": ["a dog runs"]}, {"a": "a dog runs"}, meteor=True).metrics
    assert "meteor" not in found
    assert found["bleu_1"] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.skipif(shutil.which("java") is None, reason="METEOR needs Java")
@pytest.mark.timeout(400)
def test_meteor_with_java() -> None:
    """Only where it is asked for; one caption of two that says it all gives about a half."""
    truth = {"a": ["a dog runs on the grass"], "b": ["a man climbs a steep rock"]}
    said = {"a": "a dog runs on the grass", "b": "two red cars"}
    assert 0.2 < score_captions(truth, said, meteor=True).metrics["meteor"] < 0.8
    assert "meteor" not in score_captions(truth, said).metrics


def test_a_java_that_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A launcher without anything behind it costs METEOR, not the evaluation."""
    (tmp_path / "java").write_text("#!/bin/sh\nread line; exit 1\n")
    (tmp_path / "java").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = score_captions({"a": ["a dog runs"]}, {"a": "a dog runs"}, meteor=True).metrics
    assert "meteor" not in found
    assert "no METEOR" in caplog.text
