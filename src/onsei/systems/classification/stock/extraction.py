"""The own network's front end, as transformers reads it from ``preprocessor_config.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from transformers import BatchFeature, SequenceFeatureExtractor

from onsei.config import from_dict
from onsei.systems.classification.config import Features
from onsei.systems.classification.data.front import FrontEnd


class MelConvFeatureExtractor(SequenceFeatureExtractor):
    """Log-mel spectrograms of sounds.

    Args:
        features: options of the front end (``config.Features``), as JSON values.
    """

    model_input_names = ("input_features", "lengths")

    def __init__(self, features: Mapping[str, Any] | None = None, **settings: Any) -> None:
        chosen = from_dict(Features, dict(features or {}), source="preprocessor_config.json")
        given = {"feature_size": chosen.n_mels, "sampling_rate": chosen.sample_rate, "padding_value": 0.0}
        super().__init__(**{**settings, **given})
        self.features = dict(features or {})

    def __call__(
        self,
        raw_speech: Any,
        sampling_rate: int | None = None,
        return_tensors: str | None = None,
        **ignored: Any,
    ) -> BatchFeature:
        """``input_features``, (B, D, T) with zeros as padding, and ``lengths`` in frames, (B,), of one or many sounds.

        Raises:
            ValueError: the sounds have another sampling rate, or no samples.
        """
        if sampling_rate is not None and sampling_rate != self.sampling_rate:
            raise ValueError(f"sampling_rate: expected {self.sampling_rate} Hz, found {sampling_rate}: resample first")
        front = _front(json.dumps(self.features, sort_keys=True))
        many = isinstance(raw_speech, Sequence) and len(raw_speech) > 0 and np.ndim(raw_speech[0]) > 0
        sounds = [np.asarray(x, np.float32) for x in (raw_speech if many else [raw_speech])]
        if not all(sound.size for sound in sounds):
            raise ValueError("a sound holds no samples")
        features, lengths = front.batch(sounds)
        made = {"input_features": features, "lengths": lengths}
        return BatchFeature(made if return_tensors == "pt" else {k: v.numpy() for k, v in made.items()})


@lru_cache(maxsize=8)
def _front(features: str) -> FrontEnd:
    """The front end of ``features`` as JSON. Its filters are made once, and are no part of what an extractor saves."""
    return FrontEnd(from_dict(Features, json.loads(features), source="preprocessor_config.json"))


def register() -> None:
    """Make ``AutoFeatureExtractor`` know the front end."""
    from transformers import AutoFeatureExtractor

    from onsei.systems.classification.stock import configuration

    configuration.register()
    AutoFeatureExtractor.register(  # type: ignore[no-untyped-call]
        configuration.MelConvConfig, MelConvFeatureExtractor, exist_ok=True
    )
