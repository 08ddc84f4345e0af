"""The verb `prepare`: films and sounds to clips, manifests, scaler and the vocoder's filelists."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from onsei.config import to_dict, to_yaml
from onsei.data.progress import tracked
from onsei.data.row import Row
from onsei.errors import AudioError, ConfigError, DataError
from onsei.paths import write_text
from onsei.systems.articulation.config.prepare import Prepare
from onsei.systems.articulation.data.clips import Clip, Moments, write_clip, write_meta
from onsei.systems.articulation.data.prepare.lag import Lag
from onsei.systems.articulation.data.prepare.making import Made, Maker
from onsei.systems.articulation.data.prepare.pairs import write_pairs
from onsei.systems.articulation.data.prepare.parts import parted, random_windows, write_filelists, write_manifests
from onsei.systems.articulation.data.prepare.sources import Source, find
from onsei.systems.articulation.data.prepared import META, Prepared
from onsei.vision import film, video
from onsei.vision.video import Crop
from onsei.vocoder.definition import MelDefinition

_OFF = 0.01
"""Part by which a film's rate may miss whole hops before other flags are asked for."""
_SEGMENT = 8400
"""Samples of a training segment of the vocoder, about."""
_OUTLIER = 1.5
"""Frames by which a clip may be less in step than the others before it is named."""


@dataclass
class Report:
    """What came of the films."""

    rows: list[Row] = field(default_factory=list)
    moments: dict[str, Moments] = field(default_factory=dict)
    lags: dict[str, Lag] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: float = 0.0
    pairs: int = 0


def prepare(options: Prepare) -> dict[str, float]:
    """Write the clips and tell what was found; returns its numbers. Films that cannot be used are listed in faults.tsv.

    Raises:
        ConfigError: flags that do not fit each other, or the films' rate.
        DataError: nothing usable was found, or clips are there already.
    """
    folder = options.output_dir
    if (folder / META).exists() and not options.force:
        raise DataError(
            f"{folder}: holds prepared clips already", "give --force to replace them, or another --output-dir"
        )
    if options.val_fraction + options.test_fraction >= 1:
        raise ConfigError("--val-fraction and --test-fraction: together 1 or more", "leave something to train on")
    sources = find(options.data_dir, options.audio_dir, options.speaker, options.mask_dir)
    definition = defined(options, sources)
    report = _made(options, sources, definition)
    if not report.rows:
        shown = "\n  ".join(f"{name}: {reason}" for name, reason in list(report.faults.items())[:5])
        raise DataError(f"{options.data_dir}: none of {len(sources)} films could be used\n  {shown}", "mend these")
    definition = replace(definition, prepared=_named(definition, report.rows))
    parts = parted(report.rows, options)
    counts = write_manifests(
        folder, report.rows, random_windows(report.rows, options) if options.split == "random" else parts
    )
    write_filelists(folder, parts, options)
    moments = sum((report.moments[row.id] for row in parts["train"]), Moments())
    write_text(folder / "vocoder.yaml", vocoder_recipe(definition.mel))
    write_text(folder / "faults.tsv", "".join(f"{name}\t{text}\n" for name, text in report.faults.items()))
    write_meta(folder, definition, moments.scaler(definition.prepared), _facts(options, report, counts))
    numbers = _numbers(report, counts, definition)
    print(_told(options, report, counts, definition))
    if options.json is not None:
        plain = {name: value if isfinite(value) else None for name, value in numbers.items()}
        write_text(options.json, json.dumps(plain, indent=1) + "\n")
    return numbers


def defined(options: Prepare, sources: Sequence[Source]) -> Prepared:
    """What pictures and mels are, by the flags and the most frequent rate of the films.

    Raises:
        ConfigError: a frame of film is not whole hops; names flags that make it so.
        AudioError: no film can be opened.
    """
    mel = MelDefinition(
        sample_rate=options.sample_rate, n_fft=options.n_fft, hop_length=options.hop_length,
        win_length=options.win_length, n_mels=options.n_mels, f_min=options.f_min, f_max=options.f_max,
        quantity="power", log="decibel", floor=options.floor, epsilon=0.0, padding=options.padding, peak=None,
        preemphasis=options.preemph,
    )  # fmt: skip
    mel.check()
    rate = _rate(options, sources)
    hops = mel.sample_rate / (mel.hop * float(rate))
    whole = max(1, round(hops))
    if abs(hops / whole - 1) > _OFF and not options.retime:
        hop = max(1, round(mel.sample_rate / (float(rate) * whole)))
        raise ConfigError(
            f"films of {float(rate):.6g} frames/s: a frame is {hops:.4g} hops of {mel.hop} samples at "
            f"{mel.sample_rate} Hz; a whole number is needed",
            f"give --hop-length {hop} --sample-rate {round(float(rate) * hop * whole)}; or --frame-rate, where "
            "headers are wrong; or --retime, to take films at another rate",
        )
    return Prepared(mel, str(Fraction(mel.sample_rate, mel.hop * whole)), whole, options.size, _crop(options.crop))


def vocoder_recipe(mel: MelDefinition) -> str:
    """A recipe of `onsei vocoder train` for these mels, as `export-mels` writes them."""
    natural = to_yaml(replace(mel, log="natural"))
    inside = "".join(f"  {line}\n" for line in natural.splitlines())
    segment = max(1, round(_SEGMENT / mel.hop)) * mel.hop
    rates = "" if mel.hop == 420 else "network:\n  generator:\n    upsample_rates: []\n    upsample_kernel_sizes: []\n"
    return (
        "# What a vocoder of these clips is trained by: onsei vocoder train vocoder.yaml --fine-tuning …\n"
        f"extends: paper\nmel:\n{inside}{rates}data:\n  segment_size: {segment}\n"
    )


