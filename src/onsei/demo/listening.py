"""``onsei audio augment``: hear and see what augmentation does to a sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from onsei.config import NonNegative, NonNegativeInt, Positional, Positive, PositiveInt, flag, options, shown_as
from onsei.errors import ConfigError

if TYPE_CHECKING:
    from onsei.demo.changes import Heard

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
_PICTURES = (".png", ".svg")


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


def augment(chosen: AugmentSound) -> None:
    """Change the sound, write it, and say what was done.

    Raises:
        ConfigError: an unknown kind, or words that do not fit.
        AudioError, DataError: a sound that cannot be read, or a file that is there.
    """
    kind, source, target = parsed(chosen)
    if chosen.noise_level is not None and chosen.snr is not None:
        raise ConfigError("--noise-level, --snr: noise has a level or a ratio in dB, not both", "give one of them")
    if chosen.plot is not None and chosen.plot.suffix.lower() not in _PICTURES:
        raise ConfigError(f"--plot {chosen.plot}: expected a file of the kind .png or .svg", "change its ending")
    from onsei.audio import io
    from onsei.data.manifest import refuse_existing
    from onsei.demo import changes

    files = [target / f"{name}.wav" for name in KINDS] + [target / "index.html"] if kind == "all" else [target]
    refuse_existing([*files, *([chosen.plot] if chosen.plot else [])], chosen.force)
    if any(file.resolve() == source.resolve() for file in files):
        raise ConfigError(f"{target}: is the sound itself", "name another file to write")
    samples, rate = io.load(source, chosen.sample_rate)
    plain = changes.Heard("original", "", samples, rate)
    made = [changes.made(name, samples, rate, chosen) for name in (KINDS if kind == "all" else (kind,))]
    for heard, file in zip(made, files, strict=False):
        io.save(file, heard.samples, heard.rate)
        print(f"{file}: {heard.told}")
    if kind == "all":
        print(f"{_page(target / 'index.html', source, plain, made)}: open it in a browser")
    if chosen.plot is not None:
        _draw(chosen.plot, plain, made[:1] if kind != "all" else made)


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


def _draw(path: Path, plain: Heard, made: list[Heard]) -> None:
    from onsei.paths import written_aside
    from onsei.plots.spectrogram import compared
    from onsei.plots.style import to_png, to_svg

    figure = compared([(one.name, one.samples) for one in (plain, *made)], plain.rate)
    with written_aside(path) as aside:
        aside.write_bytes(to_png(figure) if path.suffix.lower() == ".png" else to_svg(figure).encode())
    print(f"{path}: spectrograms")


def _page(path: Path, source: Path, plain: Heard, made: list[Heard]) -> Path:
    from onsei.plots.report import Report
    from onsei.plots.spectrogram import compared

    report = Report("What augmentation does", source.name)
    report.section("original")
    report.audio(plain.samples, plain.rate)
    for heard in made:
        report.section(heard.name, f"{KINDS[heard.name].capitalize()}: {heard.about}.")
        report.audio(heard.samples, heard.rate)
        report.figure(compared([("original", plain.samples), (heard.name, heard.samples)], plain.rate))
    return report.save(path)
