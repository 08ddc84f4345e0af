"""Preparing: layouts of all kinds become manifests; halves are listed; parts share no picture, sentence or voice."""

import csv
import json
import shutil
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from onsei import cli
from onsei.audio import io
from onsei.data import manifest
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.systems.translation.prepare.found import captions, plain
from onsei.systems.translation.prepare.parts import parted


def sound(path, seconds=0.5, seed=0):
    samples = 0.1 * np.random.default_rng(seed).standard_normal(int(16000 * seconds))
    io.save(path, samples.astype(np.float32), 16000)


def picture(path, color=(200, 10, 10), size=(8, 8), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).convert(mode).save(path)


def run(*words):
    return cli.main(["translation", "prepare", *map(str, words)])


def rows(folder, name):
    path = folder / f"{name}.jsonl"
    return list(Manifest.open(path)) if path.exists() else []


def every(folder, kind):
    return {part: rows(folder, f"{kind}_{part}") for part in ("train", "val", "test")}


def faults(folder):
    with (folder / "unmatched.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture
def original(tmp_path):
    """The original's layout, with a picture, two recordings and a sentence that have no partner."""
    data = tmp_path / "data"
    for number in range(12):
        sound(data / "target_lang_unlabeled" / f"audio_{number:03}.wav", seed=number)
        sound(data / "audio" / f"{number}.wav", seed=100 + number)
        picture(data / "images" / f"{number}.jpg", (20 * number, 0, 0))
        sound(data / "parallel_pairs" / "audio" / f"p{number}.flac", seed=200 + number)
        (data / "parallel_pairs" / "text").mkdir(parents=True, exist_ok=True)
        (data / "parallel_pairs" / "text" / f"p{number}.txt").write_text(f"sentence number {number}.\n")
    sound(data / "audio" / "alone.wav")
    picture(data / "images" / "lonely.jpg")
    (data / "parallel_pairs" / "text" / "silent.txt").write_text("nobody says this")
    sound(data / "parallel_pairs" / "audio" / "mute.wav")
    (data / "parallel_pairs" / "text" / "mute.txt").write_text("  \n")
    return data


def test_the_originals_layout_becomes_manifests(original, tmp_path, capsys):
    assert run(original, "--output-dir", tmp_path / "out") == 0
    out = tmp_path / "out"
    assert len(rows(out, "unlabeled")) == 12
    pairs, parallel = every(out, "pairs"), every(out, "parallel")
    assert {len(part) for part in (pairs["val"], pairs["test"], parallel["val"], parallel["test"])} <= {1, 2, 3}
    assert sum(map(len, pairs.values())) == sum(map(len, parallel.values())) == 12
    row = pairs["train"][0]
    assert row.image.stem == row.audio.stem
    assert row.duration == 0.5
    assert {r.text for part in parallel.values() for r in part} == {f"sentence number {n}." for n in range(12)}
    listed = {(fault["kind"], fault["file"].rpartition("/")[2]) for fault in faults(out)}
    assert listed == {("picture", "alone.wav"), ("audio", "lonely.jpg"), ("audio", "silent.txt"), ("text", "mute.txt")}
    assert "4 could not be used" in capsys.readouterr().out


def test_nothing_is_overwritten_silently(original, tmp_path, capsys):
    run(original, "--output-dir", tmp_path / "out")
    assert run(original, "--output-dir", tmp_path / "out") == 2
    assert "exists already" in capsys.readouterr().err
    assert run(original, "--output-dir", tmp_path / "out", "--force") == 0


def test_one_folder_serves_phases_a_and_b(original, tmp_path):
    out = tmp_path / "out"
    run("--audio", original / "audio", "--images", original / "images", "--output-dir", out)
    held = {row.audio for row in rows(out, "pairs_test")}
    heard = {row.audio for row in rows(out, "unlabeled")}
    assert held
    assert not held & heard  # what is tested was never heard
    assert len(held | heard) == 12
    assert not any(row.image or row.text for row in rows(out, "unlabeled"))


def test_a_picture_under_two_names_stays_on_one_side(tmp_path):
    for number in range(20):
        sound(tmp_path / "audio" / f"{number}.wav", seed=number)
        picture(tmp_path / "images" / f"{number}.png", (10 * (number // 2), 0, 0))  # every picture twice
    for seed in range(3):
        out = tmp_path / f"out{seed}"
        words = ["--audio", tmp_path / "audio", "--images", tmp_path / "images", "--output-dir", out, "--seed", seed]
        run(*words, "--val-fraction", "0.2", "--test-fraction", "0.2")
        sides = [{row.image.read_bytes() for row in part} for part in every(out, "pairs").values()]
        assert all(sides)
        assert not sides[0] & sides[1]
        assert not sides[0] & sides[2]
        assert not sides[1] & sides[2]


def test_a_sentence_spelled_in_two_ways_stays_on_one_side(tmp_path):
    single = [Row(str(n), tmp_path / f"{n}.wav", 1.0, text=f"a {n // 3}{'.' * (n % 2)}") for n in range(30)]
    found = parted(single, {"val": 0.2, "test": 0.2}, 1, by_speaker=False)
    sides = {part: {plain(r.text) for r, p in zip(single, found, strict=True) if p == part} for part in set(found)}
    assert len(sides) == 3
    assert sum(map(len, sides.values())) == 10


def test_a_speaker_stays_on_one_side_where_asked_for(tmp_path):
    made = [Row(str(n), tmp_path / f"{n}.wav", 1.0, text=f"t{n}", speaker=f"s{n % 5}") for n in range(40)]
    found = parted(made, {"test": 0.2}, 0, by_speaker=True)
    speakers = [{r.speaker for r, p in zip(made, found, strict=True) if p == part} for part in ("train", "test")]
    assert not speakers[0] & speakers[1]
    assert len(speakers[1]) == 1


def test_too_few_groups_are_refused(tmp_path, capsys):
    for number in range(4):
        sound(tmp_path / "audio" / f"{number}.wav", seed=number)
        picture(tmp_path / "images" / f"{number}.png")  # the same picture four times
    words = ["--audio", tmp_path / "audio", "--images", tmp_path / "images", "--output-dir", tmp_path / "out"]
    assert run(*words) == 2
    assert "too few" in capsys.readouterr().err


def test_broken_and_odd_pictures(tmp_path):
    for number, (mode, suffix) in enumerate((("CMYK", "jpg"), ("I;16", "png"), ("P", "gif"), ("RGBA", "png"))):
        sound(tmp_path / "audio" / f"{number}.wav", seed=number)
        picture(tmp_path / "images" / f"{number}.{suffix}", (60 * number, 9, 9), mode="RGB" if mode == "I;16" else mode)
        if mode == "I;16":
            deep = Image.fromarray(np.full((8, 8), 40_000, np.uint16))
            deep.save(tmp_path / "images" / f"{number}.png")
    for number, content in ((4, b"no picture"), (5, b"")):
        sound(tmp_path / "audio" / f"{number}.wav", seed=number)
        (tmp_path / "images" / f"{number}.jpg").write_bytes(content)
    out = tmp_path / "out"
    words = ["--audio", tmp_path / "audio", "--images", tmp_path / "images", "--output-dir", out]
    assert run(*words, "--test-fraction", "0") == 0
    assert sum(len(part) for part in every(out, "pairs").values()) == 4
    assert {f["file"].rpartition("/")[2] for f in faults(out) if f["kind"] == "picture"} == {"4.jpg", "5.jpg"}


def test_short_long_and_broken_recordings_are_listed(tmp_path):
    folder = tmp_path / "sounds"
    sound(folder / "good.wav")
    sound(folder / "dust.wav", 0.05)
    (folder / "broken.mp3").write_bytes(b"nothing")
    assert run("--unlabeled", folder, "--output-dir", tmp_path / "out") == 0
    assert [row.id for row in rows(tmp_path / "out", "unlabeled")] == ["good"]
    assert {f["kind"] for f in faults(tmp_path / "out")} == {"duration", "audio"}
    shutil.rmtree(folder)
    folder.mkdir()
    assert run("--unlabeled", folder, "--output-dir", tmp_path / "out2") == 2


def test_several_recordings_of_a_picture_go_with_it(tmp_path):
    for number in range(6):
        picture(tmp_path / "images" / f"dog{number}.png", (9 * number, 0, 0))
        for take in range(2):
            sound(tmp_path / "audio" / f"dog{number}_{take}.wav", seed=9 * number + take)
    out = tmp_path / "out"
    run("--audio", tmp_path / "audio", "--images", tmp_path / "images", "--output-dir", out)
    parts = every(out, "pairs")
    assert sum(map(len, parts.values())) == 12
    assert not {r.image for r in parts["train"]} & {r.image for r in parts["test"]}


def exported(folder):
    """What the collection app writes: manifest.jsonl, audio/, images/."""
    lines = []
    for number in range(10):
        sound(folder / "audio" / f"c{number}.wav", seed=number)
        picture(folder / "images" / f"i{number}.png", (25 * number, 0, 0))
        line = {"id": f"c{number}", "audio": f"audio/c{number}.wav", "speaker": f"s{number % 2}", "snr": 30.0}
        line |= {"consent_version": 1, "duration": 0.5} | ({"image": f"images/i{number}.png"} if number < 8 else {})
        lines.append(line | ({"text": f"a thing {number}"} if number % 2 else {"text": " "} if number == 4 else {}))
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_the_collection_apps_export_is_read(tmp_path, packed):
    source = exported(tmp_path / "export")
    if packed:
        with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
            for path in sorted(source.rglob("*")):
                archive.write(path, path.relative_to(tmp_path))
        shutil.rmtree(source)
        source = tmp_path / "export.zip"
    out = tmp_path / "out"
    assert run(source, "--output-dir", out) == 0
    assert len(rows(out, "unlabeled")) + len(every(out, "pairs")["test"]) >= 9
    assert sum(map(len, every(out, "pairs").values())) == 8
    assert sum(map(len, every(out, "parallel").values())) == 5
    assert [f["kind"] for f in faults(out)] == ["text"]
    row = rows(out, "pairs_train")[0]
    assert (row.extra["snr"], row.extra["consent_version"]) == (30.0, 1)


def test_a_manifest_is_read(tmp_path):
    sound(tmp_path / "a.wav")
    listed = [Row(str(n), tmp_path / "a.wav", 0.1, text=f"t{n}", offset=0.04 * n) for n in range(8)]
    manifest.write(tmp_path / "m.jsonl", listed)
    out = tmp_path / "out"
    assert run(tmp_path / "m.jsonl", "--output-dir", out, "--min-duration", "0.05", "--test-fraction", "0") == 0
    assert sum(map(len, every(out, "parallel").values())) == 8


def test_captions_of_both_kinds_are_read(tmp_path):
    (tmp_path / "comma.txt").write_text("image,caption\na.jpg,A dog , running .\na.jpg,Second\nb.jpg,\n")
    (tmp_path / "tab.txt").write_text("a.jpg#0\tA dog , running .\na.jpg#1\tSecond\n")
    for name in ("comma", "tab"):
        assert captions(tmp_path / f"{name}.txt") == {"a": ["A dog , running .", "Second"]}


def test_captions_are_spoken_by_a_command(tmp_path):
    lines = ["image,caption"]
    for number in range(6):
        picture(tmp_path / "images" / f"{number}.jpg", (30 * number, 0, 0))
        lines.append(f"{number}.jpg,thing {number}")
    (tmp_path / "captions.txt").write_text("\n".join(lines))
    program = tmp_path / "say.py"
    program.write_text(
        "import sys, wave\nf = wave.open(sys.argv[2], 'wb')\nf.setparams((1, 2, 16000, 0, 'NONE', ''))\n"
        "f.writeframes(bytes([9, 3]) * 2000 * len(sys.argv[1]))\n"
    )
    words = ["--captions", tmp_path / "captions.txt", "--images", tmp_path / "images", "--output-dir", tmp_path / "out"]
    assert run(*words, "--tts-command", f"{sys.executable} {program} {{text}} {{output}}") == 0
    pairs = [row for part in every(tmp_path / "out", "pairs").values() for row in part]
    assert len(pairs) == 6
    assert {row.text for row in pairs} == {f"thing {n}" for n in range(6)}
    assert run(*words, "--force", "--tts-command", f"{sys.executable} -c 1 {{text}} {{output}}") == 0  # all is spoken
    shutil.rmtree(tmp_path / "out" / "audio")
    assert run(*words, "--force", "--tts-command", f"{sys.executable} -c 1 {{text}} {{output}}") == 2


def test_captions_are_spoken_by_espeak(tmp_path):
    pytest.importorskip("espeakng_loader")
    lines = ["image,caption"]
    for number in range(4):
        picture(tmp_path / "images" / f"{number}.jpg", (40 * number, 0, 0))
        lines.append(f"{number}.jpg,a small house number {number}")
    (tmp_path / "captions.txt").write_text("\n".join(lines))
    words = ["--captions", tmp_path / "captions.txt", "--images", tmp_path / "images", "--output-dir", tmp_path / "out"]
    assert run(*words) == 0
    pairs = [row for part in every(tmp_path / "out", "pairs").values() for row in part]
    assert len({row.speaker for row in pairs}) == 4
    assert all(0.8 < row.duration < 5 for row in pairs)


@pytest.mark.parametrize("words", [[], ["--audio", "x"], ["--captions", "x"], ["--unlabeled", "no-such-folder"]])
def test_halves_and_nothing_are_refused(tmp_path, words):
    assert run(*words, "--output-dir", tmp_path / "out") == 2
