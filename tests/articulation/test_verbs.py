"""Mels are exported to the sample, voices speak them in step, and what is measured is measured right."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import onsei
from onsei import cli
from onsei.audio import io
from onsei.config import to_dict
from onsei.errors import DataError, ModelError
from onsei.hub import store
from onsei.systems.articulation.config import ExportMels, Synthesize
from onsei.systems.articulation.data.clips import Analysis
from onsei.systems.articulation.data.example import HOP, MEL, PREPARED, RATE
from onsei.systems.articulation.data.films import in_step
from onsei.systems.articulation.evaluation.sound import SoundScores
from onsei.systems.articulation.exporting import export_mels
from onsei.systems.articulation.synthesis import synthesize
from onsei.systems.articulation.voices import open_voices
from onsei.vision import film, video
from onsei.vocoder import checkpoints, upstream
from onsei.vocoder.generator import Generator
from onsei.vocoder.shapes import GeneratorShape
from tests.vision.films import write

NATURAL = replace(MEL, log="natural")
TINY = GeneratorShape(
    upsample_rates=(10, 4, 4),
    upsample_initial_channel=16,
    resblock_kernel_sizes=(3,),
    resblock_dilation_sizes=((1, 3),),
)


def corpus(made):
    return made.train.train_manifest.parent


def test_true_mels_are_those_of_the_clips_in_natural_logarithms(made, tmp_path):
    words = ["ground-truth", str(corpus(made) / "val.jsonl"), "--output-dir", str(tmp_path)]
    assert cli.main(["articulation", "export-mels", *words]) == 0
    stored = np.load(corpus(made) / "samples" / "v3" / "mel_db.npy")
    np.testing.assert_allclose(np.load(tmp_path / "v3.npy"), stored * np.log(10) / 20, rtol=1e-6)
    with pytest.raises(DataError, match="--force"):
        export_mels(ExportMels("ground-truth", (corpus(made) / "val.jsonl",), tmp_path))
    assert cli.main(["articulation", "export-mels", *words, "--log", "decibel", "--force"]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "v3.npy"), stored)


def test_predicted_mels_are_as_long_as_their_sound(made, model, tmp_path, capsys):
    sources = [str(corpus(made) / "val.jsonl"), str(made.requests[0].video)]
    words = [str(model), *sources, "--output-dir", str(tmp_path / "m")]
    assert cli.main(["articulation", "export-mels", *words]) == 0
    for path in (tmp_path / "m").iterdir():
        assert np.load(path).shape == (16, 14)
    (tmp_path / "text.mp4").write_text("no film")
    assert cli.main(["articulation", "export-mels", str(model), str(tmp_path / "text.mp4"), "--format", "json"]) == 2
    assert "text.mp4" in capsys.readouterr().err


def test_a_film_of_another_rate_is_refused_or_brought_to_it(made, model, tmp_path):
    runner, frames = onsei.load(model, device="cpu"), np.load(made.requests[1].video)
    write(tmp_path / "a.mkv", frames, 50, codec="ffv1")
    with pytest.raises(DataError, match="retime"):
        runner.frames(tmp_path / "a.mkv")
    assert len(runner.frames(tmp_path / "a.mkv", retime=True)) == 7
    assert len(runner.frames(tmp_path / "a.mkv", frame_rate=RATE / HOP)) == 14
    slow = video.read(write(tmp_path / "b.mkv", frames, Fraction(RATE, HOP) * Fraction(1001, 1000), codec="ffv1"))
    assert in_step(slow, PREPARED.rate) is slow  # half a frame of drift at most


def vocoder(folder, mel=NATURAL, shape=TINY):
    """The model folder of a vocoder that was never trained."""
    torch.manual_seed(0)
    network = {"kind": "hifigan", "generator": to_dict(shape)}
    store.save(
        folder, system="vocoder", stage="train", config={"mel": to_dict(mel), "network": network},
        weights=Generator(shape, mel).state_dict(),
    )  # fmt: skip
    return folder


def g_file(folder, mel=NATURAL, shape=TINY, number=1, **changes):
    """A `g_` file of HiFi-GAN with its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints.write_generator(folder / f"g_{number:08d}", Generator(shape, mel).state_dict())
    config = replace(upstream.config_of(shape, mel), **changes)
    (folder / "config.json").write_text(upstream.written(config), encoding="utf-8")
    return folder / f"g_{number:08d}"


