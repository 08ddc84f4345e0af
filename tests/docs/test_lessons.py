"""The lessons run as they stand, print what they say, and show pictures that they make."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "lessons"
PAGES = ["sound.md", "sound.ja.md"]


def lessons():
    spec = importlib.util.spec_from_file_location("lessons", ROOT / "scripts" / "lessons.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(page):
    return (FOLDER / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_snippet_prints_what_the_page_says_and_every_picture_is_made(page, tmp_path):
    module, text = lessons(), read(page)
    printed = module.run(text, tmp_path)
    assert printed == [found[2] for found in module.BLOCK.findall(text)]
    assert len(printed) >= 10
    pictures = module.PICTURE.findall(text)
    assert len(pictures) == 4
    for name in pictures:
        assert (tmp_path / name).is_file(), f"{name}: no snippet makes it"
        assert (FOLDER / name).stat().st_size < 150_000
    assert (tmp_path / "tone.html").is_file()


def test_both_languages_have_the_same_snippets_outputs_and_headings():
    module = lessons()
    japanese = read("sound.ja.md").replace(" --language ja", "").replace(".ja.png", ".png")
    assert module.BLOCK.findall(japanese) == module.BLOCK.findall(read("sound.md"))
    heads = [re.findall(r"^#+ ", module.BLOCK.sub("", text), re.MULTILINE) for text in (japanese, read("sound.md"))]
    assert heads[0] == heads[1]


def test_the_japanese_lesson_has_the_terms():
    text = read("sound.ja.md")
    terms = [
        "波形",
        "サンプリングレート",
        "振幅",
        "ビット深度",
        "周波数スペクトル",
        "スペクトログラム",
        "メルスペクトログラム",
    ]
    for term in terms:
        assert term in text


def test_what_a_snippet_prints_is_filled_in():
    module = lessons()
    text = "a\n\n<!-- run -->\n```python\nprint(1)\n```\n\nb\n"
    once = module.filled(text, ["1\n"])
    assert "```\n\n```text\n1\n```\n\nb" in once
    assert module.filled(once, ["1\n"]) == once
    assert module.filled(once, [""]) == text
