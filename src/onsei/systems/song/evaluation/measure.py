"""What a singer makes of songs that it never heard: tokens with right and wrong lyrics, pitch from sketches, phones.

B batch, T frames, Z latent channels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from onsei.audio.resample import resample
from onsei.data.row import Row
from onsei.decoding.diffusion import euler
from onsei.metrics.pitch import PitchErrors, pitch, pitch_errors
from onsei.metrics.wer import ErrorCounts
from onsei.systems.song.config import Request
from onsei.systems.song.config.answer import Sampling
from onsei.systems.song.config.evaluate import Evaluate
from onsei.systems.song.data.batches import Batch
from onsei.systems.song.data.timed import Timed
from onsei.systems.song.inference import Singer
from onsei.systems.song.listener import Listener, compare, own_error
from onsei.systems.song.model.block_encoder import joined
from onsei.systems.song.sketch.frames import FRAME_RATE
from onsei.systems.song.sourcefilter import RATE
from onsei.text.phones import TAGS


@dataclass
class Taught:
    """Sums over tokens whose past is the true song's."""

    loss: float = 0.0
    tokens: int = 0
    right: int = 0
    begun: list[tuple[int, int, str]] = field(default_factory=list)
    """Where syllables begin: the true token, the likeliest one, and the phone that is sung."""

    def add(self, logits: Tensor, batch: Batch, rows: Sequence[Row], rolled: bool) -> None:
        """Count a batch: ``logits`` (B, T + 1, V + 1) of the next token; ``rolled``: with the lyrics of another song.

        Songs of the same lyrics as the one before them are no control, and do not count there.
        """
        for place, row in enumerate(rows):
            if rolled and row.extra.get("symbols") == rows[place - 1].extra.get("symbols"):
                continue
            frames = int(batch.lengths[place])
            scores, truth = logits[place, :frames].float().cpu(), batch.sketch[place, :frames].cpu()
            right = scores.argmax(-1) == truth
            self.loss += float(cross_entropy(scores, truth, reduction="sum"))
            self.tokens += frames
            self.right += int(right.sum())
            likeliest = scores.argmax(-1).tolist()
            self.begun += [
                (int(truth[frame]), likeliest[frame], phone) for frame, phone in onsets(row) if frame < frames
            ]

    def numbers(self, name: str) -> dict[str, float]:
        """Cross entropy in nats a token, and accuracies in percent."""
        found = {f"cross_entropy_{name}": self.loss / max(1, self.tokens)}
        found[f"token_accuracy_{name}"] = 100 * self.right / max(1, self.tokens)
        if self.begun:
            phone = self._phones()
            sung = [one for _, _, one in self.begun]
            said = {f"onset_phones_{name}": [token for _, token, _ in self.begun]}
            said |= {"onset_phones_most": [token for token, _, _ in self.begun]} if name == "true" else {}
            for key, tokens in said.items():
                right = sum(phone.get(token) == one for token, one in zip(tokens, sung, strict=True))
                found[key] = 100 * right / len(sung)
        return found

    def _phones(self) -> dict[int, str]:
        """The phone that each token begins most often."""
        votes: dict[int, Counter[str]] = {}
        for token, _, one in self.begun:
            votes.setdefault(token, Counter())[one] += 1
        return {token: counts.most_common(1)[0][0] for token, counts in votes.items()}


def onsets(row: Row) -> list[tuple[int, str]]:
    """Frames in which a syllable of ``row`` begins, and its first phone; none where its syllables are not timed."""
    sections = row.extra.get("sections")
    if sections is None:
        return []
    timed = Timed.load(sections, row.id).syllables()
    return [(round(syllable.start * FRAME_RATE), syllable.phones[0]) for syllable in timed if syllable.phones]


@torch.no_grad()
def taught(singer: Singer, batch: Batch, rows: Sequence[Row], right: Taught, wrong: Taught) -> None:
    """Score a batch with its own lyrics, and each song with those of the one before it."""
    for found, lyrics in ((right, batch.lyrics), (wrong, batch.lyrics.__class__(*(
        part.roll(1, 0) for part in vars(batch.lyrics).values()
    )))):  # fmt: skip
        if found is wrong and batch.size < 2:
            continue
        network = singer.network
        prefix = network.prefix(lyrics.to(singer.device), batch.prompt.to(singer.device))
        moved = batch.to(singer.device)
        told = network.tell(prefix, moved.sketch, moved.latents.to(singer.dtype), moved.lengths)
        found.add(told.logits, batch, rows, found is wrong)


