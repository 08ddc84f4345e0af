"""Pictures of scenes, drawn at twice their size and made smaller."""

from __future__ import annotations

import math
import random
from pathlib import Path

from PIL import Image, ImageDraw

from onsei.demo.world.scenes import Group, Scene

SIZE = 64
"""Width and height, pixels."""
_SCALE = 2
_PAINT = {
    "red": (214, 40, 40), "green": (46, 140, 60), "blue": (40, 80, 210), "yellow": (240, 205, 40),
    "purple": (130, 50, 160), "orange": (245, 130, 30), "black": (25, 25, 25), "white": (250, 250, 250),
    "pink": (250, 150, 190), "brown": (125, 75, 30), "turquoise": (60, 210, 200), "lime": (160, 225, 40),
    "navy": (15, 25, 100), "maroon": (110, 10, 40), "teal": (0, 105, 110), "lilac": (190, 140, 240),
    "tan": (200, 160, 110), "mint": (170, 240, 190), "coral": (255, 110, 100), "violet": (120, 40, 255),
    "azure": (70, 160, 255), "gold": (200, 150, 0),
}  # fmt: skip
_RADIUS = 7.5
"""Half width of a shape, pixels, before it is made larger or smaller."""
_SIZES = ((1.0, 1.2), (0.65, 0.85))
"""Least and most times that, of shapes of the first and the second group: a sentence begins with what is large."""
_HALVES = {
    "left of": ((0, 0, 32, 64), (32, 0, 64, 64)),
    "right of": ((32, 0, 64, 64), (0, 0, 32, 64)),
    "above": ((0, 0, 64, 32), (0, 32, 64, 64)),
    "below": ((0, 32, 64, 64), (0, 0, 64, 32)),
}
"""Where the first and the second group lie: left, top, right, bottom."""


def picture(scene: Scene, draw: random.Random) -> Image.Image:
    """The scene on gray ground of changing lightness, its first group the larger one; places are drawn by chance."""
    gray = draw.randint(140, 190)
    canvas = Image.new("RGB", (SIZE * _SCALE, SIZE * _SCALE), (gray, gray, gray))
    pen = ImageDraw.Draw(canvas)
    groups = zip((scene.first, scene.second), _HALVES[scene.relation], _SIZES, strict=True)
    for group, half, (least, most) in groups:
        for x, y in _places(group, half, draw):
            radius = _RADIUS * draw.uniform(least, most)
            paint = tuple(min(255, max(0, part + draw.randint(-8, 8))) for part in _PAINT[group.color])
            _shape(pen, group.shape, x * _SCALE, y * _SCALE, radius * _SCALE, paint, (gray, gray, gray))
    return canvas.resize((SIZE, SIZE), Image.Resampling.BOX)


def save(image: Image.Image, path: Path) -> None:
    """Write a PNG file."""
    image.save(path, format="PNG", compress_level=1)


def _places(group: Group, half: tuple[int, int, int, int], draw: random.Random) -> list[tuple[float, float]]:
    """Centers that lie in a row along the longer side of ``half``, a little off it."""
    left, top, right, bottom = half
    upright = bottom - top > right - left
    length, width = (bottom - top, right - left) if upright else (right - left, bottom - top)
    step = length / group.count
    found = []
    for number in range(group.count):
        along = step * (number + 0.5) + draw.uniform(-1, 1) * max(0.0, step / 2 - _RADIUS - 2)
        across = width / 2 + draw.uniform(-1, 1) * (width / 2 - _RADIUS - 2)
        found.append((left + across, top + along) if upright else (left + along, top + across))
    return found


def _shape(
    pen: ImageDraw.ImageDraw,
    name: str,
    x: float,
    y: float,
    r: float,
    paint: tuple[int, ...],
    ground: tuple[int, int, int],
) -> None:
    box = (x - r, y - r, x + r, y + r)
    if name == "circle":
        pen.ellipse(box, fill=paint)
    elif name == "ring":
        pen.ellipse(box, fill=paint)
        pen.ellipse((x - r / 2, y - r / 2, x + r / 2, y + r / 2), fill=ground)
    elif name == "square":
        pen.rectangle((x - 0.85 * r, y - 0.85 * r, x + 0.85 * r, y + 0.85 * r), fill=paint)
    elif name == "cross":
        pen.rectangle((x - r, y - 0.32 * r, x + r, y + 0.32 * r), fill=paint)
        pen.rectangle((x - 0.32 * r, y - r, x + 0.32 * r, y + r), fill=paint)
    else:
        pen.polygon([(x + a * r, y + b * r) for a, b in _OUTLINES[name]], fill=paint)


def _star() -> list[tuple[float, float]]:
    turns = [math.pi * (0.2 * k - 0.5) for k in range(10)]
    return [((1, 0.42)[k % 2] * math.cos(turn), (1, 0.42)[k % 2] * math.sin(turn)) for k, turn in enumerate(turns)]


def _heart() -> list[tuple[float, float]]:
    turns = [2 * math.pi * k / 32 for k in range(32)]
    return [
        (
            math.sin(t) ** 3,
            -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) / 16,
        )
        for t in turns
    ]


_OUTLINES: dict[str, list[tuple[float, float]]] = {
    "triangle": [(0.0, -1.0), (0.95, 0.8), (-0.95, 0.8)],
    "diamond": [(0.0, -1.0), (0.7, 0.0), (0.0, 1.0), (-0.7, 0.0)],
    "star": _star(),
    "heart": _heart(),
}
