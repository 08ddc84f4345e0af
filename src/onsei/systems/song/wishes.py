"""What `generate` is asked to sing: lyrics of the command line, or every line of a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from onsei.errors import ConfigError, DataError
from onsei.systems.song.config import Generate, Request
from onsei.systems.song.kept import Kept


@dataclass(frozen=True)
class Wish:
    """A song to sing, and what its files are called."""

    name: str
    request: Request
    kept: Kept | None = None
    """What was sung of it before."""


def wishes(options: Generate) -> Iterator[Wish | DataError]:
    """The songs that are asked for; a line that cannot be read in its place as an error."""
    if options.continue_from is not None:
        yield _going_on(options, options.continue_from)
        return
    request = Request(
        lyrics=options.lyrics,
        phones=options.phones,
        prompt_wav=options.prompt_wav,
        max_duration=options.max_duration,
        seed=options.seed,
        sampling=options.sampling,
    )
    if options.input_jsonl is None:
        if not options.lyrics.strip():
            raise ConfigError("nothing to sing", "onsei song generate MODEL '[verse] …', or --input-jsonl FILE")
        yield Wish("song", request)
        return
    if options.lyrics or options.prompt_wav is not None:
        raise ConfigError("--input-jsonl: lyrics or a prompt are given too", "give either")
    path = options.input_jsonl
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})", "check the path") from None
    names: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = _line(line, f"{path}:{number}", request, path.parent)
        if isinstance(found, Wish):
            first = names.setdefault(found.name, number)
            if first != number:
                found = DataError(f"{path}:{number}: idx {found.name!r} is that of line {first}", "name each song once")
        yield found


def _going_on(options: Generate, path: Path) -> Wish:
    kept = Kept.load(path)
    if options.lyrics or options.input_jsonl is not None or options.prompt_wav is not None:
        raise ConfigError("--continue-from: lyrics or a prompt are given too", "the song goes on with its own")
    if options.n_samples > 1:
        raise ConfigError("--continue-from: --n-samples is given too", "a song goes on in one way only", ["n_samples"])
    if kept.ended:
        raise ConfigError(f"{path}: the song came to its end", "sing another one, or --repaint a part of it")
    return Wish(path.stem, replace(kept.request, max_duration=options.max_duration), kept)


def _line(line: str, where: str, request: Request, folder: Path) -> Wish | DataError:
    mend = 'write {"idx": "name", "lyrics": "[verse] …", "prompt_wav": "voice.wav"}'
    try:
        row = json.loads(line)
    except ValueError as error:
        return DataError(f"{where}: not JSON ({error})", mend)
    if not isinstance(row, dict):
        return DataError(f"{where}: expected an object with `lyrics`", mend)
    # Rows of `onsei song prepare` say `id` and `text`, and their phones are those that the notes have.
    phones = "lyrics" not in row and isinstance(row.get("symbols"), str)
    lyrics = row["symbols"] if phones else row.get("lyrics", row.get("text"))
    if not isinstance(lyrics, str):
        return DataError(f"{where}: expected an object with `lyrics`", mend)
    name, prompt = str(row.get("idx", row.get("id", ""))), row.get("prompt_wav")
    if not name or name in (".", "..") or set(name) & set("/\\\0"):
        return DataError(f"{where}: idx {name!r} is no name of a file", mend)
    if prompt is not None and not isinstance(prompt, str):
        return DataError(f"{where}: prompt_wav: expected a path", mend)
    voice = folder / prompt if prompt else None
    return Wish(name, replace(request, lyrics=lyrics, phones=phones or request.phones, prompt_wav=voice))


def repeated(wish: Wish, options: Generate) -> list[Wish]:
    """The same lyrics as often as asked, each with a seed of its own."""
    if options.n_samples == 1:
        return [wish]
    return [
        Wish(f"{wish.name}_{number}", replace(wish.request, seed=wish.request.seed + number))
        for number in range(options.n_samples)
    ]
