"""When a song's lyrics are sung, read off the language model's attention to them, and written as LRC.

T frames, L places of lyrics, H heads, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onsei.nn.rotary import rotate
from onsei.systems.song.inference import Singer, Take
from onsei.systems.song.layout import batch
from onsei.systems.song.model import Lyrics, Prompt
from onsei.text import lyrics as lines
from onsei.text.phones import SECTION, SENTENCE, TAGS

HEADS = 4
"""Heads that are listened to: those that walk through the lyrics most steadily."""
_LEAST = 1e-4
_REST = "♪"
"""What stands in an LRC file where a section without words begins."""


@dataclass(frozen=True)
class Line:
    """A sentence, or a section without words."""

    text: str
    start: float
    """Seconds."""


@dataclass
class _Heads:
    """Attention of the best heads so far: (how steady, (T, L))."""

    songs: Tensor
    """Positions from which frames are foretold, (T,)."""
    lyrics: slice
    best: list[tuple[float, Tensor]] = field(default_factory=list)

    def __call__(self, attention: Any, given: tuple[Any, ...]) -> None:
        """A layer's attention is about to run on ``given``: states (1, S, C) and the angles of their positions."""
        x, turns = given[0], given[1]
        heads = attention.heads
        query = attention.q_proj(x[:, self.songs]).unflatten(-1, (heads, -1)).transpose(1, 2)
        key = attention.k_proj(x[:, self.lyrics]).unflatten(-1, (heads, -1)).transpose(1, 2)
        query = rotate(query, (turns[0][self.songs], turns[1][self.songs]))
        key = rotate(key, (turns[0][self.lyrics], turns[1][self.lyrics]))
        for one, other in zip(query[0].float(), key[0].float(), strict=True):  # a head at a time: songs are long
            seen = (one @ other.T / one.size(-1) ** 0.5).softmax(-1)
            self.best.append((_steadiness(seen), seen))
        self.best = sorted(self.best, key=lambda found: -found[0])[:HEADS]


