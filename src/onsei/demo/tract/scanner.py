"""The tract as an MRI scanner shows it: gray frames of a head, cut through its middle, facing left.

F frames, P parameters, K points.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from onsei.demo.tract.shape import Numbers, outline, smooth
from onsei.demo.tract.speaker import Speaker
from onsei.vision.canvas import Canvas

SIZE = 256
FIELD = 21.0
"""cm that a frame shows."""
_MIDDLE = np.array([3.6, -2.6])
"""What lies in the middle of the frame, cm."""
_KEPT = 84
"""Lines of the Fourier plane that are measured."""
_NOISE = 5.0
_AIR, _TISSUE, _MUSCLE, _BONE, _MARROW, _BRAIN, _FLUID = 8, 105, 145, 30, 135, 125, 45
_FACE = [
    (-1.5, 9), (-1.7, 6.4), (-1.5, 5.2), (-2.3, 4.0), (-3.1, 3.1), (-2.8, 2.5), (-1.7, 2.2), (-1.4, 1.6), (-0.6, 1.0),
    (3.0, 1.0), (4.0, -6.6), (4.3, -8.5), (4.6, -14), (13.2, -14), (13.4, -6.5), (15, -1.5), (16, 9),
]  # fmt: skip
_NOSE = [
    (-2.3, 2.45), (-1.6, 2.9), (0.4, 3.7), (3.5, 3.9), (6.0, 3.6), (7.6, 2.4), (8.0, 0.9), (7.7, -0.4), (7.5, -0.9),
    (7.35, 0.5), (6.6, 1.6), (5.2, 2.15), (3.5, 2.35), (1.0, 2.2), (-0.6, 1.95),
]  # fmt: skip
_SKULL = [(1.0, 9), (1.8, 5.2), (5.4, 4.9), (8.1, 3.2), (9.6, 1.6), (12.4, 2.4), (15, 4), (16, 9)]
_CORD = [(11.0, 3.0), (11.1, -3), (11.3, -8), (11.4, -14), (12.5, -14), (12.4, -8), (12.2, -3), (12.2, 3.0)]
_PALATE = [(0.5, 1.5), (2.4, 2.0), (4.6, 2.05), (4.6, 1.85), (2.4, 1.75), (0.9, 1.1)]


def film(parameters: Numbers, speaker: Speaker, random: np.random.Generator) -> NDArray[np.uint8]:
    """Frames of ``parameters`` (F, P): (F, 256, 256)."""
    base = _still(speaker)
    drawn = np.stack([_posture(base, row, speaker) for row in parameters])
    return _scanned(drawn, speaker, random)


def contour(parameters: Numbers, speaker: Speaker) -> Numbers:
    """Points on what moves and touches the air (tongue, jaw, lower lip, epiglottis), (F, K, 2): x, y in pixels."""
    shape = outline(parameters)
    lips = np.stack([_lips(row)[1] for row in parameters])
    points = np.concatenate([shape.movable[:, shape.along > 0.1], lips[:, 1:3]], axis=1)
    return placed(points, speaker)


def placed(points: Numbers, speaker: Speaker) -> Numbers:
    """cm (…, 2) → pixels from the upper left corner, as ``speaker`` lies."""
    turn = np.array([[np.cos(speaker.tilt), np.sin(speaker.tilt)], [-np.sin(speaker.tilt), np.cos(speaker.tilt)]])
    centered = (np.asarray(points) * speaker.scale - _MIDDLE) @ turn + np.array(speaker.shift)
    pixels: Numbers = SIZE / 2 + centered * np.array([1.0, -1.0]) * (SIZE / FIELD)
    return pixels


def _still(speaker: Speaker) -> Canvas:
    """What does not move."""
    canvas = Canvas(SIZE, SIZE)
    for outline_, level in ((_FACE, _TISSUE), (_SKULL, _BONE), (_inside(_SKULL), _BRAIN), (_CORD, _FLUID)):
        canvas.fill(placed(smooth(np.array(outline_, float)), speaker), level)
    canvas.fill(
        placed(np.array([(11.35, 3), (11.6, -8), (11.7, -14), (12.1, -14), (12.0, -8), (11.9, 3)]), speaker), 150
    )
    for number in range(7):
        y = 1.2 - 2.15 * number
        block = [(8.5, y), (10.3, y + 0.1), (10.5, y - 0.7), (10.4, y - 1.6), (8.6, y - 1.65), (8.4, y - 0.8)]
        canvas.fill(placed(smooth(np.array([*block, block[0]], float)), speaker), _MARROW)
    canvas.fill(placed(smooth(np.array(_NOSE, float)), speaker), _AIR)
    return canvas


def _inside(outline_: list[tuple[float, float]]) -> list[tuple[float, float]]:
    middle = np.array([8.0, 7.5])
    return [tuple(middle + 0.93 * (np.array(point) - middle)) for point in outline_]


def _lips(row: Numbers) -> tuple[Numbers, Numbers]:
    """Edges of upper and lower lip along the air, from the teeth outwards: (4, 2) each."""
    jaw, opening, protrusion = row[0], row[4], row[5]
    middle = -0.15 - 0.25 * jaw
    top, bottom = middle + 0.35 * opening, middle - 0.65 * opening
    front = -0.95 - protrusion
    upper = np.array([(0.0, 0.15), (-0.3, max(0.25, top + 0.1)), (-0.62 - 0.7 * protrusion, top), (front, top + 0.2)])
    lower = np.array(
        [(0.05, -0.6 - jaw), (-0.3, bottom - 0.1), (-0.62 - 0.7 * protrusion, bottom), (front, bottom - 0.2)]
    )
    return upper, lower


def _posture(base: Canvas, row: Numbers, speaker: Speaker) -> NDArray[np.uint8]:
    canvas = base.copy()
    jaw, protrusion, larynx = row[0], row[5], row[6]
    shape = outline(row[None])
    fixed, movable = shape.fixed[0], shape.movable[0]
    upper, lower = _lips(row)

    def fill(points: Numbers | list[tuple[float, float]], level: int) -> None:
        canvas.fill(placed(np.asarray(points, float), speaker), level)

    down = np.array([0.0, -jaw])
    chin = np.array([(-0.85 - 0.3 * protrusion, -1.6), (-1.25, -2.7), (-0.9, -3.8), (0.3, -4.4)]) + down
    neck = np.array([(2.6, -5.1 - 0.4 * jaw), (4.0, -6.4), (4.3, -8.5), (7.5, -8.5), (7.5, 0.0), (0.2, 1.2)])
    fill(smooth(np.concatenate([lower[1:], chin, neck[:3]])).tolist() + neck[3:].tolist(), _TISSUE)
    fill(smooth(np.array([(-0.2, 1.7), (-1.2, 1.5), (-1.15 - protrusion, 0.8), *upper[::-1]])), _TISSUE + 20)
    fill(_PALATE, _BONE)
    low = int(np.searchsorted(shape.along, 0.16))
    root = np.array([(1.1, -1.9), (0.9, -3.0), (2.8, -4.4), (4.6, -5.4)]) + down * [[1], [1], [0.6], [0.2]]
    tongue = np.concatenate([movable[low:-2], root])
    fill(tongue, _MUSCLE)
    bone = np.array([(0.35, -0.9), (0.75, -1.8), (0.75, -2.9), (0.2, -3.6), (-0.45, -3.2), (-0.3, -2.0), (0.0, -1.0)])
    fill(smooth(np.concatenate([bone, bone[:1]]) + down), _BONE)
    core = bone.mean(axis=0) + 0.6 * (bone - bone.mean(axis=0))
    fill(smooth(np.concatenate([core, core[:1]]) + down), _MARROW)

    under = np.array([(4.6, -14.0), (5.2, -9.6 + larynx), tuple(movable[0] - [0.15, 0.4])])
    back = np.array([(6.3, -14.0), (6.4, -9.9 + larynx), tuple(fixed[0] - [0.1, 0.4])])
    fill(np.concatenate([under, back[::-1]]), _AIR)  # the windpipe
    fill(np.concatenate([fixed, upper, lower[::-1], movable[::-1]]), _AIR)
    leaf = movable[low] + np.array([(0.1, -0.9), (0.35, 0.2), (0.55, 1.0), (0.3, 0.9), (-0.2, 0.0), (-0.3, -0.9)])
    fill(smooth(np.concatenate([leaf, leaf[:1]])), _MUSCLE - 20)
    fill([(0.05, 0.6), (0.35, 0.5), (0.12, -0.15), (-0.05, -0.1)], _BONE)
    fill(np.array([(0.15, -0.35), (0.3, -0.4), (0.4, -1.2), (0.05, -1.2)]) + down, _BONE)
    return canvas.pixels()


@cache
def _grid() -> tuple[Numbers, Numbers]:
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE - 0.5
    return y, x


def _scanned(drawn: NDArray[np.uint8], speaker: Speaker, random: np.random.Generator) -> NDArray[np.uint8]:
    """Texture, the coil's uneven reach, few lines of the Fourier plane, and noise of a magnitude picture (Rice)."""
    y, x = _grid()
    reach = speaker.brightness * (1.15 - 0.9 * (y + 0.05) ** 2 - 0.8 * (x + 0.02) ** 2)
    coarse = np.fft.rfft2(random.normal(size=(SIZE, SIZE)))
    across, down = np.fft.rfftfreq(SIZE), np.fft.fftfreq(SIZE)[:, None]
    grain = np.fft.irfft2(coarse * np.exp(-(across**2 + down**2) / (2 * 0.06**2)))
    still = reach * (1 + 0.05 * grain / grain.std())
    kept = np.abs(np.fft.fftfreq(SIZE)) * SIZE <= _KEPT
    window = np.where(kept, 0.5 + 0.5 * np.cos(np.pi * np.fft.fftfreq(SIZE) * SIZE / (_KEPT + 1)), 0.0)
    out = np.empty(drawn.shape, np.uint8)
    for at in range(0, len(drawn), 64):
        part = drawn[at : at + 64] * still
        plane = np.fft.rfft2(part)
        plane *= window[:, None] * window[: SIZE // 2 + 1]
        clean = np.fft.irfft2(plane)
        real, imaginary = _NOISE * random.standard_normal((2, *clean.shape), np.float32)
        out[at : at + 64] = np.clip(np.hypot(clean.astype(np.float32) + real, imaginary), 0, 255)
    return out
