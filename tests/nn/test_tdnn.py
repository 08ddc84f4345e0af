"""Residual convolutions: padding reaches nothing."""

import torch

from onsei.nn.rnn import pack, unpack
from onsei.nn.tdnn import ResidualConvs

LENGTHS = torch.tensor([9, 14, 5])


def network(gate=3):
    torch.manual_seed(0)
    return ResidualConvs(4, 6, 3, 5, gate)


def frames():
    return torch.randn(3, 14, 4, generator=torch.Generator().manual_seed(1))


def test_an_item_gives_the_same_in_a_batch_as_alone():
    convs, x = network().eval(), frames()
    with torch.no_grad():
        together = unpack(convs(pack(x, LENGTHS)), 14)
        for item, length in enumerate(LENGTHS.tolist()):
            alone = unpack(convs(pack(x[item : item + 1, :length], LENGTHS[item : item + 1])), length)
            torch.testing.assert_close(together[item, :length], alone[0])
            assert not together[item, length:].any()


def test_padding_counts_neither_in_statistics_nor_in_training():
    results = []
    for junk in (0.0, 100.0):
        convs, x = network(), frames()
        for item, length in enumerate(LENGTHS.tolist()):
            x[item, length:] = junk
        y = unpack(convs(pack(x, LENGTHS)), 14)
        results.append((y, [norm.running_var.clone() for norm in convs.norms]))
    torch.testing.assert_close(*results)
    convs, x = network(), frames()
    convs(pack(x, LENGTHS))
    sound = torch.cat([x[item, :length] for item, length in enumerate(LENGTHS.tolist())])
    wanted = 0.9 + 0.1 * convs.project(sound).var(0)
    torch.testing.assert_close(convs.norm.running_var, wanted)


def test_each_convolution_reaches_two_frames_further():
    convs = network(gate=0).eval()
    x = frames()[:1].requires_grad_()
    convs(pack(x, torch.tensor([14]))).data[0].sum().backward()
    reached = x.grad[0].abs().sum(-1) > 0
    assert reached[:7].all()
    assert not reached[7:].any()


def test_a_gate_heeds_the_whole_utterance():
    convs = network(gate=32).eval()
    x = frames()[:1].requires_grad_()
    convs(pack(x, torch.tensor([14]))).data[0].sum().backward()
    assert x.grad[0, 7:].any()  # beyond what the convolutions reach
