"""The CTC learner: its loss is the sum over paths, and its step the mean over utterances."""

import itertools
import math

import pytest
import torch

from onsei.decoding.ctc import required_frames
from onsei.errors import RunError
from onsei.systems.recognition.config import Model, Optimizer
from onsei.systems.recognition.data import collate
from onsei.systems.recognition.data.batches import Item
from onsei.systems.recognition.model import DeepSpeech2
from onsei.systems.recognition.training import CTCLearner, _ctc
from onsei.text.alphabet import Alphabet
from onsei.training.learner import Clock

ALPHABET = Alphabet(("_", "A", "B", " "))
BINS = 21


def batch_of(*utterances):
    """A batch of (frames, labels)."""
    random = torch.Generator().manual_seed(3)
    items = [
        Item(f"u{n}", torch.randn(BINS, frames, generator=random), labels, ALPHABET.decode(labels), frames / 100)
        for n, (frames, labels) in enumerate(utterances)
    ]
    return collate(items, [])


def collapsed(path):
    return [label for label, _ in itertools.groupby(path) if label]


@pytest.mark.parametrize("labels", [[], [1], [1, 2], [1, 1], [2, 1, 2]])
def test_the_loss_is_minus_the_log_of_the_sum_over_all_paths(labels):
    frames = 4
    scores = torch.randn(frames, 3, generator=torch.Generator().manual_seed(0)).log_softmax(-1).double()
    paths = (p for p in itertools.product(range(3), repeat=frames) if collapsed(p) == labels)
    expected = -math.log(sum(math.exp(sum(scores[f, v].item() for f, v in enumerate(path))) for path in paths))
    found = _ctc(scores[None], torch.tensor([frames]), batch_of((2 * frames, labels)))
    assert found.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("labels", [[1, 2, 1], [1, 1]])
def test_labels_that_do_not_fit_count_nothing_and_pull_nowhere(labels):
    frames = required_frames(labels) - 1
    logits = torch.randn(1, frames, 4, requires_grad=True)
    loss = _ctc(logits, torch.tensor([frames]), batch_of((2 * frames, labels)))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_utterances_that_a_change_of_speed_made_too_short_are_counted():
    network = DeepSpeech2(Model(hidden_size=6, hidden_layers=1, conv_channels=2), BINS, 4)
    batch = batch_of((8, [1, 2, 1, 2]), (8, [1, 1, 2, 2]), (8, [1, 2, 1, 2, 1]), (40, [1, 2]))
    logged = CTCLearner(network, ALPHABET, Optimizer()).step(batch, Clock(0, 0, 0), lambda name, loss: None)
    assert logged["too_short_count"].item() == 2
    assert logged["loss"].isfinite()


def test_a_batch_pulls_like_the_mean_of_its_utterances():
    utterances = [(60, [1, 2]), (31, [2]), (44, [1, 1, 3, 2])]
    torch.manual_seed(0)
    network = DeepSpeech2(Model(hidden_size=6, hidden_layers=2, conv_channels=2), BINS, 4).eval()
    learner = CTCLearner(network, ALPHABET, Optimizer())
    whole = batch_of(*utterances)

    def gradients(batch):
        network.zero_grad()
        learner.step(batch, Clock(step=0, epoch=0, seed=0), lambda name, loss: loss.backward())
        return {name: p.grad.clone() for name, p in network.named_parameters()}

    singles = []
    for n, (frames, labels) in enumerate(utterances):
        features = whole.features[n, :, :frames]
        singles.append(gradients(collate([Item("u", features, labels, "", 1.0)], [])))
    together = gradients(whole)
    assert any(g.abs().max() > 1e-3 for g in together.values())
    for name, found in together.items():
        torch.testing.assert_close(found, sum(s[name] for s in singles) / len(singles), rtol=1e-4, atol=1e-6)


def test_a_checkpoint_of_another_alphabet_of_the_same_size_is_refused():
    network = DeepSpeech2(Model(hidden_size=6, hidden_layers=1, conv_channels=2), BINS, 4)
    state = CTCLearner(network, ALPHABET, Optimizer()).state_dict()
    CTCLearner(network, ALPHABET, Optimizer()).load_state_dict(state)
    other = CTCLearner(network, Alphabet(("_", "B", "A", " ")), Optimizer())
    with pytest.raises(RunError, match="labels"):
        other.load_state_dict(state)
