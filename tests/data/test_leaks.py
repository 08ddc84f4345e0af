"""`onsei data check --against`: what two manifests share."""

import json
import shutil

from onsei import cli
from tests.data import labeled
from tests.data.toys import write_lines


def manifests(folder):
    first = [{"audio": f"{n}.wav", "speaker": f"s{n}", "recording": f"r{n}"} for n in range(3)]
    second = [{"audio": f"{n}.wav", "speaker": f"s{n - 1}"} for n in range(3, 6)]
    for n in range(6):
        labeled.sound(folder / f"{n}.wav", n)
    shutil.copy(folder / "1.wav", folder / "5.wav")
    return write_lines(folder / "a.jsonl", first), write_lines(folder / "b.jsonl", second)


def check(capsys, *words):
    capsys.readouterr()
    status = cli.main(["data", "check", *map(str, words)])
    return status, capsys.readouterr().out


def test_a_speaker_on_two_sides_is_a_fault_and_a_sound_if_asked(capsys, tmp_path):
    a, b = manifests(tmp_path)
    status, out = check(capsys, a, "--against", b, "--json", tmp_path / "out.json")
    assert status == 2
    assert "1 speaker of" in out
    assert "1 leak" in out
    assert "sound of" not in out
    (fault,) = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["faults"]
    assert fault["kind"] == "leak"
    status, out = check(capsys, a, "--against", b, "--decode")
    assert "the very same samples" in out
    assert "2 leak" in out


def test_a_manifest_alone_or_against_itself_has_no_leak(capsys, tmp_path):
    a, _ = manifests(tmp_path)
    assert check(capsys, a)[0] == 0
    assert check(capsys, a, "--against", a)[0] == 0
