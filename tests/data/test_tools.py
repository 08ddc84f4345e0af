"""``onsei data``: split, merge, check and stats from the command line."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.cli import main
from onsei.data.manifest import Manifest
from onsei.data.merge import between
from onsei.data.split import split
from onsei.errors import DataError
from tests.data.toys import write_lines, write_wav


def ids(path):
    return [row.id for row in Manifest.open(path)]


@pytest.fixture
def corpus(tmp_path):
    rows = [{"id": f"u{n}", "audio": f"a/{n}.wav", "duration": 1 + n % 5, "speaker": f"s{n % 6}"} for n in range(60)]
    return write_lines(tmp_path / "m.jsonl", rows)


def test_split_is_seeded_disjoint_and_complete(corpus):
    manifest = Manifest.open(corpus)
    parts = split(manifest, 0.1, 7, seed=4)
    assert {name: len(rows) for name, rows in parts.items()} == {"train": 47, "val": 6, "test": 7}
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(60))
    again = split(manifest, 0.1, 7, seed=4)
    assert all((parts[name] == again[name]).all() for name in parts)
    assert (split(manifest, 0.1, 7, seed=5)["val"] != parts["val"]).any()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 8), min_size=9, max_size=60), st.integers(0, 99), st.integers(1, 6), st.integers(0, 6))
def test_split_by_speaker_never_leaks(tmp_path_factory, speakers, seed, val, test):
    rows = [{"id": str(n), "speaker": s} for n, s in enumerate(speakers)]
    manifest = Manifest.open(write_lines(tmp_path_factory.mktemp("s") / "m.jsonl", rows))
    if len(set(speakers)) <= 1 + bool(test):
        with pytest.raises(DataError, match="parts"):
            split(manifest, val, test, seed=seed, by="speaker")
        return
    if val + test >= len(rows):
        return
    parts = split(manifest, val, test, seed=seed, by="speaker")
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(rows)))
    owners = [{speakers[n] for n in rows} for rows in parts.values()]
    assert all(owners)
    assert sum(map(len, owners)) == len(set(speakers))


def test_split_by_other_keys_and_missing_ones(corpus, tmp_path):
    parts = split(Manifest.open(corpus), 10, by="duration")
    assert len(parts["val"]) == 12
    with pytest.raises(DataError, match=r"m\.jsonl:1: has no 'fold'"):
        split(Manifest.open(corpus), 10, by="fold")


@pytest.mark.parametrize(("val", "test"), [(60, 0), (0, 0), (1.5, 0), (0.5, 0.5)])
def test_split_that_leaves_nothing_is_refused(corpus, val, test):
    with pytest.raises(DataError):
        split(Manifest.open(corpus), val, test)


def test_split_writes_parts_that_find_their_files(corpus, tmp_path, capsys):
    out = tmp_path / "分割"
    words = ["data", "split", str(corpus), "--output-dir", str(out), "--val", "10", "--by", "speaker"]
    assert main([*words, "--json", str(tmp_path / "c.json")]) == 0
    assert json.loads((tmp_path / "c.json").read_text()) == {"train": 50, "val": 10}
    assert {row.audio.resolve().parent for row in Manifest.open(out / "val.jsonl")} == {tmp_path / "a"}
    before = ids(out / "val.jsonl")
    assert main([*words, "--seed", "1"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert ids(out / "val.jsonl") == before
    assert main([*words, "--seed", "1", "--force"]) == 0


def test_split_never_replaces_its_own_input(tmp_path, capsys):
    path = write_lines(tmp_path / "train.jsonl", [{"id": str(n)} for n in range(9)])
    assert main(["data", "split", str(path), "--output-dir", str(tmp_path), "--force"]) == 2
    assert "would be replaced" in capsys.readouterr().err
    assert len(ids(path)) == 9


def test_merge_sorts_limits_and_keeps_paths(tmp_path, capsys):
    write_wav(tmp_path / "one" / "x.wav", 2.5)
    (tmp_path / "one" / "x.txt").write_text("HELLO", encoding="utf-8")
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "a.csv").write_text("../one/x.wav,../one/x.txt\n")
    write_lines(tmp_path / "all" / "b.jsonl", [{"id": str(n), "audio": "y.wav", "duration": n} for n in (9, 1, 3, 20)])
    write_lines(tmp_path / "c.jsonl", [{"id": "3", "audio": "z.wav", "duration": 4}])
    out = tmp_path / "deep" / "er" / "merged.jsonl"
    words = [
        "data", "merge", str(tmp_path / "c.jsonl"), "--merge-dir", str(tmp_path / "all"), "--output-path", str(out),
        "--min_duration", "2", "--max-duration", "15", "--json", str(tmp_path / "r.json"),
    ]  # fmt: skip
    assert main(words) == 0
    rows = list(Manifest.open(out))
    assert [row.duration for row in rows] == [2.5, 3, 4, 9]
    assert rows[0].text == "HELLO"
    assert rows[0].audio.resolve() == tmp_path / "one" / "x.wav"
    assert "../../all/y.wav" in out.read_text()
    told = json.loads((tmp_path / "r.json").read_text())
    assert (told["rows"], told["too_short"], told["too_long"], told["duplicates"]) == (4, 1, 1, ["3"])
    assert "1 ids stand more than once: 3" in capsys.readouterr().out
    assert main(words) == 2
    assert "exists already" in capsys.readouterr().err


def test_merge_leaves_out_what_cannot_be_read_and_says_so(tmp_path, capsys):
    for name in ("a", "b"):
        write_wav(tmp_path / f"{name}.wav", 1.0)
        (tmp_path / f"{name}.txt").write_text(name)
    (tmp_path / "m.csv").write_text("a.wav,a.txt\nb.wav,gone.txt\ngone.wav,b.txt\n")
    samples = [{"wav_path": "b.wav", "transcript_path": "b.txt"}, {"wav_path": "no.wav", "transcript_path": "b.txt"}]
    (tmp_path / "n.json").write_text(json.dumps({"root_path": str(tmp_path), "samples": samples}))
    words = ["data", "merge", str(tmp_path / "m.csv"), str(tmp_path / "n.json"), "--output", str(tmp_path / "o.jsonl")]
    assert main([*words, "--json", str(tmp_path / "r.json")]) == 0
    assert sorted(row.text for row in Manifest.open(tmp_path / "o.jsonl")) == ["a", "b"]
    told = json.loads((tmp_path / "r.json").read_text())
    assert (told["rows"], told["unreadable"], len(told["faults"])) == (2, 3, 3)
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("gone.txt", "gone.wav", "no.wav"))
    (tmp_path / "a.wav").unlink()
    (tmp_path / "b.wav").unlink()
    assert main([*words, "--force"]) == 2
    assert "none can be read" in capsys.readouterr().err


def test_merge_refuses_what_makes_no_sense(corpus, tmp_path, capsys):
    out = ["--output-path", str(tmp_path / "o.jsonl")]
    for words, message in (
        ([], "no manifest to join"),
        ([str(corpus), "--min-duration", "99"], "none from 99 s"),
        ([str(corpus), "--output-path", str(corpus), "--force"], "is one of the manifests"),
        (["--merge-dir", str(tmp_path / "gone")], "no such folder"),
    ):
        assert main(["data", "merge", *out, *words]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "o.jsonl").exists()


def test_between_includes_its_limits():
    durations = np.float32([0.5, 1, 2.1, 15, np.nan])
    assert between(durations, 1, 15).tolist() == [1, 2, 3]
    assert between(durations, None, 2.1).tolist() == [0, 1, 2]


def test_check_prints_writes_and_fails(tmp_path, capsys):
    write_wav(tmp_path / "a.wav", 1.0)
    path = write_lines(tmp_path / "m.jsonl", [{"id": "a", "audio": "a.wav", "duration": 1}])
    assert main(["data", "check", str(path), "--decode"]) == 0
    assert "no faults" in capsys.readouterr().out
    path = write_lines(tmp_path / "m.jsonl", [{"id": "[bold]a", "audio": "gone.wav"}])
    assert main(["data", "check", str(path), "--json", str(tmp_path / "f.json")]) == 2
    shown = capsys.readouterr().out
    assert "1 faults (1 missing)" in shown
    assert "[bold]a" in shown
    assert json.loads((tmp_path / "f.json").read_text())["faults"][0]["line"] == 1


def test_stats_prints_and_writes(corpus, tmp_path, capsys):
    assert main(["data", "stats", str(corpus), "--no-headers", "--json", str(tmp_path / "s.json")]) == 0
    told = json.loads((tmp_path / "s.json").read_text())
    assert (told["rows"], told["hours"], len(told["speakers"])) == (60, 0.05, 6)
    assert "s0 (10)" in capsys.readouterr().out


def test_limits_on_duration_in_check_split_and_stats(corpus, tmp_path, capsys):
    limits = ["--min-duration", "2", "--max-duration", "4"]
    assert main(["data", "stats", str(corpus), "--no-headers", *limits, "--json", str(tmp_path / "s.json")]) == 0
    told = json.loads((tmp_path / "s.json").read_text())
    assert (told["rows"], told["rows_outside_limits"], told["shortest_seconds"], told["longest_seconds"]) == (
        36,
        24,
        2,
        4,
    )
    assert (told["hours"], sum(told["speakers"].values()), told["rows_without_duration"]) == (36 * 3 / 3600, 36, 0)
    assert main(["data", "check", str(corpus), *limits, "--json", str(tmp_path / "f.json")]) == 2
    kinds = [fault["kind"] for fault in json.loads((tmp_path / "f.json").read_text())["faults"]]
    assert (kinds.count("duration"), kinds.count("missing")) == (24, 60)
    out = tmp_path / "out"
    words = ["data", "split", str(corpus), "--output-dir", str(out), "--val", "20", "--json", str(tmp_path / "c.json")]
    assert main([*words, *limits]) == 0
    assert {row.duration for row in Manifest.open(out / "train.jsonl")} == {2, 3, 4}
    assert {row.duration for row in Manifest.open(out / "val.jsonl")} == {1, 2, 3, 4, 5}, "validation is not pruned"
    counts = json.loads((tmp_path / "c.json").read_text())
    assert counts["train"] + counts["too_short_or_long"] == 40
    assert main([*words, "--min-duration", "99", "--force"]) == 2
    assert "none within the limits" in capsys.readouterr().err


def test_check_measures_files_whose_duration_is_not_told(tmp_path, capsys):
    write_wav(tmp_path / "a.wav", 1.0)
    path = write_lines(tmp_path / "m.jsonl", [{"id": "a", "audio": "a.wav"}])
    assert main(["data", "check", str(path), "--max-duration", "1"]) == 0
    assert main(["data", "check", str(path), "--max-duration", "0.9"]) == 2
    assert main(["data", "stats", str(path), "--min-duration", "0.9", "--json", str(tmp_path / "s.json")]) == 0
    assert json.loads((tmp_path / "s.json").read_text())["rows"] == 1


def test_stats_of_unknown_durations_is_valid_json(tmp_path):
    path = write_lines(tmp_path / "m.jsonl", [{"id": "a"}])
    assert main(["data", "stats", str(path), "--json", str(tmp_path / "s.json")]) == 0
    assert json.loads((tmp_path / "s.json").read_text())["mean_seconds"] is None


@pytest.mark.parametrize("verb", ["check", "stats"])
def test_missing_manifest_is_one_clear_message(tmp_path, capsys, verb):
    assert main(["data", verb, str(tmp_path / "gone.jsonl")]) == 2
    assert "no such manifest" in capsys.readouterr().err


def test_help_imports_no_torch():
    code = "import sys, onsei.data.tools; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
