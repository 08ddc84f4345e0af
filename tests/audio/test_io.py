"""Reading and writing sound files."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from onsei.audio import io
from onsei.audio.resample import resample, resampled_length
from onsei.errors import AudioError
from tests.audio.sounds import hiss, lag, sweep, tone, write_coded

LIBSNDFILE = ["wav", "flac", "ogg", "opus", "mp3", "aiff", "au", "caf"]
CODED = ["m4a", "mp4", "aac", "webm"]


def make(folder: Path, extension: str, sound: np.ndarray, rate: int = 48000) -> Path:
    path = folder / f"sound.{extension}"
    if extension in CODED:
        write_coded(
            path, sound, rate, "libopus" if extension == "webm" else "aac", "adts" if extension == "aac" else None
        )
    else:
        io.save(path, sound, rate)
    return path


@pytest.mark.parametrize("extension", LIBSNDFILE)
def test_save_and_load_give_the_same_sound(tmp_path: Path, extension: str) -> None:
    sound = tone(2.0, 16000)
    path = make(tmp_path, extension, sound, 16000)
    found, rate = io.load(path)
    assert rate == 16000
    assert found.dtype == np.float32
    assert found.shape == sound.shape
    lossless = extension in ("wav", "flac", "aiff", "au", "caf")
    kept = slice(-320 if extension == "opus" else None)  # libsndfile's Opus loses the last milliseconds
    assert np.abs(found - sound)[kept].max() < (2**-15 if lossless else 0.05)


@pytest.mark.parametrize("extension", CODED)
def test_what_libsndfile_does_not_know_is_read_by_ffmpeg(tmp_path: Path, extension: str) -> None:
    sound = sweep(2.0, 48000)
    path = make(tmp_path, extension, sound)
    found, rate = io.load(path)
    assert rate == 48000
    late = lag(found, sound)
    assert 0 <= late <= 2112  # coders delay, and not all containers say by how much
    error = found[late + 2400 : late + 90000] - sound[2400:90000]
    assert np.sqrt(np.square(error).mean()) < 0.02  # the sound itself: 0.21
    assert len(io.load(path, 16000)[0]) == resampled_length(len(found), 48000, 16000)


@pytest.mark.parametrize("extension", [*LIBSNDFILE, *CODED])
def test_info_tells_what_load_gives_without_decoding(tmp_path: Path, extension: str) -> None:
    path = make(tmp_path, extension, tone(1.5, 48000))
    header = io.info(path)
    found, rate = io.load(path)
    assert (header.path, header.sample_rate, header.channels) == (path, rate, 1)
    assert header.frames == pytest.approx(len(found), abs=0.02 * rate)
    assert header.duration == pytest.approx(header.frames / rate, abs=1e-4)
    assert header.format


@pytest.mark.parametrize("extension", [*LIBSNDFILE, *CODED])
@pytest.mark.parametrize("offset", [0.1, 1.0, 1.9, 2.55])
def test_a_segment_is_that_part_of_the_whole(tmp_path: Path, extension: str, offset: float) -> None:
    path = make(tmp_path, extension, sweep(3.0, 48000))  # no noise: AAC codes that as random numbers
    whole, rate = io.load(path)
    part, _ = io.load(path, offset=offset, duration=0.4)
    start = round(offset * rate)
    assert len(part) == round(0.4 * rate)
    assert np.abs(part - whole[start : start + len(part)]).max() < 2e-3


@pytest.mark.parametrize("seconds", [3.0, 7.3, 90.0])
def test_segments_in_the_last_page_of_an_ogg_file_are_in_place(tmp_path: Path, seconds: float) -> None:
    # libsndfile's own seek is wrong there for quiet sounds, whose pages are long.
    sound = tone(seconds, 16000, 431.7) + hiss(seconds, 16000, amplitude=0.001)
    path = make(tmp_path, "ogg", sound, 16000)
    whole, _ = io.load(path)
    for offset in np.linspace(seconds - 1.2, seconds - 0.2, 9):
        part, _ = io.load(path, offset=float(offset), duration=0.1)
        start = round(offset * 16000)
        np.testing.assert_allclose(part, whole[start : start + 1600], atol=1e-6)


def test_a_duration_that_was_rounded_up_reads_to_the_end(tmp_path: Path) -> None:
    path = make(tmp_path, "wav", tone(1.0, 16000), 16000)
    assert len(io.load(path, offset=0.5, duration=0.55)[0]) == 8000
    with pytest.raises(AudioError, match="passes the end"):
        io.load(path, offset=0.5, duration=0.7)


@pytest.mark.parametrize("extension", ["wav", "flac", "caf"])
def test_channels_are_averaged_or_chosen(tmp_path: Path, extension: str) -> None:
    sound = np.stack([tone(0.5, 96000, 200 * (c + 1), 0.5) for c in range(8)])
    path = make(tmp_path, extension, sound, 96000)
    assert io.info(path).channels == 8
    mixed, _ = io.load(path)
    np.testing.assert_allclose(mixed, sound.mean(0), atol=1e-4)
    third, _ = io.load(path, channel=2)
    np.testing.assert_allclose(third, sound[2], atol=1e-4)
    assert io.load(path, 16000)[0].shape == (8000,)
    with pytest.raises(AudioError, match="channel 8 asked for, the file has 8"):
        io.load(path, channel=8)
    with pytest.raises(AudioError, match="channel -1"):
        io.load(path, channel=-1)


@pytest.mark.parametrize(("rate", "wanted"), [(8000, 16000), (44100, 16000), (11025, 8000), (96000, 22050)])
def test_loading_at_another_rate_is_resampling_the_whole(tmp_path: Path, rate: int, wanted: int) -> None:
    path = make(tmp_path, "flac", hiss(1.3, rate), rate)
    own, _ = io.load(path)
    found, given = io.load(path, wanted)
    assert given == wanted
    assert len(found) == resampled_length(len(own), rate, wanted)
    np.testing.assert_allclose(found, resample(own, rate, wanted), atol=1e-6)


@pytest.mark.parametrize("name", ["音声 データ/録音 1.wav", "back\\slash.wav", "-.wav", "a'b\"c.wav", "concat:x.wav"])
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    if os.name == "nt" and set(name) & set('"\\:'):
        pytest.skip("not a file name on Windows")
    path = tmp_path / name
    io.save(path, tone(0.1), 16000)
    assert len(io.load(str(path))[0]) == 1600
    assert io.info(path).frames == 1600


def test_a_file_whose_name_is_a_dash_is_not_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    io.save(tmp_path / "x.wav", tone(0.1), 16000)
    (tmp_path / "x.wav").rename(tmp_path / "-")
    monkeypatch.chdir(tmp_path)
    assert len(io.load("-")[0]) == 1600


def test_the_content_and_not_the_extension_decides(tmp_path: Path) -> None:
    write_coded(tmp_path / "a.mp4", tone(1.0, 16000), 16000)
    (tmp_path / "a.mp4").rename(tmp_path / "a.mp3")
    assert io.info(tmp_path / "a.mp3").format == "mov aac"
    io.save(tmp_path / "b.flac", tone(1.0, 16000), 16000)
    (tmp_path / "b.flac").rename(tmp_path / "b.m4a")
    assert io.info(tmp_path / "b.m4a").format == "FLAC PCM_16"


@pytest.mark.parametrize("tag", [b"", b"ID3\x04\x00\x00\x00\x00\x4e\x10" + bytes(10000)])
def test_an_mp3_that_does_not_count_its_frames_is_read_whole(tmp_path: Path, tag: bytes) -> None:
    # libsndfile takes 3 s of varying bit rate for 0.4 s.
    sound = sweep(3.0, 16000)
    path = make(tmp_path, "mp3", sound, 16000)
    data = path.read_bytes()
    second = data.index(data[:2], 100)  # the first frame holds the count
    path.write_bytes(tag + data)
    assert io.info(path).frames == 48000
    path.write_bytes(tag + data[second:])
    found, _ = io.load(path)
    assert len(found) == pytest.approx(48000, abs=3000)
    assert io.info(path).frames == pytest.approx(len(found), abs=1152)
    late = lag(found, sound)
    assert 0 <= late <= 2304
    part, _ = io.load(path, offset=2.0, duration=0.5)
    np.testing.assert_allclose(part, found[32000:40000], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "codec", "how"),
    [("live.webm", "libopus", {"live": "1"}), ("parts.mp4", "aac", {"movflags": "frag_keyframe+empty_moov"})],
)
def test_recordings_of_a_browser_need_not_tell_their_length(
    tmp_path: Path, name: str, codec: str, how: dict[str, str]
) -> None:
    write_coded(tmp_path / name, sweep(3.0, 48000), 48000, codec, options=how)
    whole, rate = io.load(tmp_path / name)
    assert io.info(tmp_path / name).duration == pytest.approx(3.0, abs=0.05)
    assert len(whole) / rate == pytest.approx(3.0, abs=0.05)
    part, _ = io.load(tmp_path / name, offset=1.5, duration=0.5)
    np.testing.assert_allclose(part, whole[72000:96000], atol=2e-3)


def test_a_wav_written_to_a_pipe_is_not_taken_for_cut_short(tmp_path: Path) -> None:
    path = make(tmp_path, "wav", tone(1.0), 16000)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert len(io.load(path)[0]) == 16000


def test_a_long_file_is_read_in_bounded_memory_and_only_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with sf.SoundFile(path, "w", 8000, 2, subtype="PCM_U8") as file:
        minute = np.zeros((8000 * 60, 2), np.float32)
        for _ in range(180):
            file.write(minute)
    with pytest.raises(AudioError, match="10800 s to read, the limit is 3600 s") as error:
        io.load(path)
    assert "offset and duration" in error.value.mend
    assert len(io.load(path, offset=10790, duration=5)[0]) == 40000
    tracemalloc.start()
    found, _ = io.load(path, 4000, max_seconds=None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 10800 * 4000
    assert peak < 2.2 * found.nbytes + 50e6  # the blocks and their sum, but not the source


def test_saving_replaces_the_old_file_only_on_success(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.wav"
    io.save(path, tone(0.2), 16000)
    before = path.read_bytes()
    with pytest.raises(AudioError, match="NaN"):
        io.save(path, np.array([0.0, np.nan]), 16000)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["a.wav"]


def test_saving_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    cases = {
        "reach ±1.500": ("a.wav", np.array([0.0, -1.5]), 16000),
        "cannot write .m4a": ("a.m4a", tone(0.1), 16000),
        "cannot write a file without extension": ("a", tone(0.1), 16000),
        "no samples": ("a.wav", np.zeros(0), 16000),
        "found int16": ("a.wav", np.zeros(9, np.int16), 16000),
        "sample rate: expected Hz above 0": ("a.wav", tone(0.1), 0),
        "put time last": ("a.wav", np.zeros((16000, 2)), 16000),
        "OGG OPUS cannot hold": ("a.opus", tone(0.1), 44100),
    }
    for message, (name, sound, rate) in cases.items():
        with pytest.raises(AudioError) as error:
            io.save(tmp_path / name, sound, rate)
        assert message in str(error.value)
    assert not list(tmp_path.iterdir())
    io.save(tmp_path / "loud.wav", np.array([0.0, -1.5]), 16000, coding="FLOAT")
    assert io.load(tmp_path / "loud.wav")[0][1] == -1.5
