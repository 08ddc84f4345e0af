"""Pictures put into words teach what speech about them means; words of other pictures do not."""

import json
import random
from dataclasses import replace

import pytest

from onsei.errors import ConfigError, DataError, ModelError
from onsei.systems.translation.config import Caption, Evaluate, Ground
from onsei.systems.translation.config.ground import ImageNetwork, Pairs
from onsei.systems.translation.config.train import Pivot
from onsei.systems.translation.evaluation import evaluate
from onsei.systems.translation.ground.training import ground
from onsei.systems.translation.translator.captions import caption
from onsei.systems.translation.translator.training import train
from tests.translation import letters
from tests.translation.letters import CLOCK, OPTIONS, UNITS


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Untranslated pairs, a test, a core that knows pictures and speech, and a translator of pictures."""
    folder = tmp_path_factory.mktemp("captions")
    pairs = letters.write(folder, "pairs", 300, colors=2, shapes=2, text=None)
    test = letters.write(folder, "test", 40, seed=1, colors=2, shapes=2)
    captions = letters.write(folder, "captions", 150, seed=2, colors=2, shapes=2, units=None)
    (folder / "encode.json").write_text(json.dumps({"num_clusters": letters.COUNT, "fingerprint": "f"}))
    core = Ground(
        train_manifest=pairs,
        output_dir=folder / "core",
        embedding_dim=32,
        units=UNITS,
        image=ImageNetwork(width=16, heads=2, layers=1, stem="convolutions"),
        data=Pairs(batch_size=30),
    )
    ground(replace(core, training=replace(CLOCK, epochs=12, monitor="val/recall", mode="max")))
    seeing = replace(OPTIONS, semantic_model=folder / "core", pivot=Pivot(captions=captions))
    train(replace(seeing, output_dir=folder / "pivot", training=replace(CLOCK, epochs=20)))
    return folder, pairs, test


def translator(pairs, test, folder):
    clock = replace(CLOCK, epochs=15)
    train(replace(OPTIONS, train_manifest=pairs, semantic_model=None, output_dir=folder / "t", training=clock))
    evaluate(Evaluate(str(folder / "t"), test, json=folder / "n.json", resamples=50))
    return json.loads((folder / "n.json").read_text())["bleu"]


def test_what_pictures_show_teaches_what_speech_means(world, tmp_path, capsys):
    folder, pairs, test = world
    assert caption(Caption(folder / "pivot", pairs, tmp_path / "told")) == 0
    told = tmp_path / "told" / "pairs.jsonl"
    assert f"{told}: 300 rows with what their pictures show\n" in capsys.readouterr().out
    assert (tmp_path / "told" / "encode.json").read_bytes() == (folder / "encode.json").read_bytes()
    before, after = letters.rows(pairs), letters.rows(told)
    assert [row["units"] for row in after] == [row["units"] for row in before]
    heard = translator(told, test, tmp_path)
    texts = [row["text"] for row in after]
    random.Random(0).shuffle(texts)
    other = tmp_path / "control" / "pairs.jsonl"
    other.parent.mkdir()
    other.write_text(told.read_text())
    letters.rewrite(other, lambda n, row: row | {"text": texts[n]})
    control = translator(other, test, other.parent)
    assert heard > control + 10, (heard, control)


def test_what_is_there_is_kept_and_what_cannot_be_seen_is_left_out(world, tmp_path, capsys):
    folder, pairs, _ = world
    some = folder / "some.jsonl"
    some.write_text("".join(pairs.read_text().splitlines(keepends=True)[:5]))
    (folder / "broken.png").write_bytes(b"no picture")
    changes = ({"text": "a true sentence ."}, {"image": None}, {"image": "broken.png"}, {"image": "none.png"}, {})
    letters.rewrite(some, lambda n, row: {k: v for k, v in (row | changes[n]).items() if v is not None})
    options = Caption(folder / "pivot", some, tmp_path / "told", batch_size=2)
    assert caption(options) == 2
    said = capsys.readouterr()
    rows = letters.rows(tmp_path / "told" / "some.jsonl")
    assert [row["id"] for row in rows] == ["pairs0000", "pairs0004"]
    assert rows[0]["text"] == "a true sentence ."
    assert (tmp_path / "told" / rows[1]["image"]).resolve() == folder / "pairs0004.png"
    assert "1 rows with what their pictures show, 1 kept the text that they had, 3 left out" in said.out
    for name in ("pairs0001: the row has no image", "broken.png", "none.png"):
        assert name in said.err
    with pytest.raises(DataError, match="exists already"):
        caption(options)
    assert caption(replace(options, force=True)) == 2


def test_what_cannot_be_done_is_said_before_anything_is_written(world, tmp_path):
    folder, pairs, _ = world
    with pytest.raises(ConfigError, match="where the manifest lies"):
        caption(Caption(folder / "pivot", pairs, folder, force=True))
    with pytest.raises(ModelError, match="expected a translator, found a model of the stage ground"):
        caption(Caption(folder / "core", pairs, tmp_path / "told"))
    few = replace(OPTIONS, train_manifest=letters.write(folder, "few", 6), training=replace(CLOCK, max_steps=1))
    train(replace(few, output_dir=tmp_path / "speech"))
    with pytest.raises(ModelError, match="a translator of speech, which cannot see"):
        caption(Caption(tmp_path / "speech", pairs, tmp_path / "told"))
    with pytest.raises(ModelError, match="found a translator of pictures"):
        train(replace(few, base=str(folder / "pivot"), output_dir=tmp_path / "tuned"))
    seeing = replace(few, semantic_model=folder / "core", pivot=Pivot(captions=folder / "captions.jsonl"))
    tuned = replace(few.training, continue_from=str(folder / "pivot"), finetune=True)
    with pytest.raises(ConfigError, match="base: a translator of speech to begin with, and captions"):
        train(replace(seeing, output_dir=tmp_path / "tuned", training=tuned))
    assert not (tmp_path / "tuned").exists()
    assert not (tmp_path / "told").exists()
    blind = letters.write(folder, "blind", 3, image=None, text=None)
    with pytest.raises(DataError, match=r"no row without a text could be given words: blind0000"):
        caption(Caption(folder / "pivot", blind, tmp_path / "told"))
    assert not list((tmp_path / "told").iterdir())
