"""Sound files ↔ float32 arrays: any format that libsndfile or FFmpeg reads, any rate and channel count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from onsei.audio.io import ffmpeg, libsndfile
from onsei.audio.io.header import AudioInfo, Source, checked_path, is_shortened
from onsei.audio.resample import check_rate, resample_blocks
from onsei.audio.samples import Samples, as_samples, check_finite
from onsei.errors import AudioError
from onsei.paths import written_aside

__all__ = ["MAX_SECONDS", "SUFFIXES", "AudioInfo", "blocks", "encode", "info", "load", "save"]

MAX_SECONDS = 3600.0
"""The longest piece that ``load`` reads unless told otherwise: an hour at 16 kHz is 230 MB."""
SUFFIXES = frozenset(
    ".wav .flac .mp3 .ogg .opus .m4a .mp4 .webm .aiff .aif .au .sph .caf .aac .wma".split()  # noqa: SIM905
)
"""Endings of files that are taken for sound where a folder is searched, in small letters."""
_ROUNDING = 0.1
"""Seconds by which a segment may pass the end: manifests round their times."""
_MAX_CHANNELS = 64


def info(path: str | Path) -> AudioInfo:
    """Read the header of a sound file.

    Samples are not decoded; where the header does not tell the length (aac, recordings of a browser) the packets are
    counted.

    Raises:
        AudioError: missing, empty, cut short, without samples, or not sound.
    """
    with _opened(path) as source:
        return source.info


def load(
    path: str | Path,
    sample_rate: int | None = None,
    *,
    offset: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
    max_seconds: float | None = MAX_SECONDS,
) -> tuple[Samples, int]:
    """Read a sound file, or a segment of it, as mono.

    Only the segment is decoded where the container can be entered midway; a long file is mixed and resampled in blocks.
    Places in a webm file are exact to its clock, 1 ms.

    Args:
        path: the file.
        sample_rate: wanted rate in Hz; None keeps the file's.
        offset: start of the segment in seconds.
        duration: length of the segment in seconds; None reads to the end. May pass the end by 0.1 s (rounded times).
        channel: the channel to read, from 0; None takes the mean of all.
        max_seconds: longest piece that may be read; None lifts the limit.

    Returns:
        Samples, float32 (T,), and their rate in Hz.

    Raises:
        AudioError: as for ``info``, and for damage inside, NaN or infinite samples, a segment or channel that the file
            does not have, or more than ``max_seconds``.
    """
    with _opened(path) as source:
        parts = list(
            _read(source, sample_rate, offset=offset, duration=duration, channel=channel, max_seconds=max_seconds)
        )
        rate = sample_rate or source.info.sample_rate
    return parts[0] if len(parts) == 1 else np.concatenate(parts), rate


def blocks(
    path: str | Path,
    sample_rate: int | None = None,
    *,
    offset: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
) -> Iterator[Samples]:
    """What ``load`` reads, of any length, in blocks (t,) of bounded size: joined, they are its samples.

    Arguments and errors as for ``load``; without ``sample_rate`` the rate is that of ``info``. Errors come when the
    block is asked for.
    """
    with _opened(path) as source:
        yield from _read(source, sample_rate, offset=offset, duration=duration, channel=channel, max_seconds=None)


def save(path: str | Path, samples: ArrayLike, sample_rate: int, *, coding: str | None = None) -> None:
    """Write a sound file whose format follows from the extension: wav, flac, ogg, opus, mp3, aiff, au or caf.

    The file is whole or not there at all; an older one of that name is replaced only on success. Opus loses its last
    milliseconds: libsndfile ends it before the coder has given them out.

    Args:
        path: the file; its folder is made if missing.
        samples: (T,) or (C, T), floating point within ±1.
        sample_rate: in Hz.
        coding: libsndfile's name of another coding, e.g. ``FLOAT`` or ``PCM_24`` for wav; default 16-bit PCM, Vorbis,
            Opus or MPEG layer III. ``FLOAT`` may hold samples beyond ±1.

    Raises:
        AudioError: unknown extension, a rate or channel count that the format lacks, or samples that are integers,
            none, NaN, infinite or would be clipped.
    """
    path = Path(path)
    data = encode(path, samples, sample_rate, coding=coding)
    with written_aside(path) as aside:
        aside.write_bytes(data)


def encode(name: str | Path, samples: ArrayLike, sample_rate: int, *, coding: str | None = None) -> bytes:
    """The bytes that ``save`` would write to a file called ``name``. Arguments and errors as for ``save``."""
    path = Path(name)
    check_rate(sample_rate)
    array = np.atleast_2d(as_samples(samples, str(path)))
    if array.ndim != 2 or len(array) > _MAX_CHANNELS:
        raise AudioError(f"{path}: expected samples (T,) or (C, T), found {np.shape(samples)}", "put time last")
    if path.suffix.lower() not in libsndfile.FORMATS:
        known = " ".join(libsndfile.FORMATS)
        raise AudioError(f"{path}: cannot write {path.suffix or 'a file without extension'}", f"choose one of {known}")
    container, usual = libsndfile.FORMATS[path.suffix.lower()]
    peak = float(np.abs(array).max())
    if peak > 1.0 and coding not in ("FLOAT", "DOUBLE"):
        raise AudioError(
            f"{path}: samples reach ±{peak:.3f}, beyond ±1 they would be clipped", "scale them, or write wav with FLOAT"
        )
    try:
        return libsndfile.encode(np.ascontiguousarray(array.T), sample_rate, container, coding or usual)
    except ValueError as error:
        raise AudioError(
            f"{path}: {container} {coding or usual} cannot hold {len(array)} channels at {sample_rate} Hz ({error})",
            "choose another rate or extension",
        ) from error


@contextmanager
def _opened(path: str | Path) -> Iterator[Source]:
    """The file by the door that knows its content: by its first bytes, else libsndfile, else FFmpeg."""
    file = checked_path(path)
    doors = (ffmpeg,) if ffmpeg.is_certain(file) else (libsndfile, ffmpeg)
    for door in doors:
        with door.open_source(file) as source:
            if source is not None:
                if source.info.frames <= 0:
                    raise AudioError(f"{file}: holds no samples", "record it again or leave it out")
                yield source
                return
    if is_shortened(file):
        mend = "convert it, e.g. by `sph2pipe -p -f wav`"
        raise AudioError(f"{file}: sph compressed by shorten, which cannot be read", mend)
    raise AudioError(
        f"{file}: not a sound file that can be read", "check what it is; convert headerless or rare formats to wav"
    )


def _read(
    source: Source,
    sample_rate: int | None,
    *,
    offset: float,
    duration: float | None,
    channel: int | None,
    max_seconds: float | None,
) -> Iterator[Samples]:
    """Blocks (t,) of a segment, mixed and resampled; none is empty."""
    if sample_rate is not None:
        check_rate(sample_rate)
    header = source.info
    start, frames = _segment(header, offset, duration, max_seconds)
    if channel is not None and not 0 <= channel < header.channels:
        raise AudioError(
            f"{header.path}: channel {channel} asked for, the file has {header.channels}",
            f"choose a channel from 0 to {header.channels - 1}, or none for their mean",
        )
    rate = sample_rate or header.sample_rate
    found = 0
    for block in resample_blocks(_mono(source, start, frames, channel), header.sample_rate, rate):
        if block.size:
            found += block.size
            yield block
    if not found:
        raise AudioError(
            f"{header.path}: too short: {frames} samples at {header.sample_rate} Hz are none at {rate} Hz",
            "leave it out",
        )


def _segment(header: AudioInfo, offset: float, duration: float | None, max_seconds: float | None) -> tuple[int, int]:
    """First frame and number of frames of the segment."""
    rate, path = header.sample_rate, header.path
    if not (isfinite(offset) and offset >= 0):
        raise AudioError(f"{path}: offset: expected seconds from 0, found {offset}", "mend the offset")
    if duration is not None and not (isfinite(duration) and duration > 0):
        raise AudioError(
            f"{path}: duration: expected seconds above 0, found {duration}", "mend the duration, or leave it out"
        )
    start = round(offset * rate)
    stop = header.frames if duration is None else round((offset + duration) * rate)
    if start >= header.frames or stop > header.frames + _ROUNDING * rate:
        raise AudioError(
            f"{path}: the segment from {offset:g} s to {stop / rate:g} s passes the end at {header.duration:.3f} s",
            "mend offset and duration",
        )
    frames = max(1, min(stop, header.frames) - start)
    if max_seconds is not None and frames > max_seconds * rate:
        raise AudioError(
            f"{path}: {frames / rate:.0f} s to read, the limit is {max_seconds:g} s",
            "read it in parts by offset and duration, or raise max_seconds",
        )
    return start, frames


def _mono(source: Source, start: int, frames: int, channel: int | None) -> Iterator[Samples]:
    header = source.info
    weights = np.full(header.channels, 1 / header.channels, np.float32)
    for block in source.blocks(start, frames):
        mono = (
            np.ascontiguousarray(block[:, channel or 0])
            if channel is not None or header.channels == 1
            else block @ weights
        )
        check_finite(mono, str(header.path), start=start, sample_rate=header.sample_rate)
        start += len(mono)
        yield mono
