"""The voices that speak predicted mels: trained vocoders, `g_` files of HiFi-GAN, and two that need no training.

M mel bands, F frames, S samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.errors import ConfigError, ModelError
from onsei.hub import store
from onsei.nn.device import pick_device, pick_dtype
from onsei.vocoder import checkpoints, upstream
from onsei.vocoder.comparison import compare, convert
from onsei.vocoder.definition import MelDefinition
from onsei.vocoder.generator import Generator
from onsei.vocoder.mel import placed, restored
from onsei.vocoder.pulses import Pulses
from onsei.vocoder.refinement import Refiner
from onsei.vocoder.synthesis import Synthesizer
from onsei.vocoder.weightnorm import fill

GRIFFIN_LIM, PULSE = "griffin-lim", "pulse"
_OWN = 0.7
"""Depth of harmonics from which a mel's own are believed: true mels reach 0.85, predicted ones 0.55."""
_SOFT = frozenset(("peak", "floor", "epsilon"))
"""Differences of definitions that change the level or soft sound, and are told but not refused."""
_SIZES = {
    "sample_rate": "sampling_rate", "n_fft": "n_fft", "hop_length": "hop_size", "win_length": "win_size",
    "n_mels": "num_mels",
}  # fmt: skip
Sound = NDArray[np.float32]
Speak = Callable[[NDArray[np.float32], int], Sound]


@dataclass(frozen=True)
class Voice:
    """What speaks."""

    name: str
    speak: Speak
    """Log-mel (M, F) in dB of the mel generator's definition, and S → sound (S,) that lies as the film's own."""
    notes: tuple[str, ...] = ()


def open_voices(
    names: Sequence[str], mel: MelDefinition, *, device: str = "auto", dtype: str = "float32", iterations: int = 60
) -> list[Voice]:
    """The voices called ``names``: model folders or Hub repositories of vocoders, `g_` files, folders of such,
    ``griffin-lim`` (from no phase), or ``pulse`` (from that of a pulse train at the mel's pitch).

    Raises:
        ModelError: no such vocoder, or one of another mel.
    """
    voices: list[Voice] = []
    for name in names:
        if name in (GRIFFIN_LIM, PULSE):
            voices.append(Voice(name, (_pulse if name == PULSE else _griffin_lim)(mel, iterations)))
            continue
        path = Path(name)
        files = [path] if path.is_file() else sorted(path.glob("g_*")) if path.is_dir() else []
        if files and not (path / store.MODEL_FILE).is_file():
            voices += [Voice(file.name, _of_file(file, mel, device, dtype)) for file in files]
        else:
            voices.append(_of_model(name, mel, device, dtype))
    return _apart(voices)


def _griffin_lim(mel: MelDefinition, iterations: int) -> Speak:
    """From no phase: a whisper where the mel has no harmonics."""
    refiner = Refiner(mel, iterations)

    def speak(log_mel: NDArray[np.float32], samples: int) -> Sound:
        given = torch.from_numpy(np.ascontiguousarray(log_mel))[None]
        return placed(restored(refiner(given)[0], mel), mel, samples).clamp(-1, 1).numpy()

    return speak


def _pulse(mel: MelDefinition, iterations: int) -> Speak:
    """Source and filter: pulses, at the pitch that the mel still shows, under the mel's envelope.

    A mel that has harmonics of its own, as true ones do, is then drawn nearer by Griffin-Lim from there. Of others that
    would fill the gaps between the harmonics, and make a whisper of the voice.
    """
    refiner, pulses = Refiner(mel, iterations, filling=0.0), Pulses(mel)

    def speak(log_mel: NDArray[np.float32], samples: int) -> Sound:
        given = torch.from_numpy(np.ascontiguousarray(log_mel))
        source, depth = pulses(given)
        sound = refiner.shaped(given[None], source[None])
        sound = refiner(given[None], sound) if depth >= _OWN else sound
        return placed(restored(sound[0], mel), mel, samples).clamp(-1, 1).numpy()

    return speak


def _of_model(name: str, mel: MelDefinition, device: str, dtype: str) -> Voice:
    """A vocoder that onsei trained."""
    import onsei

    opened = onsei.load(name, device=device, dtype=dtype)
    theirs = getattr(opened, "mel", None)
    if not isinstance(theirs, MelDefinition) or not hasattr(opened, "speak"):
        raise ModelError(f"{name}: no vocoder", "name the model folder of `onsei vocoder train`, or a g_ file")
    differences = compare(theirs, mel)
    hard = [item for item in differences if not item.converts and item.field not in _SOFT]
    if hard:
        told = "\n  ".join(f"{item.text}: {item.mend}" for item in hard)
        raise ModelError(
            f"{name}: a vocoder of another mel than that of the mel generator\n  {told}",
            "train it by the vocoder.yaml that `onsei articulation prepare` wrote",
        )

    def speak(log_mel: NDArray[np.float32], samples: int) -> Sound:
        theirs_mel = convert(torch.from_numpy(np.ascontiguousarray(log_mel)), mel, theirs)
        found: Sound = opened.speak(theirs_mel.numpy(), samples)
        return found

    notes = tuple(item.text for item in differences if item.field in _SOFT)
    return Voice(Path(name).name, speak, notes)


def _of_file(path: Path, mel: MelDefinition, device: str, dtype: str) -> Speak:
    """A `g_` file, trained on natural logarithms of these mels and on sound without pre-emphasis."""
    weights = checkpoints.read_generator(path)
    beside = path.with_name("config.json")
    try:
        if beside.is_file():
            config = upstream.read_config(beside).config
            _check_sizes(path, config, mel)
            shape = config.generator()
        else:
            shape = upstream.shape_of(checkpoints.shapes(weights))
        natural = replace(mel, log="natural")
        generator = Generator(shape.fitted(mel.hop), replace(natural, preemphasis=0.0))
    except ConfigError as error:
        raise ModelError(f"{path}: {error.message}", error.mend) from None
    fill(generator, weights, str(path))
    speaker = Synthesizer(generator, pick_device(device), pick_dtype(dtype))

    def speak(log_mel: NDArray[np.float32], samples: int) -> Sound:
        theirs = convert(torch.from_numpy(np.ascontiguousarray(log_mel)), mel, natural)
        return placed(speaker(theirs[None])[0], mel, samples).clamp(-1, 1).numpy()

    return speak


def _check_sizes(path: Path, config: upstream.UpstreamConfig, mel: MelDefinition) -> None:
    wrong = [
        f"{theirs}: expected {getattr(mel, ours)}, found {getattr(config, theirs)}"
        for ours, theirs in _SIZES.items()
        if getattr(mel, ours) != getattr(config, theirs)
    ]
    if wrong:
        raise ModelError(
            f"{path}: a vocoder of another mel than that of the mel generator\n  " + "\n  ".join(wrong),
            "name a vocoder of the clips' own definition",
        )


def _apart(voices: Sequence[Voice]) -> list[Voice]:
    """Voices of one name get numbers."""
    seen: dict[str, int] = {}
    found = []
    for voice in voices:
        seen[voice.name] = seen.get(voice.name, 0) + 1
        again = seen[voice.name]
        found.append(voice if again == 1 else replace(voice, name=f"{voice.name}-{again}"))
    return found
