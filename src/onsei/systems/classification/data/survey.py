"""The classes of a training, and a look at every row before it starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from onsei.data.manifest import Manifest
from onsei.errors import ConfigError, DataError

_SHOWN = 10


def classes_of(manifest: Manifest, given: Sequence[str] = ()) -> tuple[tuple[str, ...], Counter[str]]:
    """Names of the classes and how many rows each has.

    Args:
        manifest: the training rows.
        given: the names in their order; those of the rows, in the order of the alphabet, where there are none.

    Raises:
        DataError: rows without a label, labels that differ in case only, less than two classes.
        ConfigError: ``given`` holds a name twice, or lacks one that rows have.
    """
    counts = counted(manifest)
    _refuse_twins(manifest, [*counts, *given])
    repeated = sorted(name for name, times in Counter(given).items() if times > 1)
    if repeated:
        raise ConfigError(f"labels: named twice: {_listed(repeated)}", "name each class once")
    unknown = sorted(set(counts) - set(given)) if given else []
    if unknown:
        raise ConfigError(
            f"labels: {manifest.path} has rows of classes not among the {len(given)} given: {_listed(unknown)}",
            "add these to `labels`, leave `labels` out to take those of the rows, or take the rows out",
        )
    names = tuple(given) or tuple(sorted(counts))
    if len(names) < 2:
        raise DataError(
            f"{manifest.path}: expected two classes or more, found {_listed(names)}", "give rows other labels"
        )
    return names, counts


def counted(manifest: Manifest) -> Counter[str]:
    """Rows of each label.

    Raises:
        DataError: no rows, or rows without a label.
    """
    counts: Counter[str] = Counter()
    without: list[str] = []
    for row in manifest.readable():
        if row.label is None:
            without.append(row.id)
        else:
            counts[row.label] += 1
    if without:
        raise DataError(
            f"{manifest.path}: {len(without)} of {len(manifest)} rows have no label, first {without[0]}",
            "give each row the key `label`, or take these rows out",
        )
    if not counts:
        raise DataError(f"{manifest.path}: no rows that can be read", "check the manifest with `onsei data check`")
    return counts


def check_validation(manifest: Manifest, names: Sequence[str]) -> None:
    """Refuse validation rows of classes that training does not have.

    Raises:
        DataError: there are some; names them.
    """
    unknown = sorted(set(counted(manifest)) - set(names))
    if unknown:
        raise DataError(
            f"{manifest.path}: classes that no training row has: {_listed(unknown)}",
            "take these rows out, or add rows of these classes to training",
        )


def told(manifest: Manifest, names: Sequence[str], counts: Counter[str]) -> str:
    """What the user should know of the classes before a long training; empty where all is well."""
    lone = [name for name in names if counts[name] == 1]
    absent = [name for name in names if not counts[name]]
    parts = []
    if lone:
        parts.append(f"classes with one sound only, which hardly can be learned: {_listed(lone)}")
    if absent:
        parts.append(f"classes without any sound, which cannot be learned: {_listed(absent)}")
    return f"{manifest.path}: {'; '.join(parts)}" if parts else ""


def _refuse_twins(manifest: Manifest, names: Sequence[str]) -> None:
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(name.casefold().strip(), name)
        if other != name:
            raise DataError(
                f"{manifest.path}: the labels {other!r} and {name!r} differ in case or spaces only",
                "write one class one way",
            )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more
