"""Sketches: as many tokens as latents, codes that are used, and codebooks that are not mixed up."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei import cli
from onsei.audio import io
from onsei.audio.resample import resampled_length
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.errors import ConfigError, DataError, ModelError
from onsei.hub import weights
from onsei.systems.song.sketch import frames
from onsei.systems.song.sketch.codebook import Codebook, check_same, check_size, usage, written_as
from onsei.systems.song.sketch.embedding import MelFrames, open_embedding
from onsei.systems.song.sketch.frames import HOP, embedded, fitted, frames_of, sound_of
from onsei.systems.song.sketch.tokens import Tokens, content_of, of_row
from tests.units import test_muq as muqs

RATE = 16000
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "songs_ja" / "nit_song070"


def sing(path, seconds, seed, rate=RATE):
    """Tones of five pitches and two colors, a fifth of a second each."""
    random = np.random.default_rng(seed)
    time = np.arange(round(rate * 0.2)) / rate
    notes = []
    for _ in range(round(seconds / 0.2)):
        pitch, bright = 150.0 * 2 ** (random.integers(5) / 5), random.integers(2)
        notes.append(sum(np.sin(2 * np.pi * k * pitch * time) / k ** (1 + bright) for k in range(1, 12)))
    io.save(path, (0.1 * np.concatenate(notes)).astype(np.float32), rate)
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A manifest of six songs, one a part of a file, and a codebook over them."""
    folder = tmp_path_factory.mktemp("songs")
    rows = []
    for number in range(6):
        rows.append({"id": f"s{number}", "audio": f"{number}.wav", "duration": 8.0, "prompt_wav": "prompts/p.wav"})
        sing(folder / f"{number}.wav", 8.0, number)
    rows[-1] |= {"offset": 1.0, "duration": 5.0}
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    words = ["song", "fit-sketch", "--data-jsonl", folder / "train.jsonl", "--output-path", folder / "vq.safetensors"]
    words += ["--embedding", "mel", "--codes", 24, "--code-size", 8, "--steps", 20, "--cache-dir", folder / "cache"]
    assert cli.main([str(word) for word in [*words, "--json", folder / "fit.json"]]) == 0
    return folder


