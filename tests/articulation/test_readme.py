"""The commands that the docs page marks as run, run."""

import re
import shlex
from fractions import Fraction
from pathlib import Path

import numpy as np

import onsei
from onsei import cli
from onsei.vision import film
from tests.articulation.conftest import singer

PAGE = Path(onsei.__file__).parent / "systems" / "articulation" / "README.md"
BLOCK = re.compile(r"<!-- run -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHORTER = {
    "prepare": ["--size", "64", "--dtype", "uint8"],
    "train": ["--max-steps", "2", "--silent", "--device", "cpu", "--channels", "4", "8", "8"],
    "evaluate": ["--iterations", "2", "--limit", "1"],
    "synthesize": ["--iterations", "2"],
    "explain": ["--layer", "trunk.blocks.0"],
    "heatmap-video": ["--repeat", "1"],
    "overlay-video": [],
}


def test_every_marked_snippet_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("films").mkdir()
    for number, name in enumerate("abcd"):
        one = singer(30 + number, 64, seed=number, rate=11413, fps=Fraction(11413, 420))
        film.write(f"films/{name}.mp4", one.frames, Fraction(11413, 420), film.Sound(one.sound, 11413))
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert blocks
    for line in "".join(blocks).splitlines():
        words = shlex.split(line)
        assert cli.main([*words[1:], *SHORTER[words[2]]]) == 0, line
    from onsei.audio import io

    sound, rate = io.load("spoken/pulse/a_generated.wav")
    assert (len(sound), rate) == (30 * 420, 11413)
    assert np.abs(sound).max() > 0


def test_the_page_names_every_verb():
    from onsei.systems.articulation import SYSTEM

    text = PAGE.read_text(encoding="utf-8")
    for verb in SYSTEM.verbs:
        assert re.search(rf"onsei articulation {verb.name} +{re.escape(verb.summary)}", text), verb.name
