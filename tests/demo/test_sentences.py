"""The demo's sentences are new in the test, and all their words are known."""

from __future__ import annotations

from collections import Counter

import pytest

from onsei.demo import sentences


def test_the_vocabulary_is_small() -> None:
    assert 25 <= len(sentences.vocabulary()) <= 40


def _flat(frames: tuple[tuple[str, ...], ...]) -> list[str]:
    return [command for frame in frames for command in frame]


def test_commands_differ() -> None:
    assert len(set(_flat(sentences.commands()))) == len(_flat(sentences.commands()))


@pytest.mark.parametrize("seed", range(50))
def test_no_command_is_in_two_sets_and_none_is_lost(seed: int) -> None:
    split = sentences.split(seed)
    assert sorted(_flat(split.train + split.val + split.test)) == sorted(_flat(sentences.commands()))


@pytest.mark.parametrize("seed", range(50))
def test_every_held_out_word_is_in_several_training_commands(seed: int) -> None:
    split = sentences.split(seed)
    known = Counter(word for command in _flat(split.train) for word in set(command.split()))
    assert min(known[word] for command in _flat(split.val + split.test) for word in command.split()) >= 3


@pytest.mark.parametrize("seed", range(50))
def test_enough_is_held_out(seed: int) -> None:
    split = sentences.split(seed)
    assert min(len(_flat(split.test)), len(_flat(split.val))) >= 0.1 * len(_flat(sentences.commands()))
    assert all(frame for part in (split.train, split.val, split.test) for frame in part)


def test_the_split_follows_the_seed() -> None:
    assert sentences.split(3) == sentences.split(3)
    assert sentences.split(3) != sentences.split(4)


def test_please_and_now_make_no_new_sentence() -> None:
    split = sentences.split(0)
    said = {manner for command in _flat(split.train) for manner in sentences.manners(command)}
    assert not said & {manner for command in _flat(split.test + split.val) for manner in sentences.manners(command)}
