"""Generators: rules of their kernels, lengths, and the three layouts of weight normalization."""

from dataclasses import replace
from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.errors import ConfigError, ModelError
from onsei.vocoder.generator import PRESETS, Generator, GeneratorShape
from onsei.vocoder.istft import Head, HeadShape
from onsei.vocoder.mel import MelDefinition
from onsei.vocoder.shapes import automatic_rates, check_segment, divisors
from onsei.vocoder.weightnorm import classic, fill, fused

SMALL = GeneratorShape(
    resblock="2", upsample_initial_channel=32, resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1,),)
)
HEAD = HeadShape(channels=16, layers=1, fine_channels=8, fine_layers=1)


def mel_of(hop, **changed):
    return MelDefinition(
        sample_rate=11413, n_fft=2048, hop_length=hop, win_length=2048, n_mels=8, f_max=None, **changed
    )


@given(st.integers(2, 600))
def test_automatic_rates_make_the_hop_and_keep_the_length(hop):
    shape = replace(SMALL, upsample_initial_channel=512).fitted(hop)
    assert prod(shape.upsample_rates) == hop
    assert all(
        (k - u) % 2 == 0 and k >= u for k, u in zip(shape.upsample_kernel_sizes, shape.upsample_rates, strict=True)
    )
    assert list(shape.upsample_rates) == sorted(shape.upsample_rates, reverse=True)


@pytest.mark.parametrize(
    ("hop", "rates", "kernels"),
    [(256, (8, 8, 2, 2), (16, 16, 4, 4)), (420, (10, 7, 3, 2), (20, 15, 7, 4)), (105, (7, 5, 3), (15, 11, 7))],
)
def test_automatic_rates_are_the_known_ones(hop, rates, kernels):
    shape = PRESETS["v1"].fitted(hop)
    assert (shape.upsample_rates, shape.upsample_kernel_sizes) == (rates, kernels)
    assert automatic_rates(256, 3) == (8, 8, 4)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([2, 7, 53, 60, 105, 256, 420]), st.integers(1, 9), st.sampled_from(["generator", "head"]))
def test_frames_become_hops_exactly(hop, frames, kind):
    mel = mel_of(hop)
    network = Generator(SMALL, mel) if kind == "generator" else Head(HEAD, mel)
    with torch.no_grad():
        assert network(torch.zeros(2, 8, frames)).shape == (2, frames * hop)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"upsample_rates": (8, 8, 2, 2)}, ["product of 420", "256", "[10, 7, 3, 2]"]),
        (
            {"upsample_rates": (10, 7, 3, 2), "upsample_kernel_sizes": (20, 16, 7, 4)},
            ["upsample_kernel_sizes[1]", "16 with rate 7", "15 would do"],
        ),
        (
            {"upsample_rates": (10, 7, 3, 2), "upsample_kernel_sizes": (8, 15, 7, 4)},
            ["upsample_kernel_sizes[0]", "leaves samples out"],
        ),
        ({"upsample_kernel_sizes": (20, 15)}, ["expected 4", "found 2"]),
        ({"upsample_initial_channel": 100}, ["multiple of 16", "96 would do"]),
        ({"resblock_kernel_sizes": (4,)}, ["odd numbers"]),
        ({"resblock_dilation_sizes": ((1,), (3,))}, ["one for each kernel"]),
        ({"resblock_dilation_sizes": ((),)}, ["an empty list"]),
    ],
)
def test_shapes_that_do_not_fit_are_refused_with_the_mend(changed, words):
    with pytest.raises(ConfigError) as refused:
        Generator(replace(SMALL, resblock="1", **changed), mel_of(420))
    assert all(word in str(refused.value) for word in words), refused.value


def test_all_faults_are_told_at_once():
    with pytest.raises(ConfigError) as refused:
        replace(SMALL, upsample_rates=(8, 3), upsample_kernel_sizes=(16, 6), upsample_initial_channel=2).fitted(256)
    assert all(word in str(refused.value) for word in ("product", "sizes[1]", "multiple of 4"))


def test_segments_are_whole_frames():
    check_segment(8400, 420)
    with pytest.raises(ConfigError, match=r"8400 \(20 frames\)"):
        check_segment(8192, 420)


def test_heads_refuse_what_does_not_divide():
    with pytest.raises(ConfigError, match="take 7"):
        Head(replace(HEAD, upsample=8), mel_of(105))
    with pytest.raises(ConfigError, match="odd"):
        Head(replace(HEAD, kernel=4), mel_of(105))
    assert all(HEAD.factor(hop, 11413) in divisors(hop) for hop in range(2, 600))


@pytest.mark.parametrize("network", [Generator(SMALL, mel_of(60)), Head(HEAD, mel_of(60))], ids=["generator", "head"])
def test_another_mel_is_refused(network):
    with pytest.raises(ConfigError, match="turn it round"):
        network(torch.zeros(1, 5, 8))
    with pytest.raises(ConfigError, match="vocoder check"):
        network(torch.zeros(1, 80, 5))
    with pytest.raises(ConfigError):
        network(torch.zeros(1, 8, 0))


@pytest.mark.parametrize("layout", [dict, classic, fused])
@pytest.mark.parametrize("normed", [True, False])
def test_every_layout_reads_back(layout, normed):
    torch.manual_seed(1)
    network, other = Generator(SMALL, mel_of(60)), Generator(SMALL, mel_of(60), normed=normed)
    fill(other, layout(network.state_dict()))
    mel = torch.randn(1, 8, 5)
    with torch.no_grad():
        torch.testing.assert_close(other(mel), network(mel))


def test_weights_that_do_not_fit_are_all_named():
    state = classic(Generator(SMALL, mel_of(60)).state_dict())
    state["further"] = torch.zeros(1)
    del state["ups.0.bias"]
    state["conv_post.weight_v"] = torch.zeros(1, 2, 3)
    with pytest.raises(ModelError) as refused:
        fill(Generator(SMALL, mel_of(60)), state, "g_1")
    assert all(word in str(refused.value) for word in ("g_1", "further", "ups.0.bias", "conv_post"))


@pytest.mark.parametrize("kind", ["generator", "head"])
def test_checkpointing_changes_no_gradient(kind):
    def gradients(checkpointing):
        torch.manual_seed(1)
        network = Generator(SMALL, mel_of(60)) if kind == "generator" else Head(HEAD, mel_of(60))
        network.checkpointing = checkpointing
        network(torch.ones(1, 8, 4)).square().sum().backward()
        return [parameter.grad for parameter in network.parameters()]

    for plain, again in zip(gradients(False), gradients(True), strict=True):
        torch.testing.assert_close(plain, again)
