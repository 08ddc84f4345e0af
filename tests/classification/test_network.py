import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pad_sequence

from onsei.errors import ConfigError
from onsei.systems.classification.config import Model
from onsei.systems.classification.model import MelClassifier
from onsei.systems.classification.votes import voted


def network(**options):
    torch.manual_seed(0)
    made = MelClassifier(Model(**{"channels": (4, 6, 8), "strides": (2, 2, 1), **options}), 16, 5)
    for part in made.modules():
        if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):  # as if it had learned
            part.running_mean.uniform_(-0.5, 0.5)
            part.running_var.uniform_(0.5, 1.5)
    return made


@settings(deadline=None, max_examples=30)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    full_band=st.booleans(),
    haste=st.integers(1, 3),
    recurrent=st.sampled_from([0, 6]),
    textures=st.sampled_from([0, 12]),
)
def test_a_sound_alone_gives_what_it_gives_in_a_batch(lengths, full_band, haste, recurrent, textures):
    model = network(full_band=full_band, haste=haste, recurrent=recurrent, textures=textures).eval()
    sounds = [torch.randn(16, n, generator=torch.Generator().manual_seed(n)) for n in lengths]
    padded = pad_sequence([x.T for x in sounds], batch_first=True).transpose(1, 2)
    with torch.no_grad():
        together = model(padded, torch.tensor(lengths))
        alone = torch.cat([model(x[None]) for x in sounds])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("recurrent", "textures"), [(0, 0), (6, 0), (0, 12)])
def test_what_stands_in_the_padding_does_not_matter_in_training_either(recurrent, textures):
    model = network(dropout=0.0, recurrent=recurrent, textures=textures).train()
    features, lengths = torch.randn(3, 16, 40), torch.tensor([40, 21, 9])
    other = features.clone()
    other[1, :, 21:], other[2, :, 9:] = 7.0, -3.0
    torch.testing.assert_close(model(features, lengths), model(other, lengths))


def test_padding_does_not_change_what_is_learned():
    features, lengths = torch.randn(3, 16, 40, generator=torch.Generator().manual_seed(0)), torch.tensor([40, 40, 40])
    found = []
    for x in (features, torch.nn.functional.pad(features, (0, 9))):
        model = network(dropout=0.0).train()
        model(x, lengths)[:, 0].sum().backward()
        found.append({name: parameter.grad for name, parameter in model.named_parameters()})
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in found[0].values())
    torch.testing.assert_close(found[1], found[0], atol=1e-5, rtol=1e-4)


def test_pitch_is_told_apart_only_where_the_last_convolution_spans_all_bands():
    x = torch.zeros(1, 16, 40)
    low, high = x.clone(), x.clone()
    low[:, 6:8], high[:, 8:10] = 1.0, 1.0  # the same away from the edges, one stride apart
    for full_band, apart in ((True, True), (False, False)):
        model = network(full_band=full_band, haste=1, channels=(4, 8), strides=(2, 1)).eval()
        assert (not torch.allclose(model(low), model(high), atol=1e-5)) == apart


def test_a_recurrent_layer_hears_in_which_order_things_come():
    x = torch.randn(1, 16, 64, generator=torch.Generator().manual_seed(0))
    halves = torch.cat([x[..., 32:], x[..., :32]], -1)
    for recurrent in (0, 6):
        model = network(haste=1, channels=(4,), strides=(1,), recurrent=recurrent).eval()
        with torch.no_grad():
            pooled = model.network(x), model.network(halves)
        apart = float((pooled[0] - pooled[1]).abs().mean() / pooled[0].abs().mean())
        assert (apart > 0.05) == bool(recurrent), apart


def test_strides_for_every_convolution():
    with pytest.raises(ConfigError, match=r"model\.strides: 2 for 3"):
        network(strides=(2, 2))


def test_windows_of_textures_hold_a_modulation():
    with pytest.raises(ConfigError, match=r"model\.textures: expected 0, or 8 frames or more; found 7"):
        network(textures=7)


def test_a_vote_is_the_mean_of_the_pieces_probabilities():
    logits = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 2.0]])
    found = voted(logits, torch.tensor([0, 0, 1]), 2)
    expected = torch.stack([logits[:2].softmax(-1).mean(0), logits[2].softmax(-1)])
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found.sum(-1), torch.ones(2))
