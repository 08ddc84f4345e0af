"""Two masked copies of a batch, and what draws them together; stored cepstra that are changed as voices are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from onsei.data.loader import Draw
from onsei.data.manifest import Manifest
from onsei.systems.recognition.config import Augment, Features
from onsei.systems.recognition.consistency import disagreement, doubled, framewise
from onsei.systems.recognition.data import Changes, Preparation, collate
from onsei.text.alphabet import Alphabet
from tests.recognition.corpus import command, rows, steps, train, write
from tests.recognition.test_learner import batch_of

AUGMENT = Augment(tempo=0.2, freq_masks=2, freq_width=5, time_masks=2, time_width=9)
MASKS = Changes(replace(AUGMENT, tempo=0), Features()).voiced
NONE = Changes(Augment(time_warp=5, gain=6), Features()).voiced
LENGTHS = torch.tensor([4, 6])


def scores(seed):
    return torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(seed)).log_softmax(-1)


def test_copies_differ_by_masks_inside_the_sound_that_follow_from_the_seed():
    batch = batch_of((30, [1, 2]), (50, [2]))
    once, again, other = (doubled(batch, MASKS, seed).features for seed in (1, 1, 2))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    first, second = once.chunk(2)
    assert not torch.equal(first, second)
    for copy in (first, second):
        changed = copy != batch.features
        assert not copy[changed].any()
    assert not doubled(batch, NONE, 1).features.ne(torch.cat([batch.features] * 2)).any()
    assert doubled(batch, MASKS, 1).size == 4


def test_copies_are_of_two_voices_at_one_time():
    batch = batch_of((30, [1, 2]), (50, [2]))
    voices = Changes(Augment(tempo=0.3, time_warp=5, warp=0.2, tilt=0.5), Features()).voiced
    made = doubled(batch, voices, 1)
    first, second = made.features.chunk(2)
    assert not torch.equal(first, second)
    assert torch.equal(made.lengths, torch.tensor([30, 50, 30, 50]))
    for item, frames in zip(made.features, made.lengths.tolist(), strict=True):
        sound = item[:, :frames]
        assert float(sound.mean()) == pytest.approx(0, abs=1e-4)
        assert float(sound.std()) == pytest.approx(1, abs=1e-3)
        assert not item[:, frames:].any()


def test_the_divergence_is_the_mean_of_both_directions_over_sound_only():
    first, second = scores(0), scores(1)
    found = framewise(torch.cat([first, second]), torch.cat([LENGTHS, LENGTHS]))
    wanted = 0.0
    for item, frames in enumerate(LENGTHS.tolist()):
        p, q = first[item, :frames].exp(), second[item, :frames].exp()
        wanted += 0.5 * float((p * (p / q).log()).sum() + (q * (q / p).log()).sum())
    assert float(found) == pytest.approx(wanted, rel=1e-5)
    assert float(framewise(torch.cat([first, first]), torch.cat([LENGTHS, LENGTHS]))) == 0


def test_each_copy_is_drawn_to_the_other_as_it_stands():
    logits = torch.cat([scores(0), scores(1)]).requires_grad_()
    framewise(logits.log_softmax(-1), torch.cat([LENGTHS, LENGTHS])).backward()
    p, q = scores(0).exp(), scores(1).exp()
    sound = torch.arange(6)[None, :, None] < LENGTHS[:, None, None]
    torch.testing.assert_close(logits.grad[:2], 0.5 * (p - q) * sound)  # of cross entropy with q as the target
    torch.testing.assert_close(logits.grad[2:], 0.5 * (q - p) * sound)


def test_a_run_with_consistency_and_convolutions_trains_is_measured_and_hears(capsys, corpus, recipe, tmp_path):
    path = write(tmp_path, rows(corpus, 4))
    words = ("--val-manifest", path, "--consistency", "0.2", "--freq-masks", "1", "--time-masks", "1")
    words += ("--rnn-type", "conv", "--time-stride", "4", "--model.hidden-layers", "2")
    answer = train(capsys, recipe, path, tmp_path / "run", *words)
    assert answer.status == 0, answer.err
    assert any("train/apart" in line for line in steps(tmp_path / "run"))
    heard = ("--test-manifest", path, "--num-workers", "0", "--device", "cpu")
    assert command(capsys, "evaluate", tmp_path / "run", *heard).status == 0
    assert command(capsys, "transcribe", tmp_path / "run", rows(corpus)[0].audio, "--device", "cpu").status == 0


def test_twins_are_the_same_utterances_changed_in_two_ways_and_follow_the_batch(corpus):
    chosen = rows(corpus, 3)
    alphabet = Alphabet(tuple("_AEIO "), "keep")
    augment = Augment(tempo=0.4, speed=0.2, noise_prob=1)
    prepare = Preparation(alphabet, Features(sample_rate=8000), augment, twins=True)
    draws = [Draw(seed=1, epoch=0, id=row.id) for row in chosen]
    items = [prepare(row, draw) for row, draw in zip(chosen, draws, strict=True)]
    batch = collate(items, [])
    assert batch.size == 6
    assert batch.ids[:3] == batch.ids[3:]
    assert batch.texts[:3] == batch.texts[3:]
    assert torch.equal(batch.labels, torch.cat([batch.labels[: len(batch.labels) // 2]] * 2))
    assert any(item.twin.shape != item.features.shape for item in items)
    alone = Preparation(alphabet, Features(sample_rate=8000), augment)
    for row, draw, item in zip(chosen, draws, items, strict=True):
        assert torch.equal(item.features, alone(row, draw).features)  # a twin changes nothing of the first
        assert torch.equal(item.twin, prepare(row, draw).twin)


def test_the_disagreement_is_of_what_is_said_wherever_it_stands():
    logits = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(3))
    lengths = torch.tensor([6, 4, 6, 4])
    order = torch.tensor([3, 0, 2, 1, 4, 5])
    moved = logits.clone()
    moved[1] = moved[1][order]  # the four frames that sound change places
    assert float(disagreement(torch.cat([logits, moved]), lengths)) == pytest.approx(0, abs=1e-6)
    moved[:, :, 0] += 5  # the blank says nothing
    moved[1, 4:] += 9  # nor does what lies behind the end
    assert float(disagreement(torch.cat([logits, moved]), lengths)) == pytest.approx(0, abs=1e-6)
    moved[0, 2, 3] += 4
    pooled = [x[0, :, 1:].double().logsumexp(0).softmax(0) for x in (logits, moved)]
    p, q = pooled
    wanted = 0.5 * ((p * (p / q).log()).sum() + (q * (q / p).log()).sum())
    assert float(disagreement(torch.cat([logits, moved]), lengths)) == pytest.approx(float(wanted), rel=1e-4)


def test_a_run_with_agreement_trains_and_is_measured(capsys, corpus, recipe, tmp_path):
    path = write(tmp_path, rows(corpus, 4))
    words = ("--val-manifest", path, "--agreement", "0.5", "--tempo", "0.2", "--epochs", "2")
    answer = train(capsys, recipe, path, tmp_path / "run", *words)
    assert answer.status == 0, answer.err
    assert any("train/disagree" in line for line in steps(tmp_path / "run"))


def test_copies_are_compared_in_one_way(capsys, corpus, recipe, tmp_path):
    path = write(tmp_path, rows(corpus, 4))
    answer = train(capsys, recipe, path, tmp_path / "run", "--agreement", "0.5", "--consistency", "0.2")
    assert answer.status == 2
    assert "consistency, agreement" in answer.err


def stored(tmp_path, corpus, augment=None, bands=26):
    row = rows(corpus, 1)[0]
    cepstra = np.random.default_rng(0).standard_normal((80, 13)).astype(np.float32)
    np.savez(tmp_path / "f.npz", x=cepstra)
    path = write(tmp_path, [replace(row, audio=None, features=f"{tmp_path / 'f.npz'}#x", duration=0.8)])
    features = Features(kind="precomputed", bins=13, bands=bands, cosines="sphinx")
    preparation = Preparation(Alphabet(tuple("_AEIO "), "keep"), features, augment)
    return preparation(Manifest.open(path)[0], Draw(seed=1, epoch=0, id=row.id)).features


def test_stored_cepstra_become_bands_of_mean_0_and_deviation_1(corpus, tmp_path):
    plain = stored(tmp_path, corpus)
    assert plain.shape == (26, 80)
    voice = stored(tmp_path, corpus, Augment(warp=0.3, tempo=0.3))
    assert voice.shape[0] == 26
    assert not torch.equal(voice[:, :10], plain[:, :10])
    for x in (plain, voice, stored(tmp_path, corpus, bands=0)):
        torch.testing.assert_close(x.mean(1), torch.zeros(len(x)), atol=1e-4, rtol=0)
        torch.testing.assert_close(x.std(1, unbiased=False), torch.ones(len(x)), atol=1e-3, rtol=0)
