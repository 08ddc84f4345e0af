"""All parts at once: sounds become units become sentences, and what is learned goes back through the codebook.

B batch, T samples, F frames, K units, U runs of units, L tokens.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, pad
from torch.optim import AdamW

from onsei.config import to_dict
from onsei.data.manifest import Manifest
from onsei.errors import ConfigError
from onsei.hub import store, weights
from onsei.nn.masks import length_mask
from onsei.systems.translation.acoustic.listener import restored_model
from onsei.systems.translation.acoustic.model import UnitModel
from onsei.systems.translation.config.ground import UnitAugment
from onsei.systems.translation.config.train import Train
from onsei.systems.translation.ground.encoder import BLANK, FIRST
from onsei.systems.translation.ground.hearing import WITHIN
from onsei.systems.translation.ground.learner import decayed
from onsei.systems.translation.translator.begin import Beginning, begun, decoder_of, fitted
from onsei.systems.translation.translator.data import Batch
from onsei.systems.translation.translator.learner import checked, right
from onsei.systems.translation.translator.learner import rates as rates_of
from onsei.systems.translation.translator.material import gathered, output_dir_of, texts
from onsei.systems.translation.translator.model import Translator, translation_loss
from onsei.systems.translation.translator.saving import check_learned, config_of, save
from onsei.systems.translation.translator.sounds import source
from onsei.training.engine import Engine, Summary
from onsei.training.learner import Clock, Update

_STALE = ("quality.json", "units.png")
"""Files of an acoustic model that tell of what it was before."""


class WholeTranslator(nn.Module):
    """Writes what sounds say.

    Args:
        acoustic: hears units; its encoder is thawed.
        translator: understands them.
        collapse: whether repeats of a unit are taken together.
    """

    def __init__(self, acoustic: UnitModel, translator: Translator, *, collapse: bool = True) -> None:
        super().__init__()
        self.acoustic, self.translator, self.collapse = acoustic, translator, collapse
        self.acoustic.acoustic.thaw()
        self.acoustic.quantizer.decode.requires_grad_(False)

    def forward(
        self, samples: Tensor, lengths: Tensor, labels: Tensor, augment: UnitAugment | None = None, seed: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Scores of each token of the translations, (B, L, V), and the mean squared distance of frames to their codes.

        Args:
            samples: sounds at 16 kHz, (B, T), zeros beyond their ``lengths``, (B,).
            labels: tokens, (B, L).
            augment: random changes of the units, drawn by ``seed``.
        """
        heard = self.acoustic(samples, lengths)
        quantizer = self.acoustic.quantizer
        shares = straight_through(quantizer.projected(quantizer.normal(heard.features)), quantizer.codebook)
        units, counts = runs(shares, heard.quantized.units, heard.frames, collapse=self.collapse)
        rows = pad(units, (FIRST, 0))
        if augment is not None:
            rows, counts = changed(rows, counts, augment, seed)
        return self.translator(rows, counts, labels), heard.quantized.commitment


def straight_through(projected: Tensor, codebook: Tensor) -> Tensor:
    """Shares of units in frames (B, F, C): forward 1 of the nearest code, backward the softmax of nearness.

    (Bengio et al. 2013, section 5; Jang et al. 2017, section 2.2.) Distances are told in the mean distance to the
    nearest code, so that what is learned does not depend on their scale.
    """
    distance = torch.cdist(projected, codebook.expand(len(projected), -1, -1)).square()
    nearest = distance.detach().amin(-1)
    soft = (-distance / nearest.mean().clamp(min=1e-6)).softmax(-1)
    hard = one_hot(distance.argmin(-1), len(codebook)).to(soft)
    return hard + soft - soft.detach()


def runs(shares: Tensor, units: Tensor, frames: Tensor, *, collapse: bool) -> tuple[Tensor, Tensor]:
    """Shares of units of frames, (B, F, K), as those of runs of one unit, (B, U, K), and the number of runs, (B,).

    A run has the mean of its frames. Without ``collapse`` each frame is one.
    """
    mask = length_mask(frames, units.shape[1], units.device)
    new = mask.clone()
    if collapse:
        new[:, 1:] &= units[:, 1:] != units[:, :-1]
    counts = new.sum(1)
    place = (new.cumsum(1) - 1).clamp(min=0)
    size = int(counts.max())
    sums = shares.new_zeros(len(shares), size, shares.shape[2])
    sums = sums.scatter_add(1, place[..., None].expand_as(shares), shares * mask[..., None])
    widths = shares.new_zeros(len(shares), size).scatter_add(1, place, mask.to(shares))
    return sums / widths.clamp(min=1)[..., None], counts.cpu()


def changed(rows: Tensor, counts: Tensor, augment: UnitAugment, seed: int) -> tuple[Tensor, Tensor]:
    """``rows``, (B, U, K + 2), some of them changed, left out or blanked; and how many there are, (B,)."""
    random = np.random.default_rng(seed)
    table = torch.eye(rows.shape[2], device=rows.device, dtype=rows.dtype)
    parts = []
    for clip, count in zip(rows, counts.tolist(), strict=True):
        swapped = torch.from_numpy(random.random(count) < augment.substitute).to(rows.device)
        others = torch.from_numpy(random.integers(FIRST, rows.shape[2], count)).to(rows.device)
        part = torch.where(swapped[:, None], table[others], clip[:count])
        kept = random.random(count) >= augment.drop
        part = part[torch.from_numpy(kept).to(rows.device)] if kept.any() else part
        blank = torch.zeros(len(part), dtype=torch.bool, device=rows.device)
        for _ in range(augment.masks):
            width = int(random.integers(0, augment.mask_width + 1))
            start = int(random.integers(0, max(1, len(part) - width)))
            blank[start : start + width] = True
        parts.append(torch.where(blank[:, None], table[BLANK], part))
    return nn.utils.rnn.pad_sequence(parts, batch_first=True), torch.tensor([len(part) for part in parts])


