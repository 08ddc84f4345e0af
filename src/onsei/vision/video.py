"""Films ↔ gray frames: any container that FFmpeg knows, exact rates, uneven clocks and damaged ends told.

T frames, H height, W width.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from onsei.errors import AudioError

__all__ = ["Crop", "Film", "VideoInfo", "info", "normalized", "read", "retimed", "stretched"]

MAX_FRAMES = 200_000
"""Frames that ``read`` takes unless told otherwise: 13 GB at 256 × 256, two hours of real-time MRI."""
_MAX_PIXELS = 4096 * 4096
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,mpegts,mpeg,ogg,gif,image2,mxf,nut,dv,rawvideo"
# No playlists, which name other files and addresses.
_SAFE = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
_UNEVEN = 0.1
"""Part of a frame by which steps between frames may differ in a film of constant rate."""
_COLORED = 4
"""Mean distance of chroma from gray, of 128, above which a picture is in color."""
_PLANAR = frozenset(["yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p", "gray", "nv12"])
_FULL = 2
"""FFmpeg's number of the range 0..255; luma lies in 16..235 otherwise."""
_LEVELS = np.arange(256, dtype=np.float32)
_EXPANDED = np.rint(np.clip((_LEVELS - 16) * (255 / 219), 0, 255))
Frames = NDArray[np.uint8]


class Crop(NamedTuple):
    """A part of the picture, in pixels of the film."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class VideoInfo:
    """What the header of a film says."""

    path: Path
    width: int
    height: int
    rate: Fraction
    """Frames a second."""
    frames: int
    """Number of frames; 0 where the header does not tell."""
    sound: bool
    """Whether there is a sound track."""
    sound_late: float
    """Seconds from the beginning of the first frame to that of the sound, as the container's clocks tell."""
    codec: str
    """Container and coding."""


@dataclass(frozen=True)
class Film:
    """A film that was read."""

    path: Path
    frames: Frames
    """Gray pictures, shape (T, H, W)."""
    rate: Fraction
    """Frames a second, exact where the header is and the frames' times agree with it."""
    times: NDArray[np.float64]
    """When each frame is shown, in seconds from the first one, shape (T,)."""
    even: bool
    """Whether the steps between frames are alike: a film of constant rate."""
    color: bool
    """Whether the film is in color; its luma was taken."""
    damage: str = ""
    """What is wrong with its end; empty where it was read whole."""

    @property
    def seconds(self) -> float:
        """How long the frames are shown."""
        return float(len(self.frames) / self.rate)


def info(path: str | Path) -> VideoInfo:
    """Read the header.

    Raises:
        AudioError: no such file, no film, or without pictures.
    """
    with _opened(Path(path)) as (container, stream):
        return _info(Path(path), container, stream)


def read(
    path: str | Path,
    *,
    size: tuple[int, int] | None = None,
    crop: Crop | None = None,
    rate: Fraction | None = None,
    damaged: Literal["refuse", "keep"] = "refuse",
    max_frames: int = MAX_FRAMES,
) -> Film:
    """Decode a film to gray frames; of color the luma is taken.

    Args:
        size: (H, W) to bring pictures to, by area when they shrink; None leaves them.
        crop: part of the picture that is taken first.
        rate: frames a second, where the header is known to be wrong; times then follow from it.
        damaged: what to do with a film that breaks off or has damaged frames: refuse it, or keep the frames before.
        max_frames: the longest film that is taken.

    Raises:
        AudioError: no film, no frame in it, a crop outside the picture, longer than ``max_frames``, or damaged.
    """
    file = Path(path)
    with _opened(file) as (container, stream):
        header = _info(file, container, stream)
        _check_crop(header, crop)
        if header.frames > max_frames:
            raise _too_long(file, header.frames, max_frames)
        pictures, stamps, color, damage = _decoded(file, container, stream, header, size, crop, max_frames)
        ticks = stream.time_base or Fraction(1, av.time_base)
    if not pictures:
        raise AudioError(f"{file}: no frame can be decoded{f' ({damage})' if damage else ''}", "copy it again")
    if damage and damaged == "refuse":
        raise AudioError(
            f"{file}: {damage}; {len(pictures)} frames before that are whole",
            "copy it again, or have the whole frames kept",
        )
    frames = np.stack(pictures)
    if rate is not None:
        return Film(file, frames, rate, np.arange(len(frames)) / float(rate), True, color, damage)
    times = _times(stamps, ticks, header.rate)
    even = _is_even(times, float(ticks))
    return Film(file, frames, _rate(times, header.rate, even), times, even, color, damage)


