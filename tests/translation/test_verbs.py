"""From sound to sentences on the command line: each original script's way, and all stages in one run."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import onsei
from onsei import cli
from onsei.audio import io
from onsei.errors import ConfigError, DataError, ModelError
from onsei.systems.translation.config import Request, Run
from onsei.systems.translation.run import run
from onsei.systems.translation.translator.inference import UnitTranslator
from tests.translation import letters
from tests.translation.conftest import tones

RECIPE = """
pretrain:
  network: {hidden_size: 16, layers: 1, heads: 2, intermediate_size: 16, codevectors: 8, codevector_dim: 8}
  task: {num_negatives: 5}
  data: {crop_seconds: 0.6, batch_size: 8}
  training: {max_steps: 2, monitor: val/score, device: cpu, silent: true, estimate_memory: false}
fit_units:
  units: {num_clusters: 8}
  training: {epochs: 1, device: cpu, silent: true, estimate_memory: false}
ground:
  embedding_dim: 8
  units: {width: 8, heads: 2, layers: 0}
  image: {width: 8, heads: 2, layers: 0}
  training: {max_steps: 2, monitor: val/recall, mode: max, device: cpu, silent: true, estimate_memory: false}
train:
  val_share: 0
  decoder: {width: 8, layers: 1, heads: 2, longest: 8}
  training: {max_steps: 2, device: cpu, silent: true, estimate_memory: false}
