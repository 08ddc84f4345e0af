"""Sound of files that libsndfile does not know (m4a, mp4, webm, aac, wma …) by FFmpeg; the only door to PyAV."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from onsei.audio.io.header import AudioInfo, Source, damaged, short
from onsei.audio.samples import Samples
from onsei.errors import AudioError

_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,asf,amr,ac3,eac3,avi,flv,mpegts,mpeg,wv,ape,tta,ogg,wav,mp3"
# Neither playlists, which name other files and addresses, nor the demuxers that take any text for a picture.
_SAFE = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
_PREROLL = 0.25
"""Seconds decoded before a segment: AAC and Opus need some 80 ms to settle."""


def is_certain(path: Path) -> bool:
    """Whether the first bytes are of a container that only FFmpeg reads; libsndfile takes some of these for mp3."""
    with path.open("rb") as file:
        head = file.read(16)
    adts = len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0
    mp4 = head[4:8] in (b"ftyp", b"moov", b"styp")
    return adts or mp4 or head.startswith((b"\x1aE\xdf\xa3", b"\x30\x26\xb2\x75", b"#!AMR"))


@contextmanager
def open_source(path: Path) -> Iterator[Source | None]:
    """The first sound stream of the file, or None if FFmpeg does not know its content either. AudioError if damaged."""
    try:
        container = _open(path)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if is_certain(path):
            raise damaged(path, "its header or index cannot be read") from error
        yield None
        return
    with container:
        if not container.streams.audio:
            raise AudioError(f"{path}: holds no sound ({container.format.name})", "give a file with a sound track")
        try:
            source = _FFmpegSource(path, container)
        except av.error.FFmpegError as error:
            raise damaged(path, str(error.strerror)) from error
        yield source


def _open(path: Path) -> InputContainer:
    return av.open(os.fspath(path), options=_SAFE)


class _FFmpegSource:
    def __init__(self, path: Path, container: InputContainer) -> None:
        self._container = container
        self._stream = container.streams.audio[0]
        codec = self._stream.codec_context
        rate, channels = codec.sample_rate, codec.layout.nb_channels
        if not rate or not channels:
            raise damaged(path, "its header tells no sample rate or no channels")
        seconds = _header_seconds(container)
        self._can_seek = seconds is not None
        if seconds is None:
            seconds = _packet_seconds(path)
        name = container.format.name.split(",")[0]
        self.info = AudioInfo(path, rate, channels, round(seconds * rate), seconds, f"{name} {codec.name}")

    def blocks(self, start: int, frames: int) -> Iterator[Samples]:
        path, rate = self.info.path, self.info.sample_rate
        found, longest = 0, 0
        try:
            for position, block in self._decoded(start):
                longest = max(longest, len(block))
                skipped = max(0, start + found - position)
                wanted = block[skipped : skipped + frames - found]
                if len(wanted):
                    found += len(wanted)
                    yield wanted
                if found == frames:
                    return
        except (av.error.FFmpegError, EOFError) as error:
            raise damaged(path, f"cannot be read beyond {(start + found) / rate:.3f} s") from error
        # Headers round, and count the coder's own padding: up to two coded frames and a tenth of a second.
        if found < frames - 2 * longest - rate // 10:
            raise short(path, start, frames, found, rate)

    def _decoded(self, start: int) -> Iterator[tuple[int, Samples]]:
        """Coded frames one after another from before ``start`` on: (index of the first sample, (t, C))."""
        stream, rate = self._stream, self.info.sample_rate
        first = stream.start_time or 0
        clock = stream.time_base or av.time_base
        target = start / rate - _PREROLL
        seeks = self._can_seek and target > 0
        if seeks:
            self._container.seek(first + int(target / clock), stream=stream)
        planar = av.AudioResampler(format="fltp")
        position: int | None = None if seeks else 0
        for coded in self._container.decode(stream):
            if coded.sample_rate != rate or coded.layout.nb_channels != self.info.channels:
                raise damaged(self.info.path, "its sample rate or channels change midway")
            if position is None:
                position = round(((coded.pts or 0) - first) * clock * rate)
            for frame in planar.resample(coded):
                block = np.ascontiguousarray(frame.to_ndarray().T, dtype=np.float32)
                yield position, block
                position += len(block)


def _header_seconds(container: InputContainer) -> float | None:
    """Length of the sound stream where the header can be trusted with it; None for streams, fragments and recordings
    of a browser, whose headers guess or are silent."""
    stream = container.streams.audio[0]
    if "mp4" in container.format.name and stream.duration and stream.frames and stream.time_base:
        return float(stream.duration * stream.time_base)
    if "matroska" in container.format.name and container.duration and len(container.streams) == 1:
        return container.duration / av.time_base
    return None


def _packet_seconds(path: Path) -> float:
    """Length of the sound stream by its packets, undecoded."""
    with _open(path) as container:
        stream = container.streams.audio[0]
        first, end = None, 0
        for packet in container.demux(stream):
            if packet.pts is not None:
                first = packet.pts if first is None else first
                end = max(end, packet.pts + (packet.duration or 0))
        return float((end - (first or 0)) * (stream.time_base or 0))
