"""The page that plays sounds with a cursor over their pictures: one HTML file that needs nothing from outside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files

import numpy as np
from matplotlib.figure import Figure

from onsei import __version__
from onsei.audio.io import encode
from onsei.plots import style
from onsei.plots.measure import Measured
from onsei.plots.panels import WORDS, LevelsPanel, Panel, compose
from onsei.plots.sound import mp3_bytes
from onsei.plots.tools import Output

_SHORT = 400_000
"""Bytes up to which a sound is put into the page as wav: exact to the sample, and a coder would save little."""
_MARKS = 33
_HINT = {
    "en": "Click or drag in a picture to go there; space plays, ← and → go a second.",
    "ja": "図をクリックまたはドラッグするとその位置へ移ります。スペースで再生、←→で1秒移動。",
}
_TYPES = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg", "ogg": "audio/ogg"}


def page(sounds: Sequence[Measured], look: Output) -> str:
    """The page of ``sounds``, each with its samples and one panel or more over time."""
    css = "".join(_text(name) for name in ("report.css", "page.css"))
    script = _text("page.js")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; script-src 'sha256-{allowed}'"
    )
    title = look.title if look.title is not None else ", ".join(sound.path.name for sound in sounds[:3])
    title += "" if len(sounds) <= 3 or look.title is not None else " …"
    body = "".join(_section(sound, look) for sound in sounds)
    return (
        f'<!doctype html>\n<html lang="{look.language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n<main>\n{body}"
        f"<footer>{_HINT[look.language]}<br>onsei {__version__}</footer>\n</main>\n"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _section(sound: Measured, look: Output) -> str:
    timed = [panel for panel in sound.panels if panel.timed]
    others = [panel for panel in sound.panels if not panel.timed]
    info = sound.info
    about = f"{sound.seconds:.2f} s · {info.sample_rate:,} Hz · {info.channels} ch · {info.format}"
    if sound.rate != info.sample_rate:
        about += f" → {sound.rate:,} Hz"
    name = sound.path.name if look.title is None else look.title
    pictures = _picture(timed, look, name, sound.seconds) + "".join(_picture([p], look, name, None) for p in others)
    coding, content = _sound(sound, look.page_sound)
    source = f"data:{_TYPES[coding]};base64,{base64.b64encode(content).decode()}"
    heading = f"<h2>{escape(name)}</h2>" if name else ""
    start = next(p.start for p in timed if hasattr(p, "start"))
    return (
        f'<section class="sound" data-start="{start:.6f}">{heading}<p class="about">{escape(about)}</p>'
        f'<div class="bar"><audio controls preload="auto" src="{source}"></audio>'
        f'<output class="place"></output></div>{pictures}</section>\n'
    )


def _picture(panels: Sequence[Panel], look: Output, name: str, seconds: float | None) -> str:
    """A picture of ``panels``; with ``seconds``, one over which the cursor moves."""
    height = None if look.height is None else look.height * sum(p.height for p in panels) / 1230
    drawn = compose(panels, width=look.width, height=height, language=look.language)
    drawn.draw_without_rendering()
    drawn.set_layout_engine("none")  # what is measured now must stay where it is
    boxes = "".join(_box(panel, drawn, i, seconds) for i, panel in enumerate(panels) if seconds is not None)
    kind, content = style.to_picture(drawn)
    words = ", ".join(WORDS[look.language][panel.kind] for panel in panels)
    caption = escape(f"{name}: {words}" if name else words)
    source = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return f'<figure class="view"><img alt="{caption}" src="{source}" draggable="false">{boxes}</figure>'


def _box(panel: Panel, drawn: Figure, index: int, seconds: float | None) -> str:
    """The place of a panel in its picture, in shares of its width and height, and what its axes say."""
    axes = [a for a in drawn.axes if a.get_subplotspec() is not None and a.get_label() != "<colorbar>"][index]
    place = axes.get_position()
    hertz = ""
    if isinstance(panel, LevelsPanel):
        hertz = " ".join(f"{panel.hertz(float(fraction)):.0f}" for fraction in np.linspace(0, 1, _MARKS))
    return (
        f'<div class="box" data-left="{place.x0:.6f}" data-top="{1 - place.y1:.6f}" data-width="{place.width:.6f}" '
        f'data-height="{place.height:.6f}" data-seconds="{seconds:.6f}" data-hertz="{hertz}" tabindex="0" '
        f'role="slider" aria-label="{panel.kind}" aria-valuemin="0" aria-valuemax="{seconds:.3f}" aria-valuenow="0">'
        '<i class="cursor"></i><i class="hover"></i></div>'
    )


def _sound(sound: Measured, coding: str) -> tuple[str, bytes]:
    """The coding and the bytes of a file with the sound; what lies beyond ±1 is clipped."""
    assert sound.samples is not None
    samples, rate = np.clip(sound.samples, -1, 1), sound.rate
    if coding == "auto":
        coding = "wav" if 2 * len(samples) <= _SHORT else "mp3"
    if coding == "mp3":
        return coding, mp3_bytes(samples, rate)
    return coding, encode(f"{sound.path.stem}.{coding}", samples, rate)


def _text(name: str) -> str:
    return files("onsei.plots").joinpath(name).read_text(encoding="utf-8")
