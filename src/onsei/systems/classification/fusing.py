"""A trained network made ready to answer: batch norms go into the convolutions before them."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from onsei.systems.classification.model import MelClassifier


def fused(network: nn.Module) -> nn.Module:
    """The own network without its batch norms, changed in place; another network as it is.

    It answers as before, to rounding, but cannot be trained any more.
    """
    if not isinstance(network, MelClassifier):
        return network
    network.eval()
    layers: list[nn.Module] = []
    for layer in network.network.convs.seq_module:
        if isinstance(layer, nn.BatchNorm2d) and layers and isinstance(layers[-1], nn.Conv2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        else:
            layers.append(nn.ReLU(inplace=True) if isinstance(layer, nn.ReLU) else layer)
    network.network.convs.seq_module = nn.Sequential(*layers)
    return network