def test_several_voices_speak_each_into_its_folder(made, model, tmp_path, capsys):
    one = vocoder(tmp_path / "voice")
    g_file(tmp_path / "gan", number=1), g_file(tmp_path / "gan", number=2)
    sound = 0.1 * np.random.default_rng(0).standard_normal(14 * HOP).astype(np.float32)
    shown = tmp_path / "film.mp4"
    film.write(shown, np.load(made.requests[1].video), PREPARED.rate, film.Sound(sound, RATE))
    words = [str(model), str(shown), "--output-dir", str(tmp_path / "out"), "--device", "cpu", "--iterations", "4"]
    words += ["--checkpoint", "griffin-lim", str(one), str(tmp_path / "gan")]
    assert cli.main(["articulation", "synthesize", *words]) == 0
    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.wav"))
    names = ("g_00000001", "g_00000002", "griffin-lim", "voice")
    assert files == [f"{name}/film_generated.wav" for name in names]
    for path in (tmp_path / "out").rglob("*.wav"):
        header = io.info(path)
        assert (header.frames, header.sample_rate) == (14 * HOP, RATE)  # as long as the film, to the sample
    numbers = json.loads((tmp_path / "out" / "numbers.json").read_text())
    assert {f"{name}/mcd" for name in names} <= set(numbers)
    assert "griffin-lim" in capsys.readouterr().out
    with pytest.raises(DataError, match="--force"):
        synthesize(Synthesize(str(model), (shown,), tmp_path / "out", ("griffin-lim",), device="cpu"))


def test_the_listening_page_has_all_voices_beside_the_films_own_sound(made, model, tmp_path):
    from tests.plots.test_report import Tags

    sound = 0.1 * np.random.default_rng(0).standard_normal(14 * HOP).astype(np.float32)
    pictures = np.load(made.requests[1].video)
    for name, own in {"a <b>": film.Sound(sound, RATE), "b": film.Sound(sound / 2, RATE), "mute": None}.items():
        film.write(tmp_path / "films" / f"{name}.mp4", pictures, PREPARED.rate, own)
    films = sorted((tmp_path / "films").iterdir())
    words = [str(model), *map(str, films), "--output-dir", str(tmp_path / "out"), "--device", "cpu"]
    words += ["--iterations", "2", "--checkpoint", "griffin-lim", "pulse", "--page", str(tmp_path / "listen.html")]
    assert cli.main(["articulation", "synthesize", *words]) == 0
    page = (tmp_path / "listen.html").read_text(encoding="utf-8")
    assert page.count("<audio") == 3 + 3 + 2  # the mute film has no sound of its own
    tags = Tags(page)
    assert tags.tags.count("img") == 3
    assert "b" not in tags.tags
    assert all(word in tags.words for word in ("pulse", "griffin-lim", "the film's own", "mute", "a <b>"))
    # What stands there is what numbers.json has.
    numbers = json.loads((tmp_path / "out" / "numbers.json").read_text())
    assert f"{numbers['pulse/stoi']:.4g}" in page
    with pytest.raises(DataError, match="--force"):
        synthesize(Synthesize(str(model), (films[0],), tmp_path / "new", page=tmp_path / "listen.html", device="cpu"))
    few = Synthesize(
        str(model),
        (films[0], films[1]),
        tmp_path / "few",
        page=tmp_path / "few.html",
        clips=1,
        iterations=1,
        device="cpu",
    )
    assert synthesize(few) == 0
    assert (tmp_path / "few.html").read_text(encoding="utf-8").count("<audio") == 2


