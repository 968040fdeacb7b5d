"""Tests of the captioners' networks."""

import pytest
import torch

from model_server.captioning.networks import (
    DECODERS,
    CNNEncoder,
    ImageCaptioningModel,
    ResNet,
    build_decoder,
)

WORDS, CHANNELS, HIDDEN = 11, 6, 16


def decoder_of(name: str):
    torch.manual_seed(0)
    return build_decoder(name, WORDS, CHANNELS, hidden=HIDDEN).eval()


@pytest.mark.parametrize("name", DECODERS)
def test_steps_equal_teacher_forcing(name: str) -> None:
    """Word by word gives the same log-probabilities as all words at once."""
    decoder = decoder_of(name)
    regions = torch.randn(3, 4, CHANNELS)
    tokens = torch.randint(4, WORDS, (3, 5))
    with torch.inference_mode():
        memory = decoder.memory(regions)
        logits = decoder.logits(decoder(memory, tokens))
        logits[..., [0, 1, 3]] = -torch.inf  # what is never said
        at_once = torch.log_softmax(logits, -1)
        state = decoder.initial_state(memory)
        for place in range(5):
            log_probs, state = decoder.step(tokens[:, place], memory, state)
            assert log_probs[:, [0, 1, 3]].max() < -1000
            torch.testing.assert_close(
                log_probs.exp(), at_once[:, place].exp(), atol=1e-5, rtol=1e-4
            )


@pytest.mark.parametrize("name", DECODERS)
def test_captions_of_a_photo_share_its_memory(name: str) -> None:
    """Several captions a photo give the same as the photo repeated."""
    decoder = decoder_of(name)
    regions = torch.randn(2, 4, CHANNELS)
    tokens = torch.randint(4, WORDS, (6, 5))
    with torch.inference_mode():
        shared = decoder(decoder.memory(regions), tokens)
        repeated = decoder(decoder.memory(regions.repeat_interleave(3, 0)), tokens)
    torch.testing.assert_close(shared, repeated, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", DECODERS)
def test_padding_behind_a_caption_changes_nothing(name: str) -> None:
    """What comes later is never seen earlier."""
    decoder = decoder_of(name)
    memory = decoder.memory(torch.randn(2, 4, CHANNELS))
    tokens = torch.randint(4, WORDS, (2, 4))
    padded = torch.cat((tokens, torch.zeros(2, 3, dtype=torch.long)), 1)
    with torch.inference_mode():
        torch.testing.assert_close(decoder(memory, padded)[:, :4], decoder(memory, tokens))


@pytest.mark.parametrize("name", DECODERS)
def test_the_photo_matters(name: str) -> None:
    """Another photo gives other words' probabilities."""
    decoder = decoder_of(name)
    tokens = torch.randint(4, WORDS, (1, 3))
    with torch.inference_mode():
        one, other = (decoder(decoder.memory(torch.randn(1, 4, CHANNELS)), tokens) for _ in "ab")
    assert not torch.allclose(one, other, atol=1e-3)


def test_attention_looks_at_regions() -> None:
    """Regions with the same mean but other content give other words: not only the pooled photo."""
    decoder = decoder_of("attention")
    regions = torch.randn(1, 4, CHANNELS)
    spread = regions.mean(1, keepdim=True) + 3 * (regions - regions.mean(1, keepdim=True))
    tokens = torch.randint(4, WORDS, (1, 3))
    memory, other = decoder.memory(regions), decoder.memory(spread)
    other = {**other, "pooled": memory["pooled"], "start": memory["start"]}
    with torch.inference_mode():
        assert not torch.allclose(decoder(memory, tokens), decoder(other, tokens), atol=1e-4)


def test_words_and_output_share_weights() -> None:
    """One matrix for what words mean, going in and coming out."""
    decoder = decoder_of("attention")
    assert decoder.output.weight is decoder.embedding.weight


def test_unknown_decoder() -> None:
    """The error lists what there is."""
    with pytest.raises(ValueError, match="pooled, merge, attention, transformer"):
        build_decoder("gru", WORDS, CHANNELS)


@pytest.mark.parametrize("caffe", [False, True])
def test_resnet_shapes(*, caffe: bool) -> None:
    """Thirty-second of the size, four times the last stage's planes; names are torchvision's."""
    network = ResNet(8, caffe=caffe).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 64, 96)).shape == (2, 256, 2, 3)
    assert "layer4.2.conv3.weight" in network.state_dict()


def test_greedy_ends_at_the_end() -> None:
    """After the end a caption stays ended, and captions are no longer than allowed."""
    decoder = decoder_of("pooled")
    with torch.no_grad():
        decoder.output.bias[2] = 50  # the end is always likeliest
    model = ImageCaptioningModel(CNNEncoder(torch.nn.Identity(), CHANNELS), decoder).eval()
    regions = torch.randn(3, 4, CHANNELS)
    assert model.greedy(regions, 1, 2).tolist() == [[2], [2], [2]]
    with torch.no_grad():
        decoder.output.bias[2] = -50
    assert model.greedy(regions, 1, 2, max_length=7).shape == (3, 7)


def test_model_from_images_to_words() -> None:
    """Images and tokens in, logits for every step out."""
    encoder = CNNEncoder(torch.nn.Conv2d(3, CHANNELS, 8, 8), CHANNELS)
    model = ImageCaptioningModel(encoder, decoder_of("attention"))
    assert model(torch.zeros(2, 3, 16, 16), torch.ones(2, 5, dtype=torch.long)).shape == (
        2,
        5,
        WORDS,
    )
