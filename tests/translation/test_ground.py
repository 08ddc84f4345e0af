"""Grounding: it learns what is said, a control does not, and what it made is opened again."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from onsei.errors import ConfigError, DataError, ModelError, RunError
from onsei.systems.translation.config import Evaluate, Ground
from onsei.systems.translation.config.ground import (
    GroundOptimizer,
    ImageNetwork,
    Pairs,
    Study,
    UnitAugment,
    UnitNetwork,
)
from onsei.systems.translation.evaluation import evaluate
from onsei.systems.translation.ground.core import Core
from onsei.systems.translation.ground.training import ground
from onsei.training.options import Training
from tests.translation import letters

CLOCK = Training(epochs=20, monitor="val/recall", mode="max", schedule="cosine", device="cpu", silent=True, threads=1)
OPTIONS = Ground(
    embedding_dim=24,
    units=UnitNetwork(width=24, heads=2, layers=0, convolutions=0, dropout=0.0),
    image=ImageNetwork(width=24, heads=2, layers=1),
    data=Pairs(batch_size=25),
    augment=UnitAugment(0.0, 0.0),
    optimization=GroundOptimizer(learning_rate=4e-3),
    training=CLOCK,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    return letters.write(folder, "train", 150, shapes=1), letters.write(folder, "val", 40, seed=1, shapes=1)


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("core") / "core"
    options = replace(OPTIONS, train_manifest=corpus[0], val_manifest=corpus[1], output_dir=folder)
    return folder, ground(options), options


def short(options, folder, **changes):
    changes = {"schedule": "constant"} | changes
    return replace(options, output_dir=folder, training=replace(options.training, epochs=1, **changes))


def test_it_finds_pictures_and_shuffled_pairs_do_not(trained, corpus, tmp_path):
    folder, _, options = trained
    evaluate(Evaluate(str(folder), corpus[1], json=tmp_path / "true.json", draws=200))
    true = json.loads((tmp_path / "true.json").read_text())
    assert true["s2i_r10"] > 1.6 * true["s2i_r10_chance"]
    assert true["s2i_r10_p"] < 0.01
    assert abs(true["s2i_r10_shuffled"] - true["s2i_r10_chance"]) < 5
    rows = letters.rows(corpus[0])
    order = np.random.default_rng(0).permutation(len(rows))
    wrong = corpus[0].with_name("wrong.jsonl")
    wrong.write_text("".join(json.dumps(row | {"units": rows[k]["units"]}) + "\n"
                             for row, k in zip(rows, order, strict=True)))  # fmt: skip
    control = ground(replace(options, train_manifest=wrong, output_dir=tmp_path / "control",
                             training=replace(CLOCK, epochs=8)))  # fmt: skip
    assert control.best < 0.75 * trained[1].best


def test_it_learns_in_16_bits(trained, tmp_path):
    result = ground(short(trained[2], tmp_path / "run", max_steps=2, precision="bf16"))
    assert math.isfinite(result.best)


def test_an_opened_core_gives_vectors_alone_as_together(trained, corpus):
    core = Core.load(trained[0], "cpu")
    rows = letters.rows(corpus[1])[:9]
    together = core.speech([row["units"] for row in rows])
    alone = np.concatenate([core.speech([row["units"]]) for row in rows])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert core.network.speech_mean.norm() > 0.05
    assert core.fingerprint() == Core.load(trained[0], "cpu").fingerprint()


@pytest.mark.parametrize(("matrix_rate", "alike"), [(0.0, 0), (1e-2, 0), (0.0, 5)])
def test_a_run_that_was_stopped_ends_as_the_straight_one(trained, tmp_path, matrix_rate, alike):
    options = replace(
        trained[2], optimization=GroundOptimizer(4e-3, matrix_rate), data=Pairs(batch_size=25, alike=alike)
    )
    ground(short(options, tmp_path / "straight", max_steps=4))
    ground(short(options, tmp_path / "halves", max_steps=2))
    ground(short(options, tmp_path / "halves", max_steps=4, continue_from=str(tmp_path / "halves")))
    lines = [(tmp_path / name / "metrics.jsonl").read_text().splitlines()[-1] for name in ("straight", "halves")]
    one, other = (json.loads(line) for line in lines)
    assert one["val/loss"] == other["val/loss"]


def test_without_validation_pictures_are_held_out(trained, tmp_path, capsys):
    ground(replace(short(trained[2], tmp_path / "run", max_steps=1), val_manifest=None, val_share=0.2))
    assert "120 pairs to learn from, 30 to choose by" in capsys.readouterr().out


def test_pictures_of_training_in_validation_are_refused(trained, corpus, tmp_path):
    with pytest.raises(DataError, match="150 pictures are in the training pairs too"):
        ground(replace(short(trained[2], tmp_path / "run"), val_manifest=corpus[0]))


@pytest.mark.parametrize("alike", [0, 5])
def test_what_cannot_be_used_is_left_out_and_told(trained, corpus, tmp_path, capsys, alike):
    path = corpus[0].with_name("faulty.jsonl")
    (corpus[0].parent / "broken.png").write_bytes(b"no picture")
    path.write_text(corpus[0].read_text())

    def change(n, row):
        if n == 0:
            return row | {"image": "broken.png"}
        if n == 1:
            return row | {"units": []}
        return {k: v for k, v in row.items() if k != "image"} if n == 2 else row

    letters.rewrite(path, change)
    data = Pairs(batch_size=25, alike=alike)
    ground(replace(short(trained[2], tmp_path / "run"), train_manifest=path, data=data))
    assert "1 without image" in capsys.readouterr().out
    reasons = (tmp_path / "run" / "quarantine.jsonl").read_text()
    assert "no units" in reasons
    assert "no picture of a known format" in reasons
    assert "the row has no image" in reasons


def test_what_is_missing_is_said_before_anything_is_written(corpus, tmp_path):
    with pytest.raises(ConfigError, match="output_dir"):
        ground(OPTIONS)
    with pytest.raises(ConfigError, match="train_manifest"):
        ground(replace(OPTIONS, output_dir=tmp_path / "run"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="none of"):
        ground(replace(OPTIONS, output_dir=tmp_path / "run", train_manifest=tmp_path / "empty"))
    with pytest.raises(ConfigError, match="multiples of 8"):
        ground(replace(OPTIONS, output_dir=tmp_path / "run", train_manifest=corpus[0], image=ImageNetwork(size=60)))
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_an_occupied_folder_is_refused(trained):
    with pytest.raises(RunError, match="continue-from"):
        ground(trained[2])


def test_a_core_is_no_translator_and_says_so(trained, corpus, tmp_path):
    from onsei.systems.translation.translator.inference import UnitTranslator

    with pytest.raises(ModelError, match="expected a translator"):
        UnitTranslator.load(trained[0])


def test_a_search_chooses_and_is_resumed(trained, tmp_path):
    study = Study(trials=2, trial_epochs=1, embedding_dims=(8, 16), batch_sizes=(25, 50), widths=(8,), only=True)
    options = replace(short(trained[2], tmp_path / "search", max_steps=2), study=study)
    assert ground(options) is None
    best = json.loads((tmp_path / "search" / "best_params.json").read_text())
    assert set(best) == {"learning_rate", "embedding_dim", "batch_size", "width"}
    assert list((tmp_path / "search" / "trials").iterdir()) == []
    ground(replace(options, study=replace(study, trials=3)))
    best = json.loads((tmp_path / "search" / "best_params.json").read_text())
    with pytest.raises(ConfigError, match="gallery"):
        ground(replace(options, data=replace(options.data, gallery=7), study=replace(study, trials=4)))
    taken = replace(
        short(trained[2], tmp_path / "after", max_steps=1), params_path=tmp_path / "search" / "best_params.json"
    )
    ground(taken)
    assert Core.load(tmp_path / "after", "cpu").size == best["embedding_dim"]


@pytest.mark.parametrize(
    ("content", "told"), [("[]", "expected an object"), ("{", "not JSON"), ('{"a": 1}', "no option")]
)
def test_parameters_that_are_none_are_named(trained, tmp_path, content, told):
    (tmp_path / "best.json").write_text(content)
    with pytest.raises(ConfigError, match=told):
        ground(replace(short(trained[2], tmp_path / "run"), params_path=tmp_path / "best.json"))


def test_parameters_of_the_original_are_read(trained, tmp_path):
    (tmp_path / "best.json").write_text('{"lr": 0.002, "embedding_dim": 16, "batch_size": 10}')
    ground(replace(short(trained[2], tmp_path / "run", max_steps=1), params_path=tmp_path / "best.json"))
    assert "learning_rate: 0.002" in (tmp_path / "run" / "config.yaml").read_text()
