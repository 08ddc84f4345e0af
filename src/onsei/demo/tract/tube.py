"""From the shape of a tract to its acoustics: area function, transfer function of a lossy tube, resonances.

CGS units: cm, s, g. F frames, G lines, S sections, N frequencies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onsei.demo.tract.shape import Numbers, outline

Spectra = NDArray[np.complex128]

SECTIONS = 36
SOUND = 35000.0
"""Speed of sound, cm/s."""
AIR = 1.14e-3
"""Density, g/cm³."""
_WALL_RATE, _WALL_SQUARE, _HEAT, _WALL_TUNE = 130 * np.pi, (30 * np.pi) ** 2, 4.0, (406 * np.pi) ** 2
"""Yielding walls and the loss at them: the constants of Sondhi and Schroeter, 1987, section II."""
_LIP_LINES = 3


@dataclass(frozen=True)
class Tube:
    """Area functions, in sections of equal length from the glottis to the lips."""

    areas: Numbers
    """cm², (F, S)."""
    lengths: Numbers
    """cm of the whole tube, (F,)."""


def tube(parameters: Numbers, scale: float = 1.0) -> Tube:
    """Area functions of ``parameters`` (F, P), in a tract ``scale`` times as large.

    The area is a · gap^1.5 (Heinz and Stevens, 1965), a from 1.4 in the pharynx to 1.8 under the palate; the lips are
    an ellipse, the broader the farther they are open.
    """
    shape = outline(parameters)
    opening, protrusion = parameters[:, 4], parameters[:, 5]
    areas = np.interp(shape.along, [0.1, 0.5, 0.75, 1.0], [1.4, 1.5, 1.8, 1.6]) * shape.gap**1.5
    width = np.clip(1.7 + 0.7 * opening - 1.3 * protrusion, 0.5, 3.5)
    lips = np.pi / 4 * np.maximum(opening, 0.05) * width
    middle = (shape.fixed + shape.movable) / 2
    steps = np.linalg.norm(np.diff(middle, axis=1), axis=2)
    long = 0.7 + protrusion
    tail = np.repeat(long[:, None] / _LIP_LINES, _LIP_LINES, axis=1)
    place = np.concatenate(
        [np.zeros((len(steps), 1)), np.cumsum(np.concatenate([steps, tail], axis=1), axis=1)], axis=1
    )
    areas = np.concatenate([areas, np.repeat(lips[:, None], _LIP_LINES, axis=1)], axis=1)
    total = place[:, -1]
    # Volumes are kept: the mean area of each section is the difference of the running volume over its length.
    edges = np.arange(SECTIONS + 1) / SECTIONS * total[:, None]
    volume = np.concatenate(
        [np.zeros((len(place), 1)), np.cumsum((areas[:, 1:] + areas[:, :-1]) / 2 * np.diff(place, axis=1), axis=1)],
        axis=1,
    )
    filled = np.stack([np.interp(edge, p, v) for edge, p, v in zip(edges, place, volume, strict=True)])
    sections = np.diff(filled, axis=1) / np.diff(edges, axis=1)
    return Tube(np.maximum(sections, 0.03) * scale**2, total * scale)


def transfer(tract: Tube, hertz: Numbers) -> Spectra:
    """Sound pressure before the lips over flow through the glottis, (F, N), at ``hertz`` (N,), up to one factor.

    Chain matrices of short tubes with viscous and thermal loss and yielding walls (Sondhi and Schroeter, A hybrid
    time-frequency domain articulatory speech synthesizer, 1987), ended by a piston in a baffle (Flanagan, 1972).
    """
    omega = 2j * np.pi * np.maximum(np.asarray(hertz, np.float64), 1.0)
    alpha = np.sqrt(omega * _HEAT)
    beta = omega * _WALL_TUNE / ((omega + _WALL_RATE) * omega + _WALL_SQUARE) + alpha
    gamma = np.sqrt((alpha + omega) / (beta + omega))
    sigma = gamma * (beta + omega)
    turn = sigma * (tract.lengths[:, None] / SECTIONS / SOUND)  # (F, N): alike in all sections of a frame
    straight, across = np.cosh(turn), np.sinh(turn)
    impedance = AIR * SOUND * gamma * across
    admittance = across / (gamma * AIR * SOUND)
    end = tract.areas[:, -1:]
    resistance = 128 * AIR * SOUND / (9 * np.pi**2 * end)
    inertance = 8 * AIR / (3 * np.pi * np.sqrt(np.pi * end)) * omega
    pressure: Spectra = resistance * inertance / (resistance + inertance)
    flow: Spectra = np.ones_like(pressure)
    for section in range(SECTIONS - 1, -1, -1):
        area = tract.areas[:, section : section + 1]
        pressure, flow = straight * pressure + impedance / area * flow, straight * flow + admittance * area * pressure
    return omega / (2 * np.pi) / flow


def resonances(tract: Tube, count: int = 3) -> Numbers:
    """Frequencies of the lowest resonances in Hz, (F, count): peaks of the transfer function; NaN where one is hidden
    in another's flank."""
    hertz = np.arange(120.0, 5000.0, 10.0)
    found = np.full((len(tract.areas), count), np.nan)
    for at in range(0, len(found), 256):
        part = Tube(tract.areas[at : at + 256], tract.lengths[at : at + 256])
        level = np.log(np.abs(transfer(part, hertz)))
        before, here, after = level[:, :-2], level[:, 1:-1], level[:, 2:]
        peak = (here > before) & (here >= after)
        shift = 0.5 * (before - after) / np.where(peak, before - 2 * here + after, 1.0)
        rank = np.cumsum(peak, axis=1)
        for number in range(count):
            hit = peak & (rank == number + 1)
            row, column = np.nonzero(hit)
            found[at + row, number] = hertz[1 + column] + 10.0 * shift[row, column]
    return found
