"""`onsei song generate`: files, a file of songs, formats, faults."""

import contextlib
import io as streams
import json

import numpy as np
import pytest

import onsei
from onsei import cli, config
from onsei.audio import io
from onsei.systems.song.config import Request, Sampling

QUICK = ["--steps", "2", "--max-duration", "0.6"]


def run(*words):
    printed, faults = streams.StringIO(), streams.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(faults):
        status = cli.main(["song", "generate", *map(str, words), "--device", "cpu"])
    return status, printed.getvalue(), faults.getvalue()


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_a_song_becomes_a_file_with_what_is_known_beside_it(folder, voice, tmp_path, kind):
    status, printed, _ = run(
        folder,
        "[verse] s a",
        "--phones",
        "--prompt-wav",
        voice,
        "--output-dir",
        tmp_path,
        "--output-format",
        kind,
        *QUICK,
    )
    assert status == 0
    path = tmp_path / f"song.{kind}"
    assert printed.strip() == str(path)
    facts = json.loads((tmp_path / "song.json").read_text(encoding="utf-8"))
    assert io.info(path).channels == 2
    assert io.info(path).duration == pytest.approx(facts["duration"])
    assert facts["request"]["lyrics"] == "[verse] s a"
    assert len(facts["sketch"]) == round(facts["duration"] * 25)


def test_json_is_what_python_answers(folder):
    status, printed, _ = run(folder, "[verse] s a", "--phones", "--output-format", "json", "--seed", 7, *QUICK)
    assert status == 0
    request = Request("[verse] s a", phones=True, max_duration=0.6, seed=7, sampling=Sampling(steps=2))
    answer = json.loads(printed)
    assert {k: v for k, v in answer.items() if k != "name"} == config.to_dict(onsei.load(folder, device="cpu")(request))


def test_songs_of_a_file_are_sung_and_bad_lines_named(folder, voice, tmp_path):
    lines = [
        json.dumps({"idx": "一", "lyrics": "[verse] a", "prompt_wav": str(voice)}),
        "{broken",
        json.dumps({"idx": "b", "lyrics": "[verse] nonsense"}),
        "",
        json.dumps({"idx": "c", "lyrics": "[chorus] u t a"}),
        json.dumps({"idx": "c", "lyrics": "[chorus] u t a"}),
        json.dumps({"idx": "../d", "lyrics": "[chorus] u t a"}),
        json.dumps({"idx": "e"}),
        json.dumps({"idx": "f", "lyrics": "[verse] a", "prompt_wav": "missing.wav"}),
    ]
    (tmp_path / "songs.jsonl").write_text("\n".join(lines), encoding="utf-8")
    out = tmp_path / "out"
    words = ["--input-jsonl", tmp_path / "songs.jsonl", "--phones", "--output-dir", out, "--n-samples", 2]
    status, _, faults = run(folder, *words, "--batch-size", 3, *QUICK)
    assert status == 2
    assert sorted(path.name for path in out.glob("*.wav")) == ["c_0.wav", "c_1.wav", "一_0.wav", "一_1.wav"]
    twice = "songs.jsonl:6: idx 'c' is that of line 5"
    for told in ("songs.jsonl:2:", "nonsense", twice, "songs.jsonl:7:", "songs.jsonl:8:", "missing.wav"):
        assert told in faults
    first, second = (io.load(out / f"c_{number}.wav")[0] for number in (0, 1))
    assert len(first) != len(second) or not np.allclose(first, second)
    again = tmp_path / "again"
    run(folder, "[chorus] u t a", "--phones", "--output-dir", again, *QUICK)
    np.testing.assert_allclose(io.load(again / "song.wav")[0], first, atol=1e-3)


def test_rows_that_were_prepared_are_sung(folder, voice, tmp_path):
    row = {"id": "yama-1", "text": "[verse] 山", "symbols": "[verse] u t a", "prompt_wav": voice.name, "audio": "a.wav"}
    path = voice.parent / "prepared.jsonl"
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    status, _, faults = run(folder, "--input-jsonl", path, "--output-dir", tmp_path / "out", *QUICK)
    assert status == 0, faults
    told = json.loads((tmp_path / "out/yama-1.json").read_text(encoding="utf-8"))
    assert told["request"]["lyrics"] == "[verse] u t a"
    assert told["request"]["phones"] is True


def test_songs_that_are_there_stay(folder, tmp_path):
    (tmp_path / "song.json").write_text("mine")
    words = [folder, "[verse] a", "--phones", "--output-dir", tmp_path, *QUICK]
    assert run(*words)[0] == 2
    assert (tmp_path / "song.json").read_text() == "mine"
    assert run(*words, "--force")[0] == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "nothing to sing"),
        (["[verse] a"], "where to"),
        (["[verse] a", "--input-jsonl", "x.jsonl"], "give either"),
        (["--input-jsonl", "missing.jsonl"], "missing.jsonl"),
        (["[verse] a", "--ckpt-path", "x.pt"], "onsei song import"),
    ],
)
def test_what_cannot_be_sung_is_told(folder, words, told):
    status, _, faults = run(folder, *words, *QUICK)
    assert status == 2
    assert told in faults
