"""What is learnt: the loss under teacher forcing, and the reward's gradient."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the field's name for it)

from model_server.captioning.networks import ImageCaptioningModel
from model_server.captioning.vocabulary import END, PAD, START

__all__ = ["CaptionLoss", "packed_cross_entropy", "rows_of", "sample_captions"]


def packed_cross_entropy(
    model: ImageCaptioningModel, combined: Tensor, targets: Tensor, smoothing: float
) -> Tensor:
    """Mean cross-entropy over the words; padding is packed away before the output layer.

    Args:
        model: Whose decoder has the output layer.
        combined: What it reads, (N, T, hidden).
        targets: (N, T), padded.
        smoothing: Probability that goes to all other words.
    """
    real = targets != PAD
    logits = model.decoder.logits(combined[real])
    return F.cross_entropy(logits.float(), targets[real], label_smoothing=smoothing)


class CaptionLoss(nn.Module):
    """The model with its loss: one module, so that DistributedDataParallel can wrap it.

    Args:
        model: Encoder and decoder.
        live: Whether batches hold images; otherwise they hold the encoder's regions.
        smoothing: Label smoothing.
    """

    def __init__(self, model: ImageCaptioningModel, *, live: bool, smoothing: float) -> None:
        super().__init__()
        self.model = model
        self.live = live
        self.smoothing = smoothing

    def forward(self, pixels: Tensor, tokens: Tensor, targets: Tensor, sampling: float) -> Tensor:
        """Loss of a batch; ``sampling`` is the share of words replaced by the model's own."""
        regions = self.model.encoder(pixels) if self.live else pixels
        decoder = self.model.decoder
        memory = decoder.memory(regions)
        if sampling > 0:
            with torch.no_grad():
                guesses = decoder.logits(decoder(memory, tokens)).argmax(-1)
            own = torch.cat((tokens[:, :1], guesses[:, :-1]), 1)
            chosen = (torch.rand(tokens.shape, device=tokens.device) < sampling) & (tokens > END)
            tokens = torch.where(chosen, own, tokens)
        return packed_cross_entropy(self.model, decoder(memory, tokens), targets, self.smoothing)


def sample_captions(
    model: ImageCaptioningModel, regions: Tensor, samples: int, max_length: int
) -> tuple[Tensor, Tensor]:
    """Draws captions from the model, keeping the gradient.

    Args:
        model: In training mode or not.
        regions: (N, K, channels).
        samples: Captions per photo.
        max_length: Words at the most.

    Returns:
        Tokens (N x samples, T), padded behind the end, and the log-probability of each, 0 where
        padded.
    """
    decoder = model.decoder
    memory = decoder.memory(regions)
    token = torch.full((len(regions) * samples,), START, device=regions.device)
    state = {
        name: value.repeat_interleave(samples, 0)
        for name, value in decoder.initial_state(memory).items()
    }
    done = torch.zeros_like(token, dtype=torch.bool)
    words: list[Tensor] = []
    chances: list[Tensor] = []
    for _ in range(max_length):
        log_probs, state = decoder.step(token, memory, state)
        drawn = torch.multinomial(log_probs.detach().exp(), 1).squeeze(1)
        chosen = log_probs.gather(1, drawn.unsqueeze(1)).squeeze(1)
        token = drawn.masked_fill(done, PAD)
        words.append(token)
        chances.append(chosen.masked_fill(done, 0.0))
        done = done | (token == END)
        if bool(done.all()):
            break
    return torch.stack(words, 1), torch.stack(chances, 1)


def rows_of(tokens: Tensor) -> Sequence[list[int]]:
    """Each row's numbers up to and with the end, without padding."""
    rows: list[list[int]] = []
    for row in tokens.tolist():
        cut = row.index(END) + 1 if END in row else len(row)
        rows.append([number for number in row[:cut] if number != PAD])
    return rows
