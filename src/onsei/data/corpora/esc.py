"""ESC-50 and ESC-10: environmental sounds of five seconds, in five folds (Piczak 2015)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from onsei.data.corpora.corpus import Choice, Entry, Fault, Names, Utterance, first_folders
from onsei.data.corpora.lines import read_lines
from onsei.data.download import Remote
from onsei.data.row import Row

_ADDRESS = "https://github.com/karolpiczak/ESC-50/archive/refs/heads/master.zip"
_COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file")
FOLDS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class ESC:
    """ESC-50, or those clips of it that make ESC-10; its publisher tells no checksum.

    Clips cut from one recording of Freesound are in one fold, and have its number as ``recording``.
    """

    classes: int = 50
    """50 or 10."""
    test_fold: int = 0
    """The fold that becomes ``test``; 0: none."""
    val_fold: int = 0
    """The fold that becomes ``val``; 0: none."""
    looked_for: str = "meta/esc50.csv beside audio/"
    many: bool = False

    @property
    def title(self) -> str:
        """ESC-50 or ESC-10."""
        return f"ESC-{self.classes}"

    @property
    def parts(self) -> tuple[str, ...]:
        """``all``, with the fold in each row; with folds held out ``train`` and those."""
        held = tuple(name for name, fold in (("val", self.val_fold), ("test", self.test_fold)) if fold)
        return ("train", *held) if held else ("all",)

    def remotes(self, choice: Choice) -> list[Remote]:
        """The repository of the corpus as a zip file."""
        return [Remote(choice.url or _ADDRESS)]

    def roots(self, folder: Path, choice: Choice) -> list[Path]:
        """The folder that holds ``meta`` and ``audio``."""
        return first_folders(folder, 2, lambda path: (path / "meta" / "esc50.csv").is_file())[:1]

    def read(self, roots: list[Path], choice: Choice) -> Iterator[Entry]:
        """Clips in the order of the list."""
        (root,) = roots
        names, columns = Names(), list(_COLUMNS)
        for number, line in enumerate(read_lines(root / "meta" / "esc50.csv")):
            if isinstance(line, Fault):
                yield line
                continue
            cells = next(csv.reader([line.text]))
            if number == 0 and "filename" in cells:
                columns = cells
                continue
            values = dict(zip(columns, cells, strict=False))
            if any(not values.get(name) for name in _COLUMNS) or values["fold"] not in map(str, FOLDS):
                yield Fault("line", line.place, f"expected {', '.join(_COLUMNS)}, found {line.text[:60]!r}")
            elif "/" in values["filename"] or "\\" in values["filename"]:
                yield Fault("line", line.place, f"expected the name of a file in audio/, found {values['filename']!r}")
            elif not names.is_new(values["filename"]):
                yield Fault("duplicate", line.place, f"{values['filename']} is listed twice")
            elif self.classes == 50 or values["esc10"].lower() == "true":
                yield self._utterance(root, values, line.place)

    def _utterance(self, root: Path, values: dict[str, str], place: str) -> Utterance:
        fold, name = int(values["fold"]), values["filename"]
        held = {self.val_fold: "val", self.test_fold: "test"}
        part = "all" if self.parts == ("all",) else held.get(fold, "train")
        extra = {"fold": fold, "recording": values["src_file"]}
        row = Row(Path(name).stem, (root / "audio" / name).absolute(), label=values["category"], extra=extra)
        return Utterance(part, row, place)
