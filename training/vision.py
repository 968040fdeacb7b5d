"""The one place where torchvision is imported.

torchvision registers shapes of its box operators ("nms" and the like) with torch when it is
imported. Where its compiled part does not fit the torch build at hand (a CPU build of torch
beside the registry's torchvision), the operators do not exist and the import fails, though
no captioner needs them. Declaring them first lets the import through; calling one of them
would still fail.
"""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["torchvision_models"]

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

_library: Any = None


def torchvision_models() -> Any:
    """The module ``torchvision.models``, also where torchvision's box operators are missing.

    Needed before timm is imported, too.
    """
    global _library  # noqa: PLW0603 (declared operators live as long as this object)
    try:
        import torchvision.models
    except RuntimeError as error:
        if "torchvision::" not in str(error) or _library is not None:
            raise
        _library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for schema in _SCHEMAS:
            _library.define(schema)
        import torchvision.models
    return torchvision.models
