"""The mid-sagittal shape of a vocal tract, from the glottis to the lips, moved by seven parameters.

Lengths in cm; x runs from the upper incisors (0) to the back of the head, y up. The fixed wall (back of the pharynx,
velum, palate) is met by lines that follow the tract: level ones in the pharynx, rays around the bend, upright ones in
the mouth, as in Maeda's model (Compensatory articulation during speech, 1990). Along each line the movable wall
(tongue, jaw) is some distance away.

F frames, P parameters, G lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

PARAMETERS = ("jaw", "place", "height", "tip", "opening", "protrusion", "larynx")
"""jaw: cm the lower incisors are lowered; place: where along the tract the tongue is nearest the wall, 0 the glottis, 1
the incisors; height: cm it is raised there; tip: cm its tip is raised; opening: cm between the lips; protrusion: cm
they are pushed forward; larynx: cm it is raised."""
REST = np.array([0.3, 0.62, 0.2, 0.0, 0.1, 0.0, 0.0])
"""Parameters of a silent mouth, all but closed."""

CENTER = np.array([4.4, -1.9])
"""Of the rays."""
GLOTTIS = -8.8
"""Height of the glottis at rest."""
_WALL = np.array(
    [
        (6.85, -10.2), (6.95, -8.9), (7.05, -7.6), (7.25, -6.4), (7.4, -5.0), (7.5, -3.5), (7.5, -2.0), (7.4, -1.0),
        (7.05, -0.1), (6.4, 0.65), (5.4, 1.25), (4.3, 1.6), (3.2, 1.66), (2.2, 1.42), (1.4, 0.95), (0.85, 0.42),
        (0.4, 0.2), (0.0, 0.1),
    ]
)  # fmt: skip
_LINES = (18, 12, 14)
"""In the pharynx, around the bend, in the mouth."""
_NEUTRAL = np.array(
    [
        (0.0, 0.5), (0.08, 0.5), (0.15, 1.15), (0.3, 1.3), (0.5, 1.3), (0.65, 1.2), (0.8, 1.1), (0.92, 0.9), (1.0, 0.7)
    ]
)  # fmt: skip
_BREADTH = 0.17
"""Half the length of the tongue's hump, as a share of the tract."""
_ROOT, _TIP = 0.13, 0.95
"""Where the tongue begins and ends."""
_NARROWEST = 0.14


@dataclass(frozen=True)
class Outline:
    """The walls of the tract."""

    fixed: Numbers
    """(F, G, 2)."""
    movable: Numbers
    """(F, G, 2)."""
    gap: Numbers
    """Distance between them along each line, (F, G)."""
    along: Numbers
    """Place of each line, 0 at the glottis, 1 at the incisors, (G,)."""


def smooth(points: Numbers, count: int = 12) -> Numbers:
    """``points`` (n, 2) joined by a Catmull-Rom spline of ``count`` steps each: (m, 2)."""
    ends = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.arange(count)[:, None, None] / count
    a, b, c, d = ends[:-3], ends[1:-2], ends[2:-1], ends[3:]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.concatenate([curve.transpose(1, 0, 2).reshape(-1, 2), points[-1:]])


WALL = smooth(_WALL)
"""The fixed wall as a fine line, from below the glottis to the incisors."""


def _bend_and_mouth() -> Numbers:
    """Where rays and upright lines meet the wall: (G', 2)."""
    away = WALL - CENTER
    angle, radius = np.arctan2(away[:, 1], away[:, 0]), np.hypot(away[:, 0], away[:, 1])
    turns = np.linspace(0, np.pi / 2, _LINES[1] + 1)[1:]
    far = np.interp(turns, *_rising(angle, radius))
    rays = CENTER + far[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    x = np.linspace(CENTER[0], 0.05, _LINES[2] + 1)[1:]
    front = WALL[WALL[:, 1] > -0.5]
    return np.concatenate([rays, np.stack([x, np.interp(x, *_rising(front[:, 0], front[:, 1]))], axis=1)])


def _rising(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    order = np.argsort(x)
    return x[order], y[order]


_REST_OF_WALL = _bend_and_mouth()
_AWAY = _REST_OF_WALL - np.where(np.arange(len(_REST_OF_WALL))[:, None] < _LINES[1], CENTER, 0.0)
_INWARD = np.concatenate(
    [
        np.tile([-1.0, 0.0], (_LINES[0], 1)),
        -_AWAY[: _LINES[1]] / np.linalg.norm(_AWAY[: _LINES[1]], axis=1, keepdims=True),
        np.tile([0.0, -1.0], (_LINES[2], 1)),
    ]
)


def _fixed(larynx: Numbers) -> Numbers:
    """The fixed wall on all lines for each height of the larynx (F,): (F, G, 2)."""
    share = np.linspace(0, 1, _LINES[0])
    level = (GLOTTIS + larynx)[:, None] * (1 - share) + CENTER[1] * share
    back = WALL[WALL[:, 0] > 6.0]
    x = np.interp(level, *_rising(back[:, 1], back[:, 0]))
    rest = np.broadcast_to(_REST_OF_WALL, (len(larynx), *_REST_OF_WALL.shape))
    return np.concatenate([np.stack([x, level], axis=-1), rest], axis=1)


def _places() -> Numbers:
    points = _fixed(np.zeros(1))[0] + _INWARD * 0.6  # the middle of the tract
    steps = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    places: Numbers = steps / steps[-1]
    return places


ALONG = _places()


def outline(parameters: Numbers) -> Outline:
    """Walls for ``parameters``, (F, P).

    The tongue keeps its volume: where it is raised at one place it gives way at the others.
    """
    jaw, place, height, tip, _, _, larynx = (column[:, None] for column in np.asarray(parameters, np.float64).T)
    tongue = _step((ALONG - _ROOT) / 0.06) * _step((_TIP + 0.03 - ALONG) / 0.06)
    hump = np.exp(-(((ALONG - place) / _BREADTH) ** 2))
    mean = (hump * tongue).sum(axis=1, keepdims=True) / tongue.sum()
    raised = height * (hump - 0.9 * mean) * tongue
    lowered = jaw * _step((ALONG - 0.42) / 0.58)
    pointed = tip * np.exp(-(((ALONG - 0.92) / 0.05) ** 2))
    gap = np.interp(ALONG, _NEUTRAL[:, 0], _NEUTRAL[:, 1]) + lowered - raised - pointed
    gap = _NARROWEST + 0.1 * np.logaddexp(0, (gap - _NARROWEST) / 0.1)  # tissue gives way before it touches
    gap = np.minimum(gap, 2.9)
    fixed = _fixed(larynx[:, 0])
    return Outline(fixed, fixed + gap[..., None] * _INWARD, gap, ALONG)


def _step(x: Numbers) -> Numbers:
    """0 below 0, 1 above 1, smooth between."""
    share: Numbers = np.clip(x, 0, 1)
    return share * share * (3 - 2 * share)
