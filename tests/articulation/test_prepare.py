"""Films become clips: pictures, mels and sounds of one length, in step, parted without leaks."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from onsei import cli
from onsei.audio import io
from onsei.data.manifest import Manifest
from onsei.errors import ConfigError, DataError
from onsei.systems.articulation.config import Prepare
from onsei.systems.articulation.data.prepare import prepare
from onsei.systems.articulation.data.prepare.register import moved, offset
from onsei.systems.articulation.data.prepared import read_prepared, read_scaler
from onsei.vision import video
from onsei.vocoder.mel import LogMel, prepared
from tests.articulation.conftest import FLAGS, HOP, RATE, SMALL, put, singer
from tests.vision.films import moving_bar, write


def run(*words):
    assert cli.main(["articulation", "prepare", *map(str, words)]) == 0


@pytest.fixture(scope="module")
def clips(films, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    run("--data-dir", films, "--out-dir", folder, *FLAGS, "--size", "20", "--preemph", "0.97", "--ref-frames", "4")
    return folder


def test_clips_are_whole_and_to_the_sample(clips):
    definition = read_prepared(clips / "all.jsonl")
    rows = list(Manifest.open(clips / "all.jsonl"))
    assert [row.id for row in rows] == ["s0_c0", "s0_c2", "s0_c4", "s1_c1", "s1_c3", "s1_c5"]
    for row in rows:
        pictures, mel, mask = (np.load(row.video.with_name(f"{name}.npy")) for name in ("mri", "mel_db", "mask"))
        frames = 40 + int(row.id[-1])
        sound, rate = io.load(row.audio)
        assert pictures.shape == mask.shape == (frames, 20, 20)
        assert (mel.shape, rate, len(sound)) == ((20, frames), RATE, frames * HOP)
        assert (pictures.min(), pictures.max(), mask.min(), mask.max()) == (0, 1, 1, 1)
        assert row.speaker == row.id[:2]
        own = LogMel(definition.mel)(prepared(torch.from_numpy(sound), definition.mel)[None])[0].numpy()
        assert np.abs(own - mel)[mel > -50].max() < 0.05  # 16 bits of the wav are all that is lost
        assert mel.min() >= -80
    assert (definition.frame_rate, definition.subframes) == ("25", 1)


def test_the_scaler_is_of_training_and_named_like_its_clips(clips):
    rows = Manifest.open(clips / "train.jsonl")
    mels = np.concatenate([np.load(row.features) for row in rows], axis=1)
    scaler = read_scaler(clips / "scaler.json")
    assert (scaler.mean, scaler.std) == (pytest.approx(mels.mean(), abs=1e-3), pytest.approx(mels.std(), abs=1e-3))
    meta = json.loads((clips / "meta.json").read_text(encoding="utf-8"))
    assert scaler.prepared == meta["prepared"] != ""
    assert meta["ref_frames"] == 4


def test_parts_share_no_clip_and_the_vocoder_never_trains_on_the_test(clips):
    parts = {name: {row.id for row in Manifest.open(clips / f"{name}.jsonl")} for name in ("train", "val", "test")}
    assert sorted(len(part) for part in parts.values()) == [1, 1, 4]
    assert len(set.union(*parts.values())) == 6
    lists = {
        name: {line.partition("|")[0] for line in (clips / "hifigan_filelists" / f"{name}.txt").read_text().split()}
        for name in ("training", "validation")
    }
    assert lists == {"training": parts["train"], "validation": parts["val"]}


def test_windows_are_stored_as_archives_and_as_arrays(clips):
    row = Manifest.open(clips / "all.jsonl")[0]
    pictures, mel = np.load(row.video), np.load(row.features)
    with np.load(clips / "pairs_ref4" / f"{row.id}.npz") as stored:
        assert stored["mri"].shape == (37, 4, 20, 20)
        np.testing.assert_array_equal(stored["mri"][7], pictures[7:11])
        np.testing.assert_array_equal(stored["mel_db"][7], mel[:, 7:11].T)
        mapped = np.load(clips / "pairs_ref4_npy" / f"{row.id}_mri.npy", mmap_mode="r")
        np.testing.assert_array_equal(mapped, stored["mri"])


def test_random_windows_are_those_of_torchs_random_split(films, tmp_path, capsys):
    run("--data-dir", films, "--out-dir", tmp_path, *SMALL, "--split", "random")
    assert "smaller than they are" in capsys.readouterr().out
    parts = [Manifest.open(tmp_path / f"{name}.jsonl") for name in ("train", "val", "test")]
    every = [
        f"{row.id}@{start}" for row in Manifest.open(tmp_path / "all.jsonl") for start in range(37 + int(row.id[-1]))
    ]
    sizes = [int(0.8 * len(every)), int(0.1 * len(every))]
    sizes.append(len(every) - sum(sizes))
    theirs = torch.utils.data.random_split(every, sizes, generator=torch.Generator().manual_seed(42))
    for part, other in zip(parts, theirs, strict=True):
        assert {row.id for row in part} == set(other)


def test_speakers_are_held_out_whole(films, tmp_path):
    words = ["--split", "speaker", "--test", "s1", "--val-fraction", "0"]
    run("--data-dir", films, "--out-dir", tmp_path, *SMALL, *words)
    assert {row.speaker for row in Manifest.open(tmp_path / "train.jsonl")} == {"s0"}
    assert {row.speaker for row in Manifest.open(tmp_path / "test.jsonl")} == {"s1"}
    training = (tmp_path / "hifigan_filelists" / "training.txt").read_text()
    assert "s1" not in training
    assert (tmp_path / "hifigan_filelists" / "validation.txt").read_text()


@pytest.mark.parametrize(("fps", "size"), [("23.18", 68), ("83.28", 84), ("27.1738", 128), ("50", 256)])
def test_other_rates_and_sizes_need_flags_only(tmp_path, fps, size, capsys):
    rate = Fraction(fps)
    put(tmp_path / "films", "a", singer(60, size, rate=16000, fps=rate), fps=rate, rate=16000)
    common = ["--data-dir", tmp_path / "films", "--out-dir", tmp_path / "clips", "--val-fraction", "0"]
    common += ["--test-fraction", "0", "--pairs", "none", "--size", "64"]
    words = ["--n-fft", "2048", "--n-mels", "20"]
    if fps not in ("27.1738",):
        with pytest.raises(ConfigError, match="whole number") as error:
            prepare(Prepare(data_dir=tmp_path / "films", output_dir=tmp_path / "clips"))
        words += error.value.mend.split(";")[0].removeprefix("give ").split()  # the message says which flags
    run(*common, *words)
    row = Manifest.open(tmp_path / "clips" / "train.jsonl")[0]
    pictures, mel = np.load(row.video), np.load(row.features)
    definition = read_prepared(tmp_path / "clips" / "all.jsonl")
    assert pictures.shape == (60, 64, 64)
    assert mel.shape == (20, 60 * definition.subframes)
    assert float(definition.rate) == pytest.approx(float(rate), rel=2e-3)


def test_four_mel_frames_for_a_frame_of_film(films, tmp_path):
    run("--data-dir", films, "--out-dir", tmp_path, *SMALL, "--hop-length", HOP // 4)
    definition, row = read_prepared(tmp_path / "all.jsonl"), Manifest.open(tmp_path / "all.jsonl")[0]
    assert (definition.subframes, definition.frame_rate) == (4, "25")
    assert np.load(row.features).shape == (20, 160)


@pytest.mark.parametrize("frames", [0, 3, -4])
def test_the_lag_of_sound_is_seen(tmp_path, frames, capsys):
    for number in range(3):
        put(tmp_path / "films", f"c{number}", singer(120, seed=number, late=frames * HOP / RATE))
    out = tmp_path / "clips"
    run("--data-dir", tmp_path / "films", "--out-dir", out, *SMALL, "--json", tmp_path / "n.json")
    found = json.loads((tmp_path / "n.json").read_text())
    assert found["lags_seen"] >= 2
    assert found["lag_ms"] == pytest.approx(frames * 1000 * HOP / RATE, abs=25)
    printed = capsys.readouterr().out
    assert ("more than a frame" in printed) == bool(frames)
    if frames:
        with pytest.raises(DataError, match=r"later|earlier"):
            prepare(
                Prepare(
                    data_dir=tmp_path / "films", output_dir=tmp_path / "no", most_lag=0.05, sample_rate=RATE,
                    hop_length=HOP, n_fft=512, win_length=512, n_mels=20, pairs="none",
                )
            )  # fmt: skip


def test_a_lag_that_cannot_be_told_is_not_told(tmp_path, capsys):
    one, other = singer(120, seed=1), singer(120, seed=2)
    one.sound = other.sound
    put(tmp_path / "films", "a", one)
    run(
        "--data-dir", tmp_path / "films", "--out-dir", tmp_path / "c", *SMALL, "--val-fraction", 0, "--test-fraction", 0
    )
    assert "cannot be told" in capsys.readouterr().out


def test_normalized_films_have_their_sound(films, tmp_path):
    run("--data-dir", films, "--out-dir", tmp_path / "c", *SMALL, "--normalized-videos", tmp_path / "n")
    film = video.read(tmp_path / "n" / "s0_c0.mp4")
    assert (film.frames.shape, float(film.rate), film.frames.max()) == ((40, 16, 16), 25, 255)
    sound, _ = io.load(tmp_path / "n" / "s0_c0.mp4", RATE)
    own, _ = io.load(tmp_path / "c" / "wavs" / "s0_c0.wav")
    assert np.corrcoef(sound[: len(own)], own[: len(sound)])[0, 1] > 0.98


def test_a_mask_hides_what_is_dark_in_it(tmp_path):
    one = singer(20)
    put(tmp_path / "films", "a", one)
    mask = np.zeros_like(one.frames)
    mask[:, :, :12] = 255
    (tmp_path / "masks").mkdir()
    write(tmp_path / "masks" / "a.mkv", mask, 25, codec="ffv1")
    words = ["--mask-dir", tmp_path / "masks", "--size", "24", "--val-fraction", "0", "--test-fraction", "0"]
    run("--data-dir", tmp_path / "films", "--out-dir", tmp_path / "c", *SMALL, *words)
    stored = np.load(tmp_path / "c" / "samples" / "a" / "mask.npy")
    np.testing.assert_array_equal(stored, (mask > 0).astype(np.uint8))


def test_films_are_registered_on_the_first_of_their_speaker():
    picture = np.kron(np.random.default_rng(0).integers(0, 255, (8, 8)), np.ones((8, 8)))
    frames = np.repeat(picture[None], 2, 0).astype(np.uint8)
    there = moved(frames, 3, -5)
    assert offset(frames.mean(0), there.mean(0)) == (-3, 5)


def faults(tmp_path, *words):
    """What is left out, by name."""
    run(
        "--data-dir",
        tmp_path / "films",
        "--out-dir",
        tmp_path / "c",
        *SMALL,
        *words,
        "--val-fraction",
        "0",
        "--test-fraction",
        "0",
    )
    lines = (tmp_path / "c" / "faults.tsv").read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines)


def test_films_that_cannot_be_used_are_named_and_the_others_go_on(tmp_path):
    folder = tmp_path / "films"
    put(folder, "good", singer(40))
    write(folder / "mute.mkv", moving_bar(40), 25, codec="ffv1")
    long = singer(40)
    long.sound = np.concatenate([long.sound, np.zeros(2000, np.float32)])
    put(folder, "long", long)
    write(
        folder / "uneven.mkv",
        moving_bar(20),
        25,
        codec="ffv1",
        stamps=np.cumsum([0, *[40, 90] * 9, 40]),
        sound=np.zeros(10000),
        sound_rate=RATE,
    )
    put(folder, "one", singer(1))
    put(folder, "other", singer(40, fps=Fraction(30)), fps=30)
    broken = put(folder, "broken", singer(60, 64), codec="mjpeg", suffix=".avi", pix_fmt="yuvj420p")
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    (folder / "text.mp4").write_text("no film")
    found = faults(tmp_path)
    assert set(found) == {"mute", "long", "uneven", "one", "other", "broken", "text"}
    assert "without sound" in found["mute"]
    assert "0.250 s too long" in found["long"]
    assert "unevenly" in found["uneven"]
    assert "no film" in found["one"]
    assert "expected 25 frames/s, found 30" in found["other"]
    assert "frames" in found["broken"]
    assert [row.id for row in Manifest.open(tmp_path / "c" / "all.jsonl")] == ["good"]


def test_flags_take_what_else_would_be_left_out(tmp_path, capsys):
    folder = tmp_path / "films"
    long = singer(40)
    long.sound = np.concatenate([long.sound, np.zeros(2000, np.float32)])
    put(folder, "long", long)
    put(folder, "other", singer(48, fps=Fraction(30)), fps=30)
    broken = put(folder, "broken", singer(60, 64), codec="mjpeg", suffix=".avi", pix_fmt="yuvj420p")
    broken.write_bytes(broken.read_bytes()[: int(0.7 * broken.stat().st_size)])
    assert faults(tmp_path, "--tolerance", "1", "--retime", "--damaged", "keep", "--frame-rate", "25") == {}
    assert len(np.load(tmp_path / "c" / "samples" / "long" / "mri.npy")) == 40
    assert "frames before are kept" in capsys.readouterr().out


def test_sound_that_begins_late_in_the_container_is_put_where_it_is_heard(tmp_path):
    one = singer(40)
    put(tmp_path / "films", "a", one)
    folder = tmp_path / "sounds"
    io.save(folder / "a.wav", one.sound, RATE)
    words = ["--val-fraction", "0", "--test-fraction", "0"]
    run("--data-dir", tmp_path / "films", "--out-dir", tmp_path / "inside", *SMALL, *words)
    run("--data-dir", tmp_path / "films", "--audio-dir", folder, "--out-dir", tmp_path / "beside", *SMALL, *words)
    ours, theirs = (np.load(tmp_path / name / "samples" / "a" / "mel_db.npy") for name in ("inside", "beside"))
    np.testing.assert_allclose(ours, theirs, atol=0.5)


def test_color_and_two_frames_are_taken_and_told(tmp_path, capsys):
    color = np.zeros((2, 32, 32, 3), np.uint8)
    color[..., 0], color[:, 8:16, :, 1] = 180, 200
    (tmp_path / "films").mkdir()
    write(tmp_path / "films" / "a.mov", color, 25, codec="png", pix_fmt="rgb24", sound=np.zeros(640), sound_rate=RATE)
    assert faults(tmp_path) == {}
    assert "in color" in capsys.readouterr().out
    assert np.load(tmp_path / "c" / "samples" / "a" / "mri.npy").shape == (2, 16, 16)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"data_dir": Path("none")}, "no such folder"),
        ({"crop": "1,2"}, "LEFT,TOP"),
        ({"speaker": "("}, "regular expression"),
        ({"val": ("nobody",)}, "nobody"),
        ({"val_fraction": 0.6, "test_fraction": 0.6}, "together"),
        ({"split": "speaker", "speaker": "c"}, "speakers for 3 parts"),
        ({"hop_length": 900}, "win_length"),
        ({"audio_dir": Path(".")}, "no sound"),
    ],
)
def test_flags_that_do_not_fit_are_refused(films, tmp_path, change, told):
    options = {"data_dir": films, "output_dir": tmp_path / "c", "sample_rate": RATE, "hop_length": HOP}
    options |= {"n_fft": 512, "win_length": 512, "n_mels": 20, "size": 16, "pairs": "none"}
    with pytest.raises((ConfigError, DataError), match=told):
        prepare(Prepare(**options | change))


def test_clips_are_not_overwritten_silently(clips, films):
    with pytest.raises(DataError, match="--force"):
        prepare(Prepare(data_dir=films, output_dir=clips))
