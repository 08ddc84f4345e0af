"""The verbs explain, heatmap-video and overlay-video: the memo's own commands, and every mistake answered."""

import json
import shlex
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from onsei import cli
from onsei.audio import io
from onsei.demo.films import MEL, SUBFRAMES
from onsei.demo.tract import takes
from onsei.systems.articulation.config import Model
from onsei.systems.articulation.data.prepared import Prepared, Scaler
from onsei.systems.articulation.model import MelGenerator
from onsei.systems.articulation.training import save
from onsei.vision import film, video
from tests.vision.test_film import decoded, lag, lengths

OPTIONS = Model(size=32, channels=(4, 8), features=12, hidden=10, dropout=0.0)
MEMO = """
explain {model} --video 000.mp4 --output-dir out/gradcam --formant-band F1:300-900 --formant-band F2:900-2500
    --target-frames 6 9 12 --device cpu
heatmap-video --video 000.mp4 --sequence out/gradcam/gradcam_F1_sequence.npy --start-frame 0 --output out/F1_slow.mp4
    --fps 5 --repeat 4 --alpha 0.7
overlay-video --video 000.mp4 --heatmap out/gradcam/gradcam_F1_sequence.npy
    --heatmap2 out/gradcam/gradcam_F2_sequence.npy --audio 000_generated.wav --output out/000_overlay.mp4 --alpha 0.7
    --resize 256 256
"""


def run(words, folder=None):
    return cli.main(["articulation", *shlex.split(words)])


