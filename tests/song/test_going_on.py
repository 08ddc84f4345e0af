"""Songs that grow on disk, are stopped and go on, and whose parts are sung anew."""

import contextlib
import io as streams
import json

import numpy as np
import pytest
import torch

from onsei import cli
from onsei.audio import io
from onsei.audio.io.growing import Growing
from onsei.errors import AudioError, ConfigError, ModelError
from onsei.systems.song import generate as door
from onsei.systems.song.config import Request, Sampling
from onsei.systems.song.kept import Kept, span

from . import singers

QUICK = ["--steps", "2"]
WORDS = "[verse] s a k u r a . h a n a"
BLOCK = singers.NETWORK.block_size


def run(*words):
    printed, faults = streams.StringIO(), streams.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(faults):
        status = cli.main(["song", "generate", *map(str, words), "--device", "cpu"])
    return status, printed.getvalue(), faults.getvalue()


def sing(folder, out, *words, seconds="1.6"):
    given = [folder, WORDS, "--phones", "--output-dir", out, "--max-duration", seconds, *QUICK, *words]
    status, printed, faults = run(*given)
    assert status == 0, faults
    return printed


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """A song of ten blocks, and the folder of its files."""
    out = tmp_path_factory.mktemp("whole")
    sing(folder, out)
    return out


def test_four_files_are_written(whole):
    assert sorted(path.name for path in whole.iterdir()) == ["song.json", "song.lrc", "song.safetensors", "song.wav"]
    facts = json.loads((whole / "song.json").read_text())
    kept = Kept.load(whole / "song.wav")
    assert kept.sketch.tolist() == facts["sketch"]
    assert len(facts["sketch"]) == 40
    assert facts["duration"] == pytest.approx(io.info(whole / "song.wav").duration)
    assert kept.request == Request(WORDS, phones=True, max_duration=1.6, sampling=Sampling(steps=2))
    lines = (whole / "song.lrc").read_text().splitlines()
    assert [line.partition("]")[2] for line in lines] == [line["text"] for line in facts["lines"]]
    assert lines[0].startswith("[00:00")


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_a_song_grows_while_it_is_sung_and_is_the_same(folder, whole, tmp_path, kind, monkeypatch):
    if kind == "mp3":  # which knows no 800 Hz
        monkeypatch.setattr("onsei.systems.song.inference.Singer.sample_rate", 16000)
    heard = []
    push = Growing.push

    def listened(self, samples):
        push(self, samples)
        part = tmp_path / f"song.part.{kind}"
        heard.append(part.stat().st_size)
        if kind == "wav" and len(heard) > 2:
            assert io.info(part).duration > 0  # a whole file after every piece

    monkeypatch.setattr(Growing, "push", listened)
    sing(folder, tmp_path, "--stream", "--output-format", kind)
    assert len(heard) >= 10
    assert heard[0] < heard[-1]
    assert not list(tmp_path.glob("*.part.*"))
    if kind != "mp3":
        ours, theirs = (io.load(place)[0] for place in (tmp_path / f"song.{kind}", whole / "song.wav"))
        assert len(ours) == len(theirs)
        assert np.abs(ours - theirs).max() < 1e-3
    else:
        assert io.info(tmp_path / "song.mp3").sample_rate == 16000
    assert Kept.load(tmp_path / "song.wav").sketch.tolist() == Kept.load(whole / "song.wav").sketch.tolist()


def test_a_song_that_was_stopped_goes_on_as_it_would_have(folder, whole, tmp_path, monkeypatch):
    @contextlib.contextmanager
    def stopped(title, total):
        count = 0

        def advance(amount, show):
            nonlocal count
            count += 1
            if count == 4:
                raise KeyboardInterrupt

        yield advance

    for number, flags in enumerate([["--stream"], []]):
        out = tmp_path / str(number)
        with monkeypatch.context() as patch:
            patch.setattr(door, "progress", stopped)
            words = [folder, WORDS, "--phones", "--output-dir", out, "--max-duration", "1.6", *QUICK, *flags]
            status, printed, faults = run(*words)
        assert status == 130
        assert "--continue-from" in faults
        assert printed.strip() == str(out / "song.wav")
        kept = Kept.load(out / "song.wav")
        assert not kept.ended
        assert len(kept.sketch) == 4 * BLOCK
        assert io.info(out / "song.wav").duration == pytest.approx(4 * BLOCK / 25)
        words = [folder, "--continue-from", out / "song.safetensors", "--output-dir", out / "on", "--max-duration"]
        assert run(*words, "1.6", *QUICK)[0] == 0
        on, straight = Kept.load(out / "on" / "song.wav"), Kept.load(whole / "song.wav")
        assert on.sketch.tolist() == straight.sketch.tolist()
        assert (on.latents - straight.latents).abs().max() < 1e-3
        ours, theirs = io.load(out / "on" / "song.wav")[0], io.load(whole / "song.wav")[0]
        assert np.abs(ours - theirs).max() < 2e-3


