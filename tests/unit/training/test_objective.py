"""Tests of what is learnt."""

import pytest
import torch
from torch import nn

from model_server.captioning.networks import CNNEncoder, ImageCaptioningModel, build_decoder
from model_server.captioning.vocabulary import END, PAD, START, UNKNOWN
from training.objective import CaptionLoss, packed_cross_entropy, rows_of, sample_captions

WORDS, CHANNELS = 9, 6


@pytest.fixture
def model() -> ImageCaptioningModel:
    torch.manual_seed(0)
    decoder = build_decoder("attention", WORDS, CHANNELS, hidden=16, dropout=0.0)
    return ImageCaptioningModel(CNNEncoder(nn.Identity(), CHANNELS), decoder)


def test_padding_is_not_counted(model: ImageCaptioningModel) -> None:
    """More padding changes the loss by nothing, and what stands there gets no gradient."""
    combined = torch.randn(2, 5, 16, requires_grad=True)
    targets = torch.tensor([[4, 5, END, PAD, PAD], [6, END, PAD, PAD, PAD]])
    loss = packed_cross_entropy(model, combined, targets, 0.1)
    short = packed_cross_entropy(model, combined[:, :3], targets[:, :3], 0.1)
    assert loss.item() == pytest.approx(short.item())
    loss.backward()
    assert combined.grad is not None
    assert combined.grad[targets == PAD].abs().max() == 0
    assert combined.grad[targets != PAD].abs().min() > 0


def test_loss_is_the_mean_over_words(model: ImageCaptioningModel) -> None:
    """Without smoothing it is the mean of the words' negative log-probabilities."""
    regions = torch.randn(2, 4, CHANNELS)
    tokens = torch.tensor([[START, 4, 5], [START, 6, PAD]])
    targets = torch.tensor([[4, 5, END], [6, END, PAD]])
    loss = CaptionLoss(model, live=False, smoothing=0.0)(regions, tokens, targets, 0.0)
    decoder = model.decoder
    chances = torch.log_softmax(decoder.logits(decoder(decoder.memory(regions), tokens)), -1)
    picked = chances.gather(2, targets.unsqueeze(2)).squeeze(2)[targets != PAD]
    assert loss.item() == pytest.approx(-picked.mean().item(), rel=1e-5)


def test_scheduled_sampling_feeds_the_model_its_own_words(model: ImageCaptioningModel) -> None:
    """At share 1 all inputs but the start are replaced; at 0 none."""
    seen: list[torch.Tensor] = []
    forward = model.decoder.forward

    def watch(memory: dict[str, torch.Tensor], tokens: torch.Tensor) -> torch.Tensor:
        seen.append(tokens)
        return forward(memory, tokens)

    model.decoder.forward = watch  # type: ignore[method-assign, assignment]
    loss = CaptionLoss(model, live=False, smoothing=0.0)
    tokens = torch.tensor([[START, 4, 5, PAD]])
    targets = torch.tensor([[4, 5, END, PAD]])
    regions = torch.randn(1, 4, CHANNELS)
    loss(regions, tokens, targets, 0.0)
    assert seen[-1].tolist() == tokens.tolist()
    with torch.no_grad():
        own = model.decoder.logits(forward(model.decoder.memory(regions), tokens)).argmax(-1)
    loss(regions, tokens, targets, 1.0)
    assert seen[-1].tolist() == [[START, int(own[0, 0]), int(own[0, 1]), PAD]]


def test_samples(model: ImageCaptioningModel) -> None:
    """Samples end with the end, hold no special word, and carry their own log-probability.

    It is that among the words that may be drawn: else <UNK>, never drawn, would only gain.
    """
    torch.manual_seed(1)
    regions = torch.randn(3, 4, CHANNELS)
    tokens, chances = sample_captions(model, regions, samples=4, max_length=6)
    assert tokens.shape == chances.shape == (12, tokens.shape[1])
    assert not torch.isin(tokens, torch.tensor([START, UNKNOWN])).any()
    for row, chance in zip(tokens.tolist(), chances, strict=True):
        if END in row:
            behind = row.index(END) + 1
            assert set(row[behind:]) <= {PAD}
            assert chance[behind:].abs().sum() == 0
    assert chances.requires_grad
    inputs = torch.cat((torch.full((12, 1), START), tokens[:, :-1]), 1)
    decoder = model.decoder
    logits = decoder.logits(decoder(decoder.memory(regions), inputs))
    full = torch.log_softmax(logits + decoder.never, -1)
    forced = full.gather(2, tokens.unsqueeze(2)).squeeze(2).masked_fill(tokens == PAD, 0.0)
    torch.testing.assert_close(chances, forced, atol=1e-5, rtol=1e-4)


def test_rows_of() -> None:
    """A row is cut behind its end; one without an end keeps all its words."""
    assert rows_of(torch.tensor([[4, END, PAD], [4, 5, 6]])) == [[4, END], [4, 5, 6]]
