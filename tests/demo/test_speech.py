"""The demo's corpus: honest sets, audible clips, true word times, the same bytes every time."""

from __future__ import annotations

import dataclasses
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onsei.demo.speech import Corpus, make_corpus
from onsei.demo.voices import HELD_OUT, TRAINING, Voice
from onsei.errors import DataError, MissingExtraError

Rows = dict[str, list[dict[str, Any]]]


def _rows(manifest: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]


def _samples(manifest: Path, row: dict[str, Any]) -> np.ndarray:
    with wave.open(str(manifest.parent / row["audio"]), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float) / 32768


def _small(folder: Path, seed: int = 0, **changes: Any) -> Corpus:
    sizes = {"train_clips": 2, "val_clips": 1, "test_clips": 3, "voices": TRAINING[:2]}
    return make_corpus(folder, seed, **{**sizes, **changes})


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    pytest.importorskip("espeakng_loader")
    return make_corpus(tmp_path_factory.mktemp("話し声 corpus") / "demo")


@pytest.fixture(scope="session")
def rows(corpus: Corpus) -> Rows:
    return {"train": _rows(corpus.train), "val": _rows(corpus.val), "test": _rows(corpus.test)}


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small corpus that no test may change."""
    pytest.importorskip("espeakng_loader")
    return _small(tmp_path_factory.mktemp("small") / "corpus").train.parent


@pytest.fixture
def espeak() -> None:
    pytest.importorskip("espeakng_loader")


def test_the_held_out_voice_speaks_the_test_and_nothing_else(rows: Rows) -> None:
    speakers = {name: {row["speaker"] for row in part} for name, part in rows.items()}
    assert speakers["test"] == {HELD_OUT.name}
    assert speakers["train"] == speakers["val"] == {voice.name for voice in TRAINING}
    assert len(speakers["train"]) >= 4


def test_neither_accent_nor_timbre_of_the_held_out_voice_is_in_training() -> None:
    accents, timbres = zip(*(voice.espeak.partition("+")[::2] for voice in TRAINING), strict=True)
    accent, timbre = HELD_OUT.espeak.partition("+")[::2]
    assert accent not in accents
    assert timbre not in timbres


def test_no_sentence_is_in_two_sets(rows: Rows) -> None:
    def bare(part: str) -> set[str]:
        return {" ".join(w for w in row["text"].split() if w not in ("please", "now")) for row in rows[part]}

    assert not bare("train") & bare("test")
    assert not bare("train") & bare("val")
    assert not bare("val") & bare("test")


def test_every_word_of_the_test_is_in_training(rows: Rows) -> None:
    known = {word for row in rows["train"] for word in row["text"].split()}
    assert {word for part in ("val", "test") for row in rows[part] for word in row["text"].split()} <= known


def test_ids_differ_and_rows_match_the_counts(corpus: Corpus, rows: Rows) -> None:
    everything = [row for part in rows.values() for row in part]
    assert len({row["id"] for row in everything}) == len(everything) == corpus.clips
    assert sum(row["duration"] for row in everything) == pytest.approx(corpus.seconds)
    assert len(list((corpus.train.parent / "audio").iterdir())) == corpus.clips


def test_clips_are_audible_and_not_clipped(corpus: Corpus, rows: Rows) -> None:
    for row in rows["val"] + rows["test"]:
        samples = _samples(corpus.test, row)
        assert len(samples) / 16000 == pytest.approx(row["duration"], abs=1e-4)
        assert np.sqrt(np.mean(samples**2)) > 0.02, row["id"]
        assert 0.1 < np.abs(samples).max() < 1.0, row["id"]


def test_word_times_lie_in_the_clip_and_increase(rows: Rows) -> None:
    for row in (row for part in rows.values() for row in part):
        assert [word for word, _, _ in row["words"]] == row["text"].split()
        times = [time for _, start, end in row["words"] for time in (start, end)]
        assert times[0] >= 0
        assert times[-1] <= row["duration"]
        assert times == sorted(times)
        assert all(end - start >= 0.02 for _, start, end in row["words"]), row["id"]


def test_sound_lies_between_the_first_and_the_last_word(corpus: Corpus, rows: Rows) -> None:
    for row in rows["test"]:
        samples = _samples(corpus.test, row)
        start, end = (round(time * 16000) for time in (row["words"][0][1], row["words"][-1][2]))
        within = np.mean(samples[start:end] ** 2)
        # 20 ms: some timbres have an echo, which rings on after the last word.
        outside = np.concatenate([samples[: start - 320], samples[end + 320 :]])
        assert np.mean(outside**2) < 1e-3 * within, row["id"]


def test_word_times_are_where_the_words_are(corpus: Corpus, rows: Rows) -> None:
    """The hiss of "s" begins where the word "song" or "set" begins: high frequencies rise there."""
    rises = []
    for row in rows["train"]:
        for word, start, _ in row["words"][1:]:
            if word in ("song", "seven", "six"):
                hiss = np.diff(_samples(corpus.train, row)) ** 2
                at = round(start * 16000)
                rises.append(hiss[at + 320 : at + 1280].mean() / hiss[at - 960 : at].mean())
    assert len(rises) > 50
    assert np.median(rises) > 2


def test_the_same_seed_gives_the_same_bytes_wherever_it_is_made(espeak: None, tmp_path: Path) -> None:
    first, second, other = (
        _small(tmp_path / name, seed).train.parent for name, seed in [("a", 1), ("日本", 1), ("c", 2)]
    )
    assert _bytes(first) == _bytes(second)
    assert _bytes(first) != _bytes(other)


def test_every_voice_gives_the_same_bytes_in_a_new_process(espeak: None, corpus: Corpus, tmp_path: Path) -> None:
    again = make_corpus(tmp_path / "again")
    assert _bytes(again.train.parent) == _bytes(corpus.train.parent)


def test_an_earlier_corpus_is_replaced_whole(espeak: None, tmp_path: Path) -> None:
    _small(tmp_path / "corpus", train_clips=4)
    _small(tmp_path / "corpus", seed=1)
    _small(tmp_path / "fresh", seed=1)
    assert _bytes(tmp_path / "corpus") == _bytes(tmp_path / "fresh")


def test_a_folder_with_other_files_is_refused_untouched(espeak: None, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("mine")
    with pytest.raises(DataError, match=r"train\.jsonl; nothing was touched"):
        _small(tmp_path)
    assert _bytes(tmp_path) == {"train.jsonl": b"mine"}


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "corpus").write_text("mine")
    with pytest.raises(DataError, match="is a file"):
        _small(tmp_path / "corpus")


@pytest.mark.parametrize("bad", ["en-nosuch", "en-us+nosuch", "en-us+", "", "../en"])
def test_a_voice_that_does_not_exist_is_named_and_costs_nothing(small: Path, bad: str) -> None:
    before = _bytes(small)
    with pytest.raises(DataError, match=f"'{bad.replace('+', '.')}'") as caught:
        _small(small, voices=[TRAINING[0], Voice("wrong", bad)])
    assert "en-us" in caught.value.mend or "m8" in caught.value.mend
    assert _bytes(small) == before


def test_a_held_out_voice_in_training_is_refused(tmp_path: Path) -> None:
    renamed = dataclasses.replace(TRAINING[1], name="another")
    for held_out in (TRAINING[1], renamed):
        with pytest.raises(DataError, match="also a training voice"):
            _small(tmp_path / "corpus", held_out=held_out)
    assert not (tmp_path / "corpus").exists()


def test_no_voice_and_two_voices_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no training voice"):
        _small(tmp_path / "corpus", voices=[])
    with pytest.raises(DataError, match="same name"):
        _small(tmp_path / "corpus", voices=[TRAINING[0], TRAINING[0]])


def test_a_rate_above_the_synthesizers_is_refused(espeak: None, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="22050"):
        _small(tmp_path / "corpus", sample_rate=44100)


def test_without_the_extra_the_mend_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"onsei\[demo\]"):
        _small(tmp_path / "corpus")
