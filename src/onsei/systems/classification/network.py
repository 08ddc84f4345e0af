"""Which network the options name: convolutions over log-mel spectrograms, or a pretrained encoder over samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from onsei.config import from_dict
from onsei.errors import ModelError
from onsei.hub.store import ModelFolder
from onsei.systems.classification.config import Features, Model, Train
from onsei.systems.classification.model import MelClassifier


def built(options: Train, classes: int) -> nn.Module:
    """The network that training starts from."""
    return MelClassifier(options.model, classes)


def opened(saved: ModelFolder, features: Features) -> nn.Module:
    """The network of a trained model with its weights.

    Raises:
        ModelError: the folder's parts do not fit each other.
    """
    shape = from_dict(Model, saved.config["model"], source=f"{saved.path}/onsei.json")
    if len(saved.labels) < 2:
        raise ModelError(f"{saved.path}/onsei.json: expected two labels or more", "copy the whole folder again")
    network = MelClassifier(shape, len(saved.labels))
    saved.fill(network)
    return network


def files(network: nn.Module, options: Train, labels: tuple[str, ...]) -> Mapping[str, str]:
    """Files beside the weights with which transformers opens the folder."""
    return {}


def groups(network: nn.Module, options: Train) -> list[dict[str, Any]]:
    """Parameters to train, in groups with their learning rates; norms and biases without weight decay."""
    rate, decay = options.optimization.learning_rate, options.optimization.weight_decay
    weights = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    return [
        {"params": weights, "lr": rate, "weight_decay": decay},
        {"params": others, "lr": rate, "weight_decay": 0.0},
    ]