def retimed(film: Film, rate: Fraction) -> Film:
    """The film at another, constant rate: at each moment the frame that is shown next to it in time."""
    last = film.times[-1] + 1 / float(film.rate)
    count = max(1, int(last * float(rate) + 1e-6))
    moments = np.arange(count) / float(rate)
    after = np.searchsorted(film.times, moments).clip(0, len(film.times) - 1)
    before = (after - 1).clip(0)
    nearer = np.where(moments - film.times[before] <= film.times[after] - moments, before, after)
    return replace(film, frames=film.frames[nearer], rate=rate, times=moments, even=True)


def stretched(frames: Frames) -> Frames:
    """Each frame (T, H, W) stretched to 0..255, a constant one to 0: ``normalized`` in steps of 1/255."""
    lows, scales = _limits(frames)
    made = np.empty_like(frames)
    for number, frame in enumerate(frames):
        levels = (_LEVELS - lows[number]) * (scales[number] * 255)
        made[number] = _looked_up(frame, np.rint(np.clip(levels, 0, 255)))
    return made


def normalized(frames: Frames) -> NDArray[np.float32]:
    """Each frame (T, H, W) standardized to mean 0 and deviation 1, then brought to [0, 1]; a constant one to 0.

    Bringing a frame's least value to 0 and its greatest to 1 undoes whatever factor and offset came before, so that
    the standardization leaves no trace; it is not computed.
    """
    lows, scales = _limits(frames)
    made = np.empty(frames.shape, np.float32)
    for number, frame in enumerate(frames):  # frame by frame, which stays in the CPU's caches
        np.subtract(frame, lows[number], out=made[number], dtype=np.float32)
        made[number] *= scales[number]
    return made


def _limits(frames: Frames) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    flat = frames.reshape(len(frames), -1)
    low, high = flat.min(1).astype(np.float32), flat.max(1).astype(np.float32)
    return low, np.divide(1.0, high - low, out=np.zeros_like(low), where=high > low)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    if not path.is_file():
        raise AudioError(f"{path}: no such film", "check the path")
    try:
        container = av.open(os.fspath(path), options=_SAFE)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{path}: cannot be opened as a film ({reason})", "copy it again, or convert it") from None
    with container:
        if not container.streams.video:
            raise AudioError(f"{path}: holds no pictures ({container.format.name})", "give a film")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield container, stream


def _info(path: Path, container: InputContainer, stream: VideoStream) -> VideoInfo:
    codec = stream.codec_context
    rate = stream.average_rate or stream.guessed_rate
    if not codec.width or not codec.height or codec.width * codec.height > _MAX_PIXELS or not rate:
        raise AudioError(
            f"{path}: header tells {codec.width} × {codec.height} pixels at {rate} frames/s", "convert the film"
        )
    sound = bool(container.streams.audio)
    late = _begins(container.streams.audio[0]) - _begins(stream) if sound else 0.0
    name = f"{container.format.name.split(',')[0]} {codec.name}"
    return VideoInfo(path, codec.width, codec.height, Fraction(rate), stream.frames, sound, late, name)


def _begins(stream: VideoStream | AudioStream) -> float:
    """Seconds at which a stream begins."""
    return float((stream.start_time or 0) * (stream.time_base or 0))


def _decoded(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    header: VideoInfo,
    size: tuple[int, int] | None,
    crop: Crop | None,
    max_frames: int,
) -> tuple[list[Frames], list[int | None], bool, str]:
    """Pictures, their time stamps, whether in color, and what is wrong with the end."""
    pictures: list[Frames] = []
    stamps: list[int | None] = []
    color, damage = False, ""
    try:
        for frame in container.decode(stream):
            if frame.is_corrupt:
                damage = f"frame {len(pictures)} is damaged"
                break
            if len(pictures) == max_frames:
                raise _too_long(path, max_frames + 1, max_frames)
            color = color or (not len(pictures) % 50 and _is_colored(frame))
            pictures.append(_gray(frame, size, crop))
            stamps.append(frame.pts)
    except (av.error.FFmpegError, EOFError) as error:
        damage = f"cannot be read beyond frame {len(pictures)} ({getattr(error, 'strerror', None) or error})"
    if not damage and header.frames > len(pictures):
        damage = f"ends after {len(pictures)} of the {header.frames} frames that its header tells"
    return pictures, stamps, color, damage


