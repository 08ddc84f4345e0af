"""What units are made of: a layer of a frozen encoder, cepstra or log-mels.

B batch, T samples, F frames, D features.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d

from onsei.errors import ConfigError, ModelError
from onsei.hub import store, weights
from onsei.hub.store import MODEL_FILE, WEIGHTS_FILE, ModelFolder
from onsei.nn.frames import Frames
from onsei.nn.masks import length_mask
from onsei.systems.translation.config.units import Features
from onsei.systems.translation.pretrain.build import rebuilt
from onsei.systems.translation.pretrain.learner import standardized
from onsei.units import melfront, pretraining, ssl
from onsei.units.encoder import SpeechEncoder
from onsei.units.melfront import MelEncoder
from onsei.units.spectral import FRAMES, RATE, Spectral, clip_standardized


@dataclass(frozen=True)
class Base:
    """The network that features are read from."""

    encoder: SpeechEncoder | None
    """None for spectral features."""
    standardize: bool
    mel: bool
    fingerprint: str
    """Of its weights; names the definition of spectral features."""
    layer: int
    """Whose output is read; 0 is what the first one is given."""


class Acoustic(nn.Module):
    """Sounds at 16 kHz → features. Frozen unless thawed; a clip alone gives what it gives in a batch.

    Args:
        features: which.
        base: the network, for features of a layer.
    """

    def __init__(self, features: Features, base: Base) -> None:
        super().__init__()
        self.features, self.base = features, base
        self.encoder = base.encoder
        self.spectral: Spectral | None = None
        if self.encoder is None:
            assert features.kind != "layer"
            self.spectral = Spectral(features.kind, features.size, features.slopes)
        else:
            self.encoder.frozen = True
            self.encoder.requires_grad_(False)
        self.thawed = False
        self.eval()

    def thaw(self) -> list[nn.Parameter]:
        """Let the encoder learn, but for its convolutions over samples; returns what learns.

        It still hears as it is used: no dropout, nothing masked.

        Raises:
            ConfigError: cepstra and log-mels have nothing that could learn.
        """
        if self.encoder is None:
            raise ConfigError(
                f"features.kind: {self.features.kind} has no weights to train",
                "fit units of a layer, or train the rest",
            )
        self.thawed, self.encoder.frozen = True, False
        self.encoder.requires_grad_(True)
        self.encoder.freeze_front()
        return [weight for weight in self.encoder.parameters() if weight.requires_grad]

    @property
    def dim(self) -> int:
        """D."""
        return self.encoder.width if self.encoder is not None else self._spectral.dim

    @property
    def frames(self) -> Frames:
        """How samples become frames."""
        return FRAMES if self.encoder is None else self.encoder.frames

    @property
    def frame_seconds(self) -> float:
        """Time from frame to frame."""
        return self.frames.stride / RATE

    def forward(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, F, D) of sounds (B, T), zeros as padding, of ``lengths`` samples, (B,); and frames of each."""
        with nullcontext() if self.thawed else torch.no_grad():
            return self._features(samples, lengths)

    def _features(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x, frames = self._read(samples, lengths)
        if not (self.features.standardize or self.features.smooth > 1):
            return x, frames
        mask = length_mask(frames, x.size(1), x.device)[..., None]
        if self.features.standardize:
            x = clip_standardized(x, mask)
        return _smoothed(x * mask, mask, self.features.smooth), frames

    def _read(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        if self.encoder is None:
            found: tuple[Tensor, Tensor] = self._spectral(samples, lengths)
            return found
        if self.base.standardize:
            samples = _each_standardized(samples, lengths)
        layers, frames = self.encoder.layers(samples, lengths)
        return layers[self.base.layer], frames

    @property
    def _spectral(self) -> Spectral:
        assert self.spectral is not None
        return self.spectral

    def train(self, mode: bool = True) -> Acoustic:
        """Stays in evaluation mode: it is to hear as it will be used."""
        return super().train(False)


def opened(features: Features, base_model: str) -> tuple[Acoustic, dict[str, Any]]:
    """Features by the options, and what a model folder must hold to build them again.

    Args:
        base_model: model folder of `pretrain`, or folder or Hub repository of an encoder of transformers.

    Raises:
        ModelError: there is no such model.
        ConfigError: a layer that it does not have; layers without a network.
    """
    if features.smooth % 2 == 0:
        raise ConfigError(f"smooth: {features.smooth}, expected an odd number", f"take {features.smooth + 1}")
    if features.kind != "layer":
        return Acoustic(features, Base(None, False, False, _definition(features), 0)), {}
    if not base_model:
        raise ConfigError(
            "base_model_path: features of a layer need a network", "--base-model-path DIR, or --features.kind mfcc"
        )
    folder = Path(base_model).expanduser()
    if (folder / MODEL_FILE).is_file():
        saved = store.open(folder, system="translation")
        if saved.stage != "pretrain":
            raise ModelError(
                f"{folder}: a model of the stage {saved.stage}, expected one of pretrain", "name the base model"
            )
        model, plan = rebuilt(saved)
        body = model.wav2vec2 if isinstance(model, pretraining.ContrastiveModel) else model.body
        mel, standardize = plan.mel, plan.standardize
        mark = weights.fingerprint(folder / WEIGHTS_FILE)
    else:
        source = ssl.look(ssl.locate(base_model))
        if source.sample_rate != RATE:
            raise ConfigError(f"{base_model}: made for {source.sample_rate} Hz, expected {RATE}", "choose another")
        body, mel, standardize = ssl.load(source), False, source.standardize
        files = [source.folder / name for name in ssl.WEIGHTS if (source.folder / name).is_file()]
        mark = weights.fingerprint(files[0])
    config = body.config.to_dict()
    base = _trimmed(body, features.layer, mel, standardize, mark)
    about = {"encoder": config, "mel": mel, "standardize": standardize, "layer": base.layer, "fingerprint": mark}
    return Acoustic(features, base), about


def restored(saved: ModelFolder, features: Features) -> Acoustic:
    """Features as a unit model's folder describes them; its weights come with the folder's.

    Raises:
        ModelError: the description lacks something.
    """
    if features.kind != "layer":
        return Acoustic(features, Base(None, False, False, _definition(features), 0))
    about: Mapping[str, Any] = saved.config.get("base", {})
    try:
        body = ssl.fresh(pretraining.config_of(about["encoder"]))
        mel, mark = bool(about["mel"]), str(about["fingerprint"])
        body = melfront.put_in(body) if mel else body
        return Acoustic(features, _trimmed(body, int(about["layer"]), mel, bool(about["standardize"]), mark))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{saved.path}/{MODEL_FILE}: base lacks {error}", "copy the whole folder again") from None


def _trimmed(body: Any, layer: int, mel: bool, standardize: bool, mark: str) -> Base:
    """The encoder without what lies above ``layer``."""
    depth = len(body.encoder.layers)
    wanted = depth + 1 + layer if layer < 0 else layer
    if not 0 <= wanted <= depth:
        raise ConfigError(f"features.layer: {layer}, but the encoder has {depth} layers", f"0 to {depth}, or -1, -2 …")
    encoder = MelEncoder(body) if mel else SpeechEncoder(body)
    encoder.keep_layers(max(1, wanted))
    return Base(encoder, standardize, mel, mark, wanted)


def _each_standardized(samples: Tensor, lengths: Tensor) -> Tensor:
    """Each sound at mean 0 and deviation 1 over its own length; padding stays zero."""
    if bool((lengths == samples.shape[-1]).all()):
        return standardized(samples)
    out = torch.zeros_like(samples)
    for row, length in enumerate(lengths.tolist()):
        out[row, :length] = standardized(samples[row : row + 1, :length])[0]
    return out


def _smoothed(x: Tensor, mask: Tensor, width: int) -> Tensor:
    """The mean of ``width`` frames around each, fewer at the ends: (B, F, D), zeros where ``mask`` has none."""
    if width == 1:
        return x
    sums = width * avg_pool1d(x.transpose(1, 2), width, 1, width // 2).transpose(1, 2)
    counts = width * avg_pool1d(mask.float().transpose(1, 2), width, 1, width // 2).transpose(1, 2)
    return sums / counts.clamp(min=1) * mask


def _definition(features: Features) -> str:
    return f"{features.kind}-{features.size}-{features.slopes}"


__all__ = ["Acoustic", "Base", "opened", "restored"]
