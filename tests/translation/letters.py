"""A world without sound: each stem and ending of what is said is a unit."""

import itertools
import json
import random

from onsei.demo.world.language import Language
from onsei.demo.world.pictures import picture, save
from onsei.demo.world.scenes import COLORS, SHAPES, caption, scenes
from onsei.systems.translation.config import Train
from onsei.systems.translation.config.ground import UnitAugment, UnitNetwork
from onsei.systems.translation.config.train import Decoder, Parallel, Tuning
from onsei.training.options import Training

LANGUAGE = Language.drawn(0)
PARTS = {part: number for number, part in enumerate((*LANGUAGE.stems.values(), "ni"))}
COUNT = len(PARTS)
CLOCK = Training(
    epochs=24,
    schedule="cosine",
    warmup_steps=20,
    max_norm=1.0,
    device="cpu",
    silent=True,
    threads=1,
    estimate_memory=False,
)
UNITS = UnitNetwork(width=32, heads=2, layers=0, convolutions=0, dropout=0.0)
OPTIONS = Train(
    units=UNITS,
    decoder=Decoder(width=32, layers=1, heads=2, dropout=0.0, longest=40),
    val_share=0.0,
    augment=UnitAugment(0.0, 0.0),
    data=Parallel(batch_size=15),
    optimization=Tuning(learning_rate=5e-3, grounded_rate=1e-3, label_smoothing=0.0),
    training=CLOCK,
)


def units_of(scene):
    words = LANGUAGE.sentence(scene).replace(",", "").split()
    return [PARTS[part] for word in words for part in ((word[:4], word[4:]) if len(word) > 4 else (word,))]


def write(folder, name, count, *, seed=0, colors=3, shapes=3, **changes):
    """Rows with units, picture and text in ``folder/name.jsonl``."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(f"{seed}/{name}")
    pairs = frozenset(itertools.product(COLORS[:colors], SHAPES[:shapes]))
    rows = []
    for number, scene in enumerate(itertools.islice(scenes(draw, pairs), count)):
        image = folder / f"{name}{number:04}.png"
        save(picture(scene, draw), image)
        row = {"id": f"{name}{number:04}", "units": units_of(scene), "num_clusters": COUNT, "image": image.name}
        row |= {"text": caption(scene), "slots": scene.slots(), "speaker": "nobody", **changes}
        rows.append({key: value for key, value in row.items() if value is not None})
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rewrite(path, change):
    """Each row of a manifest as ``change`` makes it; rows of which it makes nothing are left out."""
    changed = [change(number, row) for number, row in enumerate(rows(path))]
    path.write_text("".join(json.dumps(row) + "\n" for row in changed if row is not None), encoding="utf-8")
    return path
