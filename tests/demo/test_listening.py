"""``onsei audio augment``: every kind can be heard and seen, nothing is overwritten, mistakes are told."""

import numpy as np
import pytest

from onsei import cli
from onsei.audio import io
from onsei.demo import audition
from onsei.demo.listening import KINDS

RATE = 8000


@pytest.fixture
def sound(tmp_path):
    time = np.arange(RATE // 2) / RATE
    made = 0.3 * np.sin(2 * np.pi * 300 * time) * (1 + np.sin(2 * np.pi * 4 * time))
    io.save(tmp_path / "音.wav", made.astype(np.float32), RATE)
    return tmp_path / "音.wav"


def run(capsys, *words):
    status = cli.main(["audio", "augment", *map(str, words)])
    return status, *capsys.readouterr()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_heard(kind, capsys, sound, tmp_path):
    status, out, err = run(capsys, kind, sound, tmp_path / "o.wav")
    assert status == 0, err
    samples, rate = io.load(tmp_path / "o.wav")
    plain, _ = io.load(sound)
    assert rate == RATE
    assert samples.shape != plain.shape or np.abs(samples - plain).max() > 1e-3
    assert np.abs(samples).max() <= 1
    assert f"o.wav: {kind}, " in out


def test_all_writes_a_sound_for_each_kind_and_a_page_with_players(capsys, sound, tmp_path, monkeypatch):
    few = {name: KINDS[name] for name in ("speed", "freq-mask")}
    monkeypatch.setattr(audition, "KINDS", few)
    status, _, err = run(capsys, "--all", sound, tmp_path / "all")
    assert status == 0, err
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == ["freq-mask.wav", "index.html", "speed.wav"]
    page = (tmp_path / "all" / "index.html").read_text(encoding="utf-8")
    assert page.count("<audio") == len(few) + 1
    assert page.count("<img") == len(few)
    assert run(capsys, "--all", sound, tmp_path / "all")[0] == 2


@pytest.mark.parametrize(("name", "head"), [("a.png", b"\x89PNG"), ("a.SVG", b"<svg")])
def test_spectrograms_before_and_after_are_drawn(name, head, capsys, sound, tmp_path):
    assert run(capsys, "freq-mask", sound, tmp_path / "o.ogg", "--plot", tmp_path / name)[0] == 0
    assert (tmp_path / name).read_bytes().startswith(head)


def test_the_flags_of_noise_inject_work_alone(capsys, sound, tmp_path):
    noise = np.random.default_rng(0).standard_normal(2000).astype(np.float32) * 0.1
    io.save(tmp_path / "noise.wav", noise, 16000)
    words = ("--input-path", sound, "--noise-path", tmp_path / "noise.wav", "--output-path", tmp_path / "o.flac")
    status, out, err = run(capsys, *words, "--sample-rate", "16000", "--noise-level", "0.5")
    assert status == 0, err
    assert "level 0.5 (6.0 dB below the sound)" in out
    made, rate = io.load(tmp_path / "o.flac")
    plain, _ = io.load(sound, 16000)
    assert rate == 16000
    added = made - plain
    assert np.sqrt(np.square(added).mean() / np.square(plain).mean()) == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize(
    ("kind", "words", "told"),
    [
        ("tempo", ("--factor", "1.5"), "factor 1.500; 0.33 s"),
        ("gain", ("--decibels", "12"), "turned down by"),
        ("gain", ("--decibels", "12", "--clip"), "was cut"),
        ("noise", ("--snr", "3", "--color", "pink"), "pink, 3.0 dB below"),
        ("reverb", ("--rt60", "0.4", "--drr", "-3"), "in 0.40 s, direct to reverberant -3.0 dB"),
    ],
)
def test_strengths_may_be_given(kind, words, told, capsys, sound, tmp_path):
    status, out, err = run(capsys, kind, sound, tmp_path / "o.wav", *words)
    assert status == 0, err
    assert told in out


def test_the_same_seed_gives_the_same_sound_and_another_another(capsys, sound, tmp_path):
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run(capsys, "noise", sound, tmp_path / f"{name}.wav", "--seed", seed)[0] == 0
        found.append((tmp_path / f"{name}.wav").read_bytes())
    assert found[0] == found[1] != found[2]


def test_nothing_is_overwritten_without_force(capsys, sound, tmp_path):
    target = tmp_path / "o.wav"
    target.write_bytes(b"mine")
    status, _, err = run(capsys, "gain", sound, target)
    assert status == 2
    assert "--force" in err
    assert target.read_bytes() == b"mine"
    assert run(capsys, "gain", sound, target, "--force")[0] == 0
    status, _, err = run(capsys, "gain", sound, sound, "--force")
    assert status == 2
    assert "the sound itself" in err


def test_mistakes_are_told(capsys, sound, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    (tmp_path / "empty").mkdir()
    out = tmp_path / "o.wav"
    for words, told in (
        (("tempoo", sound, out), "tempoo"),
        ((sound,), "KIND IN OUT"),
        (("gain", tmp_path / "none.wav", out), "none.wav"),
        (("gain", tmp_path / "bad.wav", out), "bad.wav"),
        (("noise", sound, out, "--noise-path", tmp_path / "empty"), "no sound files"),
        (("noise", sound, out, "--noise-level", "1", "--snr", "1"), "not both"),
        (("gain", sound, out, "--plot", tmp_path / "p.bmp"), ".png"),
        (("gain", sound, tmp_path / "o.xyz"), ".xyz"),
        (("gain", sound, out, "--all"), "one or the other"),
    ):
        status, _, err = run(capsys, *words)
        assert status == 2, words
        assert told in err
        assert not out.exists()
