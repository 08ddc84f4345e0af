"""Small scores in MusicXML, written from a few words."""

from collections.abc import Sequence

_NAMES = '"-//Recordare//DTD MusicXML 3.1 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd"'
HEAD = f'<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE score-partwise PUBLIC {_NAMES}>'


def note(text="", length=4, pitch="C4", extra="", verses=(), syllabic="single"):
    """A note of ``length`` divisions; ``text`` is its lyric, ``verses`` those of several verses."""
    words = [*([text] if text else []), *verses]
    lyrics = "".join(
        f'<lyric number="{n}"><syllabic>{syllabic}</syllabic><text>{word}</text></lyric>'
        for n, word in enumerate(words, 1)
        if word
    )
    place = f"<pitch><step>{pitch[0]}</step><octave>{pitch[1:]}</octave></pitch>"
    return f"<note>{place}<duration>{length}</duration><voice>1</voice>{extra}{lyrics}</note>"


def rest(length=16):
    return f"<note><rest/><duration>{length}</duration><voice>1</voice></note>"


def bar(*entries, number=1):
    return f'<measure number="{number}">{"".join(entries)}</measure>'


def first(*entries, divisions=4, beats=4, unit=4, tempo=120):
    """The first bar, with attributes."""
    time = f"<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time>"
    sound = f'<direction><sound tempo="{tempo}"/></direction>' if tempo else ""
    return bar(f"<attributes><divisions>{divisions}</divisions>{time}</attributes>", sound, *entries)


def score(*bars, parts: Sequence[tuple[str, str]] = ()):
    """A whole file; ``parts`` are further parts, name and bars each."""
    every = [("Voice", "".join(bars)), *parts]
    names = "".join(
        f'<score-part id="P{n}"><part-name>{name}</part-name></score-part>' for n, (name, _) in enumerate(every, 1)
    )
    bodies = "".join(f'<part id="P{n}">{body}</part>' for n, (_, body) in enumerate(every, 1))
    return f"{HEAD}<score-partwise><part-list>{names}</part-list>{bodies}</score-partwise>"


def song(text, gap=2):
    """Quarter notes with a kana each; a space is a bar of rest, ``/`` are ``gap`` bars of rest."""
    bars = [first()]
    for word in text.replace("/", " / ").split():
        if word == "/":
            bars += [bar(rest()) for _ in range(gap)]
        else:
            bars += [bar(*(note(kana) for kana in word)), bar(rest())]
    return score(*bars)
