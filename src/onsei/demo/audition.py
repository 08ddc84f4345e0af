"""``onsei audio augment``: hear and see what augmentation does to a sound."""

from __future__ import annotations

from pathlib import Path

from onsei.audio import io
from onsei.data.manifest import refuse_existing
from onsei.demo import changes
from onsei.demo.changes import Heard
from onsei.demo.listening import KINDS, AugmentSound, parsed
from onsei.errors import ConfigError
from onsei.paths import written_aside
from onsei.plots.report import Report
from onsei.plots.spectrogram import compared
from onsei.plots.style import to_png, to_svg

_PICTURES = (".png", ".svg")


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


def _draw(path: Path, plain: Heard, made: list[Heard]) -> None:
    figure = compared([(one.name, one.samples) for one in (plain, *made)], plain.rate)
    with written_aside(path) as aside:
        aside.write_bytes(to_png(figure) if path.suffix.lower() == ".png" else to_svg(figure).encode())
    print(f"{path}: spectrograms")


def _page(path: Path, source: Path, plain: Heard, made: list[Heard]) -> Path:
    report = Report("What augmentation does", source.name)
    report.section("original")
    report.audio(plain.samples, plain.rate)
    for heard in made:
        report.section(heard.name, f"{KINDS[heard.name].capitalize()}: {heard.about}.")
        report.audio(heard.samples, heard.rate)
        report.figure(compared([("original", plain.samples), (heard.name, heard.samples)], plain.rate))
    return report.save(path)
