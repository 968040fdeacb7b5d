"""The model that a run begins with, and which of its encoder's parameters are tuned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import nn

from model_server.captioning.networks import CNNEncoder, ImageCaptioningModel, build_decoder
from model_server.captioning.vocabulary import Vocabulary
from model_server.imaging import Preprocessing
from training.checkpoint import load_model
from training.config import TrainConfig
from training.encoders import build_encoder

__all__ = ["choose_tuned", "first_model"]


def first_model(
    config: TrainConfig, vocabulary: Vocabulary
) -> tuple[ImageCaptioningModel, Preprocessing]:
    """A new decoder on a pretrained encoder, or the weights of ``config.start_from``.

    Raises:
        ValueError: The weights to start from are of another vocabulary, so that words would get
            other words' weights; or of other networks than ``config`` names.
    """
    if config.start_from:
        model, _, preprocessing, began, _ = load_model(Path(config.start_from), vocabulary)
        _check_networks(config, began)
        for module in model.decoder.modules():
            if isinstance(module, nn.Dropout):
                module.p = config.decoder_options.get("dropout", module.p)
        return model, preprocessing
    encoder, preprocessing = build_encoder(config.encoder, config.encoder_weights)
    decoder = build_decoder(
        config.decoder, len(vocabulary), encoder.channels, **config.decoder_options
    )
    return ImageCaptioningModel(encoder, decoder), preprocessing


def _check_networks(config: TrainConfig, began: TrainConfig) -> None:
    """Makes sure that what is saved with the weights describes them."""
    ours, theirs = _networks(config), _networks(began)
    wrong = [name for name in ours if ours[name] != theirs[name]]
    if wrong:
        settings = ", ".join(f"{name}={json.dumps(theirs[name])}" for name in wrong)
        raise ValueError(f"{config.start_from} holds other networks: set {settings}")


def _networks(config: TrainConfig) -> dict[str, Any]:
    """What decides on the shape of the weights, and on what they are for."""
    options = {key: value for key, value in config.decoder_options.items() if key != "dropout"}
    return {
        "encoder": config.encoder,
        "decoder": config.decoder,
        "decoder_options": options,
    }


def choose_tuned(encoder: CNNEncoder, prefixes: tuple[str, ...]) -> None:
    """Freezes all parameters but those whose names begin with one of ``prefixes``.

    Raises:
        ValueError: There are none of those names.
    """
    for name, parameter in encoder.named_parameters():
        parameter.requires_grad = name.startswith(prefixes) if prefixes else False
    if prefixes and not any(p.requires_grad for p in encoder.parameters()):
        raise ValueError(f"the encoder has no parameters called {', '.join(prefixes)}…")
