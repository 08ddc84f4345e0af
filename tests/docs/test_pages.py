"""The pages agree with the code: the reference is fresh, links lead somewhere, the map of old flags is true."""

import re
import shlex
import subprocess
import unicodedata
from pathlib import Path
from urllib.parse import unquote

import pytest

from onsei import cli, config, systems
from onsei.system import resolve

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NEEDED = {  # what a verb cannot do without
    "recognition train": ["--train-manifest", "t.jsonl", "--output-dir", "run"],
    "recognition evaluate": ["model", "--test-manifest", "t.jsonl"],
    "recognition transcribe": ["model", "a.wav"],
    "recognition prepare": [],
    "recognition benchmark": [],
    "classification evaluate": ["model", "--test-manifest", "t.jsonl"],
    "classification push": ["model", "user/name"],
    "song prepare": ["jacappella", "--output-dir", "out"],
    "song fit-sketch": [],
    "song train": ["--train-manifest", "t.jsonl", "--output-dir", "run"],
    "data merge": [],
    "audio augment": [],
    "song generate": ["model", "[verse] a"],
    "vocoder train": [],
    "translation prepare": [],
    "translation pretrain": [],
    "translation fit-units": [],
    "translation encode": ["model"],
    "vocoder vocode": ["model", "a.npy"],
    "articulation prepare": ["--data-dir", "videos", "--output-dir", "out"],
    "articulation train": ["--train-manifest", "t.jsonl", "--output-dir", "run"],
    "articulation export-mels": ["model", "a.mp4"],
    "articulation synthesize": ["model", "a.mp4", "--output-dir", "out"],
    "articulation explain": ["model", "--video", "a.mp4", "--output-dir", "maps"],
    "articulation heatmap-video": ["--video", "a.mp4", "--sequence", "gradcam_F1_sequence.npy", "--output", "b.mp4"],
    "translation ground": [],
    "translation train": [],
    "translation retrieve": [],
    "translation translate": [],
    "articulation overlay-video": ["--video", "a.mp4", "--heatmap", "gradcam_F1_sequence.npy", "--output", "b.mp4"],
}


def pages():
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False).stdout
    found = [ROOT / name for name in listed.split("\0") if name] or [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    return [path for path in found if path.is_file()]


def test_the_reference_pages_are_what_the_code_says(reference, capsys):
    assert reference.main(["--check"]) == 0, capsys.readouterr().out


def test_a_stale_reference_page_is_told_and_not_touched(reference, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    (tmp_path / "tools.md").write_text("old", encoding="utf-8")
    assert reference.main(["--check"]) == 1
    assert "tools.md: stale" in capsys.readouterr().out
    assert (tmp_path / "tools.md").read_text(encoding="utf-8") == "old"
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0


def anchors(path):
    """Anchors of the headings of ``path``, as forges make them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    kept = ("".join(c for c in t.lower() if c in " -_" or unicodedata.category(c)[0] in "LN") for t in titles)
    return {title.strip().replace(" ", "-") for title in kept}


def test_every_relative_link_leads_somewhere():
    broken = []
    for page in pages():
        text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for link in LINK.findall(text):
            file, _, anchor = link.partition("#")
            if "://" in file or file.startswith("mailto:"):
                continue
            target = page.parent / unquote(file) if file else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert not broken


def rows(status):
    """(verb, words of our column) of the rows of the map with one of the ``status``; the verb is the section's."""
    verb = ""
    for line in (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            verb = " ".join(re.findall(r"`onsei (\w+ [\w-]+)`", line))
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 4 and cells[2] in status:
            ours = re.findall(r"`([^`]+)`", cells[1])
            yield verb, shlex.split(ours[0]) if ours else []


def parse(verb, words):
    group, name = verb.split()
    found = {g.name: g for g in [*systems(), *cli.TOOLS]}[group]
    options = resolve(next(v.options for v in found.verbs if v.name == name))
    return config.parse_flags(options, words, prog=verb)


def test_every_old_flag_that_works_is_accepted():
    flags = {verb: list(needed) for verb, needed in NEEDED.items()}
    for verb, words in rows({"same", "other name"}):
        if verb and words and words[0].startswith("--"):
            flags[verb] += words if verb != "recognition prepare" else []
        elif verb == "recognition prepare":
            parse(verb, words)
    assert len(flags["recognition train"]) > 60
    for verb, words in flags.items():
        if words:
            parse(verb, words)


def planned():
    return [pytest.param(verb, words, id=" ".join(words)) for verb, words in rows({"planned"}) if words]


@pytest.mark.parametrize(("verb", "words"), planned())
def test_what_is_called_planned_is_not_there_yet(verb, words, capsys):
    if verb:
        with pytest.raises(SystemExit) as stopped:
            parse(verb, [*NEEDED[verb], *words])
        assert stopped.value.code, "it has come: change its row in docs/coming-from.md"
    else:
        assert cli.main([*words[1:], "--help"]) == 2, "it has come: change its row in docs/coming-from.md"


def test_every_command_called_another_name_exists(capsys):
    for verb, words in rows({"other name"}):
        if not verb and words[:1] == ["onsei"]:
            with pytest.raises(SystemExit) as stopped:
                cli.main([*(word for word in words[1:] if word.islower()), "--help"])
            assert not stopped.value.code
