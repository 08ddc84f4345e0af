"""``onsei plot``: pictures and pages of files, whatever they are called and however long; nothing is overwritten."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess

import numpy as np
import pytest

from onsei import cli
from onsei.audio import io
from onsei.plots import draw, measure
from onsei.plots.tools import All, Part

RATE = 16000
EVIL = "<img src=x onerror=alert(1)> & 'q' 音.wav"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")


def sweep(seconds: float = 0.6, rate: int = RATE) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (200 * time + 1500 * time**2))).astype(np.float32)


@pytest.fixture
def sound(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    io.save("talk.wav", sweep(), RATE)
    return tmp_path


def plot(*words: str) -> int:
    return cli.main(["plot", *words])


@pytest.mark.parametrize("verb", ["waveform", "spectrum", "spectrogram", "mel", "all"])
def test_each_verb_draws_each_format(sound, verb, capsys):
    for ending, begins in (("png", b"\x89PNG"), ("svg", b"<svg"), ("html", b"<!doctype html>")):
        assert plot(verb, "talk.wav", "--format", ending, "--output-dir", "out") == 0
        assert (sound / "out" / f"talk.{verb}.{ending}").read_bytes().startswith(begins)
    assert "talk.wav → out" in capsys.readouterr().out.replace("\\", "/")


def test_png_has_the_size_asked_for(sound):
    assert plot("mel", "talk.wav", "--output", "a.png", "--width", "500", "--height", "200", "--scale", "1.5") == 0
    content = (sound / "a.png").read_bytes()
    assert (int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")) == (750, 300)


def test_svg_keeps_text_as_text_and_the_mesh_as_a_picture(sound):
    assert plot("spectrogram", "talk.wav", "--output", "a.svg", "--language", "ja") == 0
    text = (sound / "a.svg").read_text(encoding="utf-8")
    assert ">時間（秒）</text>" in text
    assert text.count("<image") >= 1
    assert len(text) < 400_000
    assert text.count("<path") < 100


def test_themes_are_told_apart(sound):
    for theme in ("light", "dark"):
        assert plot("mel", "talk.wav", "--output", f"{theme}.png", "--theme", theme, "--scale", "1") == 0
        assert plot("mel", "talk.wav", "--output", f"{theme}.svg", "--theme", theme) == 0
    assert (sound / "light.png").read_bytes() != (sound / "dark.png").read_bytes()
    assert "prefers-color-scheme" not in (sound / "dark.svg").read_text(encoding="utf-8")
    assert "background:#14161a" in (sound / "dark.svg").read_text(encoding="utf-8")


def test_nothing_is_overwritten_without_force(sound, capsys):
    (sound / "talk.mel.png").write_text("mine")
    assert plot("mel", "talk.wav") == 2
    assert "--force" in capsys.readouterr().err
    assert (sound / "talk.mel.png").read_text() == "mine"
    assert plot("mel", "talk.wav", "--force") == 0
    assert (sound / "talk.mel.png").read_bytes().startswith(b"\x89PNG")


def test_sounds_of_one_name_get_a_picture_each(sound):
    for folder in ("a", "b"):
        io.save(sound / folder / "x.flac", sweep(0.2), RATE)
    assert plot("waveform", "a/x.flac", "b/x.flac", "--scale", "1") == 0
    assert {p.name for p in sound.glob("*.png")} == {"x.waveform.png", "x-2.waveform.png"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no sound file"),
        (["gone.wav"], "no such file"),
        (["talk.wav", "--output", "a.jpg"], "expected the ending"),
        (["talk.wav", "--output", "a.png", "--format", "svg"], "expected the ending"),
        (["talk.wav", "talk2.wav", "--output", "a.png"], "--output-dir"),
        (["talk.wav", "--start", "9"], "--start"),
        (["talk.wav", "--channel", "1"], "channel 1"),
        (["talk.wav", "--fmax", "9000"], "8000 Hz"),
        (["talk.wav", "--fmin", "500", "--fmax", "400"], "f_min"),
        (["talk.wav", "--n-mels", "900"], "n_mels"),
        (["talk.wav", "--n-fft", "1000000"], "n_fft"),
        (["talk.wav", "--sample-rate", "900000"], "sample_rate"),
        (["talk.wav", "--width", "90000", "--height", "90000"], "100 million"),
        (["talk.wav", "--width", "9"], "too small"),
        (["talk.wav", "--output", "talk.wav", "--format", "png"], "expected the ending"),
        (["broken.wav"], "not a sound file"),
        (["nan.wav"], "NaN"),
        (["."], "folder"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(sound, words, said, capsys):
    (sound / "broken.wav").write_text("no sound at all")
    io.save("talk2.wav", sweep(), RATE)
    shutil.copy("talk.wav", "nan.wav")
    damaged = sweep()
    damaged[5] = np.nan
    import soundfile

    soundfile.write("nan.wav", damaged, RATE, subtype="FLOAT")
    assert plot("mel", *words) == 2
    assert said in capsys.readouterr().err
    assert not [*sound.glob("*.png"), *sound.glob("*.jpg"), *sound.glob("*.part")]


def test_a_part_has_its_own_times(sound):
    chosen = All(part=Part(start=0.25, duration=0.2))
    kinds = draw.KINDS
    found = measure.measure(
        sound / "talk.wav", measure.check(sound / "talk.wav", kinds, chosen), kinds, chosen, keep=True
    )
    drawn = draw.compose(found.panels, language="en")
    assert found.seconds == pytest.approx(0.2)
    np.testing.assert_allclose(found.samples, sweep()[4000:7200], atol=1e-4)
    for axes in (drawn.axes[0], drawn.axes[2]):
        np.testing.assert_allclose(axes.get_xlim(), (0.25, 0.45))


def test_a_part_past_the_end_ends_with_the_sound(sound):
    assert plot("mel", "talk.wav", "--start", "0.5", "--duration", "99") == 0


def test_channels_and_rates_are_chosen(sound):
    io.save("two.wav", np.stack([sweep(), 0 * sweep()]), RATE)
    chosen = All(part=Part(channel=1, sample_rate=8000))
    found = measure.measure(
        sound / "two.wav", measure.check(sound / "two.wav", ["mel"], chosen), ["mel"], chosen, keep=True
    )
    assert found.rate == 8000
    assert not found.samples.any()
    assert (found.panels[0].levels.decibels == -80).all()
    assert found.panels[0].high == 4000


def test_a_long_sound_is_read_in_blocks_and_drawn_in_few_columns(sound, monkeypatch):
    io.save("long.wav", np.tile(sweep(0.5, 8000), 240), 8000)
    largest = []
    read = io.blocks

    def watched(*args, **kwargs):
        for block in read(*args, **kwargs):
            largest.append(len(block))
            yield block

    monkeypatch.setattr(io, "blocks", watched)
    monkeypatch.setattr(io.libsndfile, "BLOCK", 1 << 16)
    monkeypatch.setattr(measure, "_COLUMNS", 300)
    chosen = All()
    info = measure.check(sound / "long.wav", draw.KINDS, chosen)
    found = measure.measure(sound / "long.wav", info, draw.KINDS, chosen, keep=False)
    assert max(largest) <= 1 << 16
    assert found.samples is None
    assert found.seconds == 120
    assert found.panels[2].levels.decibels.shape[1] <= 301
    assert len(found.panels[0].envelope.low) <= 2400


@pytest.mark.parametrize("samples", [np.zeros(8000, np.float32), sweep()[:1], sweep()[:3], sweep()[:500]])
def test_silence_and_very_short_sounds_are_drawn(sound, samples):
    io.save("odd.wav", samples, RATE)
    assert plot("all", "odd.wav", "--output", "odd.html") == 0


def test_the_page_is_closed_and_every_name_escaped(sound):
    shutil.copy("talk.wav", EVIL)
    assert plot("all", EVIL, "talk.wav", "--output", "p.html") == 0
    text = (sound / "p.html").read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert text.count("&lt;img src=x onerror=alert(1)&gt; &amp; &#x27;q&#x27; 音.wav") >= 2
    assert "default-src 'none'" in text
    sources = re.findall(r'(?:src|href)="([^"]{0,12})', text)
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert text.count("<audio") == 2
    assert text.count("<script>") == 1
    assert len(text) < 900_000
    for picture in re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", text):
        assert b"<script" not in base64.b64decode(picture)


def test_a_page_plays_what_is_shown(sound):
    io.save("long.wav", np.tile(sweep(), 30), RATE)
    for coding, begins in (("auto", b""), ("wav", b"RIFF"), ("ogg", b"OggS"), ("flac", b"fLaC")):
        assert plot("mel", "long.wav", "--output", f"{coding}.html", "--page-sound", coding) == 0
        text = (sound / f"{coding}.html").read_text(encoding="utf-8")
        ((kind, content),) = re.findall(r'src="data:audio/(\w+);base64,([\w+/=]+)"', text)
        assert kind == ("mpeg" if coding == "auto" else coding)
        assert base64.b64decode(content).startswith(begins)
    assert len((sound / "auto.html").read_bytes()) < 600_000


def test_a_spectrum_page_has_a_time_axis_for_its_cursor(sound):
    assert plot("spectrum", "talk.wav", "--format", "html") == 0
    text = (sound / "talk.spectrum.html").read_text(encoding="utf-8")
    assert text.count('class="view"') == 2
    assert text.count('class="box"') == 1


def test_too_much_sound_for_a_page_is_told(sound, monkeypatch, capsys):
    monkeypatch.setattr(draw, "_LONGEST_PAGE", 0.5)
    assert plot("mel", "talk.wav", "--format", "html") == 2
    assert "--start and --duration" in capsys.readouterr().err
    assert plot("mel", "talk.wav", "--format", "html", "--duration", "0.3") == 0


def test_the_script_is_the_one_that_the_page_allows(sound):
    import hashlib

    assert plot("mel", "talk.wav", "--format", "html") == 0
    text = (sound / "talk.mel.html").read_text(encoding="utf-8")
    (script,) = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text


PRESS = """<script>
addEventListener("error", (event) => { document.title = "error: " + event.message; });
const audio = document.querySelector("audio"), box = document.querySelectorAll(".box")[1];
const press = () => {
  const bounds = box.getBoundingClientRect(), x = bounds.left + bounds.width / 2, y = bounds.top + 9;
  audio.addEventListener("seeked", () => {
    const cursors = [...document.querySelectorAll(".cursor")].map((line) => line.style.left);
    document.title = ["done", audio.currentTime.toFixed(2), ...cursors].join(" ");
  });
  box.setPointerCapture = () => {};
  box.dispatchEvent(new PointerEvent("pointerdown", { clientX: x, clientY: y, button: 0, buttons: 1 }));
};
if (audio.readyState) press(); else audio.addEventListener("loadedmetadata", press);
</script></body>"""


def loaded(path) -> str:
    words = [CHROMIUM, "--no-sandbox", "--disable-gpu", "--headless", "--virtual-time-budget=8000", "--dump-dom"]
    return subprocess.run([*words, path.as_uri()], capture_output=True, text=True, timeout=120, check=False).stdout


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_in_a_browser_a_click_moves_sound_and_cursors(sound):
    assert plot("all", "talk.wav", "--output", "p.html") == 0
    text = (sound / "p.html").read_text(encoding="utf-8")
    text = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", text).replace("</body>", PRESS)
    (sound / "pressed.html").write_text(text, encoding="utf-8")
    assert "<title>done 0.30 50% 50% 50%</title>" in loaded(sound / "pressed.html")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_in_a_browser_the_closed_page_runs_its_script(sound):
    assert plot("mel", "talk.wav", "--output", "p.html", "--start", "0.2") == 0
    text = loaded(sound / "p.html")
    assert re.search(r'<output class="place">0\.200 s</output>', text)
    assert re.search(r'class="cursor" style="left: 0%;?"', text)
