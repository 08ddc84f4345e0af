"""Pretraining: pieces that lose nothing, warnings, refusals, and folders that transformers opens."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, Wav2Vec2ForPreTraining

from onsei import cli, config
from onsei.audio import io
from onsei.data import manifest
from onsei.data.loader import Draw
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.errors import ConfigError, DataError
from onsei.hub import store
from onsei.systems.translation.acoustic.listener import Listener
from onsei.systems.translation.config.pretrain import Network, Pretrain, Task
from onsei.systems.translation.data.example import options_for
from onsei.systems.translation.data.pieces import Hearing, Piece, Pieces, _table, collate
from onsei.systems.translation.pretrain.build import planned, rebuilt
from onsei.systems.translation.pretrain.learner import Pretraining
from onsei.systems.translation.pretrain.training import pretrain, taught, told
from onsei.units.pretraining import Outcome
from onsei.units.spectral import RATE
from tests.translation.conftest import QUIET, tones
from tests.units.encoders import shape, write_encoder, write_preprocessor

CODES = {"num_codevectors_per_group": 8, "codevector_dim": 16, "proj_codevector_dim": 12}
USUAL = {"conv_kernel": (10, 3, 3, 3, 3, 2, 2), "conv_stride": (5, 2, 2, 2, 2, 2, 2), "conv_dim": (8,) * 7}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.05, 200), min_size=1, max_size=20), st.floats(1, 20))
def test_pieces_cover_every_second(seconds, longest):
    durations = np.array(seconds, np.float32)
    table, lengths = _table(np.arange(len(durations)), durations, longest)
    assert (lengths <= longest * 1.001).all()
    for row, whole in enumerate(durations):
        mine = table[0] == row
        assert lengths[mine].sum() == pytest.approx(whole, rel=1e-4)
        assert table[1][mine].tolist() == list(range(mine.sum()))
        assert (table[2][mine] == mine.sum()).all()


def test_pieces_of_a_long_file_are_its_sound(tmp_path):
    samples = np.linspace(-0.9, 0.9, 5 * RATE).astype(np.float32)
    io.save(tmp_path / "long.wav", samples, RATE, coding="FLOAT")
    io.save(tmp_path / "short.wav", samples[: RATE // 5], RATE)
    rows = [Row("long", tmp_path / "long.wav"), Row("short", tmp_path / "short.wav", 0.2)]
    manifest.write(tmp_path / "m.jsonl", rows)
    pieces = Pieces(Manifest.open(tmp_path / "m.jsonl"), longest=2.0, shortest=0.5)
    assert (len(pieces), pieces.left_out) == (3, 1)
    heard = [Hearing(False)(pieces[n], Draw(0, 0, "")).samples for n in range(3)]
    assert np.concatenate(heard) == pytest.approx(samples, abs=1e-6)
    assert [pieces[n].id for n in range(3)] == ["long#0", "long#1", "long#2"]
    with pytest.raises(DataError, match="no recording of 9 s"):
        Pieces(Manifest.open(tmp_path / "m.jsonl"), longest=10, shortest=9)


def test_a_batch_is_cut_to_its_shortest_piece_at_the_drawn_place():
    long = np.arange(100, dtype=np.float32)
    batch = collate([Piece("a", long, 1.0), Piece("b", long[:60], 0.3), Piece("c", long, 0.0)], [])
    assert batch.samples.shape == (3, 60)
    assert batch.samples[:, 0].tolist() == [40, 0, 0]


def test_silence_and_dust_are_quarantined_and_the_run_goes_on(corpus, tmp_path):
    rows = list(Manifest.open(corpus / "train.jsonl"))[:8]
    io.save(tmp_path / "silent.wav", np.zeros(RATE, np.float32), RATE)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    rows += [Row("silent", tmp_path / "silent.wav", 1.0), Row("broken", tmp_path / "broken.wav", 1.0)]
    manifest.write(tmp_path / "m.jsonl", rows)
    options = replace(options_for(corpus, "", tmp_path / "run"), train_manifest=tmp_path / "m.jsonl", training=QUIET)
    assert pretrain(options).quarantined == 2
    reasons = (tmp_path / "run" / "quarantine.jsonl").read_text(encoding="utf-8")
    assert "silent" in reasons


def test_little_sound_and_one_voice_are_told(tmp_path):
    path = tones(tmp_path, "one", 3, speakers=("ana",))
    pieces = Pieces(Manifest.open(path), longest=10)
    lines = list(told(pieces, Pretrain(path, tmp_path / "run")))
    assert "1 speaker" in lines[0]
    assert any("10 h or more" in line for line in lines)
    assert any("one speaker (ana)" in line for line in lines)


def test_the_time_is_told_first_on_a_cpu(corpus, tmp_path, capsys):
    options = options_for(corpus, "", tmp_path / "run")
    pretrain(replace(options, training=replace(QUIET, silent=False)))
    assert "this CPU learns" in capsys.readouterr().out


def test_a_folder_of_sounds_will_do(corpus, tmp_path):
    folder = tmp_path / "sounds"
    for number in range(4):
        (folder / "deep").mkdir(parents=True, exist_ok=True)
        (folder / "deep" / f"{number}.wav").write_bytes((corpus / f"train-{number}.wav").read_bytes())
    options = replace(options_for(corpus, "", tmp_path / "run"), train_manifest=folder, val_manifest=None)
    pretrain(replace(options, training=QUIET))
    assert len(Manifest.open(tmp_path / "run" / "recordings.jsonl")) == 4


def test_collapse_is_told_and_never_the_best(capsys):
    few, many = torch.tensor(2.0), torch.tensor(9.0)
    model = torch.nn.Linear(1, 1)
    learner = Pretraining.__new__(Pretraining)
    learner.modules, learner.task, learner._below, learner.collapsed = {"model": model}, Task(), 0, False
    loss = torch.tensor(0.1)
    for perplexity in (many, *[few] * 50):
        learner._watch(Outcome(loss, loss, loss, perplexity, 32, loss))
    assert "collapse: for 50 steps" in capsys.readouterr().err
    scores = {}
    for name, perplexity, value in (("dead", few, 0.1), ("alive", many, 4.0)):
        learner._outcome = lambda batch, p=perplexity, v=value: Outcome(loss, torch.tensor(v), loss, p, 32, loss)
        scores[name] = learner.check(SimpleNamespace(size=2), None)["score"][0]
    assert scores["alive"] < scores["dead"]


def test_the_temperature_falls_to_its_end():
    learner = Pretraining.__new__(Pretraining)
    learner.task = Task(gumbel_start=2.0, gumbel_end=0.5, gumbel_decay=0.99)
    assert [learner.temperature(step) for step in (0, 1, 10_000)] == pytest.approx([2.0, 1.98, 0.5])


def wave_options(corpus, folder, **network):
    options = options_for(corpus, "", folder)
    own = replace(options.network, frontend="wave", conv_dim=8, layers=1, **network)
    task = Task(num_negatives=5, mask_time_prob=0.5, mask_time_length=5)
    return replace(options, network=own, task=task, training=replace(QUIET, max_steps=1, monitor="val/score"))


def test_a_network_over_samples_opens_in_transformers(corpus, tmp_path):
    pretrain(wave_options(corpus, tmp_path / "run"))
    whole, report = Wav2Vec2ForPreTraining.from_pretrained(tmp_path / "run", output_loading_info=True)
    assert not report["missing_keys"]
    assert AutoModel.from_pretrained(tmp_path / "run").config.hidden_size == 32
    preprocessor = json.loads((tmp_path / "run" / "preprocessor_config.json").read_text(encoding="utf-8"))
    assert preprocessor["sampling_rate"] == RATE
    from onsei.hub import store

    ours, _ = rebuilt(store.open(tmp_path / "run"))
    x = torch.randn(1, 8000)
    with torch.no_grad():
        assert torch.allclose(ours.wav2vec2(x).last_hidden_state, whole.eval().wav2vec2(x).last_hidden_state, atol=1e-5)


@pytest.mark.parametrize("objective", ["contrastive", "masked-units"])
def test_it_goes_on_from_an_encoder_of_transformers(corpus, tmp_path, objective, capsys):
    base = write_encoder(tmp_path / "base", "wav2vec2-group", **CODES, **USUAL)
    options = wave_options(corpus, tmp_path / "run", base_model=str(base))
    task = replace(options.task, objective=objective, clusters=4)
    options = replace(options, task=task, optimization=replace(options.optimization, learning_rate=1e-9))
    pretrain(options)
    told_random = "start at random" in capsys.readouterr().out
    assert told_random == (objective == "contrastive")
    before, after = AutoModel.from_pretrained(base), AutoModel.from_pretrained(tmp_path / "run")
    name = "encoder.layers.0.attention.k_proj.weight"
    assert torch.allclose(before.get_parameter(name), after.get_parameter(name), atol=1e-6)


def test_a_hubert_has_no_quantizer(tmp_path):
    base = write_encoder(tmp_path / "base", "hubert-layer")
    with pytest.raises(ConfigError, match="masked-units"):
        planned(Network(base_model=str(base)), Task())
    with pytest.raises(ConfigError, match="every 320 samples"):
        planned(Network(base_model=str(base)), Task(objective="masked-units"))
    usual = write_encoder(tmp_path / "usual", "hubert-layer", **USUAL)
    assert planned(Network(base_model=str(usual)), Task(objective="masked-units")).origin is not None


def test_encoders_of_another_rate_and_uneven_heads_are_refused(tmp_path):
    base = write_encoder(tmp_path / "base", "wav2vec2-layer", **CODES)
    write_preprocessor(base, 8000)
    with pytest.raises(ConfigError, match="8000 Hz"):
        planned(Network(base_model=str(base)), Task())
    with pytest.raises(ConfigError, match="heads"):
        planned(Network(hidden_size=30, heads=4), Task())


def test_the_shape_alone_may_be_taken(tmp_path):
    config_file = shape("wav2vec2-layer", **CODES)
    (tmp_path / "shape").mkdir()
    config_file.save_pretrained(tmp_path / "shape")
    plan = planned(Network(base_model=str(tmp_path / "shape"), from_scratch=True), Task())
    assert plan.origin is None
    assert plan.config.hidden_size == 32


def test_recordings_to_learn_from_must_be_two(tmp_path):
    path = tones(tmp_path, "one", 1)
    with pytest.raises(DataError, match="one recording"):
        pretrain(replace(options_for(tmp_path, "", tmp_path / "run"), train_manifest=path, val_manifest=None))


def test_the_originals_flags_are_read(tmp_path):
    words = ["--base_model", "facebook/wav2vec2-base", "--data_dir", "sounds", "--output_dir", "models/aud_base_model"]
    words += ["--num_train_epochs", "10", "--learning_rate", "1e-5", "--per_device_train_batch_size", "4"]
    default = cli._recipe(Pretrain, [], "translation", "pretrain")[0]
    options = config.parse_flags(Pretrain, words, prog="x", default=default)
    assert options.network.base_model == "facebook/wav2vec2-base"
    assert str(options.train_manifest) == "sounds"
    assert (options.training.epochs, options.optimization.learning_rate, options.data.batch_size) == (10, 1e-5, 4)


def test_a_second_round_names_the_units_of_the_first(corpus, layer_model, tmp_path):
    options = options_for(corpus, "", tmp_path / "run")
    task = replace(options.task, clusters=3, targets=str(layer_model))
    options = replace(options, task=task, training=replace(QUIET, monitor="val/score"))
    pretrain(options)
    saved = store.open(tmp_path / "run")
    listener = Listener.load(layer_model, "cpu")
    assert saved.config["task"]["clusters"] == listener.count
    assert not any("quantizer" in name for name in saved.weights())
    samples = torch.from_numpy(Hearing(False)(Manifest.open(corpus / "val.jsonl")[0], Draw(0, 0, "")).samples)[None]
    units = listener.batch([samples[0].numpy()])[0]
    teacher, _ = taught(options, planned(options.network, options.task))
    assert teacher(samples)[0].tolist() == units.tolist()
    assert Listener.load(tmp_path / "run", "cpu").count == listener.count
    with pytest.raises(ConfigError, match="nothing is named"):
        pretrain(replace(options, task=replace(task, objective="contrastive"), output_dir=tmp_path / "other"))
