"""The world in a folder: speech, pictures and English in the layout that the translation system prepares from."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from onsei.demo.synthesis import Clip, Utterance, speak
from onsei.demo.world.language import Language
from onsei.demo.world.pictures import picture, save
from onsei.demo.world.scenes import COLORS, SHAPES, Scene, caption, held_out, scenes
from onsei.demo.world.voices import ACCENT, SEEN, UNSEEN
from onsei.errors import DataError
from onsei.paths import write_text

_MARK = "world.json"
_FOLDERS = {"pairs": "multimodal_pairs", "val": "val_pairs", "seen": "test_seen", "unseen": "test_unseen"}
_MANIFESTS = ("unlabeled", "pairs", "parallel", "captions", "val", "seen", "unseen")
_OURS = {_MARK, *_FOLDERS.values(), "parallel_pairs", "captioned", *(f"{name}.jsonl" for name in _MANIFESTS)}


@dataclass(frozen=True)
class Sizes:
    """How much there is of everything."""

    pairs: int = 3000
    """Scenes that are seen and heard; the speech alone is what phase A learns from."""
    parallel: int = 600
    """Of them with English."""
    val: int = 100
    """Further scenes of seen kinds and voices, to choose by."""
    test: int = 400
    """Scenes of each test."""
    captions: int = 10000
    """Further pictures with English, about which nobody speaks."""
    colors: int = len(COLORS)
    """Colors that there are: the first so many."""

    def __post_init__(self) -> None:
        if not 1 <= self.colors <= len(COLORS):
            raise DataError(f"colors: {self.colors}, where a world has 1 to {len(COLORS)}", "give a number of those")


@dataclass(frozen=True)
class World:
    """Where the world lies: one manifest a set. Rows hold ``id, audio, duration, image, text, speaker, slots``."""

    folder: Path
    unlabeled: Path
    """Speech of the pairs, without picture and text."""
    pairs: Path
    """Speech and pictures, without text."""
    parallel: Path
    """Speech and English; the first rows are to be taken where fewer pairs are wanted."""
    captions: Path
    """Pictures and English of further scenes of seen kinds, without speech."""
    val: Path
    """Speech, pictures and English of seen kinds and voices, to choose by."""
    seen: Path
    """Test of seen kinds and voices, in scenes never shown."""
    unseen: Path
    """Test of kinds (color and shape) and voices that nothing learned from."""


def make_world(folder: Path, seed: int = 0, sizes: Sizes | None = None) -> World:
    """Make the world of ``seed`` in ``folder``, unless it lies there: the same seed gives the same bytes.

    Folders bear the names of the original: ``multimodal_pairs/{audio,images}``, ``parallel_pairs/{audio,text}``.

    Raises:
        MissingExtraError: espeak-ng is not installed.
        DataError: ``folder`` holds something else.
    """
    folder, sizes = Path(folder), sizes or Sizes()
    made = {"seed": seed, "made_by": "onsei demo", "sizes": asdict(sizes)}
    world = World(folder, *(folder / f"{name}.jsonl" for name in _MANIFESTS))
    if _holds(folder, made):
        return world
    _refuse_strangers(folder)
    _clear(folder)
    write_text(folder / _MARK, json.dumps(made | {"whole": False}) + "\n")
    rows = _rows(folder, seed, sizes)
    parts = rows | {
        "unlabeled": [_only(row, "id", "audio", "duration", "speaker") for row in rows["pairs"]],
        "parallel": _parallel(folder, rows["pairs"][: sizes.parallel]),
        "pairs": [_only(row, "id", "audio", "duration", "image", "speaker") for row in rows["pairs"]],
    }
    for name, part in parts.items():
        write_text(folder / f"{name}.jsonl", "".join(json.dumps(row) + "\n" for row in part))
    write_text(folder / _MARK, json.dumps(made | {"whole": True}) + "\n")
    return world


def _plan(seed: int, sizes: Sizes) -> dict[str, list[Scene]]:
    """Scenes of each set; no scene is in two."""
    apart = held_out(seed, sizes.colors)
    known = frozenset((color, shape) for color in COLORS[: sizes.colors] for shape in SHAPES) - apart
    stream = scenes(random.Random(f"{seed}/scenes"), known)
    plan = {"pairs": sizes.pairs, "val": sizes.val, "seen": sizes.test, "captions": sizes.captions}
    found = {name: list(islice(stream, count)) for name, count in plan.items()}
    return found | {"unseen": list(islice(scenes(random.Random(f"{seed}/unseen"), apart), sizes.test))}


def _rows(folder: Path, seed: int, sizes: Sizes) -> dict[str, list[dict[str, object]]]:
    language, plan = Language.drawn(seed, sizes.colors), _plan(seed, sizes)
    captions = _captions(folder, seed, plan.pop("captions"))
    utterances: list[Utterance] = []
    for name, part in plan.items():
        place = folder / _FOLDERS[name]
        for kind in ("audio", "images"):
            (place / kind).mkdir(parents=True, exist_ok=True)
        draw = random.Random(f"{seed}/{name}")
        speakers = UNSEEN if name == "unseen" else SEEN
        for number, scene in enumerate(part):
            save(picture(scene, draw), place / "images" / f"{name}{number:05}.png")
            path = place / "audio" / f"{name}{number:05}.wav"
            utterances.append(_utterance(path, language.sentence(scene), draw.choice(speakers), draw))
    clips = iter(speak(utterances))
    return {
        **{name: [_row(folder, next(clips), scene) for scene in part] for name, part in plan.items()},
        "captions": captions,
    }


def _captions(folder: Path, seed: int, part: Sequence[Scene]) -> list[dict[str, object]]:
    """Pictures of scenes, and what English says of them."""
    place, draw = folder / "captioned", random.Random(f"{seed}/captions")
    place.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    for number, scene in enumerate(part):
        name = f"captioned{number:05}"
        save(picture(scene, draw), place / f"{name}.png")
        rows.append({"id": name, "image": f"captioned/{name}.png", "text": caption(scene), "slots": scene.slots()})
    return rows


def _utterance(path: Path, text: str, variant: str, draw: random.Random) -> Utterance:
    return Utterance(
        path, text, f"{ACCENT}+{variant}", draw.randint(140, 200), draw.randint(30, 70), draw.randint(30, 70),
        round(draw.uniform(0.05, 0.2), 3), round(draw.uniform(0.05, 0.2), 3),
    )  # fmt: skip


def _row(folder: Path, clip: Clip, scene: Scene) -> dict[str, object]:
    audio = clip.utterance.path
    return {
        "id": audio.stem,
        "audio": audio.relative_to(folder).as_posix(),
        "duration": clip.duration,
        "image": (audio.parent.parent / "images" / f"{audio.stem}.png").relative_to(folder).as_posix(),
        "text": caption(scene),
        "speaker": clip.utterance.voice.partition("+")[2],
        "slots": scene.slots(),
    }


def _parallel(folder: Path, rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """The rows with English; text and speech also lie side by side as the original wants them."""
    place = folder / "parallel_pairs"
    for kind in ("audio", "text"):
        (place / kind).mkdir(parents=True, exist_ok=True)
    for row in rows:
        shutil.copyfile(folder / str(row["audio"]), place / "audio" / f"{row['id']}.wav")
        (place / "text" / f"{row['id']}.txt").write_text(f"{row['text']}\n", encoding="utf-8")
    return [_only(row, "id", "audio", "duration", "text", "speaker", "slots") for row in rows]


def _only(row: dict[str, object], *keys: str) -> dict[str, object]:
    return {key: row[key] for key in keys}


def _holds(folder: Path, made: dict[str, object]) -> bool:
    try:
        found = json.loads((folder / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == made | {"whole": True})


def _clear(folder: Path) -> None:
    for name in _OURS:
        shutil.rmtree(folder / name, ignore_errors=True)
        if (folder / name).is_file():
            (folder / name).unlink()


def _refuse_strangers(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier world."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; the world needs a folder", "choose another folder")
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    strange = sorted(found - (_OURS if _MARK in found else set()))
    if strange:
        raise DataError(
            f"{folder}: holds files that are not the demo's world, such as {strange[0]}; nothing was touched",
            "choose a new or empty folder",
        )
