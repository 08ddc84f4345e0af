"""Which network the options name: convolutions over log-mel spectrograms, or a pretrained encoder over samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from onsei.config import from_dict
from onsei.errors import ConfigError, ModelError
from onsei.hub.store import ModelFolder
from onsei.systems.classification.config import Features, Model, Train
from onsei.systems.classification.model import MelClassifier

if TYPE_CHECKING:  # transformers is imported only where an encoder is asked for
    from onsei.systems.classification.stock.sources import Origin


@dataclass(frozen=True)
class Plan:
    """What is known of the network before the rows are looked at."""

    options: Train
    """The options with what the encoder's preprocessor says."""
    origin: Origin | None = None
    """The encoder; None for the own network."""

    def build(self, classes: int) -> nn.Module:
        """The network that training starts from."""
        if self.origin is None:
            return MelClassifier(self.options.model, self.options.features.n_mels, classes)
        from onsei.systems.classification import encoder

        return encoder.built(self.origin, self.options.encoder, classes)

    def files(self, network: Any, labels: Sequence[str]) -> Mapping[str, str]:
        """Files beside the weights with which transformers opens the folder."""
        if self.origin is None:
            from onsei.systems.classification.stock import describing

            return describing.files(self.options.model, self.options.features, labels)
        from onsei.systems.classification import encoder

        return encoder.files(network, self.origin, labels)


def planned(options: Train, *, weights: bool = True) -> Plan:
    """Check the options of the network against each other, and look at the encoder that they name.

    Args:
        weights: whether the encoder's weights are needed.

    Raises:
        ConfigError: options that do not go together.
        ModelError: the encoder is missing or of another kind.
    """
    name = options.encoder.pretrained
    if options.features.kind != "wave":
        if name:
            raise ConfigError(
                f"encoder.pretrained {name} hears samples, but features.kind is {options.features.kind}",
                "take the recipe gtzan, or --kind wave",
            )
        return Plan(options)
    if not name:
        raise ConfigError(
            "features.kind wave needs an encoder, but encoder.pretrained is empty",
            "--pretrained FOLDER, or a Hub repository such as ntu-spml/distilhubert",
        )
    from onsei.systems.classification import encoder
    from onsei.systems.classification.stock import sources

    origin = sources.look(options.encoder, weights=weights)
    if origin.sample_rate != options.features.sample_rate:
        raise ConfigError(
            f"features.sample_rate: {options.features.sample_rate} Hz, but {name} hears {origin.sample_rate} Hz",
            f"--sample-rate {origin.sample_rate}; files of any rate are resampled",
        )
    features = replace(options.features, standardize=origin.standardize)
    encoder.check_pieces(origin, features)
    return Plan(replace(options, features=features), origin)


def opened(saved: ModelFolder, features: Features) -> nn.Module:
    """The network of a trained model with its weights.

    Raises:
        ModelError: the folder's parts do not fit each other.
    """
    classes = len(saved.labels)
    if classes < 2:
        raise ModelError(f"{saved.path}/onsei.json: expected two labels or more", "copy the whole folder again")
    if features.kind == "wave":
        from onsei.systems.classification import encoder
        from onsei.systems.classification.stock import sources

        network: nn.Module = encoder.fresh(sources.opened(saved.path), classes)
    else:
        shape = from_dict(Model, saved.config["model"], source=f"{saved.path}/onsei.json")
        network = MelClassifier(shape, features.n_mels, classes)
    saved.fill(network)
    return network


def groups(network: Any, options: Train) -> list[dict[str, Any]]:
    """Parameters to train, in groups with their learning rates; norms and biases without weight decay."""
    rate, decay = options.optimization.learning_rate, options.optimization.weight_decay
    if not isinstance(network, MelClassifier):
        from onsei.systems.classification import encoder

        return encoder.groups(network, rate, decay, options.encoder)
    weights = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    return [
        {"params": weights, "lr": rate, "weight_decay": decay},
        {"params": others, "lr": rate, "weight_decay": 0.0},
    ]


def state(network: nn.Module, options: Train) -> Mapping[str, Tensor]:
    """The weights to save; low-rank changes are added to those that they change."""
    if options.encoder.lora_rank and options.features.kind == "wave":
        from onsei.systems.classification.stock import lora

        return lora.merged_state(network)
    return network.state_dict()
