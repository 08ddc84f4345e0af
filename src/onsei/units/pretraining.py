"""Networks that learn from bare recordings: wav2vec 2.0's contrastive task, and HuBERT's masked units.

B batch, T samples, F frames, M masked frames, N negatives, C size of compared vectors, K units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from transformers import Wav2Vec2Config, Wav2Vec2ForPreTraining

from onsei.errors import ModelError
from onsei.units import melfront, ssl
from onsei.units.encoder import spans
from onsei.units.kmeans import KMeans
from onsei.units.spectral import Spectral


@dataclass(frozen=True)
class Outcome:
    """What came of a batch. All are scalars on its device."""

    loss: Tensor
    """What is to be made small, per masked frame."""
    main: Tensor
    """The task's own part of it."""
    right: Tensor
    """Masked frames that were recognized, as a share."""
    perplexity: Tensor
    """Codevectors or units in use: the exponential of the entropy of their shares."""
    possible: int
    """What the perplexity could be at most."""
    masked: Tensor
    """Number of masked frames."""


class ContrastiveModel(Wav2Vec2ForPreTraining):  # type: ignore[no-untyped-call]
    """Transformers' ``Wav2Vec2ForPreTraining``, its task computed for masked frames alone.

    Weights, names and numbers are transformers' own; frames that are not masked have no part in the loss there either,
    but are computed.
    """

    def forward(self, samples: Tensor, mask: Tensor, negatives: Tensor) -> Outcome:
        """Contrastive and diversity loss (Baevski et al. 2020, section 3.2).

        Args:
            samples: (B, T), all of one length, as the front wants them.
            mask: bool, (B, F); True is hidden.
            negatives: for each masked frame, in the order of ``mask``, other masked frames of its clip by their places
                among all masked ones: (M, N).
        """
        outputs = self.wav2vec2(samples, mask_time_indices=mask.clone())
        predicted = self.project_hid(outputs.last_hidden_state[mask])  # (M, C)
        heard = self.dropout_features(outputs.extract_features)[mask]
        codes, perplexity = self.quantizer(heard[None])
        codes = self.project_q(codes[0].to(self.project_q.weight.dtype))  # (M, C)
        predicted, compared = normalize(predicted.float(), dim=-1), normalize(codes.float(), dim=-1)
        same = (predicted * compared).sum(-1, keepdim=True)
        others = torch.einsum("mc,mnc->mn", predicted, compared[negatives])
        others = others.masked_fill((codes[negatives] == codes[:, None]).all(-1), float("-inf"))
        logits = torch.cat([same, others], dim=1) / self.config.contrastive_logits_temperature
        contrastive = cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))
        possible = self.config.num_codevectors_per_group * self.config.num_codevector_groups
        diversity = (possible - perplexity) / possible
        loss = contrastive + self.config.diversity_loss_weight * diversity
        # A codevector that is its own negative leaves nothing to tell apart: that is no success.
        right = (same[:, 0] > others.amax(1)) & others.isfinite().any(1)
        count = mask.sum().float()
        return Outcome(loss, contrastive.detach(), right.float().mean(), perplexity.detach(), possible, count)

    @torch.no_grad()
    def units(self, features: Tensor) -> Tensor:
        """Codevectors as numbers: ``extract_features`` (B, F, D) → (B, F), one number for all groups together."""
        scores = self.quantizer.weight_proj(features)
        groups, each = self.config.num_codevector_groups, self.config.num_codevectors_per_group
        best = scores.view(*scores.shape[:-1], groups, each).argmax(-1)
        powers = each ** torch.arange(groups - 1, -1, -1, device=best.device)
        found: Tensor = (best * powers).sum(-1)
        return found


