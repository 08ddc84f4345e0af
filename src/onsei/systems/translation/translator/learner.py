"""The Learners of translation: from speech, and from pictures with captions where no speech has a translation.

B batch, U units, T states, L tokens, E size of the common space.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.optim import AdamW

from onsei.data.memory import Memory
from onsei.systems.translation.config.train import Train
from onsei.systems.translation.ground.core import Core
from onsei.systems.translation.ground.learner import decayed
from onsei.systems.translation.translator.data import Batch
from onsei.systems.translation.translator.model import Pivoted, Translator, translation_loss
from onsei.training.learner import Clock, Update


class Labeled(Protocol):
    """A batch with tokens."""

    @property
    def labels(self) -> Tensor:
        """Tokens, (B, L), -100 beyond their ends."""
        ...

    @property
    def size(self) -> int:
        """Number of tokens."""
        ...


class Translating:
    """Trains a translator of speech.

    Args:
        model: the network.
        options: loss, optimizer, what is frozen for how long.
        grounded: whether the unit encoder comes from a semantic core.
    """

    def __init__(self, model: Translator, options: Train, *, grounded: bool) -> None:
        self.modules = {"translator": model}
        self.options = options
        groups = decayed(rates(model, options, grounded=grounded), options.optimization.weight_decay)
        self.optimizers = {"translator": AdamW(groups)}
        self.seen = 0
        """Tokens that this process has learned from since it started."""

    def step(self, batch: Batch, clock: Clock, update: Update) -> Mapping[str, Tensor]:
        """One update from the mean loss of the batch's tokens."""
        self.seen += batch.size
        model = self.modules["translator"]
        assert isinstance(model, Translator)
        model.thaw(self.options, clock.step)
        logits = model(batch.source, batch.lengths, batch.labels)
        loss = translation_loss(logits, batch.labels, self.options.optimization.label_smoothing)
        update("translator", loss)
        return {"loss": loss.detach(), "accuracy": 100 * right(logits, batch.labels)}

    def check(self, batch: Batch, clock: Clock) -> Mapping[str, Tensor]:
        """Loss a token, without smoothing, and how many tokens are right when those before them are given."""
        logits = self.modules["translator"](batch.source, batch.lengths, batch.labels)
        return checked(logits, batch)

    def state_dict(self) -> dict[str, Any]:
        """Nothing more."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to take back."""


class Pivoting:
    """Trains a decoder on pictures and their captions; a clip's vector takes the picture's place later.

    Args:
        model: the network.
        core: the semantic core, which is not trained.
        options: loss and optimizer.
    """

    def __init__(self, model: Pivoted, core: Core, options: Train) -> None:
        self.modules = {"pivot": model}
        self.core, self.options = core, options
        rate = options.optimization.learning_rate
        self.optimizers = {
            "pivot": AdamW(decayed(((p, rate) for p in model.parameters()), options.optimization.weight_decay))
        }
        self.seen = 0
        self._kept: Memory[str, Tensor] = Memory(256 * 2**20)

    def step(self, batch: Batch, clock: Clock, update: Update) -> Mapping[str, Tensor]:
        """One update; each vector is moved a little by chance."""
        self.seen += batch.size
        vectors = self._vectors(batch)
        noise = torch.randn(vectors.shape, generator=torch.Generator().manual_seed(clock.seed)).to(vectors)
        vectors = vectors + self.options.pivot.noise * noise
        logits = self.modules["pivot"](vectors, batch.labels)
        loss = translation_loss(logits, batch.labels, self.options.optimization.label_smoothing)
        update("pivot", loss)
        return {"loss": loss.detach(), "accuracy": 100 * right(logits, batch.labels)}

    def check(self, batch: Batch, clock: Clock) -> Mapping[str, Tensor]:
        """As of ``Translating``, of pictures."""
        return checked(self.modules["pivot"](self._vectors(batch), batch.labels), batch)

    def state_dict(self) -> dict[str, Any]:
        """Nothing more."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to take back."""

    @torch.no_grad()
    def _vectors(self, batch: Batch) -> Tensor:
        """Vectors of pictures, (B, E); those of earlier epochs are remembered, since the core does not change."""
        network, device = self.core.network, batch.source.device
        network.to(device).eval()
        known = [self._kept.get(name) for name in batch.ids]
        new = [number for number, vector in enumerate(known) if vector is None]
        if new:
            vectors = network.image(self.core.seeing.transform.normalized(batch.source[new])).float()
            for number, vector in zip(new, centered(vectors, network.image_mean), strict=True):
                known[number] = vector
                self._kept.keep(batch.ids[number], vector.clone(), vector.nbytes)
        return torch.stack([vector for vector in known if vector is not None])


def centered(vectors: Tensor, mean: Tensor) -> Tensor:
    """Vectors about their own kind's mean, brought to length √E.

    Speech and pictures lie in two clouds beside each other (Liang et al. 2022, the modality gap).
    """
    around: Tensor = normalize(vectors - mean.to(vectors), dim=-1) * vectors.shape[-1] ** 0.5
    return around


def right(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of tokens that are the likeliest, 0..1."""
    real = labels >= 0
    return ((logits.argmax(-1) == labels) & real).sum().float().detach() / real.sum().clamp(min=1)


def checked(logits: Tensor, batch: Labeled) -> dict[str, Tensor]:
    """(total, count) of loss and accuracy over tokens."""
    count = torch.tensor(float(batch.size))
    loss = translation_loss(logits, batch.labels, 0.0).cpu()
    return {
        "loss": torch.stack([loss * count, count]),
        "accuracy": torch.stack([100 * right(logits, batch.labels).cpu() * count, count]),
    }


def rates(model: Translator, options: Train, *, grounded: bool) -> Iterator[tuple[nn.Parameter, float]]:
    """The weights of a translator with their highest learning rates."""
    tuning = options.optimization
    for name, weight in model.named_parameters():
        if name.startswith("encoder.") and grounded:
            yield weight, tuning.grounded_rate
        elif name.startswith("decoder.") and options.decoder.pretrained:
            yield weight, tuning.pretrained_rate
        else:
            yield weight, tuning.learning_rate
