"""What lies beside the own network's weights so that transformers opens the folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from onsei.config import to_dict
from onsei.systems.classification.config import Features, Model
from onsei.units.ssl import CONFIG, PREPROCESSOR

MODEL_TYPE = "onsei_mel_conv"
"""Name of the own network in ``config.json``."""


def files(model: Model, features: Features, labels: Sequence[str]) -> Mapping[str, str]:
    """``config.json`` and ``preprocessor_config.json``."""
    config = {
        "architectures": ["MelConvForAudioClassification"],
        "model_type": MODEL_TYPE,
        "network": to_dict(model),
        "n_mels": features.n_mels,
        "id2label": {str(number): label for number, label in enumerate(labels)},
        "label2id": {label: number for number, label in enumerate(labels)},
    }
    preprocessor = {
        "feature_extractor_type": "MelConvFeatureExtractor",
        "feature_size": features.n_mels,
        "sampling_rate": features.sample_rate,
        "padding_value": 0.0,
        "features": to_dict(features),
    }
    texts = {CONFIG: config, PREPROCESSOR: preprocessor}
    return {name: json.dumps(values, ensure_ascii=False, indent=1) + "\n" for name, values in texts.items()}
