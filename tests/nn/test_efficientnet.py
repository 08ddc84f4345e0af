"""EfficientNetV2 has timm's names, shapes and numbers."""

import pytest
import torch

from onsei.nn.efficientnet import EfficientNetV2, SameConv2d, count_parameters, trunk_weights


def test_b2_has_the_weights_of_timm():
    model = EfficientNetV2("b2", 1)
    state = model.state_dict()
    assert count_parameters(model) == 8_390_830
    assert len(state) == 530
    assert state["conv_stem.weight"].shape == (32, 1, 3, 3)
    assert state["blocks.0.0.conv.weight"].shape == (16, 32, 3, 3)
    assert state["blocks.3.0.se.conv_reduce.weight"].shape == (14, 224, 1, 1)
    assert [len(stage) for stage in model.blocks] == [2, 3, 3, 4, 6, 10]


@pytest.mark.parametrize(("size", "map_"), [((64, 96), (2, 3)), ((65, 33), (3, 2)), ((256, 256), (8, 8))])
def test_maps_are_a_32nd_rounded_up(size, map_):
    model = EfficientNetV2("b0", 1).eval()
    with torch.no_grad():
        assert model(torch.rand(1, 1, *size)).shape == (1, 192, *map_)


def test_the_odd_pixel_of_padding_goes_right_and_down():
    conv = SameConv2d(1, 1, 3, 2, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.arange(9.0).view(1, 1, 3, 3))
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 0, 0] = 1
    assert conv(x)[0, 0].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 2, 2] = 1
    assert conv(x)[0, 0].tolist() == [[8.0, 6.0], [2.0, 0.0]]


def test_color_weights_see_gray_pictures_as_gray():
    color, gray, copies = EfficientNetV2("b0", 3).eval(), EfficientNetV2("b0", 1).eval(), EfficientNetV2("b0", 6).eval()
    state = color.state_dict() | {"classifier.weight": torch.zeros(3), "conv_head.weight": torch.zeros(3)}
    gray.load_state_dict(trunk_weights(state, 1))
    copies.load_state_dict(trunk_weights(state, 6))
    x = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        expected = color(x.expand(-1, 3, -1, -1))
        torch.testing.assert_close(gray(x), expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(copies(x.expand(-1, 6, -1, -1)), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", ["b0", "b2"])
def test_it_equals_timm(size):
    timm = pytest.importorskip("timm")
    theirs = timm.create_model(f"tf_efficientnetv2_{size}", features_only=True, in_chans=1, pretrained=False).eval()
    for buffer in theirs.buffers():
        if buffer.is_floating_point():
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    ours = EfficientNetV2(size, 1).eval()
    ours.load_state_dict(theirs.state_dict())
    x = torch.rand(2, 1, 129, 96)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x)[-1])
