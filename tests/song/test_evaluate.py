"""`onsei song evaluate`: what is measured is what it says, beside controls that are worse."""

import json
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from onsei import cli
from onsei.data import manifest
from onsei.errors import ConfigError, DataError, OnseiError
from onsei.systems.song.config import Evaluate
from onsei.systems.song.data.batches import collated
from onsei.systems.song.data.example import FRAMES, NETWORK, NOTES
from onsei.systems.song.data.latents import Latents
from onsei.systems.song.data.source import Preparation
from onsei.systems.song.evaluation import evaluate
from onsei.systems.song.evaluation.measure import Taught, onsets, phones, resung, taught
from onsei.systems.song.inference import Singer
from onsei.systems.song.training import train


@pytest.fixture(scope="module")
def options(made):
    folder = made.train.output_dir
    train(made.train)
    return Evaluate(
        str(folder), made.train.val_manifest, pitch=0, limit=16, device="cpu", steps=4, max_duration=1.0,
        latent_cache=made.train.data.latent_cache,
    )  # fmt: skip


def batch_of(options, count=4):
    listed = manifest.Manifest.open(options.test_manifest)
    singer = Singer.load(options.model, "cpu")
    latents = Latents(singer.autoencoder, options.latent_cache)
    prepared = Preparation(listed.folder, NETWORK, singer.phones, latents, "", 10.0)
    rows = [listed[number] for number in range(count)]
    return singer, rows, collated([prepared(row, None) for row in rows], NETWORK)


def test_right_lyrics_are_better_than_others(options, tmp_path, capsys):
    told = tmp_path / "numbers.json"
    numbers = evaluate(replace(options, json=told))
    assert numbers["cross_entropy_true"] < 0.15
    assert numbers["cross_entropy_shuffled"] > numbers["cross_entropy_true"] + 0.5
    assert numbers["onset_phones_most"] >= numbers["onset_phones_true"] > 80
    assert numbers["onset_phones_shuffled"] < 50
    assert numbers["songs"] == 16
    assert json.loads(told.read_text()).keys() == numbers.keys()
    assert "with the lyrics of another song" in capsys.readouterr().out


def test_what_is_counted(options):
    singer, rows, batch = batch_of(options)
    right, wrong = Taught(), Taught()
    taught(singer, batch, rows, right, wrong)
    network = singer.network
    told = network.tell(network.prefix(batch.lyrics, batch.prompt), batch.sketch, batch.latents, batch.lengths)
    wanted = cross_entropy(told.logits[:, :-1].flatten(0, 1), batch.sketch.flatten())
    assert right.loss / right.tokens == pytest.approx(float(wanted), rel=1e-4)
    assert len(right.begun) == 4 * NOTES
    assert [frame for frame, _ in onsets(rows[0])] == [0, FRAMES, 2 * FRAMES]
    assert {phone for _, phone in onsets(rows[0])} <= set(phones(rows[0]))
    counted = Taught(begun=[(1, 1, "a"), (1, 2, "a"), (1, 2, "i"), (2, 2, "i")], tokens=4).numbers("true")
    assert counted["onset_phones_true"] == 75.0  # of a a i i it says a i i i
    assert counted["onset_phones_most"] == 75.0  # token 1 is a, though it once began an i
    assert phones(rows[0]) == rows[0].extra["symbols"].split()[1:]
    same = Taught()
    same.add(told.logits, batch, [rows[0]] * 4, True)
    assert same.tokens == 0  # the same lyrics are no control


def test_a_copy_is_made_of_the_sketch(options):
    singer, _, batch = batch_of(options)
    one, again = resung(singer, batch, options), resung(singer, batch, options)
    other = resung(singer, batch, options, other=True)
    assert [len(sound) for sound in one] == [NOTES * FRAMES * 640] * 4
    assert all((a == b).all() for a, b in zip(one, again, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))
    latents = torch.stack([torch.from_numpy(singer_encoded(sound)) for sound in one])
    distance = (latents - batch.latents).square().mean()
    assert distance < (latents - batch.latents.roll(1, 0)).square().mean()


def singer_encoded(sound):
    from onsei.systems.song import sourcefilter

    return sourcefilter.encode(sound).T


def test_songs_are_sung_heard_and_drawn(options, tmp_path, monkeypatch, capsys):
    from onsei.systems.song import listener

    class Ears:
        def hear(self, sound):
            assert len(sound) % 640 == 0
            return ("a",)

    monkeypatch.setattr(listener.Listener, "train", classmethod(lambda cls, **options: Ears()))
    monkeypatch.setattr("onsei.systems.song.evaluation.measure.own_error", lambda *_, **__: listener.compare("a", "a"))
    words = ["song", "evaluate", options.model, "--test-manifest", str(options.test_manifest), "--limit", "3", "--sing"]
    words += ["2", "--pitch", "2", "--steps", "2", "--max-duration", "1", "--picture", str(tmp_path / "copy.png")]
    assert cli.main([*words, "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "phones wrong in songs" in said
    assert "the listener's own errors" in said
    assert "Fréchet distance to songs" in said
    assert "of noise as loud" in said
    assert (tmp_path / "copy.png").stat().st_size > 10_000


def test_what_cannot_be_measured(options, made, tmp_path):
    with pytest.raises(ConfigError, match="png"):
        evaluate(replace(options, picture=tmp_path / "a.pdf"))
    with pytest.raises(OnseiError, match="no-such-folder"):
        evaluate(replace(options, sing=1, embedding=str(tmp_path / "no-such-folder")))
    rows = list(manifest.Manifest.open(options.test_manifest))[:2]
    empty = tmp_path / "none.jsonl"
    manifest.write(empty, [replace(row, audio=tmp_path / "no.wav") for row in rows])
    with pytest.raises(DataError, match="no song could be used"):
        evaluate(replace(options, test_manifest=empty))
