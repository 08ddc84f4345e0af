"""Training a recognizer with CTC: the Learner, and the verb that builds and runs it.

B batch, D feature rows, T frames, F output frames, V labels.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import ctc_loss, log_softmax
from torch.optim import SGD, AdamW, Optimizer

from onsei.config import to_dict
from onsei.data import provenance
from onsei.data.features import load_features
from onsei.data.manifest import Manifest
from onsei.decoding.ctc import greedy
from onsei.errors import ConfigError, DataError, RunError
from onsei.hub import store
from onsei.hub.about import About, base
from onsei.metrics.normalize import Normalizer, normalizer
from onsei.metrics.wer import char_errors, word_errors
from onsei.systems.recognition import network
from onsei.systems.recognition.config import Encoder, Features, Train
from onsei.systems.recognition.config import Optimizer as OptimizerOptions
from onsei.systems.recognition.consistency import Voices, disagreement, doubled, framewise
from onsei.systems.recognition.data import (
    Batch,
    Preparation,
    accept,
    cache_for,
    network_bins,
    source,
    survey,
)
from onsei.systems.recognition.labels import chosen, kept, settled
from onsei.systems.recognition.network import planned
from onsei.text import pieces
from onsei.text.alphabet import Alphabet
from onsei.training.engine import Engine, Summary
from onsei.training.learner import Clock, Update
from onsei.training.resume import choose_start
from onsei.units.encoder import SpeechEncoder

SAVED = ("features", "model", "encoder", "case", "units", "script")
"""What of the options a model is saved with."""


class CTCLearner:
    """Trains a network's logits with CTC (Graves et al. 2006).

    Args:
        model: maps (B, D, T) and lengths to logits (B, F, V) and lengths.
        alphabet: what the V labels stand for.
        options: the optimizer.
        scoring: what counts as the same text in WER and CER; the one that fits the alphabet by default.
        encoder: how a pretrained encoder is trained.
        consistency: weight of the divergence between two changed copies of a batch (``consistency.py``); 0: one copy.
        voices: what changes these copies; batches then come unchanged but in time.
        agreement: weight of the disagreement between the halves of a batch, which hold the same utterances; 0: none.
    """

    def __init__(
        self,
        model: nn.Module,
        alphabet: Alphabet,
        options: OptimizerOptions,
        scoring: Normalizer | None = None,
        encoder: Encoder | None = None,
        consistency: float = 0.0,
        voices: Voices = lambda features, random: features,
        agreement: float = 0.0,
    ) -> None:
        self.modules = {"model": model}
        self.encoder = encoder or Encoder()
        self.optimizers = {"model": optimizer(model, options, self.encoder)}
        self.alphabet = alphabet
        self.scoring = scoring or normalizer("auto", alphabet.labels[1:])
        self.consistency = consistency
        self.voices = voices
        self.agreement = agreement
        self.heard = 0
        """Utterances that this process has learned from since it started."""

    @property
    def labels(self) -> Sequence[str]:
        """What the outputs mean."""
        return self.alphabet.labels

    @property
    def label_rows(self) -> Collection[str]:
        """The weights of the network's last layer: another alphabet keeps the rows of the labels it shares."""
        head = getattr(self.modules["model"], "head", None)
        own = set() if head is None else {id(p) for p in head.parameters()}
        return {f"model.{name}" for name, p in self.modules["model"].named_parameters() if id(p) in own}

    def step(self, batch: Batch, clock: Clock, update: Update) -> Mapping[str, Tensor]:
        """One update from the loss of an utterance, averaged over the batch.

        One that augmentation made too short for its labels counts nothing, and is counted.
        """
        if isinstance(self.modules["model"], SpeechEncoder):
            self.modules["model"].frozen = clock.step < self.encoder.freeze_steps
        self.heard += batch.size
        if self.consistency:
            batch = doubled(batch, self.voices, clock.seed)
        logits, lengths = self.modules["model"](batch.features, batch.lengths)
        loss = _ctc(logits, lengths, batch) / batch.size
        logged = {"loss": loss.detach(), "too_short_count": (batch.needed > lengths.cpu()).sum()}
        if self.consistency:
            apart = framewise(log_softmax(logits.float(), -1), lengths) / (batch.size // 2)
            loss, logged["apart"] = loss + self.consistency * apart, apart.detach()
        if self.agreement:
            apart = disagreement(logits, lengths) / max(1, batch.size // 2)
            loss, logged["disagree"] = loss + self.agreement * apart, apart.detach()
        update("model", loss)
        return logged

    def check(self, batch: Batch, clock: Clock) -> Mapping[str, Tensor]:
        """Loss an utterance; WER, and CER with and without spaces, in percent, of greedy decoding."""
        logits, lengths = self.modules["model"](batch.features, batch.lengths)
        heard = [self.alphabet.decode(path.labels.tolist()) for path in greedy(logits, lengths)]
        pairs = [(self.scoring(said), self.scoring(text)) for said, text in zip(batch.texts, heard, strict=True)]
        counts = {
            "wer": [word_errors(*pair) for pair in pairs],
            "cer": [char_errors(*pair) for pair in pairs],
            "cer_no_spaces": [char_errors(*pair, spaces=False) for pair in pairs],
        }
        rates = {
            name: torch.tensor([100.0 * sum(e.errors for e in errors), float(sum(e.reference for e in errors))])
            for name, errors in counts.items()
        }
        total = _ctc(logits, lengths, batch).detach()
        return {"loss": torch.stack([total.cpu(), torch.tensor(float(batch.size))]), **rates}

    def state_dict(self) -> dict[str, Any]:
        """What the network's outputs mean."""
        return {"labels": list(self.alphabet.labels)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Check that the labels are those that the network was trained on.

        Raises:
            RunError: they are others, or stand in another order.
        """
        saved, here = state.get("labels"), list(self.alphabet.labels)
        if saved != here:
            raise RunError(
                f"labels: the checkpoint was trained on {saved}, this run has {here}",
                "continue with the labels in that run's config.yaml, or start a new run",
            )


def _ctc(logits: Tensor, lengths: Tensor, batch: Batch) -> Tensor:
    """Sum of the utterances' losses; one whose labels do not fit into its frames counts nothing."""
    scores = log_softmax(logits.float(), -1).transpose(0, 1)  # (F, B, V)
    return ctc_loss(scores, batch.labels, lengths, batch.label_lengths, reduction="sum", zero_infinity=True)


def optimizer(model: nn.Module, options: OptimizerOptions, encoder: Encoder) -> Optimizer:
    """The optimizer that the options describe, for the parameters that are trained."""
    rate, decay = options.learning_rate, options.weight_decay
    parameters = network.groups(model, rate, encoder)
    if options.optimizer == "adamw":
        return AdamW(parameters, lr=rate, weight_decay=decay)
    return SGD(parameters, lr=rate, momentum=options.momentum, nesterov=options.momentum > 0, weight_decay=decay)


def train(options: Train) -> Summary:
    """Train from manifests; the best weights become the model folder ``options.output_dir``.

    Raises:
        OnseiError: a fault in options, manifests or run folder; found before training starts.
    """
    if options.consistency and options.agreement:
        given = ["consistency", "agreement"]
        raise ConfigError(
            f"{', '.join(given)}: copies are compared by frames or as a whole, not both", "give one", given
        )
    if not options.training.continue_from:
        choose_start("", options.output_dir)  # an occupied folder is refused before the long work
    plan = planned(options)
    options = plan.options
    manifest = Manifest.open(options.train_manifest)
    alphabet, rare = chosen(options, manifest)
    options = settled(options, alphabet)
    engine = Engine(options.training, options.output_dir, resolved=to_dict(options))
    validation = Manifest.open(options.val_manifest) if options.val_manifest else None
    for name, opened in (("train", manifest), ("val", validation)):
        if opened is not None:
            found = survey(opened.readable(), alphabet, options.features, plan.frames)
            accept(f"--{name}-manifest", opened, found, options.data, rare)
    alphabet = engine.processes.from_first(lambda: kept(options, alphabet))
    features = replace(options.features, bins=feature_bins(options.features, manifest))
    options = replace(options, features=features)
    torch.manual_seed(options.training.seed)
    model = plan.build(network_bins(features), alphabet)
    scoring = normalizer(options.normalizer, alphabet.labels[1:])
    seed, twice = options.training.seed, options.consistency > 0
    caches = [cache_for(features, options.data, changes) for changes in (options.augment, None)]
    twins = options.agreement > 0
    training = Preparation(alphabet, features, options.augment, caches[0], plan.frames, voiced=not twice, twins=twins)
    assert training.changes is not None
    learner = CTCLearner(
        model,
        alphabet,
        options.optimization,
        scoring,
        options.encoder,
        consistency=options.consistency,
        voices=training.changes.voiced,
        agreement=options.agreement,
    )
    checking = Preparation(alphabet, features, None, caches[1], plan.frames)

    def finish(folder: Path, history: Mapping[str, Any]) -> None:
        if not learner.heard and history["quarantined"] >= len(manifest):
            found = f"none of its {len(manifest)} utterances could be used, so nothing was learned"
            raise DataError(f"{manifest.path}: {found}", f"the reasons are in {folder / 'quarantine.jsonl'}")
        encoder = None if plan.source is None else plan.source.folder
        save(folder, options, model, alphabet, {**history, "normalizer": scoring.name}, encoder)

    if validation is not None and engine.processes.main and not options.training.silent:
        print(f"WER and CER of validation: normalizer {scoring}")
    return engine.fit(
        learner,
        source(manifest, training, options.data, seed=seed, training=True),
        None if validation is None else source(validation, checking, options.data, seed=seed, training=False),
        finish,
    )


def save(
    folder: Path,
    options: Train,
    model: nn.Module,
    alphabet: Alphabet,
    history: Mapping[str, Any],
    encoder: Path | None = None,
) -> None:
    """Write the model folder; ``encoder`` is the folder of the pretrained encoder, where there is one."""
    store.save(
        folder,
        system="recognition",
        stage="train",
        config={name: value for name, value in to_dict(options).items() if name in SAVED},
        weights=model.state_dict(),
        labels=alphabet.labels,
        history=history,
        about=about(options, encoder),
        files={**network.files(model, alphabet, options.features), **beside(alphabet)},
    )


def about(options: Train, encoder: Path | None) -> About:
    """What the model card says of task, data and base model, whose folder is ``encoder``."""
    data = provenance.of(options.train_manifest)
    known = About(
        task="automatic-speech-recognition",
        datasets=(data.dataset,) if data.dataset else (),
        data_license=data.license,
    )
    if encoder is None or options.encoder.from_scratch:
        return known
    model, license = base(encoder, options.encoder.pretrained)
    return replace(known, base_models=(model,) if model else (), base_license=license)


def beside(alphabet: Alphabet) -> dict[str, bytes]:
    """Files of the alphabet beside the weights."""
    return {} if alphabet.pieces is None else {pieces.FILE: alphabet.pieces.model}


def feature_bins(features: Features, manifest: Manifest) -> int:
    """Feature rows D that the network will see."""
    if features.kind == "spectrogram":
        return round(features.sample_rate * features.window_size) // 2 + 1
    if features.kind == "mel":
        return features.n_mels
    if features.kind == "wave":
        return 1
    if features.bins:
        return features.bins
    first = next((row.features for row in manifest.readable() if row.features is not None), None)
    if first is None:
        raise DataError(f"{manifest.path}: features.kind is precomputed, but no row has the key `features`")
    return int(load_features(first).shape[0])
