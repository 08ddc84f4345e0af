"""Who listens to what was sung: a small phone recognizer, trained on the little singer's other voices in a minute.

Its own error is measured on songs of a voice that it never heard, and stated beside whatever it is used for.

B batch, S steps of 10 ms, C cepstra, K phones and the blank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import nll_loss

from onsei.metrics.wer import ErrorCounts, word_errors
from onsei.systems.song import sourcefilter
from onsei.systems.song.data.singer import LENGTHS, MORAE, VOICES, Performance, Voice, compose, sing
from onsei.text import kana

PHONES = ("", *sorted({phone for mora in MORAE for phone in kana.MORAE[mora]}))
"""The blank, and what is told apart."""
_BATCH = 8
_ONSET = 6
"""Steps from a phone's beginning in which it is to be said: what comes again is then said again."""

_SILENCE = np.zeros(4 * sourcefilter.FRAME, np.float32)
"""Behind every sound, so that none breaks off."""


class Network(nn.Module):
    """Cepstra (B, S, C) to scores of phones (B, S / 2, K), by convolutions that reach 0.4 s."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        inputs = sourcefilter.CEPSTRA + 1
        self.layers = nn.Sequential(
            nn.Conv1d(inputs, width, 5, padding=2), nn.GELU(),
            nn.Conv1d(width, width, 5, stride=2, padding=2), nn.GELU(),
            nn.Conv1d(width, width, 7, padding=3), nn.GELU(),
            nn.Conv1d(width, width, 7, padding=3), nn.GELU(),
            nn.Conv1d(width, len(PHONES), 1),
        )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        """Logarithms of probabilities, (B, S / 2, K)."""
        scores: Tensor = self.layers(features.transpose(1, 2)).transpose(1, 2)
        return scores.log_softmax(-1)


@dataclass(frozen=True)
class Listener:
    """A trained recognizer."""

    network: Network

    @classmethod
    def train(
        cls, voices: Sequence[Voice] = VOICES[1:], *, songs: int = 96, steps: int = 400, seed: int = 0
    ) -> Listener:
        """Learn phones from so many ``songs`` of ``voices``, which are bent a little for each song."""
        torch.manual_seed(seed)
        random = np.random.default_rng([seed, 1])
        known = [_known(np.random.default_rng([seed, 2, number]), voices) for number in range(songs)]
        network = Network()
        optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
        for _ in range(steps):
            picked = [known[place] for place in random.integers(len(known), size=_BATCH)]
            features = _batch([found for found, _ in picked], random)
            target = nn.utils.rnn.pad_sequence([label for _, label in picked], batch_first=True)
            loss = nll_loss(network(features).transpose(1, 2), target)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        return cls(network.eval())

    @torch.inference_mode()
    def hear(self, samples: NDArray[np.float32]) -> tuple[str, ...]:
        """The phones in sound (T,) at 16 kHz."""
        course = sourcefilter.analyzed(np.append(samples, _SILENCE))
        best = self.network(_features(course)[None])[0].argmax(-1).tolist()
        return tuple(PHONES[one] for one, last in zip(best, [0, *best[:-1]], strict=True) if one and one != last)


def compare(expected: Sequence[str], heard: Sequence[str]) -> ErrorCounts:
    """Phones that were substituted, left out or put in; those that are not told apart (``N``, ``cl`` …) are wrong."""
    return word_errors(" ".join(expected), " ".join(heard))


def own_error(listener: Listener, voice: Voice = VOICES[0], songs: int = 40, seed: int = 1) -> ErrorCounts:
    """The listener's error on songs of a voice, sung and heard as sound."""
    total = ErrorCounts()
    for number in range(songs):
        random = np.random.default_rng([seed, number])
        song = sing(compose(random, lengths=LENGTHS), voice, number)
        total += compare(_phones(song), listener.hear(song.sound(number)))
    return total


def _song(random: np.random.Generator, voices: Sequence[Voice]) -> Performance:
    one = voices[int(random.integers(len(voices)))]
    bent = Voice(
        one.name,
        one.hertz * 2 ** random.uniform(-0.4, 0.4),
        float(np.clip(one.length * random.uniform(0.88, 1.12), 0.8, 1.2)),
        one.tilt + random.uniform(-0.3, 0.3),
        random.uniform(0.001, 0.01),
    )
    return sing(compose(random, lengths=LENGTHS), bent, int(random.integers(1 << 31)))


def _phones(song: Performance) -> tuple[str, ...]:
    return tuple(phone for note in song.notes for phone in kana.MORAE[note.mora])


def _features(course: sourcefilter.Course) -> Tensor:
    values = np.concatenate([course.cepstra / 6.0, course.voicing[:, None]], axis=1)
    return torch.from_numpy(values.astype(np.float32))


def _known(random: np.random.Generator, voices: Sequence[Voice]) -> tuple[Tensor, Tensor]:
    """Features (S, C + 1) of a song, found in its sound, and the phone (S / 2,) that begins, elsewhere the blank.

    Behind most songs there is faint sound: networks end with it, where singers are silent.
    """
    song = _song(random, voices)
    seed = int(random.integers(1 << 31))
    murmur = sourcefilter.spoken(_murmur(random), seed)
    sound = sourcefilter.analyzed(np.concatenate([song.sound(seed), murmur, _SILENCE]))
    target = torch.zeros((len(sound) + 1) // 2, dtype=torch.int64)
    for phone, start, end in song.phones:
        target[start // 2 : min(end, start + _ONSET) // 2] = PHONES.index(phone)
    return _features(sound), target


def _murmur(random: np.random.Generator) -> sourcefilter.Course:
    """Up to 0.6 s of faint sound whose loudness, color and voicing wander, or none."""
    steps = sourcefilter.STEPS * max(0, int(random.integers(-8, 16)))
    knots = random.normal(0, 1, (2 + steps // 8, sourcefilter.CEPSTRA + 1))
    places = np.linspace(0, len(knots) - 1, steps)
    wander = np.stack([np.interp(places, np.arange(len(knots)), one) for one in knots.T], axis=1)
    cepstra = np.abs(random.normal(0, 1)) * wander[:, 1:]
    cepstra[:, 0] = sourcefilter.to_cepstra(np.full(sourcefilter.BANDS, random.uniform(-11, -7)))[0] + 3 * wander[:, 1]
    voicing = np.clip(random.uniform(-0.5, 1) + 0.3 * wander[:, 0], 0, 1)
    return sourcefilter.Course(np.full(steps, random.uniform(150, 350)), voicing, cepstra)


def _batch(found: Sequence[Tensor], random: np.random.Generator) -> Tensor:
    """Features with a little noise and another loudness each, (B, S, C + 1)."""
    noisy = []
    for one in found:
        changed = one + 0.05 * torch.from_numpy(random.standard_normal(one.shape).astype(np.float32))
        changed[:, 0] += random.normal(0, 0.3)
        noisy.append(changed)
    return nn.utils.rnn.pad_sequence(noisy, batch_first=True)
