"""A configuration of HiFi-GAN as values of the training options. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onsei.config import to_dict
from onsei.vocoder.upstream import UpstreamConfig, read_config


def adopted(path: Path) -> Mapping[str, Any]:
    """JSON values of ``Train`` that the file ``path`` sets; what of it has no effect is printed.

    Raises:
        ConfigError: no configuration of HiFi-GAN.
    """
    found = read_config(path)
    for remark in found.remarks:
        print(remark)
    return values_of(found.config)


def values_of(config: UpstreamConfig) -> Mapping[str, Any]:
    """The configuration as values of ``Train``."""
    return {
        "mel": to_dict(config.mel()),
        "network": {"kind": "hifigan", "generator": to_dict(config.generator())},
        "data": {
            "batch_size": config.batch_size, "segment_size": config.segment_size, "num_workers": config.num_workers,
        },
        "optimization": {"learning_rate": config.learning_rate, "beta1": config.adam_b1, "beta2": config.adam_b2},
        "training": {
            "schedule": "anneal", "learning_anneal": 1 / config.lr_decay if config.lr_decay else 1.0,
            "seed": config.seed,
        },
    }  # fmt: skip
