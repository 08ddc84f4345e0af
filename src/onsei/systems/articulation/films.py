"""The verb `overlay-video`: a film under one or two heat maps, with generated sound in step.

T frames, H height, W width.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from onsei.audio import io
from onsei.data.manifest import refuse_existing
from onsei.data.progress import tracked
from onsei.errors import DataError
from onsei.plots.heat import overlaid, overlaid_twice
from onsei.systems.articulation.config.explain import OverlayVideo
from onsei.systems.articulation.data.films import STORED
from onsei.systems.articulation.heatmaps import check_length, fitted, read_maps, read_pictures
from onsei.vision import film, video


def overlay_video(options: OverlayVideo) -> None:
    """Write the film; it lasts as long as the given one, and its sound begins with its first frame."""
    refuse_existing([options.output], options.force)
    paths = [options.heatmap, *([options.heatmap2] if options.heatmap2 is not None else [])]
    maps = [read_maps(path) for path in paths]
    pictures, rate = read_pictures(options.video, options.heatmap, options.frame_rate)
    for path, found in zip(paths, maps, strict=True):
        check_length(options.video, len(pictures), path, len(found), options.start_frame)
    sound = _sound(options, Fraction(len(pictures)) / rate)
    size = options.resize or (maps[0].shape[2], maps[0].shape[1])
    tops = [float(np.max(found, initial=0.0)) for found in maps]
    cold = np.zeros(maps[0].shape[1:], np.float32)

    def shown() -> Iterator[film.Pixels]:
        for number in tracked("drawing", range(len(pictures))):
            place = number - options.start_frame
            heats = [found[place] if 0 <= place < len(found) else cold for found in maps]
            both = [fitted(pictures[number], heat, size, top) for heat, top in zip(heats, tops, strict=True)]
            picture, first = both[0]
            if len(both) == 1:
                yield overlaid(picture, first, options.alpha)
            else:
                yield overlaid_twice(picture, first, both[1][1], options.alpha)

    film.write(options.output, shown(), rate, sound)
    heard = "silent" if sound is None else f"with sound, {len(sound.samples) / sound.rate:.3f} s"
    print(f"{options.output}: {len(pictures)} frames, {float(len(pictures) / rate):.3f} s, {heard}")


def _sound(options: OverlayVideo, seconds: Fraction) -> film.Sound | None:
    """What is to be heard.

    Raises:
        DataError: it is much longer or shorter than the film.
    """
    path: Path | None = options.audio
    if path is None:
        if options.video.suffix.lower() == STORED or not video.info(options.video).sound:
            return None
        path = options.video
    samples, rate = io.load(path)
    apart = len(samples) / rate - float(seconds)
    if abs(apart) > options.tolerance:
        raise DataError(
            f"{path}: {len(samples) / rate:.3f} s of sound, the film lasts {float(seconds):.3f} s",
            "give the sound of this film; --tolerance 60 cuts it, or lets silence follow",
        )
    return film.Sound(samples, rate, "flac" if options.lossless else "aac")
