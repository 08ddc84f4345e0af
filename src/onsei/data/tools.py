"""``onsei data check|merge|split|stats``: the options of each verb, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from onsei.config import NonNegative, NonNegativeInt, Positional, flag, options
from onsei.errors import DataError

if TYPE_CHECKING:
    from rich.table import Table

_SHOWN = 50
_FREQUENT = 12


@options
class Check:
    """Open every file of a manifest once and report all faults; the exit status is 2 where there are any."""

    manifest: Positional[Path]
    """JSONL or CSV manifest."""
    decode: bool = False
    """Decode the sound too: finds NaN, infinite samples and damage behind the header."""
    tolerance: NonNegative = 0.1
    """Seconds by which a duration in the manifest may differ from the header's."""
    min_duration: NonNegative | None = None
    """Count rows shorter than this as faults, seconds."""
    max_duration: NonNegative | None = None
    """Count rows longer than this as faults, seconds."""
    against: tuple[Path, ...] = ()
    """Other manifests, such as the test's: a recording, artist or speaker that stands in one of them too is a fault;
    with ``--decode`` also a sound of the very same samples."""
    json: Path | None = None
    """File to write all faults to, as JSON."""
    force: bool = False
    """Replace an existing ``--json`` file."""


@options
class Merge:
    """Join manifests into one, sorted by duration. Rows without a duration get the header's."""

    manifests: Positional[tuple[Path, ...]] = ()
    """Manifests to join."""
    merge_dir: Path | None = None
    """Folder whose manifests are joined too."""
    output_path: Annotated[Path, flag("--output")] = Path("merged_manifest.jsonl")
    """Manifest to write, JSONL; paths in it are relative to its folder."""
    min_duration: NonNegative | None = None
    """Leave out rows shorter than this, seconds."""
    max_duration: NonNegative | None = None
    """Leave out rows longer than this, seconds."""
    json: Path | None = None
    """File to write the counts to, as JSON."""
    force: bool = False
    """Replace existing output files."""


@options
class Split:
    """Cut a manifest into train.jsonl, val.jsonl and, with ``--test``, test.jsonl."""

    manifest: Positional[Path]
    """JSONL or CSV manifest."""
    output_dir: Path
    """Folder to write the parts to."""
    val: NonNegative = 0.1
    """Rows to hold out for validation: below 1 a share, else a number of rows."""
    test: NonNegative = 0.0
    """Rows to hold out for the test: below 1 a share, else a number of rows; 0 for none."""
    by: str | None = None
    """Key (speaker, label …) whose values must not be in two parts."""
    min_duration: NonNegative | None = None
    """Leave out training rows shorter than this, seconds."""
    max_duration: NonNegative | None = None
    """Leave out training rows longer than this, seconds."""
    seed: NonNegativeInt = 0
    """Seed of the choice."""
    json: Path | None = None
    """File to write the counts to, as JSON."""
    force: bool = False
    """Replace existing output files."""


@options
class Stats:
    """Rows, hours, lengths, characters, speakers, sample rates and channels of a manifest."""

    manifest: Positional[Path]
    """JSONL or CSV manifest."""
    headers: bool = True
    """Read the headers of the sound files, for rates, channels and unknown durations."""
    min_duration: NonNegative | None = None
    """Leave out rows shorter than this, seconds."""
    max_duration: NonNegative | None = None
    """Leave out rows longer than this, seconds."""
    json: Path | None = None
    """File to write all counts to, as JSON."""
    force: bool = False
    """Replace an existing ``--json`` file."""