def test_a_part_is_sung_anew_and_the_rest_stays(folder, whole, tmp_path):
    words = [folder, "--repaint", whole / "song.wav", "--from", "0.5", "--to", "0.8", "--output-dir", tmp_path, *QUICK]
    status, _, faults = run(*words, "--seed", 5)
    assert status == 0, faults
    before, after = Kept.load(whole / "song.wav"), Kept.load(tmp_path / "song.wav")
    first, last = 3 * BLOCK, 5 * BLOCK  # blocks that hold 0.5 s and 0.8 s
    assert json.loads((tmp_path / "song.json").read_text())["repainted"] == [first / 25, last / 25]
    for part in (slice(0, first), slice(last, None)):
        assert torch.equal(before.sketch[part], after.sketch[part])
        assert torch.equal(before.latents[:, part], after.latents[:, part])
    assert len(after.sketch) == len(before.sketch)
    assert not torch.equal(before.sketch[first:last], after.sketch[first:last])
    assert int(after.sketch.max()) < singers.NETWORK.num_pitch  # no end within
    other = [*words[:-4], "--output-dir", tmp_path / "other", "--seed", 5, *QUICK]
    assert run(*other[:1], "[chorus] u t a", *other[1:], "--phones")[0] == 0
    facts = json.loads((tmp_path / "other" / "song.json").read_text())
    assert facts["request"]["lyrics"] == "[chorus] u t a"
    assert Kept.load(tmp_path / "other" / "song.wav").latents.shape == before.latents.shape


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--repaint", "{song}"], "--from SECONDS --to SECONDS"),
        (["--repaint", "{song}", "--from", "9", "--to", "10"], "no part of a song of 1.60 s"),
        (["--repaint", "missing.wav", "--from", "0", "--to", "1"], "nobody knows what the song is made of"),
        (["--repaint", "{model}", "--from", "0", "--to", "1"], "holds no song"),
        (["--continue-from", "missing.wav"], "nobody knows"),
        (["[verse] a", "--continue-from", "{song}"], "its own"),
        (["--continue-from", "{song}", "--n-samples", "2"], "one way only"),
    ],
)
def test_what_cannot_go_on_is_told(folder, whole, tmp_path, words, told):
    names = {"{song}": whole / "song.wav", "{model}": folder / "model.safetensors"}
    status, _, faults = run(folder, *[names.get(word, word) for word in words], "--output-dir", tmp_path, *QUICK)
    assert status == 2
    assert told in faults


def test_a_song_stays_with_its_singer_and_its_end(whole, tmp_path, folder):
    kept = Kept.load(whole / "song.wav")
    other = singers.NETWORK.__class__(**{**vars(singers.NETWORK), "latent_dim": 5})
    with pytest.raises(ModelError, match="take the model that sang it"):
        kept.check(other, "song")
    Kept(kept.request, kept.sketch, kept.latents, kept.chance, True).save(tmp_path / "a.safetensors")
    status, _, faults = run(folder, "--continue-from", tmp_path / "a.safetensors", "--output-dir", tmp_path, *QUICK)
    assert status == 2
    assert "came to its end" in faults
    with pytest.raises(ConfigError, match="no part"):
        span(kept, singers.NETWORK, 1.0, 1.0, 25.0)


def test_sounds_that_cannot_grow_are_told(tmp_path):
    with pytest.raises(AudioError, match=r"\.ogg"):
        Growing(tmp_path / "a.ogg", 16000, 1)
    with pytest.raises(AudioError, match=r"a\.mp3"):
        Growing(tmp_path / "a.mp3", 800, 1)
    sound = np.linspace(-1, 1, 1000, dtype=np.float32).reshape(2, -1)
    with Growing(tmp_path / "sub" / "a.flac", 800, 2) as file:
        file.push(sound[:, :300])
        file.push(sound[:, 300:])
    assert np.abs(io.load(tmp_path / "sub" / "a.flac", channel=1)[0] - sound[1]).max() < 1e-4
