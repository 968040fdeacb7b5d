"""A captioner's torch weights beside its served form: for CUDA and for fine-tuning.

One safetensors file, matrices in 16 bits; its header says what to build for them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from model_server.captioning.decoders import DECODERS, build_decoder
from model_server.captioning.exported import NsfwBranch
from model_server.captioning.networks import CNNEncoder, ImageCaptioningModel
from model_server.captioning.resnet import ResNet
from model_server.errors import BundleError

__all__ = ["WEIGHTS", "load_weights", "save_weights"]

WEIGHTS = "weights.safetensors"

_NSFW = "nsfw."
_TIED = "decoder.output.weight"


def save_weights(file: Path, model: ImageCaptioningModel, nsfw: NsfwBranch | None = None) -> None:
    """Writes model and NSFW branch.

    Args:
        file: To write.
        model: Any; but only those with a ResNet can be built again without training's code.
        nsfw: Where the photo's NSFW score is served.
    """
    backbone, decoder = model.encoder.backbone, model.decoder
    facts: dict[str, Any] = {
        "encoder": backbone.options if isinstance(backbone, ResNet) else None,
        "decoder": next(name for name, kind in DECODERS.items() if type(decoder) is kind),
        "words": decoder.output.out_features,
        "options": decoder.options,
        "shared": None if nsfw is None else nsfw.shared,
    }
    state = {name: value for name, value in model.state_dict().items() if name != _TIED}
    if nsfw is not None:
        state |= {_NSFW + name: value for name, value in nsfw.state_dict().items()}
    tensors = {
        # Vectors stay in 32 bits: variances may lie beyond what 16 bits can say.
        name: (value.half() if value.dim() > 1 else value).contiguous().clone()
        for name, value in state.items()
    }
    save_file(tensors, file, {"captioner": json.dumps(facts)})
    file.chmod(0o644)  # the library leaves it to the owner alone


def load_weights(file: Path) -> tuple[ImageCaptioningModel, NsfwBranch | None]:
    """Builds what :func:`save_weights` wrote, in float32.

    Raises:
        BundleError: The file is damaged, or of an encoder that only training knows.
    """
    try:
        with safe_open(file, "pt") as content:
            facts = json.loads((content.metadata() or {})["captioner"])
            state = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError) as error:
        raise BundleError(f"{file.name} holds no weights of a captioner: {error}") from error
    if facts["encoder"] is None:
        raise BundleError(f"{file.name}: only training can build this encoder; use OpenVINO")
    backbone = ResNet(**facts["encoder"])
    decoder = build_decoder(facts["decoder"], facts["words"], backbone.channels, **facts["options"])
    model = ImageCaptioningModel(CNNEncoder(backbone, backbone.channels), decoder)
    own = {name: value for name, value in state.items() if not name.startswith(_NSFW)}
    own[_TIED] = own["decoder.embedding.weight"]
    model.load_state_dict(own)
    if facts["shared"] is None:
        return model.eval(), None
    original = ResNet(**facts["encoder"])
    stages = [original.get_submodule(stage) for stage in original.stages[facts["shared"] :]]
    nsfw = NsfwBranch(stages, nn.Linear(backbone.channels, 2), facts["shared"])
    nsfw.load_state_dict(
        {name.removeprefix(_NSFW): value for name, value in state.items() if name.startswith(_NSFW)}
    )
    return model.eval(), nsfw.eval()
