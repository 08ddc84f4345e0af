"""The report: one file, nothing from outside, every text escaped, chapters that come together."""

from __future__ import annotations

import base64
import io
import re
import wave
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

from onsei.errors import DataError
from onsei.plots import style
from onsei.plots.report import Marked, Report, Sound
from onsei.plots.spectrogram import spectrogram

EVIL = "<script>alert('x')</script> & \"quotes\" <!--section-->"


class Tags(HTMLParser):
    """Tags, attributes and text of a page; fails on tags that do not close."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(key, value or "") for key, value in attrs]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def sine(seconds: float = 0.2, rate: int = 8000) -> np.ndarray:
    return np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def full_report(text: str = "plain") -> Report:
    report = Report(text, text)
    report.text(f"{text}\n\nsecond `{text}` paragraph")
    report.metrics({text: text, "wer": 12.3456, "rows": 12345, "none": None})
    report.section(text, text)
    marked = Marked([(text, "wrong"), ("ok", "")])
    report.table([text, "number"], [[text, 1.5], [marked, None], [Sound(sine(), 8000), 2]])
    report.code(text)
    report.audio(sine(), 8000, text)
    report.figure(spectrogram(sine(), 8000, [(text, 0.0, 0.1)]), text)
    return report


def test_the_page_needs_nothing_from_outside_and_runs_no_script(tmp_path):
    page = Tags(full_report().save(tmp_path / "レポート.html").read_text(encoding="utf-8"))
    assert {"audio", "img", "table", "h1", "h2", "code", "dl", "figcaption"} <= set(page.tags)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    sources = [value for key, value in page.attributes if key in ("src", "href", "srcset", "poster")]
    assert sources
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert any("default-src 'none'" in value for key, value in page.attributes if key == "content")


def test_every_text_is_escaped(tmp_path):
    text = full_report(EVIL).save(tmp_path / "r.html").read_text(encoding="utf-8")
    page = Tags(text)
    assert "script" not in page.tags
    assert "<script" not in text
    assert page.words.count("<script>alert('x')</script>") >= 9
    for picture in re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", text):
        assert b"<script" not in base64.b64decode(picture)


def test_the_player_holds_the_sound_as_16_bit_wav(tmp_path):
    report = Report("t")
    report.audio(np.array([0.0, 0.5, -1.0, 3.0], np.float32), 8000)
    text = report.save(tmp_path / "r.html").read_text(encoding="utf-8")
    (encoded,) = re.findall(r"data:audio/wav;base64,([\w+/=]+)", text)
    with wave.open(io.BytesIO(base64.b64decode(encoded))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert np.frombuffer(file.readframes(9), "<i2").tolist() == [0, 16384, -32767, 32767]


def test_two_channels_stay_two(tmp_path):
    report = Report("t")
    report.audio(np.zeros((100, 2)), 44100)
    (encoded,) = re.findall(r"wav;base64,([\w+/=]+)", report.save(tmp_path / "r.html").read_text(encoding="utf-8"))
    with wave.open(io.BytesIO(base64.b64decode(encoded))) as file:
        assert (file.getnchannels(), file.getnframes()) == (2, 100)


@pytest.mark.parametrize(
    "samples", [[], np.zeros((2, 2, 2)), [0.0, np.nan], [np.inf], np.zeros(4, np.int16), np.array(["a"])]
)
def test_sound_that_is_none_is_refused(samples):
    with pytest.raises(DataError):
        Report("t").audio(samples, 8000)


def test_values_are_shown_as_people_read_them(tmp_path):
    report = Report("t")
    report.metrics({"a": 12.34567, "b": 1234567, "c": float("nan"), "d": None, "e": "4 %", "f": np.float32(0.5)})
    text = report.save(tmp_path / "r.html").read_text(encoding="utf-8")
    assert re.findall("<dd>(.*?)</dd>", text) == ["12.35", "1,234,567", "–", "–", "4 %", "0.5"]


def test_columns_of_numbers_are_set_right_and_others_are_not(tmp_path):
    report = Report("t")
    report.table(["clip", "wer", "mixed"], [["a", 1.0, 1], ["b", None, "x"]])
    text = report.save(tmp_path / "r.html").read_text(encoding="utf-8")
    assert re.findall('<th( class="number")?>', text) == ["", ' class="number"', ""]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(DataError, match="expected 2 cells, found 1"):
        Report("t").table(["a", "b"], [["x"]])


def test_contents_appear_with_more_than_a_few_sections(tmp_path):
    report = Report("t")
    for name in ("one", "two", "three"):
        report.section(name)
    assert "<nav" not in report.save(tmp_path / "r.html").read_text(encoding="utf-8")
    report.section("four")
    text = report.save(tmp_path / "r.html").read_text(encoding="utf-8")
    page = Tags(text)
    targets = [value[1:] for key, value in page.attributes if key == "href"]
    assert targets == [value for key, value in page.attributes if key == "id"]
    assert len(set(targets)) == 4


def test_an_odd_backtick_is_only_a_backtick(tmp_path):
    report = Report("t")
    report.text("a `b` c ` d")
    assert "<p>a <code>b</code> c ` d</p>" in report.save(tmp_path / "r.html").read_text(encoding="utf-8")


def chapter(path, name: str, order: int, title: str = "") -> str:
    report = Report(title or name.title())
    report.section("Hear", "words of " + name)
    return report.save_chapter(path, name, title="demo", order=order).read_text(encoding="utf-8")


def test_chapters_written_one_after_another_stand_in_one_page_in_order(tmp_path):
    path = tmp_path / "report.html"
    chapter(path, "vocoder", 2)
    text = chapter(path, "recognition", 1)
    page = Tags(text)
    assert re.findall("<h2>(.*?)</h2>", text) == ["Recognition", "Vocoder"]
    ids = [value for key, value in page.attributes if key == "id"]
    assert ids == ["recognition", "recognition-0", "vocoder", "vocoder-0"]
    assert "<h1>demo</h1>" in text


def test_a_chapter_saved_again_replaces_itself(tmp_path):
    path = tmp_path / "report.html"
    chapter(path, "recognition", 1)
    text = chapter(path, "recognition", 1, title="Newer")
    assert re.findall("<h2>(.*?)</h2>", text) == ["Newer"]


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "a/b", "a.b"])
def test_chapter_names_that_are_no_plain_words_are_refused(tmp_path, name):
    with pytest.raises(DataError, match="chapter"):
        Report("t").save_chapter(tmp_path / "r.html", name, title="t")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"name": 1, "evil": 2}'])
def test_a_damaged_chapter_is_named(tmp_path, content):
    folder = tmp_path / "r.chapters"
    folder.mkdir()
    (folder / "old.json").write_text(content)
    with pytest.raises(DataError, match=r"old\.json"):
        Report("t").save_chapter(tmp_path / "r.html", "new", title="t")


def test_a_figure_of_too_many_points_becomes_a_png(tmp_path, monkeypatch):
    monkeypatch.setattr(style, "_LARGEST_SVG", 100)
    report = Report("t")
    report.figure(Figure(), "c")
    assert "data:image/png;base64," in report.save(tmp_path / "r.html").read_text(encoding="utf-8")


def test_the_same_report_is_the_same_bytes(tmp_path):
    one, two = full_report().save(tmp_path / "a.html"), full_report().save(tmp_path / "b.html")
    assert one.read_bytes() == two.read_bytes()
