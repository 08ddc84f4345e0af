"""Where an encoder comes from: a folder, a Hub repository, or only its shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onsei.errors import ModelError
from onsei.systems.classification.config import Encoder
from onsei.units import ssl
from onsei.units.ssl import read_json

SPECTRAL = ("audio-spectrogram-transformer", "whisper")
"""Kinds of encoder that hear a spectrogram, which their own feature extractor makes, always of the same length."""
FAMILIES = (*ssl.FAMILIES, *SPECTRAL)
_BASE: dict[str, Any] = {"mask_time_prob": 0.05}
_LARGE = {
    "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
    "feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True,
}  # fmt: skip
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "ntu-spml/distilhubert": ("hubert", {"num_hidden_layers": 2, "feat_proj_layer_norm": False, **_BASE}),
    "facebook/hubert-base-ls960": ("hubert", _BASE),
    "facebook/hubert-large-ll60k": ("hubert", {**_LARGE, **_BASE}),
    "facebook/wav2vec2-base": ("wav2vec2", _BASE),
    "microsoft/wavlm-base": ("wavlm", _BASE),
    "microsoft/wavlm-base-plus": ("wavlm", _BASE),
    "MIT/ast-finetuned-audioset-10-10-0.4593": ("audio-spectrogram-transformer", {}),
    "openai/whisper-tiny": ("whisper", {}),
    "openai/whisper-base": (
        "whisper",
        {"d_model": 512, "encoder_layers": 6, "encoder_attention_heads": 8, "encoder_ffn_dim": 2048},
    ),
}
"""Shapes of well-known encoders, by Hub name: kind, and what differs from transformers' defaults of that kind. With
them a network is built, measured or trained from scratch where there are no weights."""


@dataclass(frozen=True)
class Origin:
    """An encoder before it is built."""

    config: Any
    """Transformers' configuration."""
    sample_rate: int
    """Rate that it hears, in Hz."""
    standardize: bool
    """Whether each piece is brought to mean 0 and deviation 1 first."""
    folder: Path | None = None
    """Where its weights are; None where they are drawn at random."""
    extraction: dict[str, Any] = field(default_factory=dict)
    """Of a spectral encoder: settings of its feature extractor."""

    @property
    def spectral(self) -> bool:
        """Whether it hears a spectrogram of a fixed length."""
        return self.config.model_type in SPECTRAL


def look(options: Encoder, *, weights: bool = True) -> Origin:
    """Find the encoder that the options name.

    Args:
        weights: whether they are needed; without, a well-known shape is taken where there is no folder.

    Raises:
        ModelError: there is no such folder or repository, or it is of another kind.
    """
    name = options.pretrained
    needed = weights and not options.from_scratch
    if not needed and name in SHAPES and not Path(name).expanduser().is_dir():
        return _known(name)
    folder = ssl.locate(name, weights=needed)
    kind = read_json(folder / ssl.CONFIG).get("model_type")
    kept = folder if needed else None
    if kind in SPECTRAL:
        return opened(folder, kept)
    if kind not in ssl.FAMILIES:
        raise ModelError(
            f"{folder / ssl.CONFIG}: model_type {kind!r} is no audio encoder that is understood",
            f"choose one of the kinds {', '.join(FAMILIES)}",
        )
    found = ssl.look(folder)
    return Origin(found.config, found.sample_rate, found.standardize, kept)


def opened(folder: Path, weights: Path | None = None) -> Origin:
    """The encoder that the files ``config.json`` and ``preprocessor_config.json`` in ``folder`` describe.

    Raises:
        ModelError: they are missing or damaged, or of a kind that is not understood.
    """
    from transformers import AutoConfig

    kind = read_json(folder / ssl.CONFIG).get("model_type")
    if kind in ssl.FAMILIES:
        found = ssl.look(folder)
        return Origin(found.config, found.sample_rate, found.standardize, weights)
    if kind not in SPECTRAL:
        raise ModelError(f"{folder / ssl.CONFIG}: model_type {kind!r} is not understood", "copy the whole folder again")
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    file = folder / ssl.PREPROCESSOR
    settings = {**_extraction(config), **(read_json(file) if file.is_file() else {})}
    return Origin(config, int(settings["sampling_rate"]), False, weights, settings)


def class_of(config: Any) -> Any:
    """Transformers' network with a layer of classes."""
    import transformers

    return transformers.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING[type(config)]


def _known(name: str) -> Origin:
    from transformers import AutoConfig

    kind, settings = SHAPES[name]
    config = AutoConfig.for_model(kind, **settings)
    if kind in SPECTRAL:
        extraction = _extraction(config)
        return Origin(config, int(extraction["sampling_rate"]), False, None, extraction)
    return Origin(config, 16000, True)


def _extraction(config: Any) -> dict[str, Any]:
    """Settings of the feature extractor that fits ``config``."""
    if config.model_type == "whisper":
        return {
            "feature_extractor_type": "WhisperFeatureExtractor",
            "feature_size": config.num_mel_bins,
            "sampling_rate": 16000,
            "chunk_length": config.max_source_positions * 2 // 100,
        }
    return {
        "feature_extractor_type": "ASTFeatureExtractor",
        "num_mel_bins": config.num_mel_bins,
        "max_length": config.max_length,
        "sampling_rate": 16000,
    }
