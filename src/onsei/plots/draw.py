"""What ``onsei plot`` does: checks everything, then reads, draws and writes one file after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from onsei.errors import DataError
from onsei.paths import write_text, written_aside
from onsei.plots import style
from onsei.plots.measure import check, measure, seconds
from onsei.plots.page import page
from onsei.plots.panels import compose
from onsei.plots.tools import All, Output

KINDS = ("waveform", "spectrum", "spectrogram", "mel")
_MOST_PIXELS = 100e6
_LONGEST_PAGE = 1800.0
"""Seconds of sound that one page may hold: about 15 MB."""


def plot(verb: str, options: Any) -> None:
    """Draw what ``verb`` names, or all four. ``options`` are the verb's. Prints the names of the files written."""
    chosen = All(**{field.name: getattr(options, field.name) for field in fields(options)})
    kinds = KINDS if verb == "all" else (verb,)
    output = chosen.output
    kind = _format(output)
    files = list(dict.fromkeys(chosen.files))
    if not files:
        raise DataError("no sound file to draw", "name one or more")
    _check_size(output)
    if kind == "html" and not set(kinds) - {"spectrum"}:
        kinds = ("waveform", *kinds)  # a cursor needs a time axis
    targets = _targets(files, verb, kind, output)
    headers = [check(path, kinds, chosen) for path in files]
    if kind == "html":
        _check_length([seconds(header, chosen) for header in headers])
    _refuse_existing(files, targets, output.force)
    if kind == "html":
        sounds = [measure(p, info, kinds, chosen, keep=True) for p, info in zip(files, headers, strict=True)]
        write_text(targets[0], page(sounds, output))
        print(f"{len(files)} {'sound' if len(files) == 1 else 'sounds'} → {targets[0]}")
        return
    for path, info, target in zip(files, headers, targets, strict=True):
        found = measure(path, info, kinds, chosen, keep=False)
        title = path.name if output.title is None else output.title
        drawn = compose(found.panels, width=output.width, height=output.height, title=title, language=output.language)
        _write(drawn, target, kind, output)
        print(f"{path} → {target}")


def _write(drawn: Figure, target: Path, kind: str, output: Output) -> None:
    if kind == "svg":
        write_text(target, style.to_svg(drawn, output.theme))
        return
    content = style.to_png(drawn, output.scale, dark=output.theme == "dark")
    with written_aside(target) as aside:
        aside.write_bytes(content)


def _format(output: Output) -> str:
    if output.output is None:
        return output.format or "png"
    ending = output.output.suffix.lower().removeprefix(".")
    ending = {"htm": "html"}.get(ending, ending)
    if not ending and output.format is not None:
        return output.format
    if ending not in ("png", "svg", "html") or output.format not in (None, ending):
        wanted = output.format or "png, svg or html"
        raise DataError(f"--output {output.output}: expected the ending {wanted}, found {ending!r}", "rename it")
    return ending


def _targets(files: Sequence[Path], verb: str, kind: str, output: Output) -> list[Path]:
    """The file to write for each sound, or the one page."""
    if output.output is not None:
        if len(files) > 1 and kind != "html":
            raise DataError(
                f"--output names one file, there are {len(files)} sounds", "give --output-dir, or --format html"
            )
        return [output.output]
    if kind == "html":
        return [output.output_dir / (f"{files[0].stem}.{verb}.html" if len(files) == 1 else f"{verb}.html")]
    found: list[Path] = []
    for path in files:
        name, count = output.output_dir / f"{path.stem}.{verb}.{kind}", 1
        while name in found:  # sounds of one name in different folders
            count += 1
            name = output.output_dir / f"{path.stem}-{count}.{verb}.{kind}"
        found.append(name)
    return found


def _refuse_existing(files: Sequence[Path], targets: Sequence[Path], force: bool) -> None:
    sounds = {path.resolve() for path in files}
    for target in targets:
        if target.resolve() in sounds:
            raise DataError(f"{target}: is one of the sounds", "name another output")
        if target.is_dir():
            raise DataError(f"{target}: is a folder", "name a file, or give --output-dir")
    there = [str(target) for target in targets if target.exists()]
    if there and not force:
        raise DataError(f"{', '.join(there)}: exists already", "give --force to replace it, or name another output")


def _check_size(output: Output) -> None:
    height = output.height or 1300
    if output.width < 200 or height < 80:
        raise DataError(f"a picture of {output.width} × {height} pixels is too small to read", "200 × 80 is the least")
    if output.width * height * output.scale**2 > _MOST_PIXELS or output.width * height > _MOST_PIXELS:
        raise DataError(
            f"a picture of {output.width} × {height} pixels, {output.scale:g} times: over 100 million pixels",
            "choose a smaller width, height or scale",
        )


def _check_length(lengths: Sequence[float]) -> None:
    total = sum(lengths)
    if total > _LONGEST_PAGE:
        raise DataError(
            f"a page can hold {_LONGEST_PAGE / 60:.0f} minutes of sound, these are {total / 60:.1f}",
            "choose a part by --start and --duration, fewer files, or --format png",
        )
