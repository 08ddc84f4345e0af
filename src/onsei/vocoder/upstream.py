"""HiFi-GAN's configuration files (JSON), read as shapes and mel definitions of ours, and written. No torch here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import prod
from pathlib import Path
from typing import Any, Literal

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positive, PositiveInt, from_dict, options, to_dict
from onsei.errors import ConfigError
from onsei.vocoder.definition import MelDefinition
from onsei.vocoder.shapes import GeneratorShape

_NO_EFFECT = ("num_gpus", "dist_config", "num_freq")
_LARGEST = 2**20


@options
class UpstreamConfig:
    """The fields of HiFi-GAN's configuration, by their own names; the defaults are those of its V1."""

    resblock: Literal["1", "2"] = "1"
    """Kind of residual blocks."""
    upsample_rates: tuple[PositiveInt, ...] = (8, 8, 2, 2)
    """Upsampling of each stage."""
    upsample_kernel_sizes: tuple[PositiveInt, ...] = (16, 16, 4, 4)
    """Kernel of each stage."""
    upsample_initial_channel: PositiveInt = 512
    """Channels before the first stage."""
    resblock_kernel_sizes: tuple[PositiveInt, ...] = (3, 7, 11)
    """Kernels of the residual blocks."""
    resblock_dilation_sizes: tuple[tuple[PositiveInt, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    """Their dilations."""
    num_mels: PositiveInt = 80
    """Mel bands."""
    n_fft: PositiveInt = 1024
    """Samples of a transform."""
    hop_size: PositiveInt = 256
    """Samples from frame to frame."""
    win_size: PositiveInt = 1024
    """Samples under the window."""
    sampling_rate: PositiveInt = 22050
    """Hz."""
    fmin: NonNegative = 0.0
    """Lower end of the bands in Hz."""
    fmax: Positive | None = 8000.0
    """Upper end of the bands in Hz."""
    fmax_for_loss: Positive | None = None
    """Upper end of the loss's bands in Hz."""
    segment_size: PositiveInt = 8192
    """Samples of a training segment."""
    batch_size: PositiveInt = 16
    """Segments in a batch."""
    learning_rate: Positive = 2e-4
    """Of AdamW."""
    adam_b1: Fraction = 0.8
    """Of AdamW."""
    adam_b2: Fraction = 0.99
    """Of AdamW."""
    lr_decay: Fraction = 0.999
    """Factor of the learning rate after each epoch."""
    seed: NonNegativeInt = 1234
    """Of random numbers."""
    num_workers: NonNegativeInt = 4
    """Processes that prepare batches."""

    def mel(self) -> MelDefinition:
        """The mel definition: HiFi-GAN's own mel by these sizes."""
        return MelDefinition(
            sample_rate=self.sampling_rate,
            n_fft=self.n_fft,
            hop_length=self.hop_size,
            win_length=self.win_size,
            n_mels=self.num_mels,
            f_min=self.fmin,
            f_max=self.fmax,
        )

    def generator(self) -> GeneratorShape:
        """The generator's shape."""
        return GeneratorShape(**{field.name: getattr(self, field.name) for field in fields(GeneratorShape)})


@dataclass(frozen=True)
class UpstreamFile:
    """A configuration file, read."""

    config: UpstreamConfig
    remarks: tuple[str, ...]
    """What of it has no effect here, one sentence each."""


def read_config(path: Path) -> UpstreamFile:
    """Read a configuration of HiFi-GAN or of its forks.

    Raises:
        ConfigError: no such file, no JSON object, a value of another type, or a mel's size that is missing; all faults.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigError(f"{path}: larger than {_LARGEST >> 20} MiB", "this is no configuration")
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such file", "check the path; upstream copies config.json beside g_ files"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})", "name the JSON file itself") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid JSON ({error})", "expected a configuration of HiFi-GAN") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected a JSON object, found {type(values).__name__}", "mend the file")
    known = {field.name for field in fields(UpstreamConfig)}
    unknown = sorted(str(name)[:80] for name in values if name not in known and name not in _NO_EFFECT)
    given = {name: value for name, value in values.items() if name in known}
    given["resblock"] = str(given.get("resblock", "1"))
    for name in ("fmin", "fmax", "fmax_for_loss"):  # forks write "null" as text
        if given.get(name) in ("null", "None"):
            given[name] = None
    needed = ("sampling_rate", "hop_size", "num_mels", "n_fft", "win_size", "upsample_rates", "upsample_kernel_sizes")
    missing = [name for name in needed if name not in given]
    if missing:
        raise ConfigError(f"{path}: no {', '.join(missing)} in it", "expected a configuration of HiFi-GAN")
    config = from_dict(UpstreamConfig, given, str(path))
    remarks = [f"{path.name}: {', '.join(unknown)}: unknown here, without effect"] if unknown else []
    if config.fmax_for_loss not in (None, config.sampling_rate / 2):
        remarks.append(f"fmax_for_loss {config.fmax_for_loss:g}: the loss here compares all frequencies")
    return UpstreamFile(config, tuple(remarks))


def config_of(shape: GeneratorShape, mel: MelDefinition, **training: Any) -> UpstreamConfig:
    """The configuration that describes ``shape`` and ``mel``; ``training`` are further fields of it.

    The segment is the published one, made whole hops.
    """
    shape = shape.fitted(mel.hop)
    segment = max(1, round(UpstreamConfig.segment_size / mel.hop)) * mel.hop
    return UpstreamConfig(
        **{field.name: getattr(shape, field.name) for field in fields(GeneratorShape)},
        num_mels=mel.n_mels, n_fft=mel.n_fft, hop_size=mel.hop, win_size=mel.win_length,
        sampling_rate=mel.sample_rate, fmin=mel.f_min, fmax=mel.f_max, **{"segment_size": segment, **training},
    )  # fmt: skip


def written(config: UpstreamConfig) -> str:
    """The configuration as upstream's JSON, with the fields that only upstream reads."""
    values = to_dict(config)
    values |= {"num_gpus": 0, "num_freq": config.n_fft // 2 + 1}
    values["dist_config"] = {"dist_backend": "nccl", "dist_url": "tcp://localhost:54321", "world_size": 1}
    return json.dumps(values, indent=4) + "\n"


def is_upstream_mel(mel: MelDefinition) -> bool:
    """Whether HiFi-GAN's own code makes this mel by some configuration."""
    given = config_of(GeneratorShape(), replace(mel, hop_length=256)).mel()
    return replace(given, hop_length=mel.hop, peak=mel.peak) == mel and (mel.n_fft - mel.hop) % 2 == 0


def shape_of(names: Mapping[str, tuple[int, ...]]) -> GeneratorShape:
    """The shape that a generator's weights tell, by name of the fused weights → their shape.

    Rates are half the kernels, as in all published generators, and dilations the published ones: weights tell neither.

    Raises:
        ConfigError: no generator of HiFi-GAN.
    """
    count = len({name.split(".")[1] for name in names if name.startswith("ups.")})
    kinds = [kind for kind in ("convs1", "convs") if f"resblocks.0.{kind}.0.weight" in names]
    first = names.get("conv_pre.weight")
    whole = first is not None and len(first) == 3 and count and kinds
    if not whole or not all(len(names.get(f"ups.{stage}.weight", ())) == 3 for stage in range(count)):
        raise ConfigError("no generator of HiFi-GAN: conv_pre, ups and resblocks are expected", "check the file")
    assert first is not None
    kernels = tuple(names[f"ups.{stage}.weight"][2] for stage in range(count))
    blocks = len({name.split(".")[1] for name in names if name.startswith("resblocks.")})
    sizes = tuple(names.get(f"resblocks.{n}.{kinds[0]}.0.weight", (0, 0, 1))[2] for n in range(max(1, blocks // count)))
    steps = tuple(
        len([name for name in names if name.startswith(f"resblocks.{n}.{kinds[0]}.") and name.endswith(".weight")])
        for n in range(len(sizes))
    )
    known = ((1, 3, 5),) * 3 if kinds[0] == "convs1" else ((1, 2), (2, 6), (3, 12))
    dilations = tuple((known[n] if n < len(known) else known[0])[:length] for n, length in enumerate(steps))
    return GeneratorShape(
        resblock="1" if kinds[0] == "convs1" else "2",
        upsample_rates=tuple(max(1, kernel // 2) for kernel in kernels),
        upsample_kernel_sizes=kernels,
        upsample_initial_channel=first[0],
        resblock_kernel_sizes=sizes,
        resblock_dilation_sizes=dilations,
    )


def hop_of(shape: GeneratorShape) -> int:
    """Samples that the shape makes of a frame."""
    return prod(shape.upsample_rates)
