"""Encoders give a clip what they give it in a batch, and what transformers gives it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pad_sequence

from onsei.nn.frames import Frames
from onsei.units import ssl
from onsei.units.encoder import SpeechEncoder, spans
from tests.units.encoders import KINDS, shape

LENGTHS = torch.tensor([4000, 2500, 9000, 100])


def clips():
    random = torch.Generator().manual_seed(5)
    return [torch.randn(int(n), generator=random) for n in LENGTHS]


@pytest.fixture(scope="module", params=sorted(KINDS))
def encoder(request):
    torch.manual_seed(0)
    return SpeechEncoder(ssl.fresh(shape(request.param))).eval()


@torch.no_grad()
def test_a_clip_alone_gives_what_it_gives_in_a_padded_batch(encoder):
    together, frames = encoder.hidden(pad_sequence(clips(), batch_first=True), LENGTHS)
    assert frames.tolist() == [12, 8, 28, 1]
    for row, count, clip in zip(together, frames, clips(), strict=True):
        alone, own = encoder.hidden(clip[None], torch.tensor([len(clip)]))
        assert own.item() == count
        torch.testing.assert_close(row[:count], alone[0], rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_hidden_states_are_those_of_transformers(encoder):
    clip = clips()[0][None]
    theirs = encoder.body(clip, output_hidden_states=True)
    ours, _ = encoder.layers(clip, torch.tensor([clip.size(1)]))
    assert len(ours) == encoder.depth + 1
    for mine, their in zip(ours, theirs.hidden_states, strict=True):
        torch.testing.assert_close(mine, their, rtol=0, atol=1e-5)
    torch.testing.assert_close(encoder.hidden(clip, LENGTHS[:1])[0], theirs.last_hidden_state, rtol=0, atol=1e-5)


@torch.no_grad()
def test_it_is_validated_in_the_precision_that_it_is_trained_in(encoder):
    samples = pad_sequence(clips(), batch_first=True)
    wanted, frames = encoder.hidden(samples, LENGTHS)
    with torch.autocast("cpu", torch.bfloat16):
        found, counted = encoder.hidden(samples, LENGTHS)
    assert (counted == frames).all()
    for mine, exact, count in zip(found, wanted, frames, strict=True):
        assert (mine[:count].float() - exact[:count]).abs().mean() < 0.1 * exact[:count].abs().mean()


def test_layers_behind_those_kept_are_dropped():
    encoder = SpeechEncoder(ssl.fresh(shape(num_hidden_layers=3))).eval()
    samples, lengths = clips()[0][None], LENGTHS[:1]
    before, _ = encoder.layers(samples, lengths)
    encoder.keep_layers(2)
    after, _ = encoder.layers(samples, lengths)
    assert len(after) == 3
    torch.testing.assert_close(after[2], before[2])


def test_a_frozen_front_and_a_frozen_body_take_no_gradients():
    encoder = SpeechEncoder(ssl.fresh(shape(layerdrop=0.0)))
    encoder.freeze_front()
    encoder.hidden(clips()[0][None], LENGTHS[:1])[0].sum().backward()
    with_gradient = {name.split(".")[1] for name, p in encoder.named_parameters() if p.grad is not None}
    assert with_gradient == {"feature_projection", "encoder"} | ({"masked_spec_embed"} & with_gradient)
    encoder.frozen = True
    assert not encoder.hidden(clips()[0][None], LENGTHS[:1])[0].requires_grad


def test_masks_hide_frames_in_training_only_and_follow_the_seed():
    torch.manual_seed(0)
    quiet = {"layerdrop": 0.0, **dict.fromkeys(("hidden_dropout", "attention_dropout", "feat_proj_dropout"), 0.0)}
    body = ssl.fresh(shape(mask_time_prob=0.5, mask_time_length=2, activation_dropout=0.0, **quiet))
    encoder = SpeechEncoder(body)

    def heard(seed):
        torch.manual_seed(seed)
        return encoder.hidden(clips()[0][None], LENGTHS[:1])[0]

    assert torch.equal(heard(1), heard(1))
    assert not torch.equal(heard(1), heard(2))
    encoder.eval()
    assert torch.equal(heard(1), heard(2))


@given(st.integers(0, 60), st.floats(0, 1), st.integers(1, 12), st.integers(0, 3))
def test_spans_lie_inside_and_cover_what_is_asked(size, share, length, least):
    mask = spans(size, share, length, least)
    assert mask.shape == (size,)
    if size < length:
        assert not mask.any()
    else:
        most = max(least, int(share * size / length) + 1) * length
        assert int(mask.sum()) <= min(most, size)
        assert not least or int(mask.sum()) >= length


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 6), st.integers(0, 5)), min_size=1, max_size=4),
    st.integers(1, 3000),
)
def test_frames_are_those_that_convolutions_give(layers, steps):
    layers = tuple((kernel, stride, min(padding, kernel // 2)) for kernel, stride, padding in layers)
    frames = Frames(layers)
    x = torch.zeros(1, 1, max(steps, frames.smallest))
    for kernel, stride, padding in layers:
        x = torch.nn.functional.conv1d(x, torch.zeros(1, 1, kernel), stride=stride, padding=padding)
    assert frames.count(steps) == x.size(-1)
