"""Encoders of a spectrogram of fixed length (AST, Whisper) with a layer of classes, named as in transformers.

B batch, T samples, N classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from onsei.errors import ModelError
from onsei.systems.classification.stock.sources import Origin, class_of
from onsei.units.ssl import loaded, with_attention


class SpectralClassifier(nn.Module):
    """AST (Gong et al. 2021) or Whisper's encoder (Radford et al. 2022), from samples to classes.

    Their own feature extractor pads every sound to the same length, so padding of a batch never leaks.

    Args:
        body: transformers' network with its layer of classes.
        extractor: transformers' feature extractor.
    """

    def __init__(self, body: Any, extractor: Any) -> None:
        super().__init__()
        self.whisper = body.config.model_type == "whisper"
        self.name = "encoder" if self.whisper else str(body.base_model_prefix)
        self.add_module(self.name, getattr(body, self.name))
        if self.whisper:
            self.projector = body.projector
        self.classifier = body.classifier
        self.extractor = extractor
        self.config = body.config
        self.frozen = False
        """Whether the body is run without gradients."""

    @property
    def body(self) -> Any:
        """Transformers' network without the layer of classes."""
        return getattr(self, self.name)

    @property
    def seconds(self) -> float:
        """Longest sound that it hears."""
        return seconds_of(self.extractor)

    def forward(self, samples: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Scores of the classes before softmax, (B, N), of samples, (B, 1, T), with ``lengths`` samples, (B,)."""
        sounds = samples[:, 0].detach().float().cpu().numpy()
        counts = [samples.size(-1)] * len(sounds) if lengths is None else lengths.tolist()
        heard = [np.pad(x[:n], (0, max(0, 400 - n))) for x, n in zip(sounds, counts, strict=True)]
        made = self.extractor(heard, sampling_rate=self.extractor.sampling_rate, return_tensors="pt")
        seen = made[self.extractor.model_input_names[0]].to(samples.device, self.classifier_dtype)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            out = self.body(seen)
            hidden = out[0] if self.whisper else out.pooler_output
        scores: Tensor = self.classifier(self.projector(hidden).mean(1) if self.whisper else hidden)
        return scores

    @property
    def classifier_dtype(self) -> torch.dtype:
        """Number format of the network."""
        dtype: torch.dtype = next(self.classifier.parameters()).dtype
        return dtype


def built(origin: Origin, classes: int) -> SpectralClassifier:
    """The network that training starts from: its body with weights where ``origin`` has a folder.

    Raises:
        ModelError: the weights do not fit, or lack.
    """
    cls = class_of(origin.config)
    config = with_attention(origin.config)
    config.num_labels = classes
    if origin.folder is None:
        return SpectralClassifier(cls._from_config(config), extractor(origin))
    return SpectralClassifier(_loaded(cls, origin.folder, config), extractor(origin))


def extractor(origin: Origin) -> Any:
    """Transformers' feature extractor with the settings of ``origin``."""
    import transformers

    name = str(origin.extraction.get("feature_extractor_type"))
    known = ("ASTFeatureExtractor", "WhisperFeatureExtractor")
    if name not in known:
        raise ModelError(f"feature extractor {name!r}: expected {' or '.join(known)}", "copy the whole folder again")
    settings = {k: v for k, v in origin.extraction.items() if k not in ("feature_extractor_type", "processor_class")}
    return getattr(transformers, name)(**settings)


def seconds_of(made: Any) -> float:
    """Longest sound that a feature extractor hears, in seconds."""
    chunk = getattr(made, "chunk_length", None)
    return float(chunk) if chunk else made.max_length * 0.01 + 0.015


def _loaded(cls: Any, folder: Path, config: Any) -> Any:
    model, absent = loaded(cls, folder, config, ignore_mismatched_sizes=True)
    heads = ("classifier.", "projector.")
    missing = [name for name in absent if not name.startswith(heads)]
    if missing:
        raise ModelError(
            f"{folder}: the weights lack {len(missing)} of the encoder's tensors, first {missing[0]}",
            "the folder holds another network than its config.json says; copy it again",
        )
    return model
