"""The verb `explain`: heat maps of a film by band, pictures of them, and whether they are true.

T frames, H height, W width.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.config import Span, span
from onsei.data.manifest import refuse_existing
from onsei.data.progress import tracked
from onsei.errors import ConfigError, DataError
from onsei.paths import write_text, written_aside
from onsei.plots.heat import overlaid, sheet
from onsei.plots.style import to_png
from onsei.systems.articulation.config.explain import USUAL_BANDS, Explain
from onsei.systems.articulation.data.batches import shrunk
from onsei.systems.articulation.data.films import open_frames
from onsei.systems.articulation.explain.faithfulness import (
    RANDOM_MAPS,
    Faithfulness,
    edge_maps,
    faithfulness,
    random_maps,
    sounding,
)
from onsei.systems.articulation.explain.maps import Question, chosen_layer, heat_maps, layers, mel_bins
from onsei.systems.articulation.explain.pointing import Contours, Pointing, pointing_game, read_contours
from onsei.systems.articulation.inference import Articulator

ABOUT = "explain.json"
MEASURES = {
    "drop": "deletion_drop", "change": "deletion_change", "rise": "insertion_rise", "gap": "insertion_gap",
}  # fmt: skip
"""Of ``Faithfulness``, and what they are called among the numbers."""
_DRAWN = 5
_SCALED_BY = 0.75


@dataclass(frozen=True)
class Explained:
    """A band's heat maps."""

    band: Span
    maps: NDArray[np.float32]
    """(T, size, size), above 1 in few frames."""
    scale: float
    """What 1 stands for, in dB but for gradcam++: in three of four frames in which the band is heard the hottest place
    is colder."""

    @property
    def shown(self) -> NDArray[np.float32]:
        """The maps in 0..1, as they are stored and drawn."""
        return np.minimum(self.maps, np.float32(1))


def explain(options: Explain) -> None:
    """Write heat maps and pictures of every band, and print what was measured."""
    bands = [span(text) for text in options.formant_band or USUAL_BANDS]
    targets = _targets(options, bands)
    refuse_existing(targets, options.force)
    runner = Articulator.load(options.model, options.device)
    questions = {band: _question(options, runner, band) for band in bands}
    prepared = runner.prepared
    whole = open_frames(options.video, prepared, options.frame_rate, retime=options.retime)
    beyond = [number for number in options.target_frames if number >= len(whole)]
    if beyond:
        raise ConfigError(
            f"--target-frames {beyond[0]}: {options.video} has {len(whole)} frames", "they are counted from 0"
        )
    contours = None if options.contours is None else read_contours(options.contours, len(whole))
    seen = runner.frames(options.video, options.frame_rate, retime=options.retime)
    numbers: dict[str, float] = {}
    scales: dict[str, float] = {}
    for band in tracked("explaining", bands):
        found = explained(runner, seen, questions[band], band, prepared.size)
        scales[band.name] = found.scale
        _save(found, whole, options)
        if options.faithfulness:
            numbers |= truth(runner, seen, found, questions[band], options.seed)
        if contours is not None:
            numbers |= pointed(found, contours, options.tolerance, levels(runner, seen, questions[band]))
    about: dict[str, Any] = {
        "video": options.video.name, "frames": len(whole), "frame_rate": prepared.frame_rate, "crop": prepared.crop,
        "bands": {band.name: [band.low, band.high] for band in bands}, "scale": scales, "method": options.method,
        "layer": chosen_layer(runner.model, options.layer), "target": options.target, **numbers,
    }  # fmt: skip
    write_text(options.output_dir / ABOUT, json.dumps(about, indent=1) + "\n")
    if options.json is not None:
        write_text(options.json, json.dumps(numbers, indent=1) + "\n")
    for name, value in numbers.items():
        print(f"{name:32} {value:9.2f}")
    print(f"{options.output_dir}: heat maps of {', '.join(band.name for band in bands)}, {len(whole)} frames")


def explained(runner: Articulator, seen: NDArray[np.float32], question: Question, band: Span, size: int) -> Explained:
    """Heat maps of pictures (T, H, W) as the network sees them, on one scale over the film.

    Raises:
        DataError: hardly anything in the film raises the band.
    """
    maps = heat_maps(runner.model, seen, question, size) * np.float32(runner.scaler.std)
    hottest = maps.max(axis=(1, 2))[sounding(levels(runner, seen, question))]
    top = float(np.quantile(hottest, _SCALED_BY))
    if not top > 0:
        raise DataError(
            f"band {band.name}: hardly any place of any frame raises it, by {question.method}",
            "train the model further, or choose another --method or --layer",
        )
    return Explained(band, maps / np.float32(top), top)


