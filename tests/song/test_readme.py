"""The commands that song's page marks as run, run."""

import json
import re
import shlex
from pathlib import Path

import pytest

import onsei
from onsei import cli
from tests.song.songs import jacappella, tone

PAGE = Path(onsei.__file__).parent / "systems" / "song" / "README.md"
BLOCK = re.compile(r"<!-- run -->\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_marked_snippet_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pyopenjtalk")
    pytest.importorskip("gruut_lang_en")
    monkeypatch.chdir(tmp_path)
    jacappella(tmp_path / "jacappella_raw")
    tone(tmp_path / "my_songs/a.wav", 24)
    monkeypatch.setenv("ONSEI_CACHE", str(tmp_path / "cache"))
    (tmp_path / "my_songs/a.txt").write_text("[verse] さくら", encoding="utf-8")
    line = {"audio_path": "my_songs/a.wav", "lyrics": "[verse] さくら"}
    Path("songs.jsonl").write_text(json.dumps(line), encoding="utf-8")
    found = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(found) >= 2
    for language, content in found:
        if language == "python":
            capsys.readouterr()
            exec(compile(content, "snippet", "exec"), {"__name__": "snippet"})
            said = "".join(line[2:] + "\n" for line in content.splitlines() if line.startswith("# "))
            assert capsys.readouterr().out == said
            continue
        for command in content.splitlines():
            program, *words = shlex.split(command)
            assert program == "onsei"
            assert cli.main(words) == 0, command
