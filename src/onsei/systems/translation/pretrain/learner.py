"""The Learner of pretraining: masks, negatives, the quantizer's temperature, and the alarm where codevectors collapse.

B batch, T samples, F frames.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from onsei.nn.frames import Frames
from onsei.systems.translation.config.pretrain import Optimizer, Task
from onsei.systems.translation.data.pieces import Sounds
from onsei.training.learner import Clock, Update
from onsei.units.pretraining import ContrastiveModel, MaskedUnits, Outcome, masks, sample_negatives

_COLLAPSED = 100.0
"""Added to the loss of a network that has collapsed: any other is better."""
_PATIENCE = 50
"""Steps in a row below the limit after which it is told."""


class Pretraining:
    """Trains a network on masked sound.

    Args:
        model: a ``ContrastiveModel`` or ``MaskedUnits``.
        frames: how samples become its frames.
        task: masks, negatives, temperature and what counts as collapse.
        options: the optimizer.
        standardize: whether the network hears each piece at mean 0 and deviation 1.
    """

    def __init__(
        self,
        model: ContrastiveModel | MaskedUnits,
        frames: Frames,
        task: Task,
        options: Optimizer,
        *,
        standardize: bool,
    ) -> None:
        self.modules: dict[str, nn.Module] = {"model": model}
        trained = [p for p in model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": options.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        betas = (options.beta1, options.beta2)
        self.optimizers = {"model": AdamW(groups, lr=options.learning_rate, betas=betas, eps=options.eps)}
        self.frames, self.task, self.standardize = frames, task, standardize
        self.collapsed = False
        """Whether the last validation found it so."""
        self._below = 0

    def step(self, batch: Sounds, clock: Clock, update: Update) -> Mapping[str, Tensor]:
        """One update from the loss per masked frame."""
        model = self.modules["model"]
        temperature = self.temperature(clock.step)
        if isinstance(model, ContrastiveModel):
            model.quantizer.temperature = temperature  # type: ignore[assignment]  # transformers says int
        found = self._outcome(batch)
        update("model", found.loss)
        self._watch(found)
        logged = {"loss": found.loss.detach(), "task": found.main, "accuracy": 100 * found.right}
        logged |= {"perplexity": found.perplexity, "masked": found.masked * (100 / self._count(batch))}
        if isinstance(model, ContrastiveModel):
            logged["temperature"] = torch.tensor(temperature)
        return logged

    def temperature(self, step: int) -> float:
        """Of the quantizer's choices at ``step``."""
        return float(max(self.task.gumbel_start * self.task.gumbel_decay**step, self.task.gumbel_end))

    def check(self, batch: Sounds, clock: Clock) -> Mapping[str, Tensor]:
        """Loss, accuracy and error in percent of masked frames, perplexity; and ``score``: the loss, or far more than
        any loss where the network has collapsed."""
        found = self._outcome(batch)
        collapsed = float(found.perplexity) < self.task.collapse * found.possible
        self.collapsed = collapsed
        right, count = 100.0 * float(found.right), torch.tensor(float(batch.size))
        main = float(found.main)
        values = {
            "loss": main,
            "accuracy": right,
            "error": 100.0 - right,
            "perplexity": float(found.perplexity),
            "score": main + _COLLAPSED * collapsed,
        }
        return {name: torch.stack([value * count, count]) for name, value in values.items()}

    def state_dict(self) -> dict[str, Any]:
        """How long codevectors have been few."""
        return {"below": self._below}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        self._below = int(state.get("below", 0))

    def _outcome(self, batch: Sounds) -> Outcome:
        """Masks and negatives are drawn on the CPU, from the generator that the engine seeds for each batch."""
        model, samples = self.modules["model"], batch.samples
        mask = masks(
            batch.size,
            self.frames.count(samples.size(1)),
            self.task.mask_time_prob,
            self.task.mask_time_length,
        )
        given = standardized(samples) if self.standardize else samples
        if isinstance(model, ContrastiveModel):
            negatives = sample_negatives(mask, self.task.num_negatives).to(samples.device)
            found: Outcome = model(given, mask.to(samples.device), negatives)
        else:
            found = model(given, mask.to(samples.device), samples)
        return found

    def _count(self, batch: Sounds) -> int:
        return batch.size * self.frames.count(batch.samples.size(1))

    def _watch(self, found: Outcome) -> None:
        few = float(found.perplexity) < self.task.collapse * found.possible
        self._below = self._below + 1 if few else 0
        if self._below == _PATIENCE:
            print(
                f"onsei: collapse: for {_PATIENCE} steps no more than {float(found.perplexity):.1f} of "
                f"{found.possible} codevectors or units were in use; a low loss means nothing then\n"
                "  → raise --diversity-weight to 1, slow --gumbel-decay down to 0.998 for short runs, lower "
                "--learning-rate, or take --objective masked-units",
                file=sys.stderr,
            )


def standardized(samples: Tensor) -> Tensor:
    """Each sound (B, T) at mean 0 and deviation 1, as wav2vec 2.0's preprocessor brings it."""
    centered = samples - samples.mean(-1, keepdim=True)
    return centered / (centered.square().mean(-1, keepdim=True) + 1e-7).sqrt()
