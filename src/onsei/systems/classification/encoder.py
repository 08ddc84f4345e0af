"""A pretrained audio encoder with a layer of classes on top.

B batch, T samples, F frames, H hidden size, N classes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from onsei.errors import ConfigError
from onsei.nn.masks import length_mask
from onsei.systems.classification.config import Encoder, Features
from onsei.systems.classification.stock import lora, spectral
from onsei.systems.classification.stock.sources import Origin, class_of
from onsei.systems.classification.stock.spectral import SpectralClassifier
from onsei.units import ssl
from onsei.units.encoder import SpeechEncoder


class EncoderClassifier(SpeechEncoder):
    """An encoder of samples, the mean over its frames, two linear layers; named as in transformers'
    ``…ForSequenceClassification``.

    Args:
        body: transformers' network without a head.
        classes: N.
    """

    def __init__(self, body: Any, classes: int) -> None:
        super().__init__(body)
        self.projector = nn.Linear(self.width, getattr(body.config, "classifier_proj_size", 256))
        self.classifier = nn.Linear(self.projector.out_features, classes)

    def forward(self, samples: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Scores of the classes before softmax, (B, N), of samples, (B, 1, T), with ``lengths`` samples, (B,)."""
        x = samples[:, 0]
        lengths = Tensor([x.size(1)] * len(x)).long() if lengths is None else lengths
        hidden, frames = self.hidden(x, lengths)
        hidden = self.projector(hidden)  # (B, F, P)
        mask = length_mask(frames, hidden.size(1), hidden.device)[..., None]
        mean = (hidden * mask).sum(1) / frames.to(hidden.device)[:, None].to(hidden.dtype)
        scores: Tensor = self.classifier(mean)
        return scores


Network = EncoderClassifier | SpectralClassifier


def built(origin: Origin, options: Encoder, classes: int) -> Network:
    """The network that training starts from.

    Raises:
        ConfigError: more layers are to be frozen than there are, or LoRA's layers are not there.
        ModelError: the weights do not fit, or lack.
    """
    network = fresh(origin, classes) if origin.folder is None else _loaded(origin, classes)
    depth = len(layers_of(network.body))
    if options.freeze_layers > depth:
        raise ConfigError(
            f"encoder.freeze_layers: {options.freeze_layers}, but the encoder has {depth} layers", "lower it"
        )
    if options.lora_rank:
        if options.freeze == "all":
            raise ConfigError("encoder.lora_rank and encoder.freeze all exclude each other", "choose one")
        lora.put_in(network.body, options)
    else:
        freeze(network, options)
    if options.gradient_checkpointing:
        network.body.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return network


def fresh(origin: Origin, classes: int) -> Network:
    """The network of the shape ``origin`` with random weights."""
    if origin.spectral:
        return spectral.built(Origin(origin.config, origin.sample_rate, False, None, origin.extraction), classes)
    return EncoderClassifier(ssl.fresh(origin.config), classes)


def _loaded(origin: Origin, classes: int) -> Network:
    if origin.spectral:
        return spectral.built(origin, classes)
    assert origin.folder is not None
    return EncoderClassifier(ssl.load(ssl.look(origin.folder)), classes)


def freeze(network: Network, options: Encoder) -> None:
    """Take out of training what the options say."""
    if options.freeze == "all":
        network.frozen = True
        for parameter in network.body.parameters():
            parameter.requires_grad = False
        return
    layers = layers_of(network.body)
    if options.freeze_layers:
        kept = {id(p) for layer in layers[options.freeze_layers :] for p in layer.parameters()}
        for parameter in network.body.parameters():
            if id(parameter) not in kept:
                parameter.requires_grad = False
    if options.freeze == "front":
        for part in _front(network):
            for parameter in part.parameters():
                parameter.requires_grad = False


def layers_of(body: Any) -> Sequence[nn.Module]:
    """The transformer layers of an encoder, lowest first."""
    holder = body.encoder if hasattr(body, "encoder") else body
    found: Sequence[nn.Module] = holder.layers
    return found


def groups(network: Network, rate: float, decay: float, options: Encoder) -> list[dict[str, Any]]:
    """The parameters that are trained, by layer: each layer's rate is ``layer_decay`` of that above it, and what lies
    under the layers has the lowest; the layer of classes has a rate of its own. Norms and biases have no decay."""
    layers = layers_of(network.body)
    depth = {id(p): n + 1 for n, layer in enumerate(layers) for p in layer.parameters()}
    top = len(layers)
    parts: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in network.body.parameters():
        if parameter.requires_grad:
            factor = options.layer_decay ** (top - depth.get(id(parameter), 0))
            parts.setdefault((rate * factor, decay if parameter.ndim > 1 else 0.0), []).append(parameter)
    own = {id(p) for p in network.body.parameters()}
    for parameter in network.parameters():
        if id(parameter) not in own:
            key = (rate * options.head_rate, decay if parameter.ndim > 1 else 0.0)
            parts.setdefault(key, []).append(parameter)
    return [{"params": held, "lr": lr, "weight_decay": wd} for (lr, wd), held in parts.items()]


def check_pieces(origin: Origin, features: Features) -> None:
    """Refuse pieces that are longer than the encoder hears.

    Raises:
        ConfigError: they are.
    """
    if not origin.spectral:
        return
    most = spectral.seconds_of(spectral.extractor(origin))
    if features.seconds > most:
        raise ConfigError(
            f"features.seconds: {features.seconds:g} s, but the encoder hears {most:g} s at once",
            f"--seconds {int(most)}; longer sounds are heard in pieces",
        )


def files(network: Network, origin: Origin, labels: Sequence[str]) -> Mapping[str, str]:
    """What lies beside the weights so that transformers opens the folder: ``pipeline("audio-classification")``."""
    body = network.body if isinstance(network, EncoderClassifier) else network
    names = dict(enumerate(labels))
    config = ssl.changed(body.config, id2label=names, label2id={label: n for n, label in names.items()})
    config.architectures = [class_of(config).__name__]
    if isinstance(network, SpectralClassifier):
        settings = network.extractor.to_json_string()
        return {ssl.CONFIG: config.to_json_string(), ssl.PREPROCESSOR: settings}
    config.use_weighted_layer_sum = False
    preprocessor = {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "feature_size": 1,
        "sampling_rate": origin.sample_rate,
        "padding_value": 0.0,
        "do_normalize": origin.standardize,
        "return_attention_mask": config.feat_extract_norm == "layer",
    }
    return {ssl.CONFIG: config.to_json_string(), ssl.PREPROCESSOR: json.dumps(preprocessor, indent=1) + "\n"}


def opened(folder: Path, origin: Origin, classes: int) -> Network:
    """The network that the files of a model folder describe, without its weights."""
    return fresh(origin, classes)


def _front(network: Network) -> list[nn.Module]:
    if isinstance(network, EncoderClassifier):
        return [network.body.feature_extractor]
    return [network.body.conv1, network.body.conv2] if network.whisper else [network.body.embeddings]
