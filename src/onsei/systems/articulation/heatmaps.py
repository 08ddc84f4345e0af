"""The verb `heatmap-video`, and what it shares with `overlay-video`: stored heat maps and the film that they are of.

T frames, H height, W width.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from onsei.config import Span, span
from onsei.data.manifest import refuse_existing
from onsei.data.progress import tracked
from onsei.errors import ConfigError, DataError
from onsei.paths import written_aside
from onsei.plots.heat import overlaid
from onsei.systems.articulation.config.explain import HeatmapVideo
from onsei.systems.articulation.data.films import STORED
from onsei.systems.articulation.data.prepared import load_array, load_frames
from onsei.systems.articulation.explain import ABOUT
from onsei.vision import film, video
from onsei.vision.video import Crop

Heat = NDArray[np.float32]


def heatmap_video(options: HeatmapVideo) -> None:
    """Write the film, and with ``segment`` the heat maps of the segment."""
    maps = read_maps(options.sequence)
    part = None if options.segment is None else span(options.segment)
    cut = None if part is None else options.output.with_name(segment_name(options.sequence, part.name))
    refuse_existing([options.output, *([cut] if cut else [])], options.force)
    pictures, rate = read_pictures(options.video, options.sequence, None)
    check_length(options.video, len(pictures), options.sequence, len(maps), options.start_frame)
    first, last = _within(part, rate, options.start_frame, len(maps), options.sequence)
    if cut is not None:
        stream = io.BytesIO()
        np.save(stream, np.asarray(maps[first:last], np.float32))
        with written_aside(cut) as aside:
            aside.write_bytes(stream.getvalue())
        print(f"{cut}: {last - first} heat maps")
    size = options.resize or (maps.shape[2], maps.shape[1])
    top = float(np.max(maps, initial=0.0))

    def shown() -> Iterator[film.Pixels]:
        for number in tracked("drawing", range(first, last)):
            picture, heat = fitted(pictures[options.start_frame + number], maps[number], size, top)
            over = overlaid(picture, heat, options.alpha)
            for _ in range(options.repeat):
                yield over

    pace = Fraction(options.fps).limit_denominator(1000)
    written = film.write(options.output, shown(), pace)
    print(f"{options.output}: {last - first} frames in {float(written / pace):.1f} s")


def segment_name(sequence: Path, name: str) -> str:
    """File of a segment's heat maps: `gradcam_F1_NAME_sequence.npy`."""
    stem = sequence.stem.removesuffix("_sequence")
    return f"{stem}_{name}_sequence.npy"


def _within(part: Span | None, rate: Fraction, start: int, count: int, path: Path) -> tuple[int, int]:
    """First heat map of the segment and the one after its last."""
    if part is None:
        return 0, count
    first, last = round(part.low * rate) - start, round(part.high * rate) - start
    if first < 0 or last > count or first == last:
        ends = [float((start + n) / rate) for n in (0, count)]
        raise ConfigError(
            f"--segment {part.name}: {part.low:g} to {part.high:g} s; {path.name} has {ends[0]:.3f} to {ends[1]:.3f} s "
            f"at {float(rate):.4g} frames/s",
            "choose a part of a frame or more inside of that",
        )
    return first, last


def read_maps(path: Path) -> NDArray[np.floating]:
    """Stored heat maps (T, H, W), memory-mapped.

    Raises:
        DataError: no such file, other content, empty, negative or not finite.
    """
    maps = load_array(path, "heat maps (frames, height, width)", 3)
    if not len(maps):
        raise DataError(f"{path}: no heat maps", "make them by `onsei articulation explain`")
    for at in range(0, len(maps), 256):
        if not (np.isfinite(maps[at : at + 256]).all() and (maps[at : at + 256] >= 0).all()):
            raise DataError(f"{path}: values that are negative, NaN or infinite", "make them anew")
    return maps


def read_pictures(path: Path, maps: Path, frame_rate: float | None) -> tuple[NDArray[np.uint8], Fraction]:
    """The film that heat maps are of, gray (T, H, W), cut as the model saw it, and its exact rate.

    Raises:
        AudioError: no film.
        DataError: its frames come unevenly.
    """
    about = _about(maps)
    if path.suffix.lower() == STORED:
        stored = np.rint(load_frames(path) * 255).astype(np.uint8)
        return stored, Fraction(str(about.get("frame_rate") or frame_rate or "25"))
    rate = None if frame_rate is None else Fraction(frame_rate).limit_denominator(100_000)
    header = video.info(path)
    listed = about.get("crop")
    crop = (
        Crop(*listed)
        if listed and listed[0] + listed[2] <= header.width and listed[1] + listed[3] <= header.height
        else None
    )
    found = video.read(path, crop=crop, rate=rate)
    if not found.even:
        raise DataError(
            f"{path}: frames come unevenly, sound and pictures would drift apart",
            "write it at a constant rate, or give --frame-rate if only its time stamps are wrong",
        )
    return found.frames, found.rate


def _about(maps: Path) -> dict[str, Any]:
    path = maps.with_name(ABOUT)
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return {}
    return values if isinstance(values, dict) else {}


def check_length(path: Path, frames: int, maps: Path, count: int, start: int) -> None:
    """Refuse heat maps that pass the end of the film.

    Raises:
        DataError: they do.
    """
    if start + count > frames:
        raise DataError(
            f"{maps}: {count} heat maps from frame {start} on, {path} has {frames} frames",
            "give the film that was explained, or --start-frame for maps of a part",
        )


def fitted(
    picture: film.Pixels, heat: NDArray[np.floating], size: tuple[int, int], top: float
) -> tuple[film.Pixels, Heat]:
    """A picture and a heat map brought to ``size`` (width, height); the map to 0..1 where ``top`` is above 1."""
    both = [picture.astype(np.float32), np.asarray(heat, np.float32) / np.float32(max(top, 1.0))]
    gray, hot = (_sized(x, size) for x in both)
    return np.rint(np.clip(gray, 0, 255)).astype(np.uint8), np.clip(hot, 0, 1)


def _sized(x: Heat, size: tuple[int, int]) -> Heat:
    if x.shape == (size[1], size[0]):
        return x
    smaller = size[1] <= x.shape[0] and size[0] <= x.shape[1]
    made: Heat = interpolate(
        torch.from_numpy(np.ascontiguousarray(x))[None, None],
        (size[1], size[0]),
        mode="area" if smaller else "bilinear",
    )[0, 0].numpy()
    return made
