"""The order in which a score's bars are sung: repeats, endings, D.C., D.S., Fine and Coda."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_MOST = 20_000


@dataclass(frozen=True)
class Measure:
    """What a bar says about the way."""

    forward: bool = False
    """A repeat begins with it."""
    backward: int = 0
    """A repeat ends with it: how often it is sung in all, 2 or more; 0: none ends."""
    endings: tuple[int, ...] = ()
    """Times through in which it is sung, where it begins an ending; empty: in all."""
    stops: bool = False
    """An ending ends with it."""
    segno: bool = False
    coda: bool = False
    fine: bool = False
    to_coda: bool = False
    da_capo: bool = False
    dal_segno: bool = False

    @classmethod
    def of(cls, bar: Any) -> Measure:
        """Read off an XML ``measure``."""
        repeats = bar.findall("barline/repeat")
        backward = [int(one.get("times") or 2) for one in repeats if one.get("direction") == "backward"]
        endings = bar.findall("barline/ending")
        numbers = [
            int(number)
            for one in endings
            if one.get("type") == "start"
            for number in (one.get("number") or "1").replace(" ", ",").split(",")
            if number.isdecimal()
        ]
        sounds = [*bar.findall("sound"), *bar.findall("direction/sound")]

        def says(name: str) -> bool:
            return any(one.get(name) not in (None, "no") for one in sounds)

        return cls(
            forward=any(one.get("direction") == "forward" for one in repeats),
            backward=max(backward, default=0),
            endings=tuple(numbers),
            stops=any(one.get("type") in ("stop", "discontinue") for one in endings),
            segno=says("segno"),
            coda=says("coda"),
            fine=says("fine"),
            to_coda=says("tocoda"),
            da_capo=says("dacapo"),
            dal_segno=says("dalsegno"),
        )


def played(measures: Sequence[Measure]) -> list[tuple[int, int]]:
    """Numbers of the bars as they are sung, from 0, each with the time through, from 1, which is the verse.

    Raises:
        ValueError: they would be sung without an end.
    """
    endings = _endings(measures)
    order: list[tuple[int, int]] = []
    place, start, time, jumped = 0, 0, 1, False
    while place < len(measures):
        here = measures[place]
        if here.forward and place != start:
            start, time = place, 1
        if endings[place] and time not in endings[place]:
            place += 1
            continue
        order.append((place, time))
        if len(order) > _MOST:
            raise ValueError(f"more than {_MOST} bars with all repeats")
        if jumped and here.fine:
            break
        coda = next((n for n, one in enumerate(measures) if one.coda and n > place), 0)
        if jumped and here.to_coda and coda:
            place = start = coda
        elif here.backward and not jumped and time < _times(here, measures, endings, place):
            place, time = start, time + 1
        elif (here.da_capo or here.dal_segno) and not jumped:
            jumped = True
            place = 0 if here.da_capo else next((n for n, one in enumerate(measures) if one.segno), 0)
            start = place
            time += 1
        else:
            place += 1
            if here.backward and not jumped and not endings[min(place, len(measures) - 1)]:
                start, time = place, 1
    return order


def _endings(measures: Sequence[Measure]) -> list[tuple[int, ...]]:
    """Of each bar, the times through of the ending it is in."""
    inside: tuple[int, ...] = ()
    found = []
    for one in measures:
        inside = one.endings or inside
        found.append(inside)
        if one.stops:
            inside = ()
    return found


def _times(here: Measure, measures: Sequence[Measure], endings: list[tuple[int, ...]], place: int) -> int:
    """How often the repeat that ends here is sung: once for each time that it or the next ending names."""
    after = endings[place + 1] if place + 1 < len(measures) else ()
    return max(here.backward, *endings[place], *after) if endings[place] else here.backward