@torch.no_grad()
def attended(singer: Singer, lyrics: Lyrics, prompt: Prompt, sketch: Tensor, latents: Tensor) -> NDArray[np.float64]:
    """How much of each place of the lyrics is attended to where each frame is foretold: (T, L), rows with the sum 1.

    Args:
        singer: whose network is asked.
        lyrics: of one song.
        prompt: of it.
        sketch: its tokens, (T,).
        latents: shape (Z, T).
    """
    network, device = singer.network, singer.device
    size = network.sizes.block_size
    prefix = network.prefix(lyrics.to(device), prompt.to(device))
    frames = torch.arange(len(sketch), device=device)
    first = network.sizes.prompt_len
    places = slice(first, first + min(int(lyrics.lengths[0]), network.sizes.lyrics_len))
    heads = _Heads(prefix.size(1) - 1 + frames + frames // size, places)
    hooks = [
        layer.get_submodule("self_attn").register_forward_pre_hook(heads) for layer in network.ar_transformer.layers
    ]
    try:
        lengths = torch.tensor([len(sketch)], device=device)
        network.tell(prefix, sketch[None].to(device), latents[None].to(device, singer.dtype), lengths)
    finally:
        for hook in hooks:
            hook.remove()
    mean: NDArray[np.float64] = torch.stack([seen for _, seen in heads.best]).mean(0).double().cpu().numpy()
    return mean


def _steadiness(seen: Tensor) -> float:
    """Correlation of the place that is looked at, (T, L), with time, where the look is sharp; from -1 to 1."""
    where = torch.arange(seen.size(1), device=seen.device, dtype=seen.dtype)
    place = seen @ where
    time = torch.arange(len(seen), device=seen.device, dtype=seen.dtype)
    spread = (seen @ where.square() - place.square()).clamp(min=0).sqrt().mean()
    place, time = place - place.mean(), time - time.mean()
    norm = float(place.norm() * time.norm())
    told = float(place @ time) / norm if norm > 0 else 0.0
    return told / (1.0 + float(spread))


def aligned(seen: NDArray[np.float64], *, whole: bool) -> NDArray[np.int64]:
    """The first frame (L,) of each place on the likeliest way through all places in their order.

    Args:
        seen: shape (T, L).
        whole: whether the way must come to the last place. Places that it does not come to begin at frame T.
    """
    frames, count = seen.shape
    score = np.log(seen + _LEAST)
    total = np.full(count, -np.inf)
    total[0] = score[0, 0]
    moved = np.zeros((frames, count), bool)
    for frame in range(1, frames):
        stepped = np.concatenate([[-np.inf], total[:-1]])
        moved[frame] = stepped > total
        total = np.maximum(total, stepped) + score[frame]
    place = count - 1 if whole and frames >= count else int(total.argmax())
    starts = np.full(count, frames, np.int64)
    for frame in range(frames - 1, -1, -1):
        starts[place] = frame
        place -= int(moved[frame, place])
    return starts


def lines_of(singer: Singer, take: Take) -> list[Line]:
    """When each sentence of a song begins, and each section without words; those that were sung.

    Estimated: the network is never told when words are sung.
    """
    told, sections = _read(take)
    layout, _ = singer.read(take.request)
    shown = [n for n, symbol in enumerate(told.symbols[: len(layout.symbols)]) if symbol not in (SENTENCE, SECTION)]
    if not take.latents or not shown:
        return []
    prompt = torch.zeros(0, singer.network.sizes.latent_dim)
    if take.request.prompt_wav is not None and take.request.prompt_wav.exists():
        prompt, _ = singer.prompt(take.request.prompt_wav, torch.Generator().manual_seed(take.request.seed))
    held = Prompt(prompt[None], torch.tensor([len(prompt)])) if len(prompt) else Prompt.none(1, prompt.size(1))
    kept = take.kept
    seen = attended(singer, batch([layout]), held, kept.sketch, kept.latents)
    # A tag before words takes no time: the first phone behind it begins the line.
    words = [n for n in shown if told.symbols[n] not in TAGS or not _has_words(told, n)]
    starts = dict(zip(words, aligned(seen[:, words], whole=take.ended).tolist(), strict=True))
    found = dict[tuple[int, int], Line]()
    for number in words:
        place = told.places[number]
        if place not in found and starts[number] < len(kept.sketch):
            found[place] = Line(_text(told, sections, place), starts[number] / singer.frame_rate)
    return list(found.values())


def lrc(found: Sequence[Line]) -> str:
    """Lines as LRC: ``[mm:ss.xx]words``."""
    hundredths = [round(100 * line.start) for line in found]
    return "".join(
        f"[{at // 6000:02d}:{at // 100 % 60:02d}.{at % 100:02d}]{line.text}\n"
        for at, line in zip(hundredths, found, strict=True)
    )


def _read(take: Take) -> tuple[lines.Phonemes, tuple[lines.Section, ...]]:
    if take.request.phones:
        return lines.from_symbols(take.request.lyrics), ()
    parsed = lines.parse(take.request.lyrics)
    return lines.phonemes(parsed), parsed.sections


def _has_words(told: lines.Phonemes, number: int) -> bool:
    """Whether the section of a symbol has anything to sing."""
    section = told.places[number][0]
    return any(place[0] == section and place[1] >= 0 for place in told.places)


def _text(told: lines.Phonemes, sections: Sequence[lines.Section], place: tuple[int, int]) -> str:
    section, sentence = place
    if sentence < 0:
        return _REST
    if sections:
        return sections[section].sentences[sentence]
    marks = (*TAGS, SENTENCE, SECTION)
    return " ".join(
        symbol for symbol, at in zip(told.symbols, told.places, strict=True) if at == place and symbol not in marks
    )
