"""The Learner of grounding: InfoNCE over batches as large as wanted, judged by search in a fixed gallery.

B batch, E size of the space.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from onsei.metrics.retrieval import KS, retrieval
from onsei.systems.translation.config.ground import Ground
from onsei.systems.translation.ground.contrast import contrastive_loss
from onsei.systems.translation.ground.data import Batch
from onsei.systems.translation.ground.model import SemanticCore
from onsei.training.learner import Clock, Update
from onsei.training.muon import Muon, parts_of
from onsei.vision.images import Transform

_CHUNK = 64
"""Pairs that the networks see at a time in validation."""


class Grounding:
    """Trains a semantic core.

    Args:
        core: the networks.
        options: loss and optimizer.
        transform: how pixels become what the image network sees.
    """

    def __init__(self, core: SemanticCore, options: Ground, transform: Transform) -> None:
        self.modules = {"core": core}
        self.options, self.transform = options, transform
        self.optimizers: dict[str, Optimizer] = {"core": _optimizer(core, options)}
        self.seen = 0
        """Pairs that this process has learned from since it started."""

    def step(self, batch: Batch, clock: Clock, update: Update) -> Mapping[str, Tensor]:
        """One update from all pairs of the batch, however few the networks see at a time."""
        self.seen += batch.size
        contrast = self.options.contrast
        chunk = contrast.chunk_size
        if not chunk or chunk >= batch.size:
            speech, pictures, scale = self._vectors(batch, slice(None))
            loss = contrastive_loss(speech, pictures, scale, batch.same, contrast.hard_negatives)
            update("core", loss)
        else:
            speech, pictures, loss, scale = self._cached(batch, clock, update, chunk)
        found = (speech @ pictures.T).argmax(1).cpu() == torch.arange(batch.size)
        return {"loss": loss.detach(), "scale": scale.detach(), "found": 100 * found.float().mean()}

    def check(self, batch: Batch, clock: Clock) -> Mapping[str, Tensor]:
        """Search in both directions, in a gallery of the batch's size, and the loss over it."""
        parts = [self._vectors(batch, slice(n, n + _CHUNK)) for n in range(0, batch.size, _CHUNK)]
        speech, pictures = torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
        loss = contrastive_loss(speech, pictures, parts[0][2], batch.same)
        values = sums(speech, pictures, batch.same)
        return values | {"loss": torch.stack([loss.cpu() * batch.size, torch.tensor(float(batch.size))])}

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the temperature is a weight."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to take back."""

    def _vectors(self, batch: Batch, part: slice) -> tuple[Tensor, Tensor, Tensor]:
        pictures = self.transform.normalized(batch.pictures[part])
        vectors: tuple[Tensor, Tensor, Tensor] = self.modules["core"](batch.units[part], batch.lengths[part], pictures)
        return vectors

    def _cached(self, batch: Batch, clock: Clock, update: Update, chunk: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gradients of the whole batch, chunk by chunk (Gao et al. 2021, section 3): memory is that of one chunk."""
        parts = [slice(first, first + chunk) for first in range(0, batch.size, chunk)]
        made = []
        with torch.no_grad():
            for number, part in enumerate(parts):
                torch.manual_seed(clock.seed + number)  # the second pass drops out the same
                made.append(self._vectors(batch, part)[:2])
        speech, pictures = (torch.cat([vectors[side] for vectors in made]).requires_grad_() for side in (0, 1))
        scale = self.modules["core"].scale()
        loss = contrastive_loss(speech, pictures, scale, batch.same, self.options.contrast.hard_negatives)
        slopes = torch.autograd.grad(loss, (speech, pictures), retain_graph=True)
        update("core", loss)  # of the temperature
        for number, part in enumerate(parts):
            torch.manual_seed(clock.seed + number)
            vectors = self._vectors(batch, part)
            update("core", sum((v * s[part]).sum() for v, s in zip(vectors[:2], slopes, strict=True)))  # type: ignore[arg-type]
        return speech.detach(), pictures.detach(), loss, scale


def sums(speech: Tensor, pictures: Tensor, same: Tensor) -> dict[str, Tensor]:
    """Recall at k in percent both ways, and their mean: (total, count) by name."""
    similarity = speech.float().cpu().numpy() @ pictures.float().cpu().numpy().T
    own = same.cpu().numpy()
    ways = {"s2i": retrieval(similarity, own), "i2s": retrieval(similarity.T, own.T)}
    size = len(similarity)
    found = {f"{way}_r{k}": value for way, one in ways.items() for k, value in one.recall.items()}
    found["recall"] = sum(found.values()) / (2 * len(KS))
    return {name: torch.tensor([value * size, float(size)]) for name, value in found.items()}


def _optimizer(core: SemanticCore, options: Ground) -> Optimizer:
    """AdamW, or Muon for matrices that begin with chance."""
    tuned = {id(p) for p in core.image.parameters()} if options.image.pretrained else set()
    new = getattr(core.image, "project", None)
    if tuned and isinstance(new, nn.Module):
        tuned -= {id(p) for p in new.parameters()}
    rates = options.optimization
    betas = (0.9, rates.beta2)
    named = [(name, p) for name, p in core.named_parameters() if p.requires_grad]
    parts = {id(p): parts_of(name, p) for name, p in named if id(p) not in tuned and rates.matrix_rate}
    rest = []
    for name, weight in named:
        rate = rates.temperature_rate if name == "log_scale" else rates.learning_rate
        if not parts.get(id(weight)):
            rest.append((weight, rates.pretrained_rate if id(weight) in tuned else rate))
    groups = decayed(rest, rates.weight_decay)
    if not rates.matrix_rate:
        return AdamW(groups, betas=betas)
    for count in sorted(set(parts.values()) - {0}):
        matrices = [p for _, p in named if parts.get(id(p)) == count]
        groups.append({"params": matrices, "lr": rates.matrix_rate, "weight_decay": rates.weight_decay, "parts": count})
    return Muon(groups, betas=betas)


def decayed(weights: Iterable[tuple[nn.Parameter, float]], decay: float) -> list[dict[str, Any]]:
    """Groups of an optimizer: by learning rate, and without decay where a weight has one dimension or none."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for weight, rate in weights:
        groups.setdefault((rate, decay if weight.ndim > 1 else 0.0), []).append(weight)
    return [{"params": params, "lr": rate, "weight_decay": part} for (rate, part), params in groups.items()]