"""
"""A pipeline of seconds: it shows that the parts fit, not that they learn."""
COLORS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    rows = letters.rows(tones(folder, "unlabeled", 24))
    (folder / "images").mkdir()
    for number, row in enumerate(rows):
        Image.new("RGB", (64, 64), (10 * number, 99, 200 - 8 * number)).save(folder / "images" / f"{row['id']}.png")
        row |= {"image": f"images/{row['id']}.png", "text": f"a {COLORS[number % 3]} thing ."}
    for name, part in (("pairs", rows[:16]), ("parallel", rows[:10]), ("unseen", rows[18:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
    for kind in ("audio", "text"):
        (folder / "parallel_pairs" / kind).mkdir(parents=True)
    for row in rows[:6]:
        shutil.copyfile(folder / row["audio"], folder / "parallel_pairs" / "audio" / f"{row['id']}.wav")
        (folder / "parallel_pairs" / "text" / f"{row['id']}.txt").write_text(row["text"])
    return folder


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "small.yaml").write_text(RECIPE)
    options = Run(recipe=str(folder / "small.yaml"), output_dir=folder / "out", data_dir=data)
    run(options)
    return options


def models(options):
    return options.output_dir / "models"


def done(capsys):
    """What became of each stage."""
    lines = [line.removeprefix("── ") for line in capsys.readouterr().out.splitlines() if line.startswith("── ")]
    return dict(line.split(" (")[0].rsplit(": ", 1) for line in lines if ": " in line)


def test_a_run_makes_all_models_under_the_originals_names(whole):
    for name in ("aud_base_model", "acoustic_unit_model", "semantic_core_model", "final_translator_model"):
        assert (models(whole) / name / "onsei.json").is_file()
    results = {path.stem for path in (whole.output_dir / "results").iterdir()}
    assert results == {"unseen-retrieval", "unseen-translation"}
    numbers = json.loads((whole.output_dir / "results" / "unseen-translation.json").read_text())
    assert {"bleu", "bleu_shuffled", "bleu_zeroed", "bleu_constant"} <= set(numbers)


def test_what_is_unchanged_is_skipped_and_what_changed_is_done_again(whole, data, capsys, tmp_path):
    run(whole)
    first = done(capsys)
    assert set(first.values()) == {"skip"}
    assert len(first) == 9
    copy = tmp_path / "out"
    shutil.copytree(whole.output_dir, copy)
    recipe = tmp_path / "other.yaml"
    recipe.write_text(RECIPE.replace("longest: 8", "longest: 9"))
    run(replace(whole, output_dir=copy, recipe=str(recipe), dry_run=True))
    planned = done(capsys)
    assert [name for name, todo in planned.items() if todo == "run"] == ["train"]
    run(replace(whole, output_dir=copy, recipe=str(recipe)))
    again = done(capsys)
    assert [name for name, todo in again.items() if todo == "run"] == ["train", "evaluate unseen translation"]
    assert (copy / "models" / "final_translator_model.old1" / "onsei.json").is_file()


def test_a_stopped_stage_goes_on_where_it_was(whole, capsys, tmp_path):
    copy = tmp_path / "out"
    shutil.copytree(whole.output_dir, copy)
    core = copy / "models" / "semantic_core_model"
    state = json.loads((copy / "run.json").read_text())
    state["ground"]["whole"] = False
    (copy / "run.json").write_text(json.dumps(state))
    (core / "onsei.json").unlink()
    run(replace(whole, output_dir=copy, last="ground"))
    assert done(capsys)["ground"] == "resume"
    assert (core / "onsei.json").is_file()


def test_data_and_recipes_that_are_missing_are_named(whole, tmp_path):
    with pytest.raises(DataError, match=r"unlabeled\.jsonl, pairs\.jsonl, parallel\.jsonl missing"):
        run(replace(whole, data_dir=tmp_path))
    with pytest.raises(ConfigError, match="no recipe"):
        run(replace(whole, recipe="none"))


def test_a_translator_hears_sound_wherever_it_is_carried(whole, data, tmp_path, capsys):
    away = tmp_path / "away"
    shutil.copytree(models(whole) / "final_translator_model", away)
    audio = data / "unlabeled-20.wav"
    answer = onsei.load(away, device="cpu")(Request(audio, n_best=2))
    assert len(answer.candidates) == 2
    assert answer.text == answer.candidates[0].text
    mixed = [Request(audio, n_best=n) for n in (2, 6, 1)]
    together = onsei.load(away, device="cpu").batch(mixed)
    assert [len(one.candidates) for one in together] == [2, 6, 1]
    assert together[0] == answer
    assert answer.units
    assert cli.main(["translation", "translate", str(away), str(audio), "--format", "json", "--n-best", "2"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["text"], tuple(told["units"])) == (answer.text, answer.units)
    assert [one["text"] for one in told["candidates"]] == [one.text for one in answer.candidates]


def test_folders_attention_and_units(whole, data, tmp_path, capsys):
    model = str(models(whole) / "final_translator_model")
    (tmp_path / "in").mkdir()
    for number in (1, 2):
        shutil.copyfile(data / f"unlabeled-{number}.wav", tmp_path / "in" / f"{number}.wav")
    (tmp_path / "in" / "3.wav").write_bytes(b"no sound")
    words = ["--attention", str(tmp_path / "a.png"), "--show-units", "--output", str(tmp_path / "out.txt")]
    assert cli.main(["translation", "translate", model, str(tmp_path / "in"), *words]) == 2
    told = capsys.readouterr()
    assert "3.wav" in told.err
    lines = (tmp_path / "out.txt").read_text().splitlines()
    assert [line.split("\t")[0].rsplit("/", 1)[-1] for line in lines] == ["1.wav", "1.wav", "2.wav", "2.wav"]
    assert "units: " in lines[1]
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert cli.main(["translation", "translate", model, str(tmp_path / "in"), *words]) == 2
    assert "exists already" in capsys.readouterr().err


def test_sounds_find_pictures(whole, data, tmp_path, capsys):
    core = models(whole) / "semantic_core_model"
    words = [
        "--image-gallery-dir",
        str(data / "images"),
        "--top-k",
        "3",
        "--format",
        "json",
        "--sheet",
        str(tmp_path / "s.png"),
    ]
    assert cli.main(["translation", "retrieve", str(core), str(data / "unlabeled-20.wav"), *words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [image["rank"] for image in told["images"]] == [1, 2, 3]
    assert Image.open(tmp_path / "s.png").height > 100


def test_an_acoustic_model_of_another_training_is_refused(whole, data, tmp_path):
    from onsei.systems.translation.acoustic.training import fit_units
    from tests.translation.conftest import fitting

    fit_units(
        fitting(data.parent / data.name, tmp_path / "units", train_manifest=data / "unlabeled.jsonl", val_manifest=None)
    )
    for verb, model in (("translate", "final_translator_model"), ("retrieve", "semantic_core_model")):
        words = ["translation", verb, str(models(whole) / model), str(data / "unlabeled-20.wav")]
        words += ["--image-gallery-dir", str(data / "images")] if verb == "retrieve" else []
        assert cli.main([*words, "--acoustic-model", str(tmp_path / "units")]) == 2


@pytest.mark.parametrize("seconds", [0.01, 0.2, 45.0])
def test_silence_of_any_length_is_translated(whole, tmp_path, capsys, seconds):
    io.save(tmp_path / "still.wav", np.zeros(int(16000 * seconds), np.float32), 16000)
    model = str(models(whole) / "final_translator_model")
    assert cli.main(["translation", "translate", model, str(tmp_path / "still.wav"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["units"]


def test_models_of_other_stages_are_refused(whole):
    with pytest.raises(ModelError, match="expected a translator"):
        UnitTranslator.load(models(whole) / "acoustic_unit_model")
    words = ["--test-manifest", str(whole.output_dir / "data/multimodal_preprocessed/pairs/units.jsonl")]
    assert cli.main(["translation", "evaluate", str(models(whole) / "acoustic_unit_model"), *words]) == 2


def test_the_originals_parallel_folder_is_encoded_and_learned_from(whole, data, tmp_path, capsys):
    (data / "parallel_pairs" / "text" / "lonely.txt").write_text("nobody said this .")
    recipe = tmp_path / "r.yaml"
    recipe.write_text(RECIPE)
    words = ["--parallel_data_dir", str(data / "parallel_pairs"), "--output_dir", str(tmp_path / "t")]
    words += ["--acoustic_model_path", str(models(whole) / "acoustic_unit_model")]
    assert cli.main(["translation", "train", str(recipe), *words]) == 0
    told = capsys.readouterr().out
    assert "1 texts without a sound, such as lonely" in told
    assert "6 translated clips to learn from" in told
    assert cli.main(["translation", "train", str(recipe), *words[:2], "--output_dir", str(tmp_path / "u")]) == 2
    assert "--acoustic-model" in capsys.readouterr().err


def test_a_stage_that_wants_more_threads_has_a_process_of_its_own(whole, tmp_path, capfd):
    copy = tmp_path / "out"
    shutil.copytree(whole.output_dir, copy)
    shutil.rmtree(copy / "models" / "semantic_core_model")
    recipe = tmp_path / "threads.yaml"
    many = torch.get_num_threads() + 1
    recipe.write_text(RECIPE.replace("mode: max,", f"mode: max, threads: {many},"))
    run(replace(whole, output_dir=copy, recipe=str(recipe), last="ground"))
    assert "ground: run (stopped before its end)" in capfd.readouterr().out
    assert (copy / "models" / "semantic_core_model" / "onsei.json").is_file()
    assert torch.get_num_threads() == many - 1


def test_data_as_prepare_names_it_is_taken(whole, data, tmp_path, capsys):
    for name in ("pairs", "parallel", "unseen"):
        text = (data / f"{name}.jsonl").read_text()
        rows = [json.loads(line) for line in text.splitlines()]
        for row in rows:
            row |= {key: str(data / row[key]) for key in ("audio", "image")}
        text = "".join(json.dumps(row) + "\n" for row in rows)
        for target in (f"{name}_train", f"{name}_test") if name != "unseen" else ("parallel_val",):
            (tmp_path / f"{target}.jsonl").write_text(text)
    shutil.copyfile(data / "unlabeled.jsonl", tmp_path / "unlabeled.jsonl")
    run(replace(whole, data_dir=tmp_path, output_dir=tmp_path / "out", dry_run=True))
    assert list(done(capsys)) == [
        *("pretrain", "fit-units", "encode pairs", "encode parallel", "encode parallel_val", "encode pairs_test"),
        *("encode parallel_test", "ground", "train", "evaluate pairs_test retrieval"),
        "evaluate parallel_test translation",
    ]
