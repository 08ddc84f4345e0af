"""The own network's configuration, as transformers reads it from ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import PretrainedConfig

from onsei.systems.classification.stock.describing import MODEL_TYPE


class MelConvConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """Shape of the convolutional network.

    Args:
        network: options of the network (``config.Model``), as JSON values.
        n_mels: mel bands that it hears.
    """

    model_type = MODEL_TYPE

    def __init__(self, network: Mapping[str, Any] | None = None, n_mels: int = 64, **settings: Any) -> None:
        self.network = dict(network or {})
        self.n_mels = n_mels
        super().__init__(**settings)


def register() -> None:
    """Make ``AutoConfig`` know the network."""
    from transformers import AutoConfig

    AutoConfig.register(MODEL_TYPE, MelConvConfig, exist_ok=True)
