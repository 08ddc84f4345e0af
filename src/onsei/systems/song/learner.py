"""The Learner: cross entropy of sketches and squared error of velocities, with dropouts that guidance needs.

B batch, T frames, N blocks, K valid blocks of a batch, P frames of a block, Z latent channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim import AdamW

from onsei.systems.song.config.train import Objective, Optimizer
from onsei.systems.song.data.batches import Batch
from onsei.systems.song.model import Draws, Scores, SongNetwork
from onsei.systems.song.sketch.codebook import check_same
from onsei.training.learner import Clock, Update

_CHECK = 0
"""Seed of what is drawn in validation, the same every time."""
_NONE = Objective(h_dropout=0, cfg_dropout=0, prompt_dropout=0)


class SongLearner:
    """Trains a network on songs (Yang et al. 2025, sections 3 and 4).

    All that is drawn in a step follows from the clock's seed, on the CPU.

    Args:
        network: what is trained.
        objective: losses and dropouts.
        options: the optimizer.
        codebook: fingerprint of the codebook of the sketch tokens.
    """

    def __init__(self, network: SongNetwork, objective: Objective, options: Optimizer, *, codebook: str = "") -> None:
        self.codebook = codebook
        self.modules: dict[str, nn.Module] = {"model": network.train()}
        self.sizes, self.objective = network.sizes, objective
        self.optimizers = {"model": _optimizer(network, options)}

    def step(self, batch: Batch, clock: Clock, update: Update) -> Mapping[str, Tensor]:
        """One update."""
        found = self._losses(batch, self.objective, clock.seed)
        update("model", found["loss"])
        return {name: value.detach() for name, value in found.items()}

    def check(self, batch: Batch, clock: Clock) -> Mapping[str, Tensor]:
        """Losses without dropouts; ``shuffled``: the cross entropy with the lyrics of the song before in the batch.

        A batch of one song has no other lyrics, and counts nothing there.
        """
        found = self._losses(batch, _NONE, _CHECK)
        songs = torch.tensor(float(batch.size))
        values = {name: torch.stack([value.detach().cpu() * songs, songs]) for name, value in found.items()}
        if batch.size > 1:
            other = Batch(
                type(batch.lyrics)(*(part.roll(1, 0) for part in vars(batch.lyrics).values())),
                batch.prompt, batch.sketch, batch.latents, batch.lengths, batch.ends,
            )  # fmt: skip
            wrong = self._losses(other, _NONE, _CHECK)["sketch"]
            values["shuffled"] = torch.stack([wrong.detach().cpu() * songs, songs])
        return values

    def state_dict(self) -> dict[str, Any]:
        """What sketch tokens mean; all that is drawn follows from the clock."""
        return {"codebook": self.codebook}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Check that sketch tokens mean what they meant.

        Raises:
            ModelError: they are of another codebook.
        """
        known = str(state.get("codebook", ""))
        if known and self.codebook:
            check_same(known, self.codebook, "the checkpoint's run")

    def _losses(self, batch: Batch, objective: Objective, seed: int) -> dict[str, Tensor]:
        chances = drawn(batch, objective, self.sizes.block_size, torch.Generator().manual_seed(seed))
        scores: Scores = self.modules["model"](
            batch.lyrics, batch.prompt, batch.sketch, batch.latents, batch.lengths, chances.to(batch.sketch.device)
        )
        return losses(scores, batch, objective, self.sizes.padding)


def losses(scores: Scores, batch: Batch, objective: Objective, padding: int) -> dict[str, Tensor]:
    """Means over the batch: ``loss``, ``sketch`` (cross entropy, nats), ``diffusion`` (squared error), ``accuracy``.

    The end is learned of songs that end; of pieces that were cut out it is not known.
    """
    targets = scores.told.targets.masked_fill((scores.told.targets == padding - 1) & ~batch.ends[:, None], padding)
    logits = scores.told.logits.float()
    sketch = cross_entropy(logits.transpose(1, 2), targets, ignore_index=padding)
    diffusion = mse_loss(scores.velocity.float(), scores.wanted.float())
    counted = targets != padding
    right = ((logits.argmax(-1) == targets) & counted).sum() / counted.sum()
    return {
        "loss": sketch + objective.diffusion * diffusion, "sketch": sketch, "diffusion": diffusion, "accuracy": right,
    }  # fmt: skip


def drawn(batch: Batch, objective: Objective, block_size: int, generator: torch.Generator) -> Draws:
    """What a step leaves to chance. Times are logistic normal (Esser et al. 2024, section 3.1)."""
    blocks, songs = int(batch.lengths.sum()) // block_size, batch.size
    places = None
    if 0 < objective.diffusion_blocks < blocks:
        places = torch.randperm(blocks, generator=generator)[: objective.diffusion_blocks]
        blocks = len(places)

    def chosen(count: int, share: float) -> Tensor:
        return torch.rand(count, generator=generator) < share

    time = torch.randn(blocks, generator=generator).sigmoid()
    noise = torch.randn(blocks, block_size, batch.latents.size(1), generator=generator)
    both, neither = chosen(blocks, objective.block_dropout), chosen(songs, objective.cfg_dropout)
    return Draws(
        time,
        noise,
        chosen(blocks, objective.h_dropout) | both,
        chosen(blocks, objective.h_dropout) | both,
        chosen(songs, objective.lyrics_dropout) | neither,
        chosen(songs, objective.prompt_dropout) | neither,
        places,
    )


def _optimizer(network: nn.Module, options: Optimizer) -> AdamW:
    """AdamW over what is to be trained, in the order of the network; decay for matrices of linear layers alone."""
    decayed = {id(part.weight) for part in network.modules() if isinstance(part, nn.Linear)}
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if id(p) in decayed], "weight_decay": options.weight_decay},
        {"params": [p for p in trained if id(p) not in decayed], "weight_decay": 0.0},
    ]
    return AdamW(
        [group for group in groups if group["params"]], lr=options.learning_rate, betas=(options.beta1, options.beta2)
    )