def commands():
    return MEMO.replace("\n    ", " ").strip().splitlines()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A simulated film with contours, sound, and a model folder of random weights."""
    folder = tmp_path_factory.mktemp("memo")
    take = takes.take(1, seconds=1.2)
    takes.save(take, folder, "000")
    io.save(folder / "000_generated.wav", take.sound, takes.RATE)
    torch.manual_seed(3)
    prepared = Prepared(MEL, str(takes.FRAMES), SUBFRAMES, 128)
    model = MelGenerator(OPTIONS, MEL.n_mels, SUBFRAMES)
    save(folder / "model", OPTIONS, prepared, Scaler(-40.0, 15.0), model, {})
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    for path in made.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_of_the_memo_run(here, capsys):
    for command in commands():
        assert run(command.format(model="model")) == 0, capsys.readouterr().err
    out = here / "out" / "gradcam"
    for band in ("F1", "F2"):
        maps = np.load(out / f"gradcam_{band}_sequence.npy")
        assert maps.shape == (33, 128, 128)
        assert maps.min() == 0
        assert maps.max() == 1
        for name in ("average", "frame0006", "frame0009", "frame0012", "frames"):
            assert np.asarray(Image.open(out / f"gradcam_{band}_{name}.png").convert("L")).std() > 10
    about = json.loads((out / "explain.json").read_text())
    assert about["bands"] == {"F1": [300, 900], "F2": [900, 2500]}
    assert about["layer"] == "trunk.blocks.0"
    slow = video.read(here / "out" / "F1_slow.mp4")
    assert (len(slow.frames), slow.rate) == (33 * 4, 5)
    over, times, sound, first, rate = decoded(here / "out" / "000_overlay.mp4")
    assert over.shape == (33, 256, 256)
    assert times == [n / takes.FRAMES for n in range(33)]
    said = io.load("000_generated.wav", rate)[0]
    assert first == 0
    assert abs(lag(sound, said)) <= 1
    assert lengths(here / "out" / "000_overlay.mp4") == [
        33 / takes.FRAMES,
        Fraction(round(33 / takes.FRAMES * rate), rate),
    ]


def test_flags_of_the_old_script_are_understood(here, capsys):
    words = "explain --video 000.mp4 --mri-checkpoint model --scaler-json scaler.json --output-dir old"
    assert run(words + " --formant_band F1:300-900 --target_frames 3") == 0
    err = capsys.readouterr().err
    assert "the model has no flag" in err
    assert "is in the model folder" in err
    assert (here / "old" / "gradcam_F1_sequence.npy").is_file()
    assert not (here / "old" / "gradcam_F2_sequence.npy").exists()


def test_maps_are_measured_where_asked(here, capsys):
    words = (
        "explain model --video 000.mp4 --output-dir maps --formant-band F1:300-900 --faithfulness --contours 000.npz"
    )
    assert run(words + " --json n.json --method gradcam++ --target clip --layer trunk") == 0
    numbers = json.loads((here / "n.json").read_text())
    kinds = {
        f"F1_{kind}_{of}"
        for kind in ("deletion_drop", "deletion_change", "insertion_rise", "insertion_gap")
        for of in ("map", "edges", "random")
    }
    assert set(numbers) == {*kinds, "F1_pointing", "F1_pointing_chance"}
    assert 0 <= numbers["F1_pointing"] <= 100
    assert 3 < numbers["F1_pointing_chance"] < 15
    assert "F1_deletion_drop_map" in capsys.readouterr().out


def test_the_same_film_gives_the_same_maps_from_stored_frames(here):
    pictures = video.stretched(video.read("000.mp4", size=(128, 128)).frames)
    np.save("mri.npy", pictures)
    assert run("explain model --video 000.mp4 --output-dir a --formant-band F1:300-900") == 0
    assert run("explain model --video mri.npy --output-dir b --formant-band F1:300-900") == 0
    one, two = (np.load(f"{name}/gradcam_F1_sequence.npy") for name in "ab")
    assert np.abs(one - two).max() < 1e-6


@pytest.fixture
def ramp(here):
    """Heat maps whose heat tells their number, beside the film."""
    maps = np.tile(np.linspace(0, 1, 33, dtype=np.float32)[:, None, None], (1, 64, 64))
    np.save("gradcam_F1_sequence.npy", maps)
    return maps


def test_a_segment_is_cut_to_the_frames_of_its_seconds(here, ramp):
    words = "heatmap-video --video 000.mp4 --sequence gradcam_F1_sequence.npy --output cut/slow.mp4"
    assert run(words + " --segment a:0.4-0.8 --fps 10 --repeat 2") == 0
    cut = np.load("cut/gradcam_F1_a_sequence.npy")
    first, last = round(0.4 * takes.FRAMES), round(0.8 * takes.FRAMES)
    assert np.array_equal(cut, ramp[first:last])
    assert len(video.read("cut/slow.mp4").frames) == 2 * (last - first)
    again = "heatmap-video --video 000.mp4 --sequence cut/gradcam_F1_a_sequence.npy --output cut/again.mp4"
    assert run(f"{again} --start-frame {first} --fps 10 --repeat 2") == 0
    assert np.array_equal(video.read("cut/again.mp4").frames, video.read("cut/slow.mp4").frames)


def test_heat_covers_what_it_should(here):
    maps = np.zeros((33, 64, 64), np.float32)
    maps[:, 32:] = 1
    np.save("half.npy", maps)
    assert run("overlay-video --video 000.mp4 --heatmap half.npy --output o.mp4 --alpha 1 --resize 256 256") == 0
    over, plain = video.read("o.mp4"), video.read("000.mp4")
    assert over.color
    upper = np.abs(over.frames[:, :110].astype(float) - plain.frames[:, :110])
    assert upper.mean() < 4
    assert over.frames[:, 150:].std(axis=(1, 2)).max() < 6
    own = io.load("000.mp4", 48000)[0]
    assert np.abs(io.load("o.mp4")[0][: len(own)] - own).mean() < 0.02 * np.abs(own).mean()


def test_maps_of_a_part_leave_the_rest_bare(here):
    np.save("part.npy", np.ones((10, 64, 64), np.float32))
    assert run("overlay-video --video 000.mp4 --heatmap part.npy --output o.mp4 --start-frame 5 --resize 256 256") == 0
    apart = np.abs(video.read("o.mp4").frames.astype(float) - video.read("000.mp4").frames).mean((1, 2))
    assert (apart[5:15] > 20).all()
    assert apart[:5].max() < 5
    assert apart[15:].max() < 5


def test_sound_may_be_lossless_and_silent_films_stay_silent(here, ramp):
    words = "overlay-video --video 000.mp4 --heatmap gradcam_F1_sequence.npy --output o.mp4 --audio 000_generated.wav"
    assert run(words + " --lossless --resize 100 60") == 0
    assert np.array_equal(io.load("o.mp4")[0], io.load("000_generated.wav")[0])
    assert video.read("o.mp4").frames.shape == (33, 60, 100)
    film.write("mute.mp4", video.read("000.mp4").frames, takes.FRAMES)
    assert run("overlay-video --video mute.mp4 --heatmap gradcam_F1_sequence.npy --output m.mp4") == 0
    assert not video.info("m.mp4").sound


BAD_EXPLAIN = [
    ("--formant-band F1:900-300", "a lower end below the upper one"),
    ("--formant-band F1", "pattern"),
    ("--formant-band ../x:1-2", "pattern"),
    ("--formant-band F1:300-900 --formant-band F1:300-800", "F1 is given twice"),
    ("--formant-band F9:8000-9000", "no mel band has its center"),
    ("--target-frames 33", "000.mp4 has 33 frames"),
    ("--layer trunk.blocks.7", "no such map"),
    ("--method lime", "lime"),
    ("--contours none.npz", "cannot be read as contours"),
    ("--video none.mp4", "no such film"),
    ("--video 000_generated.wav", "000_generated.wav"),
    ("--frame-rate 50", "frames/s"),
]


@pytest.mark.parametrize(("words", "message"), BAD_EXPLAIN)
def test_mistakes_of_explain_are_answered(here, capsys, words, message):
    base = "explain model --output-dir maps" + ("" if "--video" in words else " --video 000.mp4")
    try:
        status = run(f"{base} {words}")
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert not (here / "maps").exists()


BAD_FILMS = [
    ("heatmap-video --segment a:0.4-9", "0.000 to 1.214 s"),
    ("heatmap-video --segment a:0.401-0.402", "choose a part of a frame or more"),
    ("heatmap-video --start-frame 1", "33 heat maps from frame 1 on, 000.mp4 has 33 frames"),
    ("heatmap-video --output slow.gif", "expected the ending .mp4"),
    ("heatmap-video --sequence none.npy", "none.npy: no such file"),
    ("heatmap-video --sequence flat.npy", "expected heat maps"),
    ("heatmap-video --sequence nan.npy", "negative, NaN or infinite"),
    ("heatmap-video --sequence text.npy", "cannot be read as heat maps"),
    ("overlay-video --audio long.wav", "3.000 s of sound, the film lasts 1.214 s"),
    ("overlay-video --audio none.wav", "none.wav"),
    ("overlay-video --resize 0 10", "greater than 0"),
]


@pytest.mark.parametrize(("words", "message"), BAD_FILMS)
def test_mistakes_of_films_are_answered(here, ramp, capsys, words, message):
    np.save("flat.npy", np.zeros((4, 4), np.float32))
    np.save("nan.npy", np.full((33, 4, 4), np.nan, np.float32))
    (here / "text.npy").write_text("text")
    io.save("long.wav", np.zeros(24000, np.float32), 8000)
    maps = "--sequence" if words.startswith("heatmap") else "--heatmap"
    verb, _, rest = words.partition(" ")
    base = f"{verb} --video 000.mp4"
    base += "" if "--output" in rest else " --output o.mp4"
    base += "" if "--sequence" in rest else f" {maps} gradcam_F1_sequence.npy"
    try:
        status = run(f"{base} {rest}")
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert not (here / "o.mp4").exists()


def test_nothing_is_overwritten_unasked(here, ramp, capsys):
    words = "overlay-video --video 000.mp4 --heatmap gradcam_F1_sequence.npy --output o.mp4"
    assert run(words) == 0
    assert run(words) == 2
    assert "o.mp4" in capsys.readouterr().err
    assert run(words + " --force") == 0
    assert run("explain model --video 000.mp4 --output-dir maps --formant-band F1:300-900") == 0
    assert run("explain model --video 000.mp4 --output-dir maps --formant-band F1:300-900") == 2
    assert "gradcam_F1_sequence.npy" in capsys.readouterr().err


def test_every_door_has_the_same_bands():
    from onsei.config import from_dict, json_schema, span
    from onsei.errors import ConfigError
    from onsei.systems.articulation.config.explain import Explain

    values = {"model": "m", "video": "a.mp4", "output_dir": "o", "formant_band": ["F1:300-900.5"]}
    assert [span(text) for text in from_dict(Explain, values).formant_band] == [("F1", 300.0, 900.5)]
    with pytest.raises(ConfigError, match="a lower end below the upper one"):
        from_dict(Explain, {**values, "formant_band": ["F1:900-900"]})
    assert "pattern" in json.dumps(json_schema(Explain)["properties"]["formant_band"])