class WholeTranslating:
    """Trains acoustic model, unit encoder and decoder together; the codes stay, so units keep their names.

    Args:
        model: the network.
        options: loss, optimizer, what is frozen for how long.
        grounded: whether the unit encoder comes from a semantic core.
    """

    def __init__(self, model: WholeTranslator, options: Train, *, grounded: bool) -> None:
        self.modules = {"whole": model}
        self.options = options
        self.optimizers = {"whole": AdamW(_groups(model, options, grounded=grounded))}
        self.seen = 0
        """Tokens that this process has learned from since it started."""

    def step(self, batch: Batch, clock: Clock, update: Update) -> Mapping[str, Tensor]:
        """One update from the mean loss of the batch's tokens, and from frames' distance to their codes."""
        self.seen += batch.size
        model, tuning = self._model, self.options.optimization
        if tuning.freeze_acoustic_steps:
            for weight in _acoustic(model):
                weight.requires_grad_(clock.step >= tuning.freeze_acoustic_steps)
        model.translator.thaw(self.options, clock.step)
        found = model(batch.source, batch.lengths, batch.labels, self.options.augment, clock.seed)
        loss = translation_loss(found[0], batch.labels, tuning.label_smoothing)
        update("whole", loss + model.acoustic.quantizer.shape.commitment * found[1])
        return {
            "loss": loss.detach(),
            "accuracy": 100 * right(found[0], batch.labels),
            "commitment": found[1].detach(),
        }

    def check(self, batch: Batch, clock: Clock) -> Mapping[str, Tensor]:
        """Loss a token, without smoothing, and how many tokens are right when those before them are given."""
        return checked(self._model(batch.source, batch.lengths, batch.labels)[0], batch)

    def state_dict(self) -> dict[str, Any]:
        """Nothing more."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to take back."""

    @property
    def _model(self) -> WholeTranslator:
        model = self.modules["whole"]
        assert isinstance(model, WholeTranslator)
        return model


def from_sound(options: Train, beginning: Beginning | None) -> Summary:
    """Train all parts from sounds; the folder holds the translator, and within it the acoustic model as it is then.

    Raises:
        OnseiError: as of ``train``; there is no acoustic model, or it has nothing to train.
    """
    folder, place = output_dir_of(options), options.acoustic_model
    if place is None:
        raise ConfigError("acoustic_rate: needs an acoustic model", "--acoustic-model-path DIR", ["acoustic_model"])
    acoustic = restored_model(store.open(place, system="translation"))
    acoustic.acoustic.thaw()
    material = gathered(options, beginning)
    options = fitted(options, beginning)
    torch.manual_seed(options.training.seed)
    decoder = decoder_of(options, beginning, texts(material.train.manifest))
    about = material.about
    translator = begun(options, material.count, beginning, decoder)
    model = WholeTranslator(acoustic, translator, collapse=bool(about.get("collapsed", True)))
    learner = WholeTranslating(model, options, grounded=beginning is not None)
    engine = Engine(options.training, folder, resolved=to_dict(options))
    train = material.train.manifest

    def batches(manifest: Manifest, *, training: bool) -> Any:
        longest, seed = options.decoder.longest, options.training.seed
        return source(manifest, decoder.tokens, longest, options.data, seed=seed, training=training)

    def finish(folder: Path, history: Mapping[str, Any]) -> None:
        check_learned(learner.seen, len(train), train.path, folder, history)
        ignored = shutil.ignore_patterns(*store.RUN_FILES, *_STALE)
        shutil.copytree(place, folder / WITHIN, ignore=ignored, dirs_exist_ok=True)
        weights.save(folder / WITHIN / store.WEIGHTS_FILE, acoustic.state_dict())
        mark = weights.fingerprint(folder / WITHIN / store.WEIGHTS_FILE)
        known = {**about, "fingerprint": mark, "model": WITHIN, "tuned_from": about.get("fingerprint", "")}
        save(
            folder,
            options,
            model.translator,
            config_of(options, decoder, material.count, "units", known),
            decoder,
            {**history, **material.history},
        )

    checking = None if material.val is None else batches(material.val.manifest, training=False)
    return engine.fit(learner, batches(train, training=True), checking, finish)


def _acoustic(model: WholeTranslator) -> Iterator[nn.Parameter]:
    """What learns of the acoustic model."""
    yield from model.acoustic.acoustic.thaw()
    yield from model.acoustic.quantizer.project.parameters()


def _groups(model: WholeTranslator, options: Train, *, grounded: bool) -> list[dict[str, Any]]:
    tuning = options.optimization
    heard = [(weight, tuning.acoustic_rate) for weight in _acoustic(model)]
    return decayed([*heard, *rates_of(model.translator, options, grounded=grounded)], tuning.weight_decay)