@given(st.integers(1, 400_000), st.sampled_from([8000, 16000, 22050, 24000, 44100, 48000]))
def test_sketches_are_as_long_as_latents(samples, rate):
    latents = max(1, -(-resampled_length(samples, rate, 48000) // 1920))
    assert frames_of(samples, rate, 48000, 1920) == latents
    heard = fitted(np.zeros(resampled_length(samples, rate, 24000), np.float32), latents)
    assert len(heard) == latents * HOP
    # What is cut off of the sound, or filled up, is less than a frame and its rounding.
    assert abs(len(heard) - samples / rate * 24000) <= HOP + 2


@settings(max_examples=20, deadline=None)
@given(st.integers(100, 60_000), st.sampled_from([8000, 22050, 44100, 48000]))
def test_a_file_has_as_many_frames_as_the_codec_makes_latents(tmp_path_factory, samples, rate):
    path = tmp_path_factory.mktemp("sound") / "a.wav"
    io.save(path, np.zeros(samples, np.float32), rate)
    at_codec, _ = io.load(path, 48000)
    heard = sound_of(Row("a", path), 48000, 1920)
    assert len(heard) % HOP == 0
    assert len(heard) // HOP == max(1, -(-len(at_codec) // 1920))
    assert embedded(heard, MelFrames()).shape == (len(heard) // HOP, MelFrames.width)


@given(st.integers(1, 5000))
def test_windows_keep_every_frame_once_and_hear_around_it(total):
    kept = [frame for begin, end, _, _ in frames.windows(total) for frame in range(begin, end)]
    assert kept == list(range(total))
    for begin, end, left, right in frames.windows(total):
        assert left == max(0, begin - frames.MARGIN)
        assert right == min(total, end + frames.MARGIN)


def test_a_long_song_is_embedded_in_windows_as_it_is_whole(monkeypatch):
    random = np.random.default_rng(0)
    samples = random.standard_normal(200 * HOP).astype(np.float32)
    whole = embedded(samples, MelFrames())
    monkeypatch.setattr(frames, "WINDOW", 30)
    monkeypatch.setattr(frames, "MARGIN", 8)
    np.testing.assert_allclose(embedded(samples, MelFrames()), whole, atol=1e-4)


def test_an_embedding_of_another_length_is_refused():
    class Short(MelFrames):
        def __call__(self, samples):
            return super().__call__(samples)[:-1]

    class Broken(MelFrames):
        def __call__(self, samples):
            return super().__call__(samples) * np.nan

    for wrong in (Short(), Broken()):
        with pytest.raises(DataError, match="expected 20 frames"):
            embedded(np.zeros(20 * HOP, np.float32), wrong)


def test_fitting_tells_how_well_the_codes_are_used(corpus):
    told = json.loads((corpus / "fit.json").read_text(encoding="utf-8"))
    assert told["codes"] == 24
    assert told["usage"] > 90
    assert 10 < told["perplexity"] <= 24
    assert told["unexplained_variance"] < 50
    assert told["frames"] == 5 * 200 + 125
    assert told["fingerprint"] == Codebook.load(corpus / "vq.safetensors").fingerprint


def test_fitting_twice_gives_the_same_codes_and_another_seed_others(corpus, tmp_path):
    def fit(seed):
        words = ["song", "fit-sketch", "--data-jsonl", corpus / "train.jsonl", "--output-path", tmp_path / f"{seed}.pt"]
        words += ["--embedding", "mel", "--codes", 24, "--code-size", 8, "--steps", 20, "--cache-dir", corpus / "cache"]
        assert cli.main([str(word) for word in [*words, "--seed", seed, "--force"]]) == 0
        return Codebook.load(tmp_path / f"{seed}.pt").fingerprint

    assert fit(0) == Codebook.load(corpus / "vq.safetensors").fingerprint
    assert fit(1) != fit(0)


def test_random_codes_are_used_worse_and_refused_later(corpus, tmp_path, capsys):
    words = ["song", "fit-sketch", "--data-jsonl", corpus / "train.jsonl", "--output-path", tmp_path / "random.pt"]
    words += [
        "--embedding",
        "mel",
        "--codes",
        24,
        "--code-size",
        8,
        "--start",
        "random",
        "--cache-dir",
        corpus / "cache",
    ]
    assert cli.main([str(word) for word in [*words, "--json", tmp_path / "random.json"]]) == 0
    fitted_ones = json.loads((corpus / "fit.json").read_text(encoding="utf-8"))
    random_ones = json.loads((tmp_path / "random.json").read_text(encoding="utf-8"))
    assert random_ones["perplexity"] < 0.7 * fitted_ones["perplexity"]
    with pytest.raises(ModelError, match="its codes are random"):
        Codebook.load(tmp_path / "random.pt")
    assert not Codebook.load(tmp_path / "random.pt", random=True).fitted


def test_more_codes_than_the_songs_have_frames_for_are_refused(corpus, tmp_path, capsys):
    words = [
        "song",
        "fit-sketch",
        "--data-jsonl",
        str(corpus / "train.jsonl"),
        "--output-path",
        str(tmp_path / "vq.pt"),
    ]
    words += ["--embedding", "mel", "--cache-dir", str(corpus / "cache")]
    assert cli.main(words) == 2
    told = capsys.readouterr().err
    assert "--codes 16384: the songs have 1125 frames" in told
    assert "--codes 37" in told
    assert not list(tmp_path.iterdir())
    assert cli.main([*words, "--codes", "200", "--steps", "0", "--force"]) == 0


def sketch(corpus, out, *words, codebook=None):
    book = codebook or corpus / "vq.safetensors"
    return cli.main(["song", "sketch", str(book), str(corpus / "train.jsonl"), "--output-dir", str(out), *words])


def test_songs_become_tokens_that_the_rows_name(corpus, tmp_path):
    assert sketch(corpus, tmp_path / "out") == 0
    book = Codebook.load(corpus / "vq.safetensors")
    rows = list(Manifest.open(tmp_path / "out/train.jsonl"))
    assert [row.id for row in rows] == [f"s{number}" for number in range(6)]
    for row in rows:
        tokens = of_row(row, tmp_path / "out", book.fingerprint)
        assert tokens.values.dtype == np.int32
        assert len(tokens.values) == round(row.duration * 25)
        assert tokens.offset == (row.offset or 0.0)
        assert tokens.sound == content_of(row)
        assert 0 <= tokens.values.min() <= tokens.values.max() < 24
        heard = sound_of(row, 48000, 1920)
        assert (tokens.values == book.tokens(embedded(heard, open_embedding("mel")))).all()
    assert (tmp_path / "out" / rows[0].extra["prompt_wav"]).resolve() == (corpus / "prompts/p.wav").resolve()


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data/songs_ja")
def test_real_songs_have_as_many_tokens_as_latents_over_the_whole():
    pytest.importorskip("diffusers")
    from onsei.systems.song.config import Codec
    from onsei.systems.song.model import Autoencoder

    codec = Codec(audio_channels=1, channels=4, c_mults=(1, 1, 1, 1, 1))
    autoencoder = Autoencoder(codec, 8).eval()
    for path in sorted(SHARED.glob("*.flac")):
        sound, _ = io.load(path, codec.sample_rate)
        count = -(-len(sound) // codec.hop)
        filled = np.pad(sound, (0, count * codec.hop - len(sound)))
        pieces, _ = autoencoder.encode(torch.from_numpy(sound[None, None]), 64)
        with torch.no_grad():
            whole = autoencoder.encoder(torch.from_numpy(filled[None, None]))
        assert pieces.shape[-1] == count > 700
        torch.testing.assert_close(pieces, whole[:, :8], atol=1e-5, rtol=0)
        heard = sound_of(Row("a", path), codec.sample_rate, codec.hop)
        assert len(embedded(heard, MelFrames())) == len(heard) // HOP == count


def test_tokens_tell_notes_apart(corpus, tmp_path):
    sketch(corpus, tmp_path / "out")
    row = next(iter(Manifest.open(tmp_path / "out/train.jsonl")))
    tokens = of_row(row, tmp_path / "out", "").values[: 8 * 25].reshape(-1, 5)
    # A note lasts five frames: inside of it the token stays, from one to another it mostly changes.
    inside = (tokens[:, 2] == tokens[:, 3]).mean()
    across = (tokens[:-1, 2] == tokens[1:, 2]).mean()
    assert inside > 0.6
    assert across < 0.35


def test_tokens_that_are_there_are_kept_whatever_the_file_is_called(corpus, tmp_path, capsys):
    assert sketch(corpus, tmp_path / "out") == 0
    capsys.readouterr()
    assert sketch(corpus, tmp_path / "out") == 2
    assert "exists already" in capsys.readouterr().err
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    for path in corpus.glob("*.wav"):
        (renamed / f"x{path.name}").write_bytes(path.read_bytes())
    text = (corpus / "train.jsonl").read_text(encoding="utf-8").replace('"audio": "', '"audio": "x')
    (renamed / "train.jsonl").write_text(text, encoding="utf-8")
    first = next((tmp_path / "out/sketches").iterdir())
    first.write_bytes(first.read_bytes()[:-3])
    words = ["song", "sketch", corpus / "vq.safetensors", renamed / "train.jsonl", "--output-dir", tmp_path / "out"]
    assert cli.main([str(word) for word in [*words, "--force"]]) == 0
    assert "6 rows, 1 sketches made, 5 kept, 0 left out" in capsys.readouterr().out


def test_tokens_of_another_codebook_are_refused(corpus, tmp_path):
    sketch(corpus, tmp_path / "out")
    row = next(iter(Manifest.open(tmp_path / "out/train.jsonl")))
    with pytest.raises(ModelError, match="expected 0123456789abcdef: a number means another sound"):
        of_row(row, tmp_path / "out", "0123456789abcdef")
    with pytest.raises(DataError, match="has no sketch_path"):
        of_row(Row("bare"), tmp_path, "")
    check_same("a", "a", "here")
    check_size(Codebook.load(corpus / "vq.safetensors"), 24)
    with pytest.raises(ConfigError, match="24 codes"):
        check_size(Codebook.load(corpus / "vq.safetensors"), 25)


def test_cut_tokens_know_where_they_came_from(tmp_path):
    tokens = Tokens(np.arange(100, dtype=np.int32), "c", "s", 2.0)
    part = tokens.cut(25, 50)
    assert (part.values == np.arange(25, 75)).all()
    assert part.offset == 3.0
    part.save(tmp_path / "t.safetensors")
    back = Tokens.load(tmp_path / "t.safetensors", "c")
    assert (back.values == part.values).all()
    assert (back.offset, back.sound, back.codebook) == (3.0, "s", "c")


def test_broken_codebooks_and_rows_are_told(corpus, tmp_path, capsys):
    other = tmp_path / "other.safetensors"
    weights.save(other, {"a": torch.zeros(1)})
    with pytest.raises(ModelError, match="no codebook of sketches"):
        Codebook.load(other)
    about = weights.metadata(corpus / "vq.safetensors")
    tensors = weights.load(corpus / "vq.safetensors")
    weights.save(other, tensors | {"codebook": tensors["codebook"] + 1}, about)
    with pytest.raises(ModelError, match="changed since it was written"):
        Codebook.load(other)
    weights.save(other, tensors | {"codebook": tensors["codebook"][:3]}, about)
    with pytest.raises(ModelError, match="do not fit"):
        Codebook.load(other)
    weights.save(other, tensors, about | {"embedding_fingerprint": "muq"})
    with pytest.raises(ModelError, match="changed since"):
        Codebook.load(other)
    lines = (corpus / "train.jsonl").read_text(encoding="utf-8").splitlines()
    gone = json.dumps({"id": "gone", "audio": str(corpus / "gone.wav"), "duration": 1.0})
    bad = corpus / "bad.jsonl"
    bad.write_text("\n".join([lines[0], gone, '{"id": ', lines[1]]) + "\n", encoding="utf-8")
    words = ["song", "sketch", str(corpus / "vq.safetensors"), str(bad), "--output-dir", str(tmp_path / "out")]
    capsys.readouterr()
    assert cli.main(words) == 0
    told = capsys.readouterr().out
    assert "bad.jsonl:2" in told
    assert "bad.jsonl:3" in told
    assert "2 rows" in told


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--hop", "1000"], "48 latents a second"),
        (["--embedding", "./none"], "no such folder"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_made(corpus, tmp_path, capsys, words, found):
    assert sketch(corpus, tmp_path / "out", *words) == 2
    assert found in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_muq_hears_songs_on_a_device_of_its_own(corpus, tmp_path, capsys):
    model = muqs.folder(tmp_path)
    words = ["song", "fit-sketch", "--data-jsonl", corpus / "train.jsonl", "--output-path", tmp_path / "muq.pt"]
    words += ["--muq-model", model, "--muq-device", "cpu", "--codes", 12, "--code-size", 8, "--steps", 3]
    assert cli.main([str(word) for word in [*words, "--cache-dir", tmp_path / "cache"]]) == 0
    assert sketch(corpus, tmp_path / "out", "--muq-device", "cpu", codebook=tmp_path / "muq.pt") == 0
    for row in Manifest.open(tmp_path / "out/train.jsonl"):
        assert len(of_row(row, tmp_path / "out", "").values) == round(row.duration * 25)
    capsys.readouterr()
    other = f"{model}@1"
    assert sketch(corpus, tmp_path / "other", "--muq-model", other, codebook=tmp_path / "muq.pt") == 2
    assert "codebook of the embedding" in capsys.readouterr().err
    for layer in ("3", "-4", "x"):
        with pytest.raises(ConfigError, match="layer"):
            open_embedding(f"{model}@{layer}", "cpu")


def test_how_evenly_codes_are_used():
    assert usage(np.array([5, 5, 0, 0]))["perplexity"] == pytest.approx(2.0)
    assert usage(np.array([5, 5, 0, 0]))["usage"] == 50.0
    assert usage(np.zeros(3, np.int64))["perplexity"] == 0.0
    assert written_as(Path("a/vq_16384.pt")) == Path("a/vq_16384.safetensors")


def test_the_forks_command_runs_line_by_line(corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONSEI_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "data/jacappella_prepared_ja"
    data.mkdir(parents=True)
    for path in corpus.glob("*.wav"):
        (data / path.name).write_bytes(path.read_bytes())
    (data / "train.jsonl").write_bytes((corpus / "train.jsonl").read_bytes())
    line = (
        "song fit-sketch --data-jsonl data/jacappella_prepared_ja/train.jsonl --output-path data/vq/vq_16384.pt "
        "--steps 2000 --batch-size 1 --max-duration 10 --device cpu"
    )
    words = line.split()
    assert cli.main([*words, "--embedding", "mel"]) == 2  # six songs are too few for 16384 codes
    assert "--codes 37 or fewer" in capsys.readouterr().err
    assert cli.main([*words, "--embedding", "mel", "--codes", "32", "--steps", "5"]) == 0
    assert "written as data/vq/vq_16384.safetensors" in capsys.readouterr().out
    assert Codebook.load(Path("data/vq/vq_16384.pt")).codes == 32