@pytest.mark.parametrize("padding", ["hop", "center"])
def test_a_burst_is_heard_where_it_is_seen(padding):
    """Half a hop would be 64 samples here."""
    mel = replace(MEL, padding=padding, n_fft=512, win_length=512, hop_length=128, n_mels=40)
    moments = np.arange(40 * 128) - 2500
    sound = (0.5 * np.exp(-((moments / 300) ** 2)) * np.sin(moments * 1.3)).astype(np.float32)
    voice = open_voices(["griffin-lim"], mel, iterations=30)[0]
    made = voice.speak(Analysis(mel)(sound), len(sound))
    assert len(made) == len(sound)
    centers = [float((x**2 * moments).sum() / (x**2).sum()) for x in (sound, made)]
    assert centers[1] == pytest.approx(centers[0], abs=20)


def test_the_pulse_voice_is_heard_with_the_formants_of_the_mel():
    """A smooth mel, as predicted ones are: from a pulse train its vowel comes back, period by period."""
    from scipy.signal import lfilter

    from onsei.metrics.formants import formants

    mel = replace(MEL, sample_rate=11413, n_fft=1024, win_length=1024, hop_length=105, n_mels=64, floor=1e-4)
    noise = 0.1 * np.random.default_rng(0).standard_normal(11413)
    for hertz, wide in ((500, 80), (1500, 120), (2500, 160), (3500, 200)):
        radius, angle = np.exp(-np.pi * wide / 11413), 2 * np.pi * hertz / 11413
        noise = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], noise)
    sound = (0.3 * noise / np.abs(noise).max()).astype(np.float32)
    smooth = np.repeat(Analysis(mel)(sound).mean(1, keepdims=True), 100, 1)
    made = {name: open_voices([name], mel, iterations=20)[0].speak(smooth, 10500) for name in ("pulse", "griffin-lim")}
    found = np.nanmedian(formants(made["pulse"], 11413, ceiling=5000), axis=0)
    # Half the distance of two harmonics, and what bands of 130 Hz leave of the third formant.
    np.testing.assert_allclose(found, [500, 1500, 2500], atol=60, rtol=0.03)
    period = round(11413 / 120)
    alike = {name: np.corrcoef(x[period:], x[:-period])[0, 1] for name, x in made.items()}
    assert alike["pulse"] > alike["griffin-lim"] + 0.2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"preemphasis": 0.5}, "preemphasis"),
        ({"padding": "center"}, "padding"),
        ({"quantity": "magnitude"}, "quantity"),
        ({"n_mels": 20}, "n_mels"),
        ({"sample_rate": 8000}, "sample_rate"),
    ],
)
def test_a_vocoder_of_another_mel_is_refused(tmp_path, change, told):
    with pytest.raises(ModelError, match=told):
        open_voices([str(vocoder(tmp_path / "v", replace(NATURAL, **change)))], MEL, device="cpu")


def test_g_files_that_do_not_fit_are_refused(tmp_path):
    other = g_file(tmp_path / "a", replace(NATURAL, hop_length=128), replace(TINY, upsample_rates=(8, 4, 4)))
    with pytest.raises(ModelError, match="hop_size: expected 160, found 128"):
        open_voices([str(other)], MEL, device="cpu")
    path = g_file(tmp_path / "b", upsample_rates=(10, 4, 2))
    with pytest.raises(ModelError, match="rates"):  # their product is not the hop
        open_voices([str(path)], MEL, device="cpu")
    with pytest.raises(ModelError, match="no such"):
        open_voices([str(tmp_path / "none")], MEL, device="cpu")


def test_a_model_of_another_kind_is_no_voice(model):
    with pytest.raises(ModelError, match="no vocoder"):
        open_voices([str(model)], MEL, device="cpu")