def check(chosen: Check) -> int:
    """Print all faults; returns 2 where there are any."""
    from onsei.data import check as checking
    from onsei.data.manifest import Manifest

    _refuse_existing([chosen.json], chosen.force)
    found = checking.check(
        Manifest.open(chosen.manifest),
        decode=chosen.decode,
        tolerance=chosen.tolerance,
        shortest=chosen.min_duration,
        longest=chosen.max_duration,
    )
    faults = [{"line": f.line, "id": f.id, "kind": f.kind, "message": f.message} for f in found.faults]
    leaked = _leaks(chosen)
    faults += [{"line": 0, "id": "", "kind": "leak", "message": told} for told in leaked]
    _write(chosen.json, {"rows": found.rows, "files": found.files, "faults": faults, "warnings": list(found.warnings)})
    if found.faults:
        shown = [(str(f.line), f.id, f.kind, f.message) for f in found.faults[:_SHOWN]]
        _print(f"{chosen.manifest}: faults")
        _print(_table(("line", "id", "kind", "what is wrong"), shown))
    if len(found.faults) > _SHOWN:
        _print(f"… and {len(found.faults) - _SHOWN} more; --json FILE writes all")
    for told in leaked:
        _print(f"leak: {told}")
    for warning in found.warnings:
        _print(f"note: {warning}")
    counts = {**found.kinds, **({"leak": len(leaked)} if leaked else {})}
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    outcome = f"{len(faults)} faults ({kinds})" if faults else "no faults"
    _print(f"{found.rows} rows, {found.files} sound files opened: {outcome}")
    return 2 if faults else 0


def _leaks(chosen: Check) -> list[str]:
    from onsei.data.leaks import between
    from onsei.data.manifest import Manifest

    if not chosen.against:
        return []
    paths = list({path.resolve(): path for path in (chosen.manifest, *chosen.against)}.values())
    return between({str(path): Manifest.open(path) for path in paths}, sounds=chosen.decode)


def merge(chosen: Merge) -> None:
    """Write the joined manifest and print what it holds."""
    from onsei.data import merge as merging
    from onsei.data import provenance

    paths = [*chosen.manifests, *(merging.manifests_in(chosen.merge_dir) if chosen.merge_dir else ())]
    inputs = list({path.resolve(): path for path in paths}.values())
    if chosen.output_path.resolve() in {path.resolve() for path in chosen.manifests}:
        raise DataError(f"{chosen.output_path}: is one of the manifests to join", "name another --output-path")
    inputs = [path for path in inputs if path.resolve() != chosen.output_path.resolve()]
    if not inputs:
        raise DataError("no manifest to join", "name manifests, or a folder of them with --merge-dir")
    _refuse_existing([chosen.output_path, chosen.json], chosen.force)
    found = merging.merge(inputs, chosen.output_path, shortest=chosen.min_duration, longest=chosen.max_duration)
    provenance.note([chosen.output_path], provenance.shared(inputs))
    counts = {"manifests": len(inputs), "rows": found.rows, "hours": found.seconds / 3600, "too_short": found.short}
    counts |= {"too_long": found.long, "duplicate_ids": len(found.duplicates)}
    counts["unreadable"] = len(found.unreadable)
    _write(chosen.json, {**counts, "duplicates": list(found.duplicates), "faults": list(found.unreadable)})
    _print_counts(str(chosen.output_path), counts)
    for fault in found.unreadable[:_SHOWN]:
        _print(f"left out: {fault}")
    if len(found.unreadable) > _SHOWN:
        _print(f"… and {len(found.unreadable) - _SHOWN} more; --json FILE writes all")
    if found.duplicates:
        listed = ", ".join(found.duplicates[:_FREQUENT])
        _print(f"note: {len(found.duplicates)} ids stand more than once: {listed}")


