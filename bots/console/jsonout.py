"""Answers as JSON, for scripts."""

from __future__ import annotations

from typing import Any

from bots.console.ids import bare_id
from lookalike.v1 import celebrity_pb2, photo_pb2

__all__ = ["analysis_json", "celebrity_json", "comparison_json"]


def analysis_json(photo: str, answer: photo_pb2.AnalyzePhotoResponse) -> dict[str, Any]:
    """Everything about one photo; boxes are [x, y, width, height] in pixels."""
    return {
        "photo": photo,
        "caption": answer.caption.text,
        "faces": [
            {
                "box": [face.box.x, face.box.y, face.box.width, face.box.height],
                "caption": face.caption.text,
                "matches": [
                    {
                        "celebrity": bare_id(match.celebrity.name),
                        "name": match.celebrity.display_name,
                        "similarity": round(match.similarity.cosine, 4),
                        "likeness": round(match.similarity.likeness, 1),
                    }
                    for match in face.matches
                ],
            }
            for face in answer.faces
        ],
        "timings_ms": {
            stage: round(milliseconds, 2)
            for stage, milliseconds in sorted(answer.processing_info.timings_ms.items())
        },
    }


def comparison_json(
    first: str, second: str, answer: photo_pb2.CompareFacesResponse
) -> dict[str, Any]:
    """How alike two faces are."""
    similarity = answer.similarity
    return {
        "first": first,
        "second": second,
        "similarity": round(similarity.cosine, 4),
        "likeness": round(similarity.likeness, 1),
        "same_person_probability": round(similarity.same_person_probability, 4),
    }


def celebrity_json(celebrity: celebrity_pb2.Celebrity) -> dict[str, Any]:
    """One celebrity."""
    return {
        "celebrity": bare_id(celebrity.name),
        "name": celebrity.display_name,
        "aliases": list(celebrity.aliases),
        "tags": list(celebrity.tags),
        "wikidata_id": celebrity.wikidata_id,
        "faces": celebrity.face_count,
        "has_picture": celebrity.has_picture,
    }