def test_evaluation_tells_what_mel_and_voice_lose(made, model, tmp_path, capsys):
    words = [str(model), "--test-manifest", str(corpus(made) / "val.jsonl"), "--json", str(tmp_path / "n.json")]
    words += ["--table", str(tmp_path / "t.jsonl"), "--iterations", "4", "--ceiling", "2000", "--limit", "3"]
    assert cli.main(["articulation", "evaluate", *words]) == 0
    numbers = json.loads((tmp_path / "n.json").read_text())
    assert 0.5 < numbers["mel_mae"] < 6
    assert {"mcd", "f1_error", "f0_rmse", "voicing_error", "stoi", "copy_mcd"} <= set(numbers)
    assert len((tmp_path / "t.jsonl").read_text().splitlines()) == 3
    runner, row = onsei.load(model, device="cpu"), json.loads((tmp_path / "t.jsonl").read_text().splitlines()[0])
    place = corpus(made) / "samples" / row["id"]
    error = runner.predict(runner.frames(place / "mri.npy")) - np.load(place / "mel_db.npy")
    assert row["mel_mae"] == pytest.approx(np.abs(error).mean(), abs=1e-4)


def test_a_sound_differs_from_itself_in_nothing():
    random, scores = np.random.default_rng(0), SoundScores(11413)
    time = np.arange(11413) / 11413
    sound = sum(np.sin(2 * np.pi * 130 * k * time) / k for k in range(1, 30)).astype(np.float32) * 0.1
    sound += 0.001 * random.standard_normal(len(sound)).astype(np.float32)
    scores.add(sound, sound)
    numbers = scores.numbers()
    assert (numbers["mcd"], numbers["f1_error"], numbers["f0_rmse"], numbers["voicing_error"]) == (0, 0, 0, 0)
    assert numbers["stoi"] == pytest.approx(1, abs=1e-6)


def test_the_vocoder_takes_filelists_recipe_and_mels_as_prepare_left_them(films, tmp_path):
    from tests.articulation.conftest import SMALL

    clips = tmp_path / "clips"
    assert cli.main(["articulation", "prepare", "--data-dir", str(films), "--out-dir", str(clips), *SMALL]) == 0
    words = ["ground-truth", str(clips), "--output-dir", str(clips / "mels_gt_log")]
    assert cli.main(["articulation", "export-mels", *words]) == 0
    lists = clips / "hifigan_filelists"
    words = ["--input-training-file", lists / "training.txt", "--input-validation-file", lists / "validation.txt"]
    words += ["--input-wavs-dir", clips / "wavs", "--input-mels-dir", clips / "mels_gt_log", "--fine-tuning"]
    words += ["--extra-mels-dir", clips / "mels_gt_log", "--extra-mels-weight", "0.8"]
    words += ["--checkpoint-path", tmp_path / "voc", "--max-steps", "1", "--upsample-initial-channel", "16"]
    words += ["--mpd-width", "0.02", "--msd-width", "0.02", "--batch-size", "2", "--num-workers", "0", "--silent"]
    assert cli.main(["vocoder", "train", str(clips / "vocoder.yaml"), *map(str, words)]) == 0
    definition = onsei.load(tmp_path / "voc", device="cpu").mel
    voices = open_voices([str(tmp_path / "voc")], replace(definition, log="decibel"), device="cpu")
    assert voices[0].speak(np.load(clips / "samples" / "s0_c0" / "mel_db.npy"), 40 * 320).shape == (40 * 320,)


def test_requests_that_cannot_be_answered_name_the_film(model, tmp_path):
    from onsei.errors import OnseiError
    from onsei.systems.articulation.config import Request

    runner = onsei.load(model, device="cpu")
    np.save(tmp_path / "bad.npy", np.zeros(4))
    (tmp_path / "bad.mp4").write_bytes(b"")
    for name in ("none.mp4", "none.npy", "bad.npy", "bad.mp4"):
        with pytest.raises(OnseiError, match=name):
            runner(Request(Path(tmp_path / name)))
