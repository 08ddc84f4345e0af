"""Composition at the paper's layout with 100 M parameters: time per block over a song, and against what is usual.

    python benchmarks/song_generation.py --json benchmarks/results/song_generation.json

The usual way is written here: keys and values that grow by joining, and guidance in two passes, one with lyrics and one
without. Both get the same weights and the same tokens, and are compared first. Each place in the song is reached by
telling the network blocks of random tokens; then one block of each place is timed, in turns. Times are CPU seconds of
this process. A block has 17 steps of the language model and 36 Euler steps of diffusion with guidance; the codec is
left out.

Bars: the language model 1.6 times as fast, the whole 1.1 times; no block more than 20 % from the mean over the song.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

import record
from onsei.nn.rotary import angles, rotate
from onsei.systems.song.composition import Composer
from onsei.systems.song.config import Network, Sampling
from onsei.systems.song.model import Lyrics, Prompt, SongNetwork
from onsei.text.phones import SYMBOLS

BARS = {"lm": 1.6, "whole": 1.1, "spread": 0.2}
TOLERANCE = 1e-3
LAYOUT = Network(dim=384, num_heads=6)
"""The released layers with a quarter of their channels."""


class Joined:
    """Keys and values that are joined anew at every step."""

    def __init__(self, layers: int) -> None:
        self.held: list[tuple[Tensor, Tensor] | None] = [None] * layers

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        before = self.held[layer]
        if before is not None:
            keys, values = torch.cat([before[0], keys], 2), torch.cat([before[1], values], 2)
        self.held[layer] = (keys, values)
        return keys, values


def usual(network: SongNetwork, x: Tensor, cache: Joined) -> Tensor:
    """One step of the language model, x (1, 1, C), as it is usually written."""
    lm = network.ar_transformer
    past = 0 if cache.held[0] is None else cache.held[0][0].size(2)
    turns = angles(lm.width, torch.arange(past, past + x.size(1)), lm.base)
    for number, layer in enumerate(lm.layers):
        part, y = layer.self_attn, layer.input_layernorm(x)
        query, key, value = (
            project(y).view(*y.shape[:2], lm.heads, -1).transpose(1, 2)
            for project in (part.q_proj, part.k_proj, part.v_proj)
        )
        key, value = cache.extend(number, rotate(key, turns), value)
        heard = scaled_dot_product_attention(rotate(query, turns), key, value)
        x = x + part.o_proj(heard.transpose(1, 2).reshape(x.shape))
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    return lm.norm(x)


def filled(composer: Composer, places: int, network: SongNetwork) -> list[Joined]:
    """The usual caches with what the composer's holds."""
    made = [Joined(network.sizes.lm_layers) for _ in range(2)]
    for row, cache in enumerate(made):
        for layer in range(network.sizes.lm_layers):
            keys, values = composer._cache._keys[layer, row], composer._cache._values[layer, row]
            cache.held[layer] = (keys[None, ..., :places].mT.contiguous(), values[None, :, :places].clone())
    return made


def seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def composer_at(network: SongNetwork, sampling: Sampling, place: int, frames: int) -> Composer:
    """A composer behind ``place`` frames of random song."""
    sizes, generator = network.sizes, torch.Generator().manual_seed(place)
    lyrics = Lyrics(
        *(torch.randint(1, 40, (1, sizes.lyrics_len), generator=generator) for _ in range(3)), torch.tensor([500])
    )
    prompt = Prompt(
        torch.randn(1, sizes.prompt_len, sizes.latent_dim, generator=generator), torch.tensor([sizes.prompt_len])
    )
    made = Composer(network, lyrics, prompt, sampling, [generator], frames)
    step = 16 * sizes.block_size
    for begin in range(0, place, step):
        count = min(step, place - begin)
        sketch = torch.randint(0, sizes.num_pitch, (1, count), generator=generator)
        with torch.inference_mode():
            made.take(sketch, torch.randn(1, sizes.latent_dim, count, generator=generator))
    return made


def drawn(composer: Composer) -> Tensor:
    """Random tokens for a composer's next block, and one more."""
    return torch.randint(0, composer.network.sizes.num_pitch, (composer.network.sizes.block_size + 1,))


def told(composer: Composer, vectors: Tensor) -> Tensor:
    """The state after ``vectors``, our way; the composer forgets them again."""
    length = composer._cache.length
    for vector in vectors:
        composer._feed(vector[None, None])
    composer._cache.cut(length)
    return composer._state


