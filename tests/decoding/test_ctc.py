"""Greedy CTC decoding against the definition, frame by frame."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from onsei.decoding.ctc import greedy, required_frames

paths = st.lists(st.integers(0, 3), min_size=0, max_size=30)


def logits(frames):
    return torch.nn.functional.one_hot(torch.tensor(frames, dtype=torch.long), 4).float()[None] * 20


def by_definition(frames):
    """Labels with first and last frame, one frame after the other."""
    found, before = [], 0
    for number, label in enumerate(frames):
        if label and label == before:
            found[-1][2] = number + 1
        elif label:
            found.append([label, number, number + 1])
        before = label
    return found


@given(paths.filter(len))
def test_labels_and_times_are_those_of_the_definition(frames):
    (path,) = greedy(logits(frames), torch.tensor([len(frames)]))
    got = [list(map(int, row)) for row in zip(path.labels, path.starts, path.ends, strict=True)]
    assert got == by_definition(frames)
    assert ((path.confidences > 0.99) & (path.confidences <= 1)).all()


def test_padding_is_not_read():
    scores = torch.cat([logits([1, 0]), logits([2, 2])], 1)
    (path,) = greedy(scores, torch.tensor([2]))
    assert path.labels.tolist() == [1]


def test_an_empty_utterance_says_nothing():
    (path,) = greedy(torch.zeros(1, 3, 4), torch.tensor([0]))
    assert len(path.labels) == len(path.confidences) == 0


def test_confidence_is_the_highest_probability_of_the_run():
    scores = torch.tensor([[[0.0, 1.0], [0.0, 3.0], [9.0, 0.0]]])
    (path,) = greedy(scores, torch.tensor([3]))
    assert abs(path.confidences[0] - torch.tensor([0.0, 3.0]).softmax(0)[1]) < 1e-6


@given(st.lists(st.integers(1, 3), min_size=1, max_size=8))
def test_required_frames_are_enough_and_one_less_is_not(labels):
    needed = required_frames(labels)
    for frames, possible in ((needed, True), (needed - 1, False)):
        if frames:
            scores = torch.zeros(frames, 1, 4).log_softmax(-1)
            sizes = torch.tensor([frames]), torch.tensor([len(labels)])
            loss = torch.nn.functional.ctc_loss(scores, torch.tensor(labels), *sizes, reduction="sum")
            assert bool(loss.isfinite()) == possible