def truth(
    runner: Articulator, seen: NDArray[np.float32], found: Explained, question: Question, seed: int
) -> dict[str, float]:
    """Faithfulness of a band's maps, of edges, and of random maps as coarse as the layer (means of three)."""

    def level(pictures: NDArray[np.float32]) -> NDArray[np.float64]:
        return levels(runner, pictures, question)

    _, height, width = layers(runner.model)[chosen_layer(runner.model, question.layer)]
    random = [random_maps(seen, (height, width), seed + n) for n in range(RANDOM_MAPS)]
    scores = {
        "map": [faithfulness(seen, shrunk(found.maps, seen.shape[1]), level)],
        "edges": [faithfulness(seen, edge_maps(seen), level)],
        "random": [faithfulness(seen, maps, level) for maps in random],
    }
    return {
        f"{found.band.name}_{kind}_{name}": float(np.mean([getattr(one, field) for one in ones]))
        for name, ones in scores.items()
        for field, kind in MEASURES.items()
    }


def levels(runner: Articulator, pictures: NDArray[np.float32], question: Question) -> NDArray[np.float64]:
    """Predicted level of the band in dB at each frame of a film (T, H, W): (T,)."""
    frames = torch.from_numpy(np.ascontiguousarray(pictures, np.float32))[:, None].to(runner.device, runner.dtype)
    mel = runner.scaler.restored(runner.model.spoken(frames).float().cpu().numpy())
    level: NDArray[np.float64] = mel[:, list(question.bins)].reshape(len(pictures), -1).mean(axis=1).astype(np.float64)
    return level


def pointed(found: Explained, contours: Contours, tolerance: float, level: NDArray[np.float64]) -> dict[str, float]:
    """The pointing game over the frames in which the band is heard, by its ``level`` in dB, (T,)."""
    game = pointing_game(found.maps, contours, tolerance, sounding(level))
    return {f"{found.band.name}_pointing": game.rate, f"{found.band.name}_pointing_chance": game.chance_rate}


def sequence_name(band: str) -> str:
    """File of a band's heat maps."""
    return f"gradcam_{band}_sequence.npy"


def _question(options: Explain, runner: Articulator, band: Span) -> Question:
    chosen_layer(runner.model, options.layer)
    return Question(mel_bins(band, runner.mel), options.method, options.target, options.layer)


def _targets(options: Explain, bands: list[Span]) -> list[Path]:
    names = [band.name for band in bands]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"--formant-band: {twice[0]} is given twice", "name each band once")
    files = [options.output_dir / sequence_name(name) for name in names]
    files += [options.output_dir / f"gradcam_{name}_average.png" for name in names]
    return [*files, options.output_dir / ABOUT, *([options.json] if options.json else [])]


def _save(found: Explained, whole: NDArray[np.float32], options: Explain) -> None:
    """The sequence, its mean over the mean picture, and chosen frames alone and on one sheet."""
    folder, name = options.output_dir, found.band.name
    stream = io.BytesIO()
    maps = found.shown
    np.save(stream, maps)
    _write(folder / sequence_name(name), stream.getvalue())
    pictures = np.rint(whole * 255).astype(np.uint8)
    mean = maps.mean(axis=0)
    average = overlaid(pictures.mean(axis=0).astype(np.uint8), mean / max(float(mean.max()), 1e-9), options.alpha)
    title = f"{name}, {found.band.low:g} to {found.band.high:g} Hz"
    _write(folder / f"gradcam_{name}_average.png", to_png(sheet([("mean of the film", average)], title=title)))
    spread = tuple(np.unique(np.linspace(0, len(whole) - 1, _DRAWN + 2)[1:-1].round().astype(int)).tolist())
    shown = []
    for number in options.target_frames or spread:
        over = overlaid(pictures[number], maps[number], options.alpha)
        shown.append((f"frame {number}", over))
        _write(folder / f"gradcam_{name}_frame{number:04d}.png", to_png(sheet([(f"frame {number}", over)])))
    _write(folder / f"gradcam_{name}_frames.png", to_png(sheet(shown, title=title)))


def _write(path: Path, content: bytes) -> None:
    with written_aside(path) as aside:
        aside.write_bytes(content)


__all__ = ["Contours", "Explained", "Faithfulness", "Pointing", "explain", "explained", "levels", "pointed", "truth"]