def told_usually(network: SongNetwork, caches: list[Joined], vectors: Tensor) -> Tensor:
    """The same the usual way; the caches keep them."""
    states = []
    for vector in vectors:
        states = [usual(network, vector[None, None], cache)[:, -1] for cache in caches]
    return torch.cat(states)


@torch.inference_mode()
def difference(composer: Composer) -> float:
    """How far the states of the two ways differ."""
    network, vectors = composer.network, composer.network.skeleton_emb(drawn(composer))
    usually = told_usually(network, filled(composer, composer._cache.length, network), vectors)
    return float((told(composer, vectors) - usually).abs().max())


@torch.inference_mode()
def measured(composer: Composer, steps: int) -> dict[str, float]:
    """CPU seconds of the parts of a composer's next block, ours and the usual way."""
    network, tokens = composer.network, drawn(composer)
    caches = filled(composer, composer._cache.length, network)
    vectors, sketch = network.skeleton_emb(tokens), tokens[None, :-1]
    return {
        "ours": seconds(lambda: told(composer, vectors)),
        "usual": seconds(lambda: told_usually(network, caches, vectors)),
        "sound": seconds(lambda: composer._sound(sketch)),
        "usual_sound": seconds(lambda: two_passes(composer, sketch, steps)),
    }


def two_passes(composer: Composer, sketch: Tensor, steps: int) -> Tensor:
    """Diffusion with guidance in two passes."""
    network, hidden = composer.network, composer._state[:1]
    told, nothing = network.skeleton_emb(sketch), torch.zeros_like(network.skeleton_emb(sketch))
    x = torch.zeros(1, network.sizes.block_size, network.sizes.latent_dim)
    for step in range(steps):
        when = torch.full((1,), 1 - step / steps)
        first = network.velocity(x, when, hidden, told, composer._before)
        second = network.velocity(x, when, torch.zeros_like(hidden), nothing, composer._before)
        x = x - (second + 1.5 * (first - second)) / steps
    return x


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=150.0, help="length of the song")
    parser.add_argument("--places", type=int, default=4, help="places in the song at which blocks are timed")
    parser.add_argument("--steps", type=int, default=36)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tiny", action="store_true", help="a small network, to try this script")
    parser.add_argument("--json", type=Path, help="file to write the result to")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layout = Network(dim=64, num_heads=2, lm_layers=2, diff_layers=2, num_pitch=64) if options.tiny else LAYOUT
    network = SongNetwork(layout, len(SYMBOLS)).eval().requires_grad_(False)
    frames = int(options.seconds * 25) // layout.block_size * layout.block_size
    last = frames - layout.block_size
    places = [
        round(last * n / (options.places - 1) / layout.block_size) * layout.block_size for n in range(options.places)
    ]
    composers = [composer_at(network, Sampling(steps=options.steps), place, frames) for place in places]
    apart = max(map(difference, composers))
    rounds = [[measured(composer, options.steps) for composer in composers] for _ in range(options.rounds)]
    rows = [{name: statistics.median(row[name] for row in at) for name in at[0]} for at in zip(*rounds, strict=True)]
    for place, row in zip(places, rows, strict=True):
        times = ", ".join(f"{name} {value:.2f}" for name, value in row.items())
        print(f"at {place / 25:5.1f} s: {times} CPU s", flush=True)
    whole = [row["ours"] + row["sound"] for row in rows]
    mean = statistics.fmean(whole)
    spread = max(abs(value - mean) for value in whole) / mean
    total = {name: sum(row[name] for row in rows) for name in rows[0]}
    ratios = {
        "lm": total["usual"] / total["ours"],
        "whole": (total["usual"] + total["usual_sound"]) / (total["ours"] + total["sound"]),
    }
    met = apart <= TOLERANCE and spread <= BARS["spread"] and all(ratios[name] >= BARS[name] for name in ratios)
    print(
        f"language model {ratios['lm']:.2f} (bar {BARS['lm']}), whole {ratios['whole']:.2f} (bar {BARS['whole']}), "
        f"blocks within {spread:.0%} of their mean (bar 20 %), apart {apart:.1e}"
    )
    results = {
        "ratios": {name: round(value, 3) for name, value in ratios.items()}, "spread": round(spread, 3), "bars": BARS,
        "passed": met, "largest_difference": apart, "parameters": sum(p.numel() for p in network.parameters()),
        "song_seconds": options.seconds, "threads": 1,
        "blocks": [{"at": place / 25, **{k: round(v, 4) for k, v in row.items()}}
                   for place, row in zip(places, rows, strict=True)],
    }  # fmt: skip
    record.write(options.json, results)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
