"""An HTML page of photos with their captions, best and worst first."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

from PIL import Image as PillowImage

from training.dataset import CaptionedPhotos
from training.evaluate import Evaluation

__all__ = ["write_report"]

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse } td, th { padding: .15rem .8rem; text-align: left }
.photos { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem }
figure { margin: 0 } img { width: 100%; border-radius: 6px } figcaption b { font-weight: 600 }
small { color: #666; display: block }
"""


def write_report(
    file: Path, evaluation: Evaluation, dataset: CaptionedPhotos, *, photos: int = 40
) -> None:
    """Writes one self-contained page.

    Args:
        file: The page.
        evaluation: Scores and captions.
        dataset: The photos that were captioned.
        photos: How many of the best and of the worst are shown.
    """
    ranked = sorted(evaluation.cider, key=evaluation.cider.__getitem__, reverse=True)
    best, worst = ranked[:photos], ranked[photos:][-photos:][::-1]
    title = html.escape(f"{evaluation.candidate} on {evaluation.photos} photos")
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{value:.4f}</td></tr>"
        for name, value in evaluation.metrics.items()
    )
    rows += (
        f"<tr><th>different captions</th><td>{evaluation.distinct:.1%}</td></tr>"
        f"<tr><th>words used</th><td>{evaluation.vocabulary_used}</td></tr>"
        f"<tr><th>bad endings</th><td>{evaluation.bad_endings:.1%}</td></tr>"
        f"<tr><th>mean words</th><td>{evaluation.mean_words:.1f}</td></tr>"
    )
    if evaluation.copied is not None:
        rows += f"<tr><th>copied from training</th><td>{evaluation.copied:.1%}</td></tr>"
    sections = "".join(
        f"<h2>{heading}</h2><div class=photos>"
        + "".join(_figure(name, evaluation, dataset) for name in names)
        + "</div>"
        for heading, names in (("Best", best), ("Worst", worst))
        if names
    )
    file.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<style>{_STYLE}</style><h1>{title}</h1><table>{rows}</table>{sections}</html>\n",
        encoding="utf-8",
    )


def _figure(name: str, evaluation: Evaluation, dataset: CaptionedPhotos) -> str:
    picture = PillowImage.fromarray(dataset.photos.open(name))
    picture.thumbnail((320, 320))
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=70)
    data = base64.b64encode(stream.getvalue()).decode()
    truth = "".join(f"<small>{html.escape(text)}</small>" for text in dataset.captions[name])
    return (
        f'<figure><img loading=lazy alt="{html.escape(name)}" src="data:image/webp;base64,{data}">'
        f"<figcaption><b>{html.escape(evaluation.captions[name])}</b> "
        f"({evaluation.cider[name]:.2f}){truth}</figcaption></figure>"
    )
