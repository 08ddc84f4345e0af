"""The verb `generate`: lyrics to sound files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from onsei.audio.io.growing import Growing
from onsei.config import to_dict
from onsei.data.manifest import refuse_existing
from onsei.data.progress import progress
from onsei.errors import ConfigError, DataError, OnseiError
from onsei.systems.song.config import Generate
from onsei.systems.song.delivery import deliver, files
from onsei.systems.song.inference import Singer, Take
from onsei.systems.song.kept import Kept, span
from onsei.systems.song.wishes import Wish, repeated, wishes

_STOPPED = 130
"""Exit status of what was stopped by hand."""
Told = Callable[[float], None]


def generate(options: Generate) -> int:
    """Write or print every song; one that cannot be sung is named, and the others go on.

    Stopped by hand, it writes what was sung by then, and says how to go on.
    """
    if options.repaint is not None:
        return _repaint(options, options.repaint)
    failed, wanted = 0, list[Wish]()
    for found in wishes(options):
        if isinstance(found, DataError):
            _say(str(found))
            failed += 1
        else:
            wanted += repeated(found, options)
    folder = _folder(options)
    if folder is not None:
        refuse_existing(
            [file for wish in wanted for file in files(folder, wish.name, options.output_format)], options.force
        )
    singer = Singer.load(options.model, options.device, options.dtype)
    wanted, faults = _checked(singer, wanted)
    for fault in faults:
        _say(str(fault))
    one_by_one = options.stream or options.continue_from is not None
    size = 1 if one_by_one else options.batch_size
    total = sum(wish.request.max_duration for wish in wanted)
    status = 2 if failed or faults else 0
    written: list[Path] = []
    with progress("singing, seconds", int(total)) as advance:  # while its bar shows, what is printed goes there
        for begin in range(0, len(wanted), size):
            group, under_way = wanted[begin : begin + size], dict[int, Take]()
            try:
                if one_by_one:
                    _streamed(singer, group[0], options, folder, under_way, _telling(advance, options))
                else:
                    requests = [wish.request for wish in group]
                    singer.takes(requests, _telling(advance, options), under_way)
            except KeyboardInterrupt:
                status = _STOPPED
            for place, take in sorted(under_way.items()):
                whole = one_by_one and status != _STOPPED
                written += _delivered(singer, group[place], take, options, folder, streamed=whole)
            if status == _STOPPED:
                _say("stopped; `onsei song generate MODEL --continue-from SONG` goes on with a song that has not ended")
                break
    print("".join(f"{path}\n" for path in written), end="")
    return status


def _telling(advance: Callable[[int, bool], None], options: Generate) -> Told:
    return lambda seconds: advance(seconds, options.output_format != "json")  # type: ignore[arg-type]


def _say(words: str) -> None:
    print(f"onsei: {words}", file=sys.stderr, flush=True)


def _folder(options: Generate) -> Path | None:
    """Where files go; None where songs are printed."""
    if options.output_format == "json":
        return None
    if options.output_dir is None:
        raise ConfigError("where to?", "give --output-dir, or --output-format json", ["output_dir"])
    return options.output_dir


def _streamed(
    singer: Singer, wish: Wish, options: Generate, folder: Path | None, under_way: dict[int, Take], told: Told
) -> None:
    """Sing a song whose sound is written as it comes, to a file that is called ``.part`` until it is whole."""
    if folder is None:
        for take, _ in singer.pieces(wish.request, wish.kept):
            under_way[0] = take
        return
    path = _part(folder, wish, options)
    block = singer.network.sizes.block_size / singer.frame_rate
    with Growing(path, singer.sample_rate, singer.autoencoder.codec.audio_channels) as file:
        known = 0 if wish.kept is None else len(wish.kept.sketch)
        for take, piece in singer.pieces(wish.request, wish.kept):
            file.push(piece)
            under_way[0] = take
            if len(take.sketch) > known:
                known = len(take.sketch)
                told(block)


def _part(folder: Path, wish: Wish, options: Generate) -> Path:
    return folder / f"{wish.name}.part.{options.output_format}"


def _delivered(
    singer: Singer, wish: Wish, take: Take, options: Generate, folder: Path | None, *, streamed: bool
) -> list[Path]:
    """Write or print a song; the file that was written."""
    for remark in take.remarks:
        _say(f"{wish.name}: {remark}")
    if folder is None:
        song = singer.song(take, singer.sound(take))
        print(json.dumps({"name": wish.name, **to_dict(song)}), flush=True)
        return []
    part = _part(folder, wish, options)
    if not take.latents:
        _say(f"{wish.name}: ended at once: nothing was sung")
        part.unlink(missing_ok=True)
        return []
    path = folder / f"{wish.name}.{options.output_format}"
    if streamed:
        part.replace(path)
    else:
        part.unlink(missing_ok=True)
    deliver(singer, take, path, options.model, written=streamed)
    return [path]


def _repaint(options: Generate, song: Path) -> int:
    """Sing a part of a song anew."""
    if options.repaint_to <= options.repaint_from:
        raise ConfigError("--repaint: which part?", "give --from SECONDS --to SECONDS", ["repaint_from", "repaint_to"])
    folder, kept = _folder(options), Kept.load(song)
    if folder is None:
        raise ConfigError("--repaint: writes files", "leave --output-format json out", ["output_format"])
    refuse_existing(files(folder, song.stem, options.output_format), options.force)
    request = replace(kept.request, seed=options.seed, sampling=options.sampling)
    if options.lyrics.strip():
        request = replace(request, lyrics=options.lyrics, phones=options.phones)
    if options.prompt_wav is not None:
        request = replace(request, prompt_wav=options.prompt_wav)
    singer = Singer.load(options.model, options.device, options.dtype)
    sizes, rate = singer.network.sizes, singer.frame_rate
    kept.check(sizes, str(song))
    first, last = span(kept, sizes, options.repaint_from, options.repaint_to, rate)
    with progress("singing, seconds", int((last - first) / rate)) as advance:
        take = singer.repainted(request, kept, first, last, _telling(advance, options))
    path = folder / f"{song.stem}.{options.output_format}"
    deliver(singer, take, path, options.model, more={"repainted": [first / rate, last / rate]})
    print(path)
    return 0


def _checked(singer: Singer, wanted: Sequence[Wish]) -> tuple[list[Wish], list[OnseiError]]:
    """The songs whose lyrics and prompts can be read, and the faults of the others: before the long work."""
    fine, faults = list[Wish](), list[OnseiError]()
    for wish in wanted:
        try:
            singer.read(wish.request)
            if wish.request.prompt_wav is not None:
                singer.prompt(wish.request.prompt_wav, torch.Generator())
            if wish.kept is not None:
                wish.kept.check(singer.network.sizes, wish.name)
            fine.append(wish)
        except OnseiError as error:
            faults.append(type(error)(f"{wish.name}: {error.message}", error.mend))
    return fine, faults
