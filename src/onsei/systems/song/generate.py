"""The verb `generate`: lyrics to sound files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onsei.audio import io
from onsei.config import to_dict
from onsei.data.manifest import refuse_existing
from onsei.data.progress import progress
from onsei.errors import ConfigError, DataError, OnseiError
from onsei.systems.song.config import Generate, Request
from onsei.systems.song.inference import Singer, Take


@dataclass(frozen=True)
class Wish:
    """A song to sing, and what its files are called."""

    name: str
    request: Request


def generate(options: Generate) -> int:
    """Write or print every song; one that cannot be sung is named, and the others go on."""
    failed = 0
    wishes = []
    for found in _wishes(options):
        if isinstance(found, DataError):
            print(f"onsei: {found}", file=sys.stderr, flush=True)
            failed += 1
        else:
            wishes += _repeated(found, options)
    folder = options.output_dir
    if options.output_format != "json":
        if folder is None:
            raise ConfigError("where to?", "give --output-dir, or --output-format json", ["output_dir"])
        names = [f"{wish.name}{end}" for wish in wishes for end in (f".{options.output_format}", ".json")]
        refuse_existing([folder / name for name in names], options.force)
    singer = Singer.load(options.model, options.device, options.dtype)
    wishes, faults = _checked(singer, wishes)
    for fault in faults:
        print(f"onsei: {fault}", file=sys.stderr, flush=True)
    total = sum(wish.request.max_duration for wish in wishes)
    written: list[Path] = []

    def told(advance: Callable[[int, bool], None]) -> Callable[[float], None]:
        return lambda seconds: advance(seconds, options.output_format != "json")  # type: ignore[arg-type]

    with progress("singing, seconds", int(total)) as advance:  # while its bar shows, what is printed goes there
        for begin in range(0, len(wishes), options.batch_size):
            group = wishes[begin : begin + options.batch_size]
            takes = singer.takes([wish.request for wish in group], told(advance))
            for wish, take in zip(group, takes, strict=True):
                written += _delivered(singer, wish, take, options)
    print("".join(f"{path}\n" for path in written), end="")
    return 2 if failed or faults else 0


def _delivered(singer: Singer, wish: Wish, take: Take, options: Generate) -> list[Path]:
    """Write or print a song; the file that was written."""
    for remark in take.remarks:
        print(f"onsei: {wish.name}: {remark}", file=sys.stderr, flush=True)
    sound = singer.sound(take)
    if options.output_format == "json":
        print(json.dumps({"name": wish.name, **to_dict(singer.song(take, sound))}), flush=True)
        return []
    if not sound.shape[1]:
        print(f"onsei: {wish.name}: ended at once: nothing was sung", file=sys.stderr, flush=True)
        return []
    assert options.output_dir is not None
    options.output_dir.mkdir(parents=True, exist_ok=True)
    path = options.output_dir / f"{wish.name}.{options.output_format}"
    io.save(path, sound, singer.sample_rate)
    facts = {
        "file": path.name,
        "model": options.model,
        "request": to_dict(wish.request),
        "duration": sound.shape[1] / singer.sample_rate,
        "ended": take.ended,
        "sketch": take.sketch,
        "remarks": list(take.remarks),
    }
    path.with_suffix(".json").write_text(json.dumps(facts, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return [path]


def _wishes(options: Generate) -> Iterator[Wish | DataError]:
    """The songs that are asked for; a line that cannot be read in its place as an error."""
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


def _repeated(wish: Wish, options: Generate) -> list[Wish]:
    if options.n_samples == 1:
        return [wish]
    return [
        Wish(f"{wish.name}_{number}", replace(wish.request, seed=wish.request.seed + number))
        for number in range(options.n_samples)
    ]


def _checked(singer: Singer, wishes: Sequence[Wish]) -> tuple[list[Wish], list[OnseiError]]:
    """The songs whose lyrics and prompts can be read, and the faults of the others: before the long work."""
    import torch

    fine, faults = list[Wish](), list[OnseiError]()
    for wish in wishes:
        try:
            singer.read(wish.request)
            if wish.request.prompt_wav is not None:
                singer.prompt(wish.request.prompt_wav, torch.Generator())
            fine.append(wish)
        except OnseiError as error:
            faults.append(type(error)(f"{wish.name}: {error.message}", error.mend))
    return fine, faults
