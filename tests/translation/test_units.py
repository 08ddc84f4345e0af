"""Units: found, measured, heard in any length of sound; what does not fit is refused."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import onsei
from onsei.audio import io
from onsei.data.manifest import Manifest
from onsei.errors import ConfigError, DataError, ModelError
from onsei.hub import weights
from onsei.metrics.units import collapsed
from onsei.nn.frames import Frames
from onsei.systems.translation.acoustic import listener as listening
from onsei.systems.translation.acoustic.listener import Listener, windows
from onsei.systems.translation.acoustic.shards import Share
from onsei.systems.translation.acoustic.study import description
from onsei.systems.translation.acoustic.training import fit_units
from onsei.systems.translation.config import Request
from onsei.systems.translation.config.units import Features, Units
from onsei.units import kmeans
from onsei.units.spectral import FRAMES, RATE
from tests.translation.conftest import QUIET, fitting
from tests.units.encoders import write_encoder


def test_units_of_tones_are_the_tones(unit_model):
    found = json.loads((unit_model / "quality.json").read_text(encoding="utf-8"))
    assert found["pnmi"] > 0.8
    assert found["phone_purity"] > 0.85
    assert found["abx"] < 10
    assert 3 <= found["rate"] <= 8  # four tones in 0.8 to 1.6 s
    assert found["frames"] > 200
    assert (unit_model / "units.png").read_bytes()[:4] == b"\x89PNG"


def test_units_of_a_layer_are_heard(layer_model, corpus):
    answer = onsei.load(layer_model, device="cpu")(Request(corpus / "val-0.wav"))
    assert answer.frame_seconds == 0.02
    assert sum(answer.frames) == FRAMES.count(round(answer.duration * RATE))
    assert (np.diff(answer.units) != 0).all()


def test_a_model_folder_holds_no_pickle_and_knows_its_base(layer_model, base_model):
    facts = json.loads((layer_model / "onsei.json").read_text(encoding="utf-8"))
    assert facts["config"]["base"]["fingerprint"] == weights.fingerprint(base_model / "model.safetensors")
    assert not [p for p in layer_model.rglob("*") if p.suffix in {".pkl", ".pt", ".joblib", ".bin"}]
    assert "model.safetensors" in {p.name for p in layer_model.iterdir()}


def test_the_base_is_frozen(layer_model, base_model):
    ours, theirs = weights.load(layer_model / "model.safetensors"), weights.load(base_model / "model.safetensors")
    name = "wav2vec2.encoder.layers.0.attention.k_proj.weight"
    assert torch.equal(ours[f"acoustic.encoder.{name}"], theirs[name])


def test_a_batch_hears_what_each_alone_would(layer_model, corpus):
    listener = Listener.load(layer_model, "cpu")
    sounds = [io.load(corpus / f"val-{n}.wav", RATE)[0] for n in range(4)]
    together = listener.batch(sounds)
    for sound, units in zip(sounds, together, strict=True):
        assert (listener.batch([sound])[0] == units).all()


def test_smooth_features_are_means_of_neighbors_alone_and_in_a_batch():
    from onsei.systems.translation.acoustic.features import opened

    rough, _ = opened(Features(kind="mfcc"), "")
    smooth, _ = opened(Features(kind="mfcc", smooth=3), "")
    sound = 0.1 * torch.randn(2, 8000, generator=torch.Generator().manual_seed(0))
    sound[1, 5000:] = 0
    lengths = torch.tensor([8000, 5000])
    x, frames = rough(sound, lengths)
    y, _ = smooth(sound, lengths)
    last = int(frames[1]) - 1
    assert torch.allclose(y[:, 1:last], (x[:, : last - 1] + x[:, 1:last] + x[:, 2 : last + 1]) / 3, atol=1e-5)
    assert torch.allclose(y[1, last], (x[1, last - 1] + x[1, last]) / 2, atol=1e-5)
    alone, _ = smooth(sound[1:, :5000], torch.tensor([5000]))
    assert torch.allclose(y[1, : last + 1], alone[0], atol=1e-4)
    with pytest.raises(ConfigError, match="odd"):
        opened(Features(kind="mfcc", smooth=2), "")


def test_an_encoder_of_transformers_is_a_base_too(corpus, tmp_path):
    base = write_encoder(tmp_path / "base", "hubert-group", conv_kernel=(10, 8, 4), conv_stride=(5, 8, 8))
    options = fitting(corpus, tmp_path / "run", features=Features(layer=1), base_model_path=str(base))
    fit_units(options)
    assert Listener.load(tmp_path / "run", "cpu").units(corpus / "val-0.wav")[0].max() < 6


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.integers(1, 9), st.sampled_from([(4, 2), (5, 5), (7, 3)]))
def test_windows_together_are_the_whole(count, parts, shape):
    frames = Frames.unpadded(*[(n,) for n in shape])
    old = listening.WINDOW_SECONDS, listening.AROUND_SECONDS
    listening.WINDOW_SECONDS, listening.AROUND_SECONDS = 12 * shape[1] / RATE, 2 * shape[1] / RATE
    try:
        ramp = np.arange(count, dtype=np.float32)
        places, total, longest = [], 0, 0
        for window, first, last, samples in windows(iter(np.array_split(ramp, parts)), frames):
            heard = [window[n * shape[1]] for n in range(frames.count(len(window)))]  # a frame's first sample
            places += heard[first:last]
            total, longest = total + samples, max(longest, len(window))
    finally:
        listening.WINDOW_SECONDS, listening.AROUND_SECONDS = old
    assert total == count
    assert places == [n * shape[1] for n in range(frames.count(count))]
    assert longest <= 22 * shape[1] + shape[0]


def test_long_files_need_no_more_memory_than_short_ones(unit_model, tmp_path):
    random = np.random.default_rng(0)
    io.save(tmp_path / "long.flac", (0.1 * random.standard_normal(40 * 60 * 800)).astype(np.float32), 800)
    heard = []
    listener = Listener.load(unit_model, "cpu")
    hear = listener._hear

    def watched(samples, lengths):
        heard.append(samples.shape[1])
        return hear(samples, lengths)

    listener._hear = watched
    units, seconds = listener.units(tmp_path / "long.flac")
    assert seconds == pytest.approx(2400, abs=0.1)
    assert len(units) == FRAMES.count(round(seconds * RATE))
    assert max(heard) <= 40 * RATE


@pytest.mark.parametrize("seconds", [0.2, 0.01])
def test_silence_and_dust_have_units(unit_model, tmp_path, seconds):
    io.save(tmp_path / "a.wav", np.zeros(round(seconds * RATE), np.float32), RATE)
    answer = onsei.load(unit_model, device="cpu")(Request(tmp_path / "a.wav"))
    assert len(answer.units) == 1
    assert sum(answer.frames) == FRAMES.count(round(seconds * RATE))


def test_more_units_than_frames_are_refused(corpus, tmp_path):
    with pytest.raises(DataError, match="units of"):
        fit_units(fitting(corpus, tmp_path / "run", units=Units(num_clusters=100_000)))
    assert not (tmp_path / "run" / "onsei.json").exists()


def test_codes_of_the_same_base_are_taken(corpus, unit_model, tmp_path):
    options = fitting(corpus, tmp_path / "run", codebook=unit_model, learning_rate=1e-9)
    fit_units(replace(options, units=replace(options.units, decay=1.0, restart=False)))
    ours, theirs = Listener.load(tmp_path / "run", "cpu"), Listener.load(unit_model, "cpu")
    path = corpus / "val-1.wav"
    assert (ours.units(path)[0] == theirs.units(path)[0]).all()


def test_codes_of_another_base_are_refused(corpus, base_model, unit_model, layer_model, tmp_path):
    options = fitting(corpus, tmp_path / "run", codebook=unit_model, base_model_path=str(base_model))
    with pytest.raises(ModelError, match="base model"):
        fit_units(replace(options, features=Features()))
    with pytest.raises(ModelError, match="6 units, 7 were asked for"):
        fit_units(fitting(corpus, tmp_path / "run", codebook=unit_model, units=Units(num_clusters=7)))
    with pytest.raises(ModelError, match="stage pretrain"):
        fit_units(fitting(corpus, tmp_path / "run", codebook=base_model))


def test_layers_that_are_not_there_are_refused(corpus, base_model, unit_model, tmp_path):
    deep = fitting(corpus, tmp_path / "run", base_model_path=str(base_model), features=Features(layer=5))
    with pytest.raises(ConfigError, match="has 1 layers"):
        fit_units(deep)
    with pytest.raises(ConfigError, match="base_model_path"):
        fit_units(fitting(corpus, tmp_path / "run", features=Features()))
    with pytest.raises(ModelError, match="stage fit-units"):
        fit_units(fitting(corpus, tmp_path / "run", features=Features(), base_model_path=str(unit_model)))


def test_a_study_finds_how_many_units_there_are(corpus, tmp_path):
    options = fitting(corpus, tmp_path / "run", study=6, study_clusters=(2, 40), training=replace(QUIET, seed=3))
    fit_units(options)
    chosen = json.loads((tmp_path / "run" / "best_params.json").read_text(encoding="utf-8"))
    assert chosen["by"] == "phones"
    assert 3 <= chosen["num_clusters"] <= 12  # four tones, and what lies between them
    assert Listener.load(tmp_path / "run", "cpu").count == chosen["num_clusters"]


def test_the_shortest_description_has_as_many_clusters_as_there_are():
    random = np.random.default_rng(0)
    x = (np.eye(6)[random.integers(6, size=3000)] * 8 + random.standard_normal((3000, 6))).astype(np.float32)
    bits = {k: description(torch.from_numpy(x), kmeans.fit(x, k, polish=5)) for k in (2, 4, 6, 24, 100)}
    assert min(bits, key=bits.get) == 6


def test_the_quantizer_learns_while_the_units_stay_what_they_are(corpus, tmp_path):
    options = fitting(corpus, tmp_path / "run", units=Units(num_clusters=6, whiten=1.0))
    fit_units(replace(options, training=replace(QUIET, epochs=4)))
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    errors = [line["val/error"] for line in lines if "val/error" in line]
    assert errors[-1] < errors[0] < 1


def test_the_quantizer_learns_in_16_bits(corpus, tmp_path):
    options = fitting(corpus, tmp_path / "run", units=Units(num_clusters=6))
    assert math.isfinite(fit_units(replace(options, training=replace(QUIET, epochs=1, precision="bf16"))).best)


def run_encode(*words):
    from onsei import cli

    return cli.main(["translation", "encode", *map(str, words)])


def rows_of(folder):
    return {row.id: row.extra["units"] for row in Manifest.open(folder / "units.jsonl")}


def test_a_corpus_is_encoded(unit_model, corpus, tmp_path, capsys):
    assert run_encode(unit_model, "--manifest", corpus / "val.jsonl", "--output-dir", tmp_path / "u") == 0
    found = rows_of(tmp_path / "u")
    listener = Listener.load(unit_model, "cpu")
    for row in Manifest.open(corpus / "val.jsonl"):
        assert found[row.id] == collapsed(listener.units(row.audio)[0])[0].tolist()
    about = json.loads((tmp_path / "u" / "encode.json").read_text(encoding="utf-8"))
    assert (about["num_clusters"], about["rows"], about["collapsed"]) == (6, 8, True)
    assert about["fingerprint"] == weights.fingerprint(unit_model / "model.safetensors")
    assert {p.name for p in (tmp_path / "u").iterdir()} - {".onsei"} == {"encode.json", "units.jsonl"}
    capsys.readouterr()
    assert run_encode(unit_model, "--manifest", corpus / "val.jsonl", "--output-dir", tmp_path / "u") == 0
    assert "is there already" in capsys.readouterr().out


def test_encoding_goes_on_where_it_was_stopped(unit_model, corpus, tmp_path, monkeypatch):
    from onsei.systems.translation.acoustic import encode

    monkeypatch.setattr(encode, "_CHUNK", 5)
    words = (unit_model, "--manifest", corpus / "train.jsonl", "--output-dir")
    run_encode(*words, tmp_path / "straight")
    saved, calls = encode.Writing._saved, []

    def killed(*given):
        calls.append(0)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return saved(*given)

    monkeypatch.setattr(encode.Writing, "_saved", killed)
    assert run_encode(*words, tmp_path / "halves") == 130
    monkeypatch.setattr(encode.Writing, "_saved", saved)
    loaded = []
    load = encode._loaded
    monkeypatch.setattr(encode, "_loaded", lambda m, n: loaded.append(n) or load(m, n))
    assert run_encode(*words, tmp_path / "halves") == 0
    assert sorted(loaded) == list(range(10, 24))
    assert rows_of(tmp_path / "halves") == rows_of(tmp_path / "straight")
    assert list(rows_of(tmp_path / "halves")) == list(rows_of(tmp_path / "straight"))


def test_shares_together_are_the_whole(unit_model, corpus, tmp_path, capsys):
    lines = (corpus / "train.jsonl").read_text(encoding="utf-8").splitlines()
    broken = json.dumps({"id": "broken", "audio": str(tmp_path / "nowhere.wav"), "duration": 1.0})
    rows = corpus / "broken.jsonl"
    rows.write_text("\n".join([*lines[:10], broken, *lines[10:]]) + "\n", encoding="utf-8")
    words = (unit_model, "--manifest", rows, "--output-dir")
    run_encode(*words, tmp_path / "straight")
    for shard in ("3/3", "1/3"):
        assert run_encode(*words, tmp_path / "shares", "--shard", shard) == 0
        assert not (tmp_path / "shares" / "units.jsonl").exists()
    assert run_encode(*words, tmp_path / "shares", "--shard", "1/3") == 0
    assert "is there already" in capsys.readouterr().out
    assert run_encode(*words, tmp_path / "shares", "--shard", "2/3") == 0
    assert "all 3 shares are done" in capsys.readouterr().out
    assert list(rows_of(tmp_path / "shares").items()) == list(rows_of(tmp_path / "straight").items())
    facts = [json.loads((tmp_path / name / "encode.json").read_text()) for name in ("shares", "straight")]
    assert facts[0] == facts[1]
    assert facts[0]["faults"] == 1
    lists = [(tmp_path / name / "faults.tsv").read_text() for name in ("shares", "straight")]
    assert lists[0] == lists[1]
    left = {path.name for path in (tmp_path / "shares").iterdir()} - {".onsei"}
    assert left == {"units.jsonl", "encode.json", "faults.tsv"}
    assert run_encode(*words, tmp_path / "shares", "--shard", "2/3") == 0
    assert "is there already" in capsys.readouterr().out


@given(st.integers(0, 50), st.integers(1, 60))
def test_every_row_is_in_one_share(total, count):
    found = [number for share in Share(1, count).others() for number in share.rows(total)]
    assert found == list(range(total))


@pytest.mark.parametrize("text", ["0/3", "4/3", "2", "a/b", "1/0"])
def test_shares_that_are_none_are_named(text):
    with pytest.raises(ConfigError, match="shard"):
        Share.parsed(text)


def test_units_of_another_model_are_not_mixed(unit_model, layer_model, corpus, tmp_path, capsys):
    words = ("--manifest", corpus / "val.jsonl", "--output-dir", tmp_path / "u")
    run_encode(unit_model, *words)
    assert run_encode(layer_model, *words) == 2
    assert "another fingerprint" in capsys.readouterr().err
    assert run_encode(layer_model, *words, "--force") == 0
    assert run_encode(layer_model, *words, "--no-collapse") == 2


def test_broken_rows_are_listed(unit_model, corpus, tmp_path):
    lines = (corpus / "val.jsonl").read_text(encoding="utf-8").splitlines()[:2]
    (corpus / "some.jsonl").write_text("\n".join([*lines, '{"id": "x", "audio": "none.wav"}']), encoding="utf-8")
    assert run_encode(unit_model, "--manifest", corpus / "some.jsonl", "--output-dir", tmp_path / "u") == 0
    assert len(rows_of(tmp_path / "u")) == 2
    assert "none.wav" in (tmp_path / "u" / "faults.tsv").read_text(encoding="utf-8")
    (corpus / "none.jsonl").write_text('{"id": "x", "audio": "none.wav"}', encoding="utf-8")
    assert run_encode(unit_model, "--manifest", corpus / "none.jsonl", "--output-dir", tmp_path / "v") == 2


def test_recordings_are_printed(unit_model, corpus, capsys):
    assert run_encode(unit_model, corpus / "val-0.wav") == 0
    kept = [int(word) for word in capsys.readouterr().out.split()]
    run_encode(unit_model, corpus / "val-0.wav", "--no-collapse")
    whole = [int(word) for word in capsys.readouterr().out.split()]
    assert collapsed(whole)[0].tolist() == kept
    assert run_encode(unit_model) == 2
    assert run_encode(unit_model, "--manifest", corpus / "val.jsonl") == 2