def split(chosen: Split) -> None:
    """Write the parts and print how many rows each has."""
    from onsei.data import provenance
    from onsei.data import split as splitting
    from onsei.data.manifest import Manifest, write

    manifest = Manifest.open(chosen.manifest)
    parts = splitting.split(manifest, chosen.val, chosen.test, seed=chosen.seed, by=chosen.by)
    files = {name: chosen.output_dir / f"{name}.jsonl" for name in parts}
    if manifest.path.resolve() in {file.resolve() for file in files.values()}:
        raise DataError(f"{chosen.manifest}: would be replaced by one of its parts", "name another --output-dir")
    _refuse_existing([*files.values(), chosen.json], chosen.force)
    counts = {}
    if chosen.min_duration is not None or chosen.max_duration is not None:
        kept = splitting.within(manifest, parts["train"], chosen.min_duration, chosen.max_duration)
        counts = {"too_short_or_long": len(parts["train"]) - len(kept)}
        parts["train"] = kept
    for name, numbers in parts.items():
        write(files[name], (manifest[number] for number in numbers.tolist()))
    provenance.note(files.values(), provenance.of(chosen.manifest))
    counts = {**{name: len(numbers) for name, numbers in parts.items()}, **counts}
    _write(chosen.json, counts)
    _print_counts(f"{chosen.manifest} → {chosen.output_dir}", counts)


def stats(chosen: Stats) -> None:
    """Print the counts."""
    from onsei.data import stats as counting
    from onsei.data.manifest import Manifest

    _refuse_existing([chosen.json], chosen.force)
    limits = (chosen.min_duration, chosen.max_duration)
    found = counting.stats(Manifest.open(chosen.manifest), headers=chosen.headers, limits=limits)
    numbers = {
        "rows": found.rows,
        **({"rows_outside_limits": found.outside} if limits != (None, None) else {}),
        "hours": found.seconds / 3600,
        "shortest_seconds": found.shortest,
        "mean_seconds": found.mean,
        "longest_seconds": found.longest,
        "rows_without_duration": found.unknown_durations,
        "rows_with_text": found.with_text,
        "words": found.words,
    }
    names = ("characters", "speakers", "labels", "langs", "extra", "rates", "channels")
    counters: dict[str, Mapping[Any, int]] = {name: dict(getattr(found, name).most_common()) for name in names}
    _write(chosen.json, {**numbers, "histogram": found.histogram, **counters, "warnings": found.warnings})
    _print_counts(str(chosen.manifest), numbers)
    titles = {"extra": "other keys", "rates": "Hz", "langs": "languages"}
    rows = [
        (titles.get(name, name), str(len(counts)), _frequent(counts)) for name, counts in counters.items() if counts
    ]
    _print(_table(("", "different", "most frequent"), rows))
    most = max((count for *_, count in found.histogram), default=0)
    bars = [(f"{low:.2f}–{high:.2f} s", str(n), "█" * round(40 * n / most)) for low, high, n in found.histogram]
    _print(_table(("length", "rows", ""), bars))
    for warning in found.warnings:
        _print(f"note: {warning}")


def _refuse_existing(paths: list[Path | None], force: bool) -> None:
    from onsei.data.manifest import refuse_existing

    refuse_existing([path for path in paths if path is not None], force)


def _write(path: Path | None, values: Mapping[str, Any]) -> None:
    from onsei.paths import write_text

    if path is not None:
        finite = {key: None if isinstance(value, float) and value != value else value for key, value in values.items()}
        write_text(path, json.dumps(finite, ensure_ascii=False, indent=1) + "\n")


def _frequent(counts: Mapping[Any, int]) -> str:
    shown = ", ".join(f"{'space' if key == ' ' else key} ({count})" for key, count in list(counts.items())[:_FREQUENT])
    return shown + (" …" if len(counts) > _FREQUENT else "")


def _print_counts(title: str, counts: Mapping[str, float]) -> None:
    shown = {key: f"{value:.3f}" if isinstance(value, float) else str(value) for key, value in counts.items()}
    _print(title)
    _print(_table(("", ""), [(key.replace("_", " "), value) for key, value in shown.items()]))


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, show_header=any(header))
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: brackets in a transcript are no markup
    return table


def _print(what: Any) -> None:
    from rich.console import Console

    Console(soft_wrap=isinstance(what, str), highlight=False, markup=False).print(what)
