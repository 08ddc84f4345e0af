"""Clips to hear and see, and the matrix that chooses among them: small, escaped, and alive in a browser."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from onsei.errors import DataError
from onsei.metrics.classification import CalibrationMeter
from onsei.plots import classes, gallery
from onsei.plots.gallery import ALL, WRONG, Clip, Show, cell
from onsei.plots.report import Bar, Report
from onsei.plots.style import to_svg
from tests.plots.browser import needs_browser, told
from tests.plots.test_report import EVIL, Tags

RATE = 16000
COUNTS = np.array([[3, 1, 0], [0, 2, 1], [0, 0, 4]])


def chirp(seconds: float = 0.5, rate: int = RATE) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (300 + 2000 * time) * time)).astype(np.float32)


def clip(truth="dog", guess="cat", name="a.wav", tokens=(), **more) -> Clip:
    scores = [(guess, 0.7), (truth if truth != guess else "hen", 0.2)]
    return Clip(name, truth, scores, more.pop("samples", chirp()), more.pop("rate", RATE), tokens, **more)


def page(path, text="dog"):
    labels = [text, "cat", "hen"]
    clips = [
        clip(text, "cat", f"{text}0", [cell(0, 1)]),
        clip(text, text, f"{text}1", [cell(0, 0)], note=text),
        clip("cat", "hen", f"{text}2", [cell(1, 2)]),
    ]
    report = Report("classes", text)
    report.matrix(labels, COUNTS)
    report.gallery(gallery.fitted(clips, 1_000_000), [Show("all", [ALL]), Show("wrong", [WRONG], text)])
    report.table(("class", "recall", "hear"), [(text, Bar(0.75), Show("hear", [cell(0, 1)], text)), ("b", None, None)])
    return report.save(path)


def test_every_text_is_escaped_and_nothing_comes_from_outside(tmp_path):
    text = page(tmp_path / "r.html", EVIL).read_text(encoding="utf-8")
    found = Tags(text)
    assert found.tags.count("script") == text.count("<script") == 1
    assert found.words.count("<script>alert('x')</script>") >= 8
    sources = [value for key, value in found.attributes if key in ("src", "href")]
    assert len(sources) == 6
    assert all(source.startswith("data:") for source in sources)


def test_the_script_is_the_one_that_the_page_allows_and_pages_without_clips_have_none(tmp_path):
    text = page(tmp_path / "r.html").read_text(encoding="utf-8")
    (script,) = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    assert f"script-src {_digest(script)}" in text
    plain = Report("none").save(tmp_path / "p.html").read_text(encoding="utf-8")
    assert "<script" not in plain
    assert "script-src" not in plain


def _digest(script):
    import hashlib

    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def test_chapters_keep_their_script_and_a_foreign_one_is_refused(tmp_path):
    report = Report("sounds")
    report.gallery([gallery.card(clip())])
    report.save_chapter(tmp_path / "r.html", "sounds", title="all")
    Report("other").save_chapter(tmp_path / "r.html", "other", title="all")
    assert (tmp_path / "r.html").read_text(encoding="utf-8").count("<script>") == 1
    part = tmp_path / "r.chapters" / "sounds.json"
    part.write_text(json.dumps({**json.loads(part.read_text()), "scripts": ["../../evil.js"]}))
    with pytest.raises(DataError, match=r"sounds\.json"):
        Report("other").save_chapter(tmp_path / "r.html", "other", title="all")


def test_cards_stop_at_the_budget_and_no_more_sounds_are_read():
    read = []

    def clips():
        for number in range(1000):
            read.append(number)
            yield clip(name=str(number), samples=chirp(5.0))

    cards = gallery.fitted(clips(), 200_000)
    assert 3 <= len(cards) < 20
    assert sum(map(len, cards)) <= 200_000
    assert len(read) == len(cards) + 1
    assert gallery.fitted([clip()], 10) == []


@pytest.mark.parametrize("rate", [8000, 11000, 44100, 96000])
def test_a_card_plays_mp3_and_shows_a_small_picture_at_any_rate(rate):
    card = gallery.card(clip(samples=chirp(1.0, rate), rate=rate))
    (sound,) = re.findall(r"data:audio/mpeg;base64,([\w+/=]+)", card)
    assert base64.b64decode(sound)[:1] in (b"\xff", b"I")
    (image,) = re.findall(r"data:image/png;base64,([\w+/=]+)", card)
    assert Image.open(io.BytesIO(base64.b64decode(image))).size[1] == 64
    assert len(image) < 20_000
    assert 'data-seconds="1.0000"' in card


def test_a_picture_has_low_sounds_below_and_silence_is_dark():
    time = np.arange(RATE) / RATE
    image = np.array(Image.open(io.BytesIO(gallery.picture(chirp(), RATE))).convert("L"))
    low = np.array(Image.open(io.BytesIO(gallery.picture(np.sin(2 * np.pi * 200 * time), RATE))).convert("L"))
    assert low.mean(1).argmax() > 50
    assert image.shape[1] <= 320
    silent = np.array(Image.open(io.BytesIO(gallery.picture(np.zeros(RATE, np.float32), RATE))).convert("L"))
    assert silent.max() == silent.min() < 10


def test_a_matrix_of_many_classes_shows_the_most_confused():
    counts = np.eye(200, dtype=np.int64)
    counts[150, 7] = 5
    text = gallery.matrix([f"k{n}" for n in range(200)], counts)
    assert "140 more classes" in text
    assert 'data-show="c150-7"' in text
    assert len(text) < 60_000


def test_figures_of_classes_name_them_and_refuse_other_sizes():
    svg = to_svg(classes.confusion(["dog", "$cat$", "鶏"], COUNTS))
    assert all(word in svg for word in ("dog", "$cat$", "鶏", "taken for"))
    with pytest.raises(DataError, match="2 classes"):
        classes.confusion(["dog", "cat"], COUNTS)
    meter = CalibrationMeter()
    with pytest.raises(DataError, match="no clips"):
        classes.reliability(meter.calibration())
    meter.add([0.9, 0.6, 0.6], [True, True, False])
    assert "confidence" in to_svg(classes.reliability(meter.calibration()))


CHOOSE = """
const clips = () => [...document.querySelectorAll(".clip")].filter((c) => !c.hidden).length;
const before = clips();
document.querySelector('[data-show="c0-1"]').click();
const chosen = clips(), said = document.querySelector("output").textContent;
document.querySelector('[data-show="all"]').click();
const audio = document.querySelector("audio"), mel = document.querySelector(".mel");
audio.addEventListener("seeked", () => {
  const line = mel.querySelector("i").style;
  document.title = [before, chosen, said, clips(), audio.readyState >= 2, Math.round(parseFloat(line.left)),
    line.display, window.faults.join()].join("|");
}, { once: true });
const bounds = mel.getBoundingClientRect();
const place = { clientX: bounds.left + bounds.width / 2, clientY: bounds.top + 5 };
mel.dispatchEvent(new PointerEvent("pointerdown", place));
"""


@needs_browser
def test_in_a_browser_a_cell_chooses_clips_and_a_click_moves_sound_and_line(tmp_path):
    found = told(page(tmp_path / "r.html"), CHOOSE)
    assert found == "3|1|dog: 1 of 4 taken for cat · 1 clip here|3|true|50|block|"
