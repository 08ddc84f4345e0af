"""Every way in which a sound file can be bad ends in one AudioError that names the file and the mend."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from onsei.audio import io
from onsei.errors import AudioError
from tests.audio.sounds import hiss, tone, write_coded, write_silent_video


def refused(path: Path | str, message: str, **how: object) -> None:
    with pytest.raises(AudioError) as error:
        io.load(path, **how)  # type: ignore[arg-type]
    assert message in error.value.message
    assert Path(path).name in error.value.message
    assert error.value.mend
    assert "\n" not in error.value.message


def test_a_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.wav", "no such file")
    with pytest.raises(AudioError, match="no such file"):
        io.info(tmp_path / "none.wav")


def test_a_folder_or_device(tmp_path: Path) -> None:
    (tmp_path / "folder.wav").mkdir()
    refused(tmp_path / "folder.wav", "expected a sound file, found a folder")
    if os.path.exists("/dev/zero"):
        refused("/dev/zero", "expected a sound file")


def test_a_name_that_cannot_be_one() -> None:
    with pytest.raises(AudioError, match="cannot be opened"):
        io.load("a\0b.wav")
    with pytest.raises(AudioError, match="cannot be opened"):
        io.load("x" * 5000 + ".wav")


@pytest.mark.parametrize("extension", ["wav", "mp3", "ogg", "flac", "m4a", "webm", "raw", "txt", ""])
def test_an_empty_file(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"empty.{extension}"
    path.touch()
    refused(path, "empty file (0 bytes)")


@pytest.mark.parametrize(
    "extension", ["wav", "mp3", "ogg", "flac", "m4a", "webm", "au", "snd", "vox", "gsm", "raw", "txt"]
)
@pytest.mark.parametrize("content", [b"These are words, not sound.\n" * 300, bytes(5000), b"RIFF", b"\x01"])
def test_a_file_that_is_not_sound(tmp_path: Path, extension: str, content: bytes) -> None:
    # Among these are extensions for which libsndfile takes any bytes for sound.
    path = tmp_path / f"file.{extension}"
    path.write_bytes(content)
    refused(path, "not a sound file")


def test_a_video_without_sound(tmp_path: Path) -> None:
    write_silent_video(tmp_path / "silent.mp4")
    refused(tmp_path / "silent.mp4", "holds no sound")


def test_a_playlist_is_not_followed(tmp_path: Path) -> None:
    write_coded(tmp_path / "secret.aac", tone(1.0), 16000, container="adts")
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:3,\n"
    (tmp_path / "list.m3u8").write_text(f"{head}secret.aac\n#EXT-X-ENDLIST\n")
    refused(tmp_path / "list.m3u8", "not a sound file")
    (tmp_path / "list.wav").write_text("ffconcat version 1.0\nfile secret.aac\n")
    refused(tmp_path / "list.wav", "not a sound file")


@pytest.mark.parametrize("keep", [0.5, -7])
@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "opus", "aiff", "au"])
def test_a_file_that_is_cut_short(tmp_path: Path, extension: str, keep: float) -> None:
    path = tmp_path / f"cut.{extension}"
    io.save(path, tone(3.0) + hiss(3.0, amplitude=0.02), 16000)
    data = path.read_bytes()
    path.write_bytes(data[: keep if keep < 0 else int(len(data) * keep)])
    refused(path, "damaged or cut short")


def test_an_mp3_that_is_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp3"
    io.save(path, tone(3.0), 16000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(path, "the header promises 3.000 s")


@pytest.mark.parametrize(("name", "codec"), [("cut.m4a", "aac"), ("cut.webm", "libopus"), ("cut.aac", "aac")])
def test_a_recording_of_a_phone_or_browser_that_is_cut_short(tmp_path: Path, name: str, codec: str) -> None:
    path = tmp_path / name
    write_coded(path, tone(3.0, 48000), 48000, codec, "adts" if name.endswith("aac") else None)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 5])
    refused(path, "damaged or cut short")


@pytest.mark.parametrize("extension", ["flac", "ogg", "opus"])
def test_a_file_with_a_hole(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"hole.{extension}"
    io.save(path, tone(3.0) + hiss(3.0, amplitude=0.02), 16000)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    refused(path, "damaged or cut short")


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg"])
def test_a_file_without_samples(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"nothing.{extension}"
    sf.write(path, np.zeros(0, np.float32), 16000)
    with pytest.raises(AudioError):
        io.load(path)
    with pytest.raises(AudioError):
        io.info(path)


def test_a_wav_without_samples_is_told_as_such(tmp_path: Path) -> None:
    sf.write(tmp_path / "nothing.wav", np.zeros(0, np.float32), 16000)
    refused(tmp_path / "nothing.wav", "holds no samples")


def test_a_file_too_short_for_the_wanted_rate(tmp_path: Path) -> None:
    io.save(tmp_path / "one.wav", np.full(1, 0.5), 48000)
    assert len(io.load(tmp_path / "one.wav")[0]) == 1
    refused(tmp_path / "one.wav", "too short", sample_rate=8000)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    sound = np.stack([tone(1.0), tone(1.0)])
    sound[1, 8000] = value
    sf.write(tmp_path / "bad.wav", sound.T, 16000, subtype="FLOAT")
    refused(tmp_path / "bad.wav", "1 NaN or infinite samples, the first at 0.500 s")
    refused(tmp_path / "bad.wav", "the first at 0.500 s", offset=0.25, sample_rate=8000)
    assert len(io.load(tmp_path / "bad.wav", channel=0)[0]) == 16000
    assert len(io.load(tmp_path / "bad.wav", duration=0.5)[0]) == 8000


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"offset": -0.1}, "offset: expected seconds from 0"),
        ({"offset": float("nan")}, "offset: expected seconds from 0"),
        ({"duration": 0.0}, "duration: expected seconds above 0"),
        ({"duration": float("inf")}, "duration: expected seconds above 0"),
        ({"offset": 1.0}, "passes the end at 1.000 s"),
        ({"offset": 0.5, "duration": 2.0}, "the segment from 0.5 s to 2.5 s passes the end"),
        ({"max_seconds": 0.5}, "1 s to read, the limit is 0.5 s"),
    ],
)
def test_a_segment_that_the_file_does_not_have(tmp_path: Path, how: dict[str, float], message: str) -> None:
    io.save(tmp_path / "a.wav", tone(1.0), 16000)
    refused(tmp_path / "a.wav", message, **how)


@pytest.mark.parametrize("rate", [0, -16000])
def test_a_wanted_rate_that_is_none(tmp_path: Path, rate: int) -> None:
    io.save(tmp_path / "a.wav", tone(1.0), 16000)
    with pytest.raises(AudioError, match="sample rate"):
        io.load(tmp_path / "a.wav", rate)