class MaskedUnits(nn.Module):
    """An encoder that names the units of what is hidden from it (Hsu et al. 2021, HuBERT, section 2.2).

    Args:
        body: transformers' network without a head.
        clusters: the units: k-means over the cepstra of ``targets``.
        targets: what the units are of; frames as the body's.
        teacher: gives the units of sounds at their own level, (B, T) → (B, F), in place of clusters and targets:
            another network's (section 2.3, the second iteration). It is neither trained nor saved with this one.
    """

    centroids: Tensor

    def __init__(
        self, body: Any, clusters: KMeans, targets: Spectral, teacher: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.name = str(body.base_model_prefix)
        self.add_module(self.name, body)
        self.head = nn.Linear(int(body.config.hidden_size), len(clusters.centroids))
        self.register_buffer("centroids", clusters.centroids.clone())
        self.targets = targets
        self._teacher = [teacher]  # in a list: torch would take a module for a part of this one

    @property
    def body(self) -> Any:
        """Transformers' network."""
        return getattr(self, self.name)

    def forward(self, samples: Tensor, mask: Tensor, heard: Tensor) -> Outcome:
        """Cross-entropy of the masked frames' units.

        Args:
            samples: (B, T), all of one length, as the front wants them.
            mask: bool, (B, F); True is hidden.
            heard: the same sounds at their own level, (B, T), for the targets.
        """
        with torch.no_grad():
            labels = self._units(heard)[mask]
        hidden = self.body(samples, mask_time_indices=mask.clone()).last_hidden_state[mask]
        scores = self.head(hidden).float()
        loss = cross_entropy(scores, labels)
        guessed = scores.detach().argmax(-1)
        shares = torch.bincount(guessed, minlength=len(self.centroids)).float() / max(1, len(guessed))
        perplexity = torch.exp(-torch.xlogy(shares, shares).sum())
        right = (guessed == labels).float().mean()
        return Outcome(loss, loss.detach(), right, perplexity, len(self.centroids), mask.sum().float())

    def _units(self, heard: Tensor) -> Tensor:
        teacher = self._teacher[0]
        if teacher is not None:
            return teacher(heard)
        features, _ = self.targets(heard)
        return KMeans(self.centroids, self.centroids[:, 0], 0.0).assign(features)


def masks(batch: int, frames: int, share: float, length: int, least: int = 2) -> Tensor:
    """Spans that hide part of each clip, (batch, frames), on the CPU; from torch's own generator.

    Each clip has a hidden frame at least, also where it is shorter than a span.
    """
    longest = min(length, max(1, frames // 2))
    return torch.stack([spans(frames, share, longest, least) for _ in range(batch)])


def sample_negatives(mask: Tensor, count: int) -> Tensor:
    """For each masked frame of ``mask`` (B, F), ``count`` other masked frames of its clip: (M, count), places among all
    masked ones. A clip's only masked frame is its own negative. From torch's own generator."""
    parts, start = [], 0
    for masked in mask.sum(1).tolist():
        drawn = torch.randint(max(1, masked - 1), (masked, count))
        own = torch.arange(masked)[:, None]
        parts.append(start + (drawn + (drawn >= own) if masked > 1 else drawn))
        start += masked
    return torch.cat(parts)


def contrastive(source: ssl.Source | None, config: Any, *, mel: bool) -> tuple[ContrastiveModel, list[str]]:
    """The network to train, and the names of its tensors that ``source`` does not hold.

    Args:
        source: where weights come from; None for random ones.
        config: transformers' configuration.
        mel: whether log-mels take the place of convolutions over samples.

    Raises:
        ModelError: the weights do not fit.
    """
    if source is None:
        model = ContrastiveModel(ssl.with_attention(config))
        if mel:
            melfront.put_in(model.wav2vec2)
        return model, []
    model, missing = ssl.loaded(ContrastiveModel, source.folder, ssl.with_attention(config))
    if any(name.startswith("wav2vec2.") for name in missing):
        raise ModelError(f"{source.folder}: the weights lack {missing[0]}", "copy or download the whole folder again")
    return model, missing


def fresh_config(**sizes: Any) -> Any:
    """A configuration of wav2vec 2.0 with the given settings; the others are those of the base model."""
    return Wav2Vec2Config(**sizes)


def config_of(values: Mapping[str, Any]) -> Any:
    """The configuration that ``values``, its ``to_dict``, describe."""
    from transformers import AutoConfig

    return AutoConfig.for_model(**values)
