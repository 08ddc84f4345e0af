"""An image encoder of options, and again of what a model folder says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from onsei.config import from_dict, to_dict
from onsei.errors import ConfigError
from onsei.systems.translation.config.ground import ImageNetwork
from onsei.systems.translation.images.network import STRIDE, SmallImageEncoder
from onsei.vision.images import Transform


@dataclass(frozen=True)
class Seeing:
    """An image encoder with its transform."""

    network: nn.Module
    transform: Transform
    origin: Path | None = None
    """Folder of a pretrained one."""
    config: Mapping[str, Any] | None = None
    """Configuration of a pretrained one."""

    def described(self) -> dict[str, Any]:
        """What a model folder says of it, as JSON values."""
        return {"transform": to_dict(self.transform), "network": None if self.config is None else dict(self.config)}


def built(options: ImageNetwork, size: int) -> Seeing:
    """The image encoder that ``options`` ask for, with vectors of ``size``.

    Raises:
        ConfigError: sizes that do not fit.
        ModelError: there is no such pretrained network.
    """
    if not options.pretrained:
        if options.size % STRIDE or options.width % options.heads:
            raise ConfigError(
                f"image: size {options.size} and width {options.width}: expected multiples of {STRIDE} and of the "
                f"{options.heads} heads",
                "--image.size 64 --image.width 96",
                ["image.size", "image.width"],
            )
        return Seeing(SmallImageEncoder(options, size), Transform(options.size, options.fit))
    from onsei.systems.translation.stock import vit

    folder = vit.located(options.pretrained)
    network, transform = vit.opened(folder)
    encoder = vit.PretrainedImageEncoder(network, size, options.freeze)
    return Seeing(encoder, transform, folder, vit.configuration(network))


def rebuilt(options: ImageNetwork, size: int, described: Mapping[str, Any]) -> Seeing:
    """The image encoder of a model folder, without its weights."""
    transform = from_dict(Transform, described["transform"], source="onsei.json")
    config = described.get("network")
    if config is None:
        return Seeing(SmallImageEncoder(options, size), transform)
    from onsei.systems.translation.stock import vit

    return Seeing(vit.PretrainedImageEncoder(vit.configured(config), size, options.freeze), transform, config=config)
