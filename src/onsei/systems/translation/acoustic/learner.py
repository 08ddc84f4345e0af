"""The Learner of the quantizer: projection and way back by gradients, codes by running means; the base stays frozen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from onsei.systems.translation.acoustic.model import UnitModel
from onsei.systems.translation.data.pieces import Sounds
from onsei.training.learner import Clock, Update


class Quantizing:
    """Trains the quantizer of a unit model.

    Args:
        model: its base is not trained.
        learning_rate: of projection and way back.
    """

    def __init__(self, model: UnitModel, learning_rate: float) -> None:
        self.modules: dict[str, nn.Module] = {"model": model}
        self.optimizers = {"quantizer": AdamW(model.quantizer.parameters(), lr=learning_rate, weight_decay=0.0)}

    def step(self, batch: Sounds, clock: Clock, update: Update) -> Mapping[str, Tensor]:
        """One update from what the reconstruction does not explain, and from the distance to the codes."""
        model = self._model
        heard = model(batch.samples)
        found = heard.quantized
        loss = found.error + model.quantizer.shape.commitment * found.commitment
        update("quantizer", loss)
        features = heard.features[heard.mask]
        restarted = model.quantizer.learn(features, found.units[heard.mask])
        return {
            "loss": loss.detach(),
            "error": found.error.detach(),
            "commitment": found.commitment.detach(),
            "perplexity": perplexity(found.units[heard.mask], model.quantizer.codes),
            "restarted_count": torch.tensor(float(restarted)),
        }

    def check(self, batch: Sounds, clock: Clock) -> Mapping[str, Tensor]:
        """Loss, share of the variance that is not explained, and perplexity."""
        model = self._model
        heard = model(batch.samples)
        found = heard.quantized
        values = {
            "loss": found.error + model.quantizer.shape.commitment * found.commitment,
            "error": found.error,
            "perplexity": perplexity(found.units[heard.mask], model.quantizer.codes),
        }
        count = torch.tensor(float(batch.size))
        return {name: torch.stack([value.cpu() * count, count]) for name, value in values.items()}

    def state_dict(self) -> dict[str, Any]:
        """Nothing beyond the model's own tensors."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to take back."""

    @property
    def _model(self) -> UnitModel:
        model = self.modules["model"]
        assert isinstance(model, UnitModel)
        return model


def perplexity(units: Tensor, codes: int) -> Tensor:
    """Exponential of the entropy of the shares of units, a scalar."""
    shares = torch.bincount(units.flatten(), minlength=codes).float()
    shares = shares / shares.sum().clamp(min=1)
    return torch.exp(-torch.xlogy(shares, shares).sum())
