"""`onsei song train`: from scratch, whole or by adapters; what does not belong together is refused before it starts."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import onsei
from onsei import cli, config
from onsei.audio import io
from onsei.data import manifest
from onsei.data.manifest import Manifest
from onsei.errors import ConfigError, DataError, ModelError, RunError
from onsei.hub import store
from onsei.hub import weights as safetensors
from onsei.systems.song.config import Codec, Network, Request
from onsei.systems.song.config.adapt import Lora
from onsei.systems.song.config.train import Sketching, Train
from onsei.systems.song.data.example import CODEC, NETWORK
from onsei.systems.song.data.latents import Latents
from onsei.systems.song.data.source import Preparation, source
from onsei.systems.song.dryrun import dry_run
from onsei.systems.song.model import opened
from onsei.systems.song.sketch.codebook import Codebook
from onsei.systems.song.sketch.tokens import Tokens
from onsei.systems.song.sourcefilter import FRAME, RATE
from onsei.systems.song.training import planned, told, train
from onsei.text.phones import SYMBOLS, Phones
from onsei.training.options import Training

from . import singers


@pytest.fixture(scope="module")
def base(made):
    """A model after a few steps."""
    options = short(made.train, made.train.output_dir.parent / "base", 3)
    train(options)
    return options.output_dir


def short(options, folder, steps=2, **changes):
    clock = replace(options.training, max_steps=steps, validate_steps=0, warmup_steps=0, schedule="constant")
    return replace(options, output_dir=folder, training=clock, **changes)


def tuned(made, base, folder, **changes):
    return short(made.train, folder, base=str(base), lora=Lora(use_lora=True, rank=2), **changes)


def weights(folder):
    return store.open(folder).weights()


def test_adapters_are_saved_joined_and_alone(made, base, tmp_path, capsys):
    from peft import PeftModel

    options = tuned(made, base, tmp_path / "run")
    train(replace(options, training=replace(options.training, silent=False)))
    said = capsys.readouterr().out
    assert "nobody else has" in said
    assert "less than 5,000 steps" in said
    assert "2 steps planned" in said
    before, after = weights(base), weights(tmp_path / "run")
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "model.ar_transformer.layers.0.self_attn.q_proj.weight" in changed
    assert "model.skeleton_emb.weight" in changed
    assert not [name for name in changed if "nar_dit" in name or "k_proj" in name]
    history = json.loads((tmp_path / "run" / "onsei.json").read_text(encoding="utf-8"))["history"]
    assert history["finetuned_from"] == str(base)
    ours = onsei.load(tmp_path / "run", device="cpu").network
    told = safetensors.metadata(tmp_path / "run" / "adapters" / "adapter_model.safetensors")
    assert told["base"] == safetensors.fingerprint(store.open(base).path / store.WEIGHTS_FILE)
    alone = PeftModel.from_pretrained(onsei.load(base, device="cpu").network, tmp_path / "run" / "adapters")
    told_ours, told_alone = (one.prefix(*prefix()) for one in (ours, alone.base_model.model))
    assert (told_ours - told_alone).abs().max() <= 1e-5
    assert (ours.ar_transformer(told_ours) - alone.base_model.model.ar_transformer(told_alone)).abs().max() <= 1e-5


def prefix():
    from onsei.systems.song.layout import batch, lay_out
    from onsei.systems.song.model import Prompt

    return batch([lay_out(["[verse]", "a", "i"], Phones(SYMBOLS), 8)]), Prompt.none(1, 32)


def test_adapters_resume_bit_for_bit(made, base, tmp_path):
    train(short(tuned(made, base, tmp_path / "straight"), tmp_path / "straight", 4))
    halves = short(tuned(made, base, tmp_path / "halves"), tmp_path / "halves", 2)
    train(halves)
    clock = replace(halves.training, max_steps=4, continue_from=str(halves.output_dir))
    train(replace(halves, training=clock))
    ours, theirs = weights(tmp_path / "halves"), weights(tmp_path / "straight")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_base_gives_sizes_and_table(made, base, tmp_path):
    options = short(made.train, tmp_path / "run", base=str(base), network=Network(), codec=Codec())
    train(options)
    assert store.open(tmp_path / "run").config == store.open(base).config
    written = config.read_yaml(tmp_path / "run" / "config.yaml")
    assert written["network"]["dim"] == NETWORK.dim


def test_untrained_phones_begin_as_their_nearest(made, tmp_path):
    torch.manual_seed(0)
    fresh = singers.model(NETWORK, CODEC)
    store.save(
        tmp_path / "imported", system="song", stage="train", labels=SYMBOLS, weights=fresh.state_dict(),
        config={"network": config.to_dict(NETWORK), "codec": config.to_dict(CODEC)},
        history={"imported": {"source": "SongBloom"}},
    )  # fmt: skip
    from onsei.systems.song import beginning

    options = short(made.train, tmp_path / "run", base=str(tmp_path / "imported"))
    begun = beginning.made(beginning.settled(options))
    name = "condition_provider.conditioners.lyrics.output_proj.weight"
    rows = {symbol: row for row, symbol in enumerate(SYMBOLS)}
    table, before = begun.network.get_parameter(name), fresh.state_dict()[f"model.{name}"]
    nearest = before[[rows[f"a{tone}"] for tone in range(1, 6)]].mean(0)
    torch.testing.assert_close(table[rows["a"]], nearest)
    assert "untrained phones" in begun.remarks[0]
    assert not beginning.made(beginning.settled(replace(options, nearest_phones=False))).remarks


def test_another_codebook_is_refused(made, base, tmp_path):
    folder = made.train.train_manifest.parent
    other = folder / "other.safetensors"
    first = Codebook.load(folder / "codebook.safetensors")
    with torch.no_grad():
        first.quantizer.codebook.mul_(1.5)
    first.save(other)
    rows = manifest.Manifest.open(folder / "songs" / "train.jsonl")
    plain = folder / "songs" / "plain.jsonl"
    manifest.write(plain, [replace(row, extra={**row.extra}) for row in list(rows)[:20]])
    options = tuned(made, base, tmp_path / "run", train_manifest=plain, val_manifest=None)
    options = replace(options, sketch=Sketching(codebook=other))
    with pytest.raises(ModelError, match="--new-codebook"):
        train(options)
    wanted = replace(options, sketch=replace(options.sketch, new_codebook=True))
    with pytest.raises(ConfigError, match="train_tables"):
        train(replace(wanted, lora=replace(options.lora, train_tables=False)))
    train(wanted)
    assert store.open(tmp_path / "run").config["sketch"]["codebook"] == Codebook.load(other).fingerprint
    mixed = replace(made.train, output_dir=tmp_path / "mixed", sketch=Sketching(codebook=other))
    with pytest.raises(ModelError, match="another sound"):
        train(mixed)


def test_songs_are_sketched_and_held_out_on_the_way(made, tmp_path, capsys):
    folder = made.train.train_manifest.parent
    options = short(
        made.train, tmp_path / "run", train_manifest=folder / "songs" / "val.jsonl", val_manifest=None,
        data=replace(made.train.data, val_split=0.25), sketch=Sketching(codebook=folder / "codebook.safetensors"),
    )  # fmt: skip
    summary = train(options)
    assert summary.best is not None
    train_rows, val_rows = (list(Manifest.open(tmp_path / "run" / "data" / f"{n}.jsonl")) for n in ("train", "val"))
    assert (len(train_rows), len(val_rows)) == (24, 8)
    assert not {row.extra["recording"] for row in train_rows} & {row.extra["recording"] for row in val_rows}
    assert all("sketch_path" in row.extra for row in train_rows)


def test_options_that_make_no_training(made, base, tmp_path):
    options = replace(made.train, output_dir=tmp_path / "run")
    with pytest.raises(ConfigError, match="for which model"):
        train(replace(options, lora=Lora(use_lora=True)))
    with pytest.raises(ConfigError, match="train_manifest"):
        train(replace(options, train_manifest=None))
    with pytest.raises(ConfigError, match="needs weights"):
        train(replace(options, codec=replace(singers.CODEC), network=singers.NETWORK))
    with pytest.raises(ConfigError, match="16000 Hz"):
        train(replace(options, codec=replace(CODEC, sample_rate=8000)))
    with pytest.raises(ConfigError, match="latent_dim"):
        train(replace(options, network=replace(NETWORK, latent_dim=16)))
    with pytest.raises(DataError, match="no sketch tokens"):
        train(replace(options, train_manifest=made.train.train_manifest.parent / "songs" / "train.jsonl"))
    with pytest.raises(ConfigError, match="num_pitch"):
        train(replace(options, network=replace(NETWORK, num_pitch=8)))
    with pytest.raises(RunError, match="already holds"):
        train(replace(options, output_dir=base))
    assert not (tmp_path / "run" / "onsei.json").exists()


def preparation(made, **changes):
    path = made.train.train_manifest
    listed = Manifest.open(path)
    latents = Latents(opened(CODEC, 32), made.train.data.latent_cache)
    fingerprint = Codebook.load(path.parent / "codebook.safetensors").fingerprint
    return listed, replace(Preparation(path.parent, NETWORK, Phones(SYMBOLS), latents, fingerprint, 10.0), **changes)


def test_an_item_is_the_song_the_tokens_and_the_prompt(made):
    listed, prepared = preparation(made)
    row = listed[0]
    item = prepared(row, None)
    assert item.latents.shape == (32, 12)
    assert item.sketch.tolist() == Tokens.load(prepared.folder / row.extra["sketch_path"]).values.tolist()
    assert item.prompt.shape == (NETWORK.prompt_len, 32)  # of the prompt's half second what the network sees
    assert len(item.layout.symbols) == len(row.extra["symbols"].split())
    again = prepared(row, None)
    assert torch.equal(again.latents, item.latents)


def test_bad_rows_are_told_and_the_others_go_on(made, tmp_path):
    listed, prepared = preparation(made)
    rows = [listed[n] for n in range(7)]
    absolute = {"sketch_path": str(prepared.folder / rows[0].extra["sketch_path"]), "prompt_wav": ""}
    short_sound = tmp_path / "short.wav"
    io.save(short_sound, np.zeros(FRAME * 3, np.float32), RATE)
    good = replace(rows[0], extra={**rows[0].extra, **absolute})
    faulty = {
        "lyrics": replace(good, id="lyrics", extra={**good.extra, "symbols": "[verse] zz"}),
        "long": replace(good, id="long", extra={**good.extra, "symbols": "[verse]" + " a" * 30}),
        "sound": replace(good, id="sound", audio=tmp_path / "none.wav"),
        "tokens": replace(good, id="tokens", extra={"symbols": good.extra["symbols"]}),
        "shifted": replace(good, id="shifted", audio=short_sound, duration=FRAME * 3 / RATE),
        "damaged": replace(good, id="damaged", extra={**good.extra, "sketch_path": str(short_sound)}),
        "prompt": replace(good, id="prompt", extra={**good.extra, "prompt_wav": "nowhere.wav"}),
    }
    path = tmp_path / "rows.jsonl"
    manifest.write(path, [good, *faulty.values()])
    loader = source(Manifest.open(path), prepared, replace(made.train.data, batch_size=16), seed=0, training=False)
    (batch,) = loader.batches(0)
    assert batch.size == 1
    assert {fault.id for fault in batch.faults} == set(faulty)
    reasons = {fault.id: fault.reason for fault in batch.faults}
    assert "zz" in reasons["lyrics"]
    assert "31 symbols" in reasons["long"]
    assert "12 sketch tokens" in reasons["shifted"]


def test_latents_are_computed_once_and_workers_only_read(made, monkeypatch):
    import pickle

    listed, prepared = preparation(made)
    known = prepared.latents(listed[0])
    copied = pickle.loads(pickle.dumps(prepared.latents))
    assert copied.codec is None
    assert np.array_equal(copied(listed[0])[0], known[0])
    with pytest.raises(DataError, match="could not be read"):
        copied(replace(listed[0], duration=0.2))
    torch.manual_seed(0)
    drawn = Latents(opened(singers.CODEC, 4), made.train.data.latent_cache)(listed[0])
    assert (drawn[1] > 0).all()


@pytest.mark.parametrize(
    ("accumulate", "world", "most", "steps"), [(1, 1, 0, 30), (2, 1, 0, 15), (1, 4, 0, 9), (1, 1, 7, 7)]
)
def test_steps_are_planned(accumulate, world, most, steps):
    clock = Training(epochs=3, accumulate=accumulate, max_steps=most)
    assert planned(10, clock, world) == steps
    assert "warning" in told(4999, 10, tuned=True)
    assert "warning" not in told(5000, 10, tuned=True) + told(10, 10, tuned=False)


def test_a_dry_run_tells_what_it_needs_and_writes_nothing(made, base, tmp_path, capsys, monkeypatch):
    options = replace(made.train, output_dir=tmp_path / "run", dry_run=True)
    assert train(options) is None
    said = capsys.readouterr().out
    assert "120 steps planned" in said
    assert not (tmp_path / "run").exists()
    found = dry_run(options)
    assert found["hours"] == pytest.approx(160 * 0.48 / 3600, rel=1e-3)
    assert found["steps"] == 120
    assert found["step_seconds"] > 0
    weights = sum(t.numel() for t in store.open(base).weights().values())
    assert found["parameters"] == pytest.approx(weights, rel=1e-3)  # without buffers
    adapted = dry_run(replace(options, lora=Lora(use_lora=True, rank=2, train_tables=False)))
    assert adapted["trained"] == 2 * 2 * 2 * 2 * NETWORK.dim
    assert adapted["disk_bytes"] < found["disk_bytes"]
    monkeypatch.setattr("onsei.systems.song.dryrun.free_bytes", lambda device: 2**30)
    released = dry_run(Train(tmp_path / "run", network=Network(num_heads=24)))
    assert released["parameters"] == pytest.approx(1.87e9, rel=0.03)
    assert "steps" not in released
    assert "step_seconds" not in released
    assert "not tried" in capsys.readouterr().out


def test_a_stream_of_the_codec_without_weights_is_the_whole(made):
    codec = opened(CODEC, 32)
    listed, prepared = preparation(made)
    latents = torch.cat([prepared(listed[n], None).latents for n in range(3)], 1)[None]
    whole = codec.decode(latents)
    stream = codec.stream()
    parts = [stream.push(latents[..., n : n + 4]) for n in range(0, latents.size(-1), 4)]
    assert torch.equal(torch.cat([*parts, stream.finish()], -1), whole)
    assert parts[0].size(-1) > 0
    assert codec.stream().finish().shape == (0, 1, 0)


def test_the_command_line_trains(made, tmp_path, capsys):
    folder = made.train.train_manifest.parent
    recipe = tmp_path / "example.yaml"
    recipe.write_text(config.to_yaml(made.train), encoding="utf-8")
    words = ["song", "train", str(recipe), "--data-jsonl", str(folder / "train.jsonl"), "--output-dir"]
    words += [
        str(tmp_path / "run"),
        "--max-epochs",
        "1",
        "--max-steps",
        "1",
        "--require-vq-path",
        "--sketch-mode",
        "muq",
    ]
    assert cli.main(words) == 0
    assert onsei.load(tmp_path / "run")(Request("[verse] a", phones=True, max_duration=0.16)).sample_rate == RATE