def _made(options: Prepare, sources: Sequence[Source], definition: Prepared) -> Report:
    maker, report = Maker(options, definition), Report()
    for source in tracked("preparing films", sources):
        try:
            made = maker(source)
        except (AudioError, DataError) as error:
            report.faults[source.id] = str(error).replace("\n", " ").replace("\t", " ")
            continue
        _store(options, definition, made, report)
    return report


def _store(options: Prepare, definition: Prepared, made: Made, report: Report) -> None:
    clip = made.clip
    report.rows.append(write_clip(options.output_dir, clip, definition, options.dtype))
    report.pairs += write_pairs(
        options.output_dir, clip, options.pairs, frames=options.ref_frames, step=options.pair_step, format=options.dtype
    )
    moments = Moments()
    moments.add(clip.mel)
    report.moments[clip.id], report.lags[clip.id] = moments, made.lag
    report.seconds += len(clip.sound) / definition.mel.sample_rate
    if made.notes:
        report.notes[clip.id] = made.notes
    if options.normalized_videos is not None:
        _write_film(options.normalized_videos / f"{clip.id}.mp4", clip, definition)


def _write_film(path: Path, clip: Clip, definition: Prepared) -> None:
    sound = film.Sound(clip.sound.clip(-1, 1), definition.mel.sample_rate)
    even = clip.frames[:, : clip.frames.shape[1] // 2 * 2, : clip.frames.shape[2] // 2 * 2]
    film.write(path, even, definition.rate, sound)


def _rate(options: Prepare, sources: Sequence[Source]) -> Fraction:
    if options.frame_rate is not None:
        return Fraction(options.frame_rate).limit_denominator(100_000)
    rates: Counter[Fraction] = Counter()
    first: AudioError | None = None
    for source in sources:
        try:
            rates[video.info(source.film).rate] += 1
        except AudioError as error:
            first = first or error
    if not rates:
        assert first is not None
        raise first
    return rates.most_common(1)[0][0]


def _crop(text: str) -> tuple[int, int, int, int] | None:
    if not text:
        return None
    try:
        left, top, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"crop: expected LEFT,TOP,WIDTH,HEIGHT, found {text!r}", "e.g. 10,0,200,200", ["crop"]
        ) from None
    return tuple(Crop(left, top, width, height))  # type: ignore[return-value]


def _named(definition: Prepared, rows: Sequence[Row]) -> str:
    """A name of the preparation: equal clips, made alike, have equal names."""
    text = json.dumps([to_dict(definition), [(row.id, row.duration) for row in rows]], sort_keys=True)
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=6).hexdigest()


def _facts(options: Prepare, report: Report, counts: dict[str, int]) -> dict[str, Any]:
    clips = {
        row.id: {
            "seconds": row.duration,
            "lag": round(report.lags[row.id].seconds, 4) if report.lags[row.id].clear else None,
            "notes": list(report.notes.get(row.id, ())),
        }
        for row in report.rows
    }
    return {"ref_frames": options.ref_frames, "split": options.split, "parts": counts, "clips": clips}


def _numbers(report: Report, counts: dict[str, int], definition: Prepared) -> dict[str, float]:
    lags = [one.seconds for one in report.lags.values() if one.clear]
    return {
        "clips": len(report.rows), "faults": len(report.faults), "seconds": round(report.seconds, 3),
        "windows": report.pairs, **counts, "subframes": definition.subframes, "frame_rate": float(definition.rate),
        "lag_ms": round(1000 * float(np.median(lags)), 1) if lags else float("nan"), "lags_seen": len(lags),
    }  # fmt: skip


def _told(options: Prepare, report: Report, counts: dict[str, int], definition: Prepared) -> str:
    mel = definition.mel
    lines = [
        f"{len(report.rows)} clips, {report.seconds:.1f} s, {float(definition.rate):.6g} frames/s, "
        f"{definition.subframes} mel frames of {mel.hop} samples for each at {mel.sample_rate} Hz",
        "  " + ", ".join(f"{name} {count}" for name, count in counts.items() if count),
        *_about_lags(report, definition),
    ]
    lines += [f"  {name}: {note}" for name, notes in report.notes.items() for note in notes]
    lines += [f"  left out: {name}: {reason}" for name, reason in report.faults.items()]
    if options.split == "random":
        lines.append("  windows of one film are in all parts: errors of the test will look smaller than they are")
    return "\n".join(lines)


def _about_lags(report: Report, definition: Prepared) -> list[str]:
    seen = {name: one.seconds for name, one in report.lags.items() if one.clear}
    if not seen:
        return ["  whether picture and sound are in step cannot be told: their changes do not go together"]
    middle, frame = float(np.median(list(seen.values()))), 1 / float(definition.rate)
    when = "later than" if middle > 0 else "earlier than"
    lines = [
        f"  sound {abs(middle) * 1000:.0f} ms {when} the picture (seen in {len(seen)} of {len(report.lags)} clips)"
    ]
    if abs(middle) > frame:
        lines.append(
            f"  that is more than a frame ({frame * 1000:.0f} ms): is the sound of another clock, or cut elsewhere?"
        )
    far = {name: value for name, value in seen.items() if abs(value - middle) > _OUTLIER * frame}
    lines += [f"  {name}: {value * 1000:+.0f} ms, unlike the others" for name, value in far.items()]
    return lines
