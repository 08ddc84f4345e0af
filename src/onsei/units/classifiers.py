"""Audio classifiers that transformers trained or anyone shared: opened from a folder, without running its code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onsei.errors import ModelError
from onsei.units.ssl import CONFIG, PREPROCESSOR, loaded, quiet, read_json, with_attention


@dataclass(frozen=True)
class Opened:
    """A classifier of transformers."""

    model: Any
    """The network with its head."""
    extractor: Any
    """Brings samples to what the network is given."""
    labels: tuple[str, ...]
    """Names of its classes."""


def open_classifier(folder: Path) -> Opened:
    """The network, feature extractor and labels in ``folder``.

    Safetensors are read where they are; a pickle as tensors only. ``auto_map``, which names code in the folder, is
    never followed.

    Raises:
        ModelError: another kind of network, one that needs code of its own, no head, labels that do not fit the head,
            or damage.
    """
    kind = read_json(folder / CONFIG).get("model_type")
    if not (folder / PREPROCESSOR).is_file():
        raise ModelError(f"{folder}: no {PREPROCESSOR}", "copy the whole folder: it tells how sound is brought in")
    with quiet():
        config = _config(folder, kind)
        model = _model(folder, config)
        extractor = _extractor(folder)
    names = {int(number): str(name) for number, name in config.id2label.items()}
    if sorted(names) != list(range(len(names))) or len(names) != config.num_labels or len(names) < 2:
        raise ModelError(
            f"{folder / CONFIG}: id2label: expected names for 0 to {config.num_labels - 1}, found {sorted(names)[:12]}",
            "mend id2label",
        )
    return Opened(model.eval(), extractor, tuple(names[number] for number in range(len(names))))


def _config(folder: Path, kind: Any) -> Any:
    from transformers import CONFIG_MAPPING, MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING, AutoConfig

    if kind not in CONFIG_MAPPING:
        raise ModelError(
            f"{folder / CONFIG}: model_type {kind!r} is none that transformers has; code in a folder is never run",
            "choose a model whose network is part of transformers",
        )
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # whatever a value of the wrong kind leads to
        raise _damaged(folder / CONFIG, error) from error
    if type(config) not in MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING:
        raise ModelError(f"{folder / CONFIG}: {kind} has no audio classification", "choose an audio classifier")
    return config


def _model(folder: Path, config: Any) -> Any:
    from transformers import MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING

    kind: Any = MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING[type(config)]
    model, missing = loaded(kind, folder, with_attention(config))
    if missing:
        raise ModelError(
            f"{folder}: lacks {', '.join(missing[:4])}: an encoder without a trained head cannot classify",
            "fine-tune it first: `onsei classification train`, or choose a model for audio classification",
        )
    return model


def _extractor(folder: Path) -> Any:
    import transformers

    kind: Any = transformers.AutoFeatureExtractor
    try:
        return kind.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # as above
        raise _damaged(folder / PREPROCESSOR, error) from error


def _damaged(place: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{place}: cannot be read: {type(error).__name__}: {str(error)[:300]}",
        "copy or download the whole folder again",
    )