@torch.no_grad()
def resung(singer: Singer, batch: Batch, options: Evaluate, *, other: bool = False) -> list[NDArray[np.float32]]:
    """The sound (T,) of each song, made anew from its sketch, block by block after its true past.

    Args:
        singer: with its codec.
        batch: the songs.
        options: of the diffusion.
        other: take the sketch of the song before instead, the control; longer ones are cut.
    """
    network, moved = singer.network, batch.to(singer.device)
    sketch, latents = moved.sketch, moved.latents.to(singer.dtype)
    if other:
        sketch = sketch.roll(1, 0).clamp(max=network.sizes.num_pitch - 1)
    told = network.tell(network.prefix(moved.lyrics, moved.prompt), sketch, latents, moved.lengths)
    there, tokens, song, before = network.pieces(sketch, latents, moved.lengths)
    hidden, vectors = told.hidden[there], network.skeleton_emb(tokens)
    generator = torch.Generator().manual_seed(options.seed)

    def velocity(x: Tensor, time: float) -> Tensor:
        when = torch.full((len(x),), time, device=x.device, dtype=singer.dtype)
        found: Tensor = network.velocity(x.to(singer.dtype), when, hidden, vectors, before).float()
        return found

    def noise() -> Tensor:
        return torch.randn(song.shape, generator=generator).to(song.device)

    made = euler(velocity, torch.zeros_like(song, dtype=torch.float32), noise, options.steps, options.diff_temp)
    counts = (moved.lengths // network.sizes.block_size).tolist()
    return [sounding(singer, joined(part[None])) for part in torch.split(made, counts)]


def sounding(singer: Singer, latents: Tensor) -> NDArray[np.float32]:
    """One channel (T,) of latents (1, Z, F)."""
    sound: NDArray[np.float32] = singer.autoencoder.decode(latents.float())[0].mean(0).clamp(-1, 1).cpu().numpy()
    return sound


def pitches(singer: Singer, batch: Batch, options: Evaluate) -> tuple[PitchErrors, PitchErrors]:
    """Pitch of copies from sketches against the songs through the codec; the same from other songs' sketches."""
    rate = singer.sample_rate
    latents = [part[None, :, : int(frames)] for part, frames in zip(batch.latents, batch.lengths, strict=True)]
    known = [pitch(sounding(singer, part.to(singer.device)), rate) for part in latents]
    right, wrong = (
        sum((pitch_errors(a, pitch(b, rate)) for a, b in zip(known, made, strict=True)), start=PitchErrors())
        for made in (resung(singer, batch, options), resung(singer, batch, options, other=True))
    )
    return right, wrong


def sung(singer: Singer, requests: Sequence[Request]) -> list[NDArray[np.float32]]:
    """Songs that are sung freely, one channel (T,) each; one that ended before its first block has no samples."""
    return [singer.sound(take).mean(0) for take in singer.takes(requests)]


def heard(sounds: Sequence[NDArray[np.float32]], rate: int, rows: Sequence[Row]) -> Mapping[str, float]:
    """Phone errors of songs that were sung freely, in percent: against their lyrics, and against the song's before."""
    listener = Listener.train(songs=64, steps=300)
    right, wrong = ErrorCounts(), ErrorCounts()
    expected = [phones(row) for row in rows]
    for place, sound in enumerate(sounds):
        found = listener.hear(resample(sound, rate, RATE)) if len(sound) else ()
        right += compare(expected[place], found)
        if expected[place] != expected[place - 1]:
            wrong += compare(expected[place - 1], found)
    own = own_error(listener, songs=20)
    return {"phone_error": right.rate, "phone_error_other": wrong.rate, "phone_error_listener": own.rate}


def phones(row: Row) -> list[str]:
    """The phones of a row's symbols, without tags and marks."""
    return [symbol for symbol in str(row.extra.get("symbols", "")).split() if symbol not in (*TAGS, ".", ",")]


def request(row: Row, prompt: Row | None, options: Evaluate) -> Request:
    """What a singer is asked for to sing a row's lyrics."""
    return Request(
        str(row.extra["symbols"]),
        phones=True,
        prompt_wav=None if prompt is None else prompt.audio,
        max_duration=options.max_duration,
        seed=options.seed,
        sampling=Sampling(
            temp=options.temp,
            steps=options.steps,
            diff_temp=options.diff_temp,
            cfg_coef=options.cfg_coef,
            diff_cfg_coef=options.diff_cfg_coef,
            penalty_repeat=options.penalty_repeat,
        ),
    )
