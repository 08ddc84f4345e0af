"""The world: nothing of the test is in training, and what is seen is what is said."""

import hashlib
import itertools
import json
import random
from collections import Counter

import numpy as np
import pytest

from onsei.demo.world import COLORS, SHAPES, Language, Sizes, caption, held_out, make_world, read_caption
from onsei.demo.world.pictures import picture
from onsei.demo.world.scenes import Group, Scene, scenes
from onsei.demo.world.voices import SEEN, UNSEEN, VARIANTS
from onsei.errors import DataError

ALL = frozenset(itertools.product(COLORS, SHAPES))
SMALL = Sizes(pairs=24, parallel=8, val=4, test=6, captions=10)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    pytest.importorskip("espeakng_loader")
    return make_world(tmp_path_factory.mktemp("world") / "it", 3, SMALL)


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def kinds(text):
    scene = read_caption(text)
    return {(group.color, group.shape) for group in (scene.first, scene.second)}


@pytest.mark.parametrize("colors", [8, len(COLORS)])
@pytest.mark.parametrize("seed", range(5))
def test_a_quarter_of_the_kinds_is_held_out_evenly(seed, colors):
    apart = held_out(seed, colors)
    assert len(apart) == 2 * colors
    assert all(sum(pair[0] == name for pair in apart) == 2 for name in COLORS[:colors])
    each = {sum(pair[1] == name for pair in apart) for name in SHAPES}
    assert each == {2} if colors == 8 else each <= {4, 5, 6}


def test_voices_are_apart():
    assert (len(VARIANTS), len(UNSEEN), len(SEEN)) == (58, 10, 48)
    assert not set(UNSEEN) & set(SEEN)


@pytest.mark.parametrize("seed", range(5))
def test_stems_are_apart_and_sentences_are_in_their_order(seed):
    stems = Language.drawn(seed).stems
    assert len(set(stems.values())) == len(stems) == len(SHAPES) + len(COLORS) + 6
    for one, other in itertools.combinations(stems.values(), 2):
        assert sum(a != b for a, b in zip(one, other, strict=True)) >= 2
    scene = Scene(Group(3, "blue", "heart"), "left of", Group(1, "purple", "circle"))
    said = (
        f"{stems['circle']} {stems['purple']}, {stems['heart']}ni {stems['blue']} {stems['three']} {stems['left of']}"
    )
    assert Language.drawn(seed).sentence(scene) == said
    assert caption(scene) == "three blue hearts are left of a purple circle ."


def test_a_caption_tells_its_scene():
    stream = scenes(random.Random(0), ALL)
    drawn = list(itertools.islice(stream, 500))
    assert len(set(drawn)) == 500
    assert [read_caption(caption(scene)) for scene in drawn] == drawn
    for text in ("", "three blue hearts", "a red red is above a ring .", "two red circles are beside a blue star ."):
        assert read_caption(text) is None


def test_few_scenes_have_all_kinds_about_equally_often():
    few = list(itertools.islice(scenes(random.Random(0), ALL), 2 * len(ALL)))
    found = Counter((group.color, group.shape) for scene in few for group in (scene.first, scene.second))
    assert set(found.values()) <= {3, 4, 5}
    assert set(found) == ALL
    assert all(scene.first != scene.second for scene in few)


def test_a_picture_shows_its_colors_where_they_belong():
    scene = Scene(Group(2, "red", "square"), "above", Group(1, "blue", "circle"))
    pixels = np.asarray(picture(scene, random.Random(0))).astype(int)
    red, blue = ((pixels[..., channel] > 180) & (pixels[..., 2 - channel] < 120) for channel in (0, 2))
    assert red[:32].sum() > 100
    assert red.sum() / 2 > 1.4 * blue.sum()  # the sentence begins with the larger ones; a circle has 1.1 of a square
    assert blue[32:].sum() > 50
    assert not red[36:].any()
    assert not blue[:28].any()


def test_a_world_may_have_fewer_colors(tmp_path):
    pytest.importorskip("espeakng_loader")
    few = make_world(tmp_path / "few", 0, Sizes(pairs=40, parallel=4, val=2, test=4, captions=10, colors=8))
    told = [
        row["slots"]["color"].split() for name in ("parallel", "captions", "unseen") for row in rows(getattr(few, name))
    ]
    assert set(itertools.chain(*told)) == set(COLORS[:8])
    for colors in (0, len(COLORS) + 1):
        with pytest.raises(DataError, match=f"colors: {colors}"):
            Sizes(colors=colors)


def test_nothing_of_the_unseen_test_is_in_training(world):
    apart = held_out(3)
    spoken = {name: rows(getattr(world, name)) for name in ("pairs", "parallel", "val", "seen", "unseen")}
    for name in ("parallel", "val", "seen"):
        assert not any(kinds(row["text"]) & apart for row in spoken[name])
        assert not any(row["speaker"] in UNSEEN for row in spoken[name])
    assert all(kinds(row["text"]) <= apart and row["speaker"] in UNSEEN for row in spoken["unseen"])
    assert not any(row["speaker"] in UNSEEN for row in spoken["pairs"])
    texts = [row["text"] for name in ("parallel", "val", "seen", "unseen") for row in spoken[name]]
    assert len(set(texts)) == len(texts)


def test_captions_are_of_pictures_that_nobody_spoke_about(world):
    captions, pairs = rows(world.captions), rows(world.pairs)
    assert len(captions) == 10
    assert not {row["image"] for row in captions} & {row["image"] for row in pairs}
    assert all("audio" not in row for row in captions)
    spoken = {row["text"] for row in rows(world.parallel) + rows(world.unseen)}
    assert not any(row["text"] in spoken or kinds(row["text"]) & held_out(3) for row in captions)


def test_rows_name_files_of_the_originals_layout(world):
    assert len(rows(world.unlabeled)) == len(rows(world.pairs)) == 24
    for name in ("pairs", "unseen"):
        for row in rows(getattr(world, name)):
            assert (world.folder / row["audio"]).is_file()
            assert (world.folder / row["image"]).is_file()
    texts = sorted((world.folder / "parallel_pairs" / "text").iterdir())
    assert [path.read_text().strip() for path in texts] == [row["text"] for row in rows(world.parallel)]
    assert len(list((world.folder / "parallel_pairs" / "audio").iterdir())) == 8
    assert all("text" not in row and "image" not in row for row in rows(world.unlabeled))
    assert all("text" not in row for row in rows(world.pairs))


def test_the_same_seed_gives_the_same_bytes(world, tmp_path):
    again = make_world(tmp_path / "again", 3, SMALL)

    def content(folder):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return [(path.relative_to(folder), hashlib.md5(path.read_bytes()).hexdigest()) for path in files]

    assert content(again.folder) == content(world.folder)


def test_a_whole_world_is_kept_and_strangers_are_refused(world, tmp_path):
    before = (world.folder / "pairs.jsonl").stat().st_mtime_ns
    assert make_world(world.folder, 3, SMALL).pairs.stat().st_mtime_ns == before
    (tmp_path / "mine.txt").touch()
    with pytest.raises(DataError, match=r"mine\.txt"):
        make_world(tmp_path, 3, SMALL)