def _gray(frame: VideoFrame, size: tuple[int, int] | None, crop: Crop | None) -> Frames:
    if crop is None and size is not None and size != (frame.height, frame.width):
        return _resized(frame, size)
    picture = _cut(_luma(frame), crop)
    if size is None or size == picture.shape:
        return picture
    return _resized(VideoFrame.from_ndarray(picture, format="gray"), size)


def _luma(frame: VideoFrame) -> Frames:
    """Luma from 0 to 255, shape (H, W)."""
    if frame.format.name not in _PLANAR:
        return _array(frame, "gray")
    plane = frame.planes[0]  # as it lies in memory: FFmpeg's own conversion takes longer than the decoding
    picture = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[
        : frame.height, : frame.width
    ]
    full = frame.format.name.startswith(("yuvj", "gray")) or frame.color_range == _FULL
    return picture.copy() if full else _looked_up(picture, _EXPANDED)


def _looked_up(picture: Frames, table: NDArray[np.floating]) -> Frames:
    """``table`` (256,) at each pixel."""
    bytes_ = picture.tobytes().translate(table.astype(np.uint8).tobytes())
    return np.frombuffer(bytes_, np.uint8).reshape(picture.shape)


def _resized(frame: VideoFrame, size: tuple[int, int]) -> Frames:
    way = "AREA" if size[0] * size[1] < frame.height * frame.width else "BICUBIC"
    return _array(frame.reformat(size[1], size[0], format="gray", interpolation=way), "gray")


def _array(frame: VideoFrame, format: str) -> Frames:
    return frame.to_ndarray(format=format).astype(np.uint8, copy=False)


def _cut(picture: Frames, crop: Crop | None) -> Frames:
    if crop is None:
        return picture
    part = picture[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    return np.ascontiguousarray(part)


def _check_crop(header: VideoInfo, crop: Crop | None) -> None:
    if crop is None:
        return
    inside = min(crop.left, crop.top) >= 0 and min(crop.width, crop.height) > 0
    if not inside or crop.left + crop.width > header.width or crop.top + crop.height > header.height:
        raise AudioError(
            f"{header.path}: crop {tuple(crop)} does not lie in its {header.width} × {header.height} pixels",
            "give left, top, width and height in pixels of the film",
        )


def _is_colored(frame: VideoFrame) -> bool:
    if "gray" in frame.format.name:
        return False
    picture = _array(frame, "rgb24")[::8, ::8].astype(np.int16)
    return float((picture.max(-1) - picture.min(-1)).mean()) > _COLORED


def _times(stamps: list[int | None], ticks: Fraction, rate: Fraction) -> NDArray[np.float64]:
    """Seconds from the first frame; by the header's rate where frames have no stamps."""
    if any(stamp is None for stamp in stamps):
        return np.arange(len(stamps)) / float(rate)
    known = np.array([stamp or 0 for stamp in stamps], np.float64)
    times: NDArray[np.float64] = (known - known[0]) * float(ticks)
    return times


def _is_even(times: NDArray[np.float64], tick: float) -> bool:
    if len(times) < 3:
        return True
    steps = np.diff(times)
    middle = float(np.median(steps))
    return bool(middle > 0 and np.abs(steps - middle).max() <= max(2 * tick, _UNEVEN * middle))


def _rate(times: NDArray[np.float64], header: Fraction, even: bool) -> Fraction:
    """The header's rate if the frames' times agree; else theirs."""
    if len(times) < 3 or times[-1] <= 0:
        return header
    measured = (len(times) - 1) / float(times[-1])
    # Stamps in milliseconds round each end by half of one.
    slack = max(1e-3, 2e-3 / float(times[-1]))
    if abs(float(header) / measured - 1) <= slack:
        return header
    return Fraction(measured).limit_denominator(100_000) if even else Fraction(measured).limit_denominator(1000)


def _too_long(path: Path, frames: int, most: int) -> AudioError:
    return AudioError(f"{path}: {frames} frames or more, the limit is {most}", "cut the film into parts")
