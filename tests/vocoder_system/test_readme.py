"""The commands that the docs page marks as run, run."""

import re
import shlex
from pathlib import Path

import numpy as np

import onsei
from onsei import cli
from onsei.audio import io

PAGE = Path(onsei.__file__).parent / "systems" / "vocoder" / "README.md"
BLOCK = re.compile(r"<!-- run -->\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHORTER = {
    "train": [
        "--max-steps",
        "2",
        "--batch-size",
        "2",
        "--num-workers",
        "0",
        "--silent",
        "--device",
        "cpu",
        "--val-seconds",
        "0.5",
    ],
    "evaluate": ["--limit", "1", "--iterations", "2", "--clips", "1"],
}


def test_every_marked_snippet_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name in ("mel", "b", "c"):
        io.save(Path("voice") / f"{name}.wav", 0.1 * random.standard_normal(16000), 16000)
    io.save("talk.wav", 0.1 * random.standard_normal(9000), 16000)
    Path("test.jsonl").write_text('{"audio": "talk.wav"}\n', encoding="utf-8")
    found = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(found) >= 5
    for language, content in found:
        if language == "python":
            exec(compile(content, "snippet", "exec"), {"__name__": "snippet"})
            continue
        for line in content.splitlines():
            program, *words = shlex.split(line)
            assert program == "onsei"
            assert cli.main([*words, *SHORTER.get(words[1], [])]) == 0, line
            if words[1] == "train":
                vocoder = onsei.load("runs/voice", device="cpu")
                np.save("mel.npy", vocoder.analyze(io.load("voice/mel.wav", 16000)[0]))
