"""The quick front: what transformers' convolutions give, for every norm and length."""

import pytest
import torch
from torch import nn

from onsei.units.front import QuickFront, quicken
from onsei.units.positions import QuickConv


def front(norm="group", bias=False, act="gelu", kernels=(10, 3, 3, 2), strides=(5, 2, 2, 2), positions=2):
    from transformers import HubertConfig, HubertModel

    torch.manual_seed(3)
    config = HubertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, conv_dim=(12,) * len(kernels),
        conv_kernel=kernels, conv_stride=strides, num_feat_extract_layers=len(kernels), feat_extract_norm=norm,
        conv_bias=bias, feat_extract_activation=act, num_conv_pos_embeddings=positions, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    model = HubertModel(config).eval()
    for parameter in model.feature_extractor.parameters():
        nn.init.normal_(parameter, 0.1, 0.4)
    return model


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("bias", [False, True])
@torch.inference_mode()
def test_it_gives_what_the_convolutions_give(norm, bias):
    stock = front(norm, bias).feature_extractor
    assert QuickFront.fits(stock)
    for size in (*range(65, 200, 7), 4001, 4002, 4003, 4004):
        sound = 0.3 * torch.randn(1, size) + 0.1
        wanted = stock(sound)
        torch.testing.assert_close(QuickFront(stock)(sound), wanted, atol=2e-5 * float(wanted.abs().max()), rtol=0)


@pytest.mark.parametrize(("channels", "groups", "width", "padding"), [(12, 3, 128, 64), (8, 2, 33, 0), (6, 1, 40, 20)])
@torch.inference_mode()
def test_a_long_convolution_by_fourier_transform(channels, groups, width, padding):
    conv = nn.Conv1d(channels, 2 * channels, width, padding=padding, groups=groups)
    assert QuickConv.fits(conv)
    for frames in (*range(width, width + 40, 13), 249, 257, 258, 700, 1499):
        x = torch.randn(2, channels, frames)
        torch.testing.assert_close(QuickConv(conv)(x), conv(x), atol=1e-5, rtol=0)
    assert not QuickConv.fits(nn.Conv1d(2, 2, 9))
    assert not QuickConv.fits(nn.Linear(2, 2))


@torch.inference_mode()
def test_padding_does_not_leak():
    stock = front().feature_extractor
    quick, lengths = QuickFront(stock), torch.tensor([900, 333, 65])
    sounds = torch.randn(3, 900)
    batch = quick(sounds, lengths)
    for row, sound, size in zip(batch, sounds, lengths.tolist(), strict=True):
        alone = quick(sound[None, :size])[0]
        assert torch.equal(row[:, : alone.size(1)], alone)
        assert not row[:, alone.size(1) :].any()


def test_others_are_left_alone():
    assert not QuickFront.fits(front(act="relu").feature_extractor)
    assert not QuickFront.fits(front().bfloat16().feature_extractor)
    assert QuickFront.fits(front(kernels=(10, 4, 2), strides=(5, 3, 1)).feature_extractor)
    model = nn.Linear(2, 2)
    quicken(model)
    assert not hasattr(model, "feature_extractor")


@torch.inference_mode()
def test_a_quickened_model_answers_as_before():
    model, sound = front(kernels=(10, 3, 2), strides=(5, 2, 1), positions=40), torch.randn(2, 1200)
    before = model(sound).last_hidden_state
    quicken(model)
    assert isinstance(model.feature_extractor, QuickFront)
    assert isinstance(model.encoder.pos_conv_embed.conv, QuickConv)
    torch.testing.assert_close(model(sound).last_hidden_state, before, atol=2e-5, rtol=0)
