"""What the READMEs tell readers to run, runs.

A fenced block after a line ``<!-- run -->`` is executed, all of a page's in order and in one folder that holds
``recordings/`` (sounds, each with a text beside it), ``kinds/`` (a folder of sounds for each class) and ``talk.wav``.
Shell blocks hold ``onsei`` commands only.
"""

import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from onsei import cli
from onsei.audio import io
from onsei.data.manifest import Manifest
from onsei.systems import NAMES
from onsei.systems.classification.data.example import KINDS, RATE, sound
from onsei.systems.recognition.data.example import example
from onsei.systems.recognition.training import train

ROOT = Path(__file__).parents[2]
PAGES = {  # page → whether runs/mine is there
    "README.md": False,
    "src/onsei/systems/recognition/README.md": True,
    "src/onsei/systems/classification/README.md": False,
}
SHORTER = {  # flags that make a command of the page quick; the last of two spellings counts
    "train": ["--epochs", "1", "--max-steps", "2", "--num-workers", "0", "--silent"],
    "evaluate": ["--num-workers", "0"],
}
BLOCK = re.compile(r"(<!-- run -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#+) ", re.MULTILINE)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A folder with a corpus of tones and, in ``run``, a model that saw a little of it."""
    folder = tmp_path_factory.mktemp("docs")
    options = example(folder).train
    train(replace(options, training=replace(options.training, epochs=1, max_steps=4)))
    return folder


def blocks(page):
    """(whether to run it, language, content) of every fenced block of ``page``."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(bool(run), language, content) for run, language, content in BLOCK.findall(text)]


def furnish(folder, made, *, with_model):
    (folder / "recordings").mkdir()
    rows = list(Manifest.open(made / "train.jsonl"))[:24]
    for number, row in enumerate(rows):
        shutil.copy(row.audio, folder / "recordings" / f"a{number:02d}.wav")
        (folder / "recordings" / f"a{number:02d}.txt").write_text(row.text, encoding="utf-8")
    shutil.copy(rows[0].audio, folder / "talk.wav")
    random = np.random.default_rng(0)
    for kind in KINDS:
        for number in range(10):
            io.save(folder / "kinds" / kind / f"{number}.wav", sound(kind, 0.6, random), RATE)
    if with_model:
        shutil.copytree(made / "run", folder / "runs" / "mine")


def execute(language, content):
    if language == "python":
        exec(compile(content, "snippet", "exec"), {"__name__": "snippet"})
        return
    assert language == "sh", f"a {language} block cannot be run"
    for line in content.splitlines():
        onsei, *words = shlex.split(line)
        assert onsei == "onsei", f"not an onsei command: {line}"
        short = next((flags for verb, flags in SHORTER.items() if words[1:2] == [verb]), [])
        assert cli.main([*words, *short]) == 0, line


@pytest.mark.parametrize(("page", "with_model"), PAGES.items())
def test_every_marked_snippet_runs(page, with_model, made, tmp_path, monkeypatch):
    furnish(tmp_path, made, with_model=with_model)
    monkeypatch.chdir(tmp_path)
    marked = [(language, content) for run, language, content in blocks(page) if run]
    assert len(marked) >= 4
    for language, content in marked:
        execute(language, content)


def test_every_command_of_the_readme_is_one():
    known = {system: {verb.name for verb in found.verbs} for system, found in systems_by_name().items()}
    singles = {verb.name for verb in cli.SINGLE}
    for page in PAGES:
        for _, _, content in blocks(page):
            for system, verb in re.findall(r"^(?:.* -m )?onsei (\w+)(?: (\w[\w-]*))?", content, re.MULTILINE):
                assert system in singles or verb in known[system], f"{page}: onsei {system} {verb}"


@pytest.mark.parametrize("page", ["README.md", "README.ja.md"])
def test_the_first_table_of_the_readme_has_every_system_and_its_verbs(page):
    text = (ROOT / page).read_text(encoding="utf-8").split("\n```", 1)[0]
    rows = {re.split(r"[ （]", line[2:])[0]: line.split("|")[3] for line in text.splitlines() if line.startswith("| ")}
    for name, system in systems_by_name().items():
        if name in NAMES:
            assert set(re.findall(r"`([\w-]+)`", rows[name])) == {verb.name for verb in system.verbs}, name


def systems_by_name():
    from onsei import systems

    return {group.name: group for group in [*systems(), *cli.TOOLS]}


def test_the_test_command_of_the_readme_is_what_ci_runs():
    assert "make test\n" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1] == "make test"


def test_the_japanese_readme_has_the_headings_and_blocks_of_the_english_one():
    english, japanese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ja.md"))
    assert HEADING.findall(unfenced(english)) == HEADING.findall(unfenced(japanese))
    assert blocks("README.md") == blocks("README.ja.md")


def unfenced(text):
    return BLOCK.sub("", text)


def test_a_model_is_saved_with_what_the_reference_says(made, reference):
    saved = json.loads((made / "run" / "onsei.json").read_text(encoding="utf-8"))
    assert set(saved["config"]) == set(reference.SAVED["recognition"])
    text = (ROOT / "docs" / "reference" / "model-folder.md").read_text(encoding="utf-8")
    assert all(f"| `{key}` |" in text for key in saved)
