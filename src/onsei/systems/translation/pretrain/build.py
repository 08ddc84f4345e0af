"""The network that pretraining starts from, by name, folder or sizes; and back from a model folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from onsei.errors import ConfigError
from onsei.hub.store import ModelFolder
from onsei.nn.frames import Frames
from onsei.systems.translation.config.pretrain import Network, Task
from onsei.units import melfront, pretraining, ssl
from onsei.units.kmeans import KMeans
from onsei.units.pretraining import ContrastiveModel, MaskedUnits
from onsei.units.spectral import HOP, RATE, WINDOW, Spectral

_CONVOLUTIONS = 7


@dataclass(frozen=True)
class Plan:
    """What will be trained, before any weight is read."""

    config: Any
    """Transformers' configuration."""
    mel: bool
    """Whether it hears log-mels."""
    origin: ssl.Source | None
    """Where its weights come from."""
    standardize: bool
    """Whether it hears sounds at mean 0 and deviation 1."""

    @property
    def frames(self) -> Frames:
        """How samples become frames."""
        return Frames.unpadded(self.config.conv_kernel, self.config.conv_stride)

    def build(
        self, task: Task, clusters: KMeans | None, teacher: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[ContrastiveModel | MaskedUnits, list[str]]:
        """The network, and the names of its tensors that start at random though others do not."""
        if task.objective == "contrastive":
            return pretraining.contrastive(self.origin, self.config, mel=self.mel)
        body = ssl.fresh(self.config) if self.origin is None else ssl.load(self.origin, self.config)
        assert clusters is not None
        return MaskedUnits(melfront.put_in(body) if self.mel else body, clusters, targets(), teacher), []

    def files(self, model: ContrastiveModel | MaskedUnits) -> dict[str, str]:
        """What lies beside the weights so that transformers opens the folder; nothing where it has no such network."""
        if self.mel:
            return {}
        config = ssl.changed(self.config)
        config.architectures = [
            "Wav2Vec2ForPreTraining" if isinstance(model, ContrastiveModel) else type(model.body).__name__
        ]
        preprocessor = {
            "feature_extractor_type": "Wav2Vec2FeatureExtractor",
            "feature_size": 1,
            "sampling_rate": RATE,
            "padding_value": 0.0,
            "do_normalize": self.standardize,
            "return_attention_mask": config.feat_extract_norm == "layer",
        }
        return {ssl.CONFIG: config.to_json_string(), ssl.PREPROCESSOR: json.dumps(preprocessor, indent=1) + "\n"}


def targets() -> Spectral:
    """What masked units are clusters of: 16 cepstra and their slopes."""
    return Spectral("mfcc", 16, 1)


def unnamed(count: int) -> KMeans:
    """Clusters without a place, where another network tells the units."""
    return KMeans(torch.zeros(count, targets().dim), torch.zeros(count).long(), 0.0)


def planned(network: Network, task: Task) -> Plan:
    """What the options ask for.

    Raises:
        ModelError: there is no such encoder.
        ConfigError: an encoder that does not fit the objective, or sizes that do not fit together.
    """
    losses = {
        "diversity_loss_weight": task.diversity_weight,
        "num_negatives": task.num_negatives,
        "mask_time_prob": task.mask_time_prob,
        "mask_time_length": task.mask_time_length,
    }
    if not network.base_model:
        return Plan(_fresh(network, losses), network.frontend == "mel", None, network.frontend == "wave")
    source = ssl.look(ssl.locate(network.base_model, weights=not network.from_scratch))
    if task.objective == "contrastive" and source.config.model_type != "wav2vec2":
        raise ConfigError(
            f"base_model: {network.base_model} is of the kind {source.config.model_type}, which has no quantizer",
            "take --objective masked-units, or an encoder of the kind wav2vec2",
        )
    if source.sample_rate != RATE:
        raise ConfigError(f"base_model: made for {source.sample_rate} Hz, expected {RATE}", "choose another encoder")
    if task.objective == "masked-units" and (source.frames.stride, source.frames.smallest) != (HOP, WINDOW):
        raise ConfigError(
            f"base_model: a frame of {source.frames.smallest} samples every {source.frames.stride}; masked-units needs "
            f"one of {WINDOW} every {HOP} samples",
            "take --objective contrastive, or another encoder",
        )
    config = ssl.changed(source.config, **losses)
    return Plan(config, False, None if network.from_scratch else source, source.standardize)


def rebuilt(saved: ModelFolder) -> tuple[ContrastiveModel | MaskedUnits, Plan]:
    """The trained network of a model folder of this stage."""
    config = pretraining.config_of(saved.config["encoder"])
    plan = Plan(config, saved.config["network"]["frontend"] == "mel", None, bool(saved.config["standardize"]))
    model: ContrastiveModel | MaskedUnits
    if saved.config["task"]["objective"] == "contrastive":
        model, _ = pretraining.contrastive(None, config, mel=plan.mel)
    else:
        body = ssl.fresh(config)
        empty = unnamed(int(saved.config["task"]["clusters"]))
        model = MaskedUnits(melfront.put_in(body) if plan.mel else body, empty, targets())
    saved.fill(model)
    return model.eval(), plan


def _fresh(network: Network, losses: Mapping[str, Any]) -> Any:
    if network.hidden_size % network.heads:
        raise ConfigError(
            f"hidden_size: {network.hidden_size} does not divide by {network.heads} heads", "change one of them"
        )
    groups = next(n for n in (16, 8, 4, 2, 1) if network.hidden_size % n == 0)
    drops = dict.fromkeys(
        ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "feat_quantizer_dropout"),
        network.dropout,
    )
    config = pretraining.fresh_config(
        hidden_size=network.hidden_size,
        num_hidden_layers=network.layers,
        num_attention_heads=network.heads,
        intermediate_size=network.intermediate_size,
        conv_dim=(network.conv_dim,) * _CONVOLUTIONS,
        feat_extract_norm="layer",
        num_conv_pos_embeddings=network.positions,
        num_conv_pos_embedding_groups=groups,
        num_codevectors_per_group=network.codevectors,
        codevector_dim=network.codevector_dim,
        proj_codevector_dim=network.codevector_dim,
        layerdrop=0.0,
        **drops,
        **losses,
    )
    return melfront.shape(config) if network.frontend == "mel" else config
