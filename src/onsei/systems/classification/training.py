"""Training a classifier: the Learner, and the verb that builds and runs it.

B sounds of a batch, P pieces, D feature rows, T frames, N classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, nll_loss, one_hot
from torch.optim import AdamW

from onsei.config import to_dict
from onsei.data import provenance
from onsei.data.manifest import Manifest
from onsei.data.provenance import Provenance
from onsei.errors import ConfigError, DataError, RunError
from onsei.hub import store
from onsei.hub.about import About, base
from onsei.nn.divergence import divergence
from onsei.systems.classification import network
from onsei.systems.classification.config import Train
from onsei.systems.classification.data import (
    Batch,
    Preparation,
    cache_for,
    check_validation,
    classes_of,
    memory_for,
    source,
    told,
)
from onsei.systems.classification.model import MelClassifier
from onsei.systems.classification.network import Plan, planned
from onsei.systems.classification.votes import voted
from onsei.training.engine import Engine, Summary
from onsei.training.learner import Clock, Update
from onsei.training.resume import choose_start

SAVED = ("features", "model", "encoder")
"""What of the options a model is saved with."""


class Classifying:
    """Trains a network's class scores with cross-entropy, on sounds blended in pairs where mixup is asked for.

    Args:
        model: maps (P, D, T) and lengths to scores (P, N).
        labels: names of the N classes.
        options: optimizer and augmentation.
        weights: of the classes in the loss, shape (N,); all 1 by default.
    """

    def __init__(self, model: nn.Module, labels: Sequence[str], options: Train, weights: Tensor | None = None) -> None:
        self.modules = {"model": model}
        self.optimizers = {"model": AdamW(network.groups(model, options))}
        self.labels = tuple(labels)
        self.options = options
        self.weights = weights if weights is not None else torch.ones(len(labels))
        self.heard = 0
        """Sounds that this process has learned from since it started."""

    @property
    def label_rows(self) -> Collection[str]:
        """The weights of the layer of classes: other classes keep the rows of the names they share."""
        names = (name for name, _ in self.modules["model"].named_parameters())
        return {f"model.{name}" for name in names if name.startswith("classifier.")}

    def step(self, batch: Batch, clock: Clock, update: Update) -> Mapping[str, Tensor]:
        """One update from the mean loss of the batch's sounds."""
        self.heard += batch.size
        model = self.modules["model"]
        if not isinstance(model, MelClassifier) and self.options.encoder.freeze != "all":
            model.frozen = clock.step < self.options.encoder.freeze_steps  # type: ignore[assignment]
        features, lengths, truth = self._mixed(batch, clock)
        logits = model(features, lengths)
        smoothing = self.options.optimization.label_smoothing
        truth = truth * (1 - smoothing) + smoothing / len(self.labels)
        scores = log_softmax(logits.float(), -1)
        loss = -(truth * self.weights.to(truth) * scores).sum(-1).mean()
        right = (logits.argmax(-1) == truth.argmax(-1)).float().mean()
        logged = {"loss": loss.detach(), "accuracy": 100 * right.detach()}
        if self.options.agreement:
            apart = divergence(scores[0::2], scores[1::2]).mean()
            loss, logged["disagree"] = loss + self.options.agreement * apart, apart.detach()
        update("model", loss)
        return logged

    def _mixed(self, batch: Batch, clock: Clock) -> tuple[Tensor, Tensor, Tensor]:
        """Features, lengths and classes as probabilities, (P, N); blended in pairs (Zhang et al. 2018).

        The copies of a sound follow each other, and are blended with those of one other by the same share.
        """
        truth = one_hot(batch.labels[batch.owners], len(self.labels)).float()
        alpha = self.options.augment.mixup
        if not alpha:
            return batch.features, batch.lengths, truth
        random = np.random.default_rng(clock.seed)
        copies = len(batch.owners) // max(1, batch.size)
        order = torch.from_numpy(random.permutation(batch.size))
        order = (order[:, None] * copies + torch.arange(copies)).flatten()
        share = torch.from_numpy(random.beta(alpha, alpha, batch.size)).to(batch.features).repeat_interleave(copies)
        other = order.to(batch.features.device)
        features = torch.lerp(batch.features[other], batch.features, share[:, None, None])
        truth = torch.lerp(truth[other], truth, share[:, None])
        return features, torch.maximum(batch.lengths, batch.lengths[order]), truth

    def check(self, batch: Batch, clock: Clock) -> Mapping[str, Tensor]:
        """Loss a sound, and accuracy and error in percent, of the vote over each sound's pieces."""
        logits = self.modules["model"](batch.features, batch.lengths)
        chances = voted(logits, batch.owners, batch.size)
        total = nll_loss(chances.clamp(min=1e-12).log(), batch.labels, reduction="sum")
        right = (chances.argmax(-1) == batch.labels).sum().float().cpu()
        count = torch.tensor(float(batch.size))
        return {
            "loss": torch.stack([total.cpu(), count]),
            "accuracy": torch.stack([100 * right, count]),
            "error": torch.stack([100 * (count - right), count]),
        }

    def state_dict(self) -> dict[str, Any]:
        """What the network's outputs mean."""
        return {"labels": list(self.labels)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Check that the classes are those that the network was trained on.

        Raises:
            RunError: they are others, or stand in another order.
        """
        saved, here = state.get("labels"), list(self.labels)
        if saved != here:
            raise RunError(
                f"labels: the checkpoint was trained on {saved}, this run has {here}",
                "continue with the labels in that run's config.yaml, or start a new run with --finetune",
            )


def train(options: Train) -> Summary | None:
    """Train from manifests; the best weights become the model folder ``options.output_dir``. None of a dry run.

    Raises:
        OnseiError: a fault in options, manifests or run folder; found before training starts.
    """
    if options.dry_run:
        from onsei.systems.classification.dryrun import dry_run

        dry_run(options)
        return None
    if options.train_manifest is None or options.output_dir is None:
        lacking = "train_manifest" if options.train_manifest is None else "output_dir"
        raise ConfigError(f"{lacking}: required, but not given", f"--{lacking.replace('_', '-')} PATH", [lacking])
    train_manifest, output_dir = options.train_manifest, options.output_dir
    if not options.training.continue_from:
        choose_start("", output_dir)  # an occupied folder is refused before the long work
    plan = planned(options)
    options = plan.options
    manifest = Manifest.open(train_manifest)
    labels, counts = classes_of(manifest, options.labels)
    validation = Manifest.open(options.val_manifest) if options.val_manifest else None
    if validation is not None:
        check_validation(validation, labels)
    engine = Engine(options.training, output_dir, resolved=to_dict(options))
    if engine.processes.main and (note := told(manifest, labels, counts)):
        print(note)
    torch.manual_seed(options.training.seed)
    model = plan.build(len(labels))
    learner = Classifying(model, labels, options, class_weights(options, labels, counts))
    classes, seed = {name: number for number, name in enumerate(labels)}, options.training.seed
    cache = cache_for(options.features, options.data, options.augment)
    twins = options.agreement > 0
    training = Preparation(classes, options.features, options.augment, cache, memory_for(options.data), twins)
    checking = Preparation(classes, options.features)

    def finish(folder: Path, history: Mapping[str, Any]) -> None:
        if not learner.heard and history["quarantined"] >= len(manifest):
            found = f"none of its {len(manifest)} sounds could be used, so nothing was learned"
            raise DataError(f"{manifest.path}: {found}", f"the reasons are in {folder / 'quarantine.jsonl'}")
        save(folder, plan, model, labels, history)

    return engine.fit(
        learner,
        source(manifest, training, options.data, seed=seed, training=True),
        None if validation is None else source(validation, checking, options.data, seed=seed, training=False),
        finish,
    )


def save(folder: Path, plan: Plan, model: nn.Module, labels: Sequence[str], history: Mapping[str, Any]) -> None:
    """Write the model folder."""
    store.save(
        folder,
        system="classification",
        stage="train",
        config={name: value for name, value in to_dict(plan.options).items() if name in SAVED},
        weights=network.state(model, plan.options),
        labels=labels,
        history=history,
        about=about(plan),
        files=plan.files(model, labels),
    )


def about(plan: Plan) -> About:
    """What the model card says of task, data and base model."""
    path = plan.options.train_manifest
    data = Provenance() if path is None else provenance.of(path)
    known = About(
        task="audio-classification", datasets=(data.dataset,) if data.dataset else (), data_license=data.license
    )
    folder = None if plan.origin is None else plan.origin.folder
    if folder is None:
        return known
    model, license = base(folder, plan.options.encoder.pretrained)
    return replace(known, base_models=(model,) if model else (), base_license=license)


def class_weights(options: Train, labels: Sequence[str], counts: Counter[str]) -> Tensor | None:
    """How much each class counts, shape (N,), 1 on the mean over rows; None where all count alike."""
    if options.optimization.class_weights == "none":
        return None
    rows = torch.tensor([float(counts[label]) for label in labels])
    weights = torch.where(rows > 0, 1 / rows.clamp(min=1), torch.zeros(()))
    return weights * rows.sum() / (weights * rows).sum()
