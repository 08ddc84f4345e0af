"""Options of ``onsei audio augment``: which change of which sound is to be heard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import NonNegative, NonNegativeInt, Positional, Positive, PositiveInt, flag, options, shown_as
from onsei.errors import ConfigError

KINDS = {
    "speed": "faster or slower, pitch and all",
    "tempo": "faster or slower at the same pitch, on samples",
    "stretch": "faster or slower at the same pitch, by stretching the spectrogram",
    "gain": "louder or softer",
    "shift": "later or earlier",
    "noise": "noise of a color, or recordings of --noise-path",
    "reverb": "a simulated room, or a recorded one of --rir-path",
    "clip": "a recorder that is turned up too far",
    "time-warp": "SpecAugment: a moment is moved, what is around it stretched",
    "freq-mask": "SpecAugment: a band of frequencies is blanked",
    "time-mask": "SpecAugment: a stretch of time is blanked",
    "spec-augment": "SpecAugment: time warp and both masks",
    "warp": "another vocal tract: the frequency axis is stretched",
    "tilt": "another microphone: a random curve over frequency",
}
"""What can be heard, and what it is."""


@options
class AugmentSound:
    """Write a sound as augmentation changes it. Strengths are drawn as in training where they are not given.

    KIND is speed, tempo, stretch, gain, shift, noise, reverb, clip, time-warp, freq-mask, time-mask, spec-augment, warp
    or tilt; without it noise. Those from time-warp on, and stretch, change the spectrogram, and sound is made of it by
    Griffin-Lim. IN may have any format; OUT is mono: wav, flac, ogg, opus, mp3, aiff, au or caf.
    """

    words: Annotated[Positional[tuple[str, ...]], shown_as("KIND IN OUT")] = ()
    """What to do, the sound, and the file to write; with `--all` the sound and a folder."""
    input_path: Path | None = None
    """The sound, in place of IN."""
    output_path: Path | None = None
    """The file to write, in place of OUT."""
    all: bool = False
    """Write one file for each kind into the folder OUT, and index.html to hear and see them side by side."""
    plot: Path | None = None
    """Also draw the spectrogram before and after into this file, PNG or SVG."""
    seed: NonNegativeInt = 0
    """Seed of what is drawn."""
    sample_rate: PositiveInt | None = None
    """Rate to work at and to write, in Hz; the sound's own by default."""
    noise_path: Annotated[Path | None, flag("--noise-dir")] = None
    """Noise to add: a recording, or a folder of them."""
    noise_level: NonNegative | None = None
    """Level of the noise as a share of the sound's amplitude; by default 1 with --noise-path."""
    snr: float | None = None
    """In place of the level: ratio of sound to noise, in dB; by default 15 without --noise-path."""
    color: Literal["white", "pink", "brown"] = "white"
    """Color of the noise without --noise-path."""
    rir_path: Annotated[Path | None, flag("--rir-dir")] = None
    """Recorded impulse response of a room, or a folder of them."""
    rt60: Positive | None = None
    """Reverberation time of the simulated room, in seconds to fall by 60 dB."""
    drr: float | None = None
    """Ratio of direct to reverberant sound in the simulated room, in dB."""
    factor: Positive | None = None
    """Factor of speed, tempo, stretch and warp."""
    decibels: float | None = None
    """Gain, in dB; of clip: above full scale."""
    seconds: float | None = None
    """Shift, in seconds."""
    width: PositiveInt | None = None
    """Widest mask or warp: frames of 10 ms, or 161ths of the frequency axis; by default 5, 27 and 70."""
    spread: NonNegative | None = None
    """Spread of the tilt, in deviations of the log spectrogram; by default 0.3."""
    clip: bool = False
    """Cut what passes full scale; by default the whole is turned down instead."""
    force: bool = False
    """Replace files that are there."""


def parsed(chosen: AugmentSound) -> tuple[str, Path, Path]:
    """Kind, sound and target of the words and of what stands in their place."""
    words = list(chosen.words)
    named = [path for path in (chosen.input_path, chosen.output_path) if path is not None]
    places = 2 - len(named)
    kind = words.pop(0) if len(words) == places + 1 else ""
    if len(words) != places or (kind and kind not in (*KINDS, "all")):
        found = f"no kind {kind!r}" if kind else f"{len(words)} words, {len(named)} of --input-path and --output-path"
        raise ConfigError(f"expected KIND IN OUT; found {found}", f"KIND is one of {', '.join(KINDS)}")
    rest = [Path(word) for word in words]
    source = chosen.input_path or rest.pop(0)
    target = chosen.output_path or rest.pop(0)
    if chosen.all and kind not in ("", "all"):
        raise ConfigError(f"--all and {kind}: one or the other", "leave out one of them")
    return ("all" if chosen.all else kind or "noise"), source, target
