"""Training a mel generator: the Learner, and the verb that builds and runs it.

B films or windows, T frames, F mel frames, M mel bands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from onsei.config import to_dict
from onsei.data.manifest import Manifest
from onsei.errors import ConfigError, DataError, ModelError
from onsei.hub import checkpoints, store, weights
from onsei.nn.efficientnet import EfficientNetV2, trunk_weights
from onsei.nn.masks import length_mask
from onsei.systems.articulation.config import Model, Train
from onsei.systems.articulation.config.saved import Saved
from onsei.systems.articulation.data import Batch, Preparation, Prepared, Scaler, read_prepared, read_scaler, source
from onsei.systems.articulation.data.prepared import SCALER, load_mel
from onsei.systems.articulation.data.windows import expanded
from onsei.systems.articulation.losses import MaskedLoss, band_errors
from onsei.systems.articulation.model import MelGenerator
from onsei.training.engine import Engine, Summary
from onsei.training.learner import Clock, Update
from onsei.training.resume import choose_start

_LOOKED_AT = 16
"""Training mels that a scaler is tried on."""


class Speaking:
    """Trains the mel generator by the masked loss.

    Args:
        model: maps frames (B, T, 1, H, W) and lengths to normalized log-mels (B, F, M).
        scaler: of these mels, for errors in dB.
        options: optimizer and loss.
    """

    def __init__(self, model: MelGenerator, scaler: Scaler, options: Train) -> None:
        self.modules: dict[str, nn.Module] = {"model": model}
        chosen = options.optimization
        self.optimizers = {
            "model": AdamW(
                model.parameters(),
                lr=chosen.learning_rate,
                betas=(chosen.beta1, chosen.beta2),
                eps=chosen.epsilon,
                weight_decay=chosen.weight_decay,
            )
        }
        self.subframes, self.edges, self.scaler = model.subframes, options.losses.edges, scaler
        self.loss = MaskedLoss(options.losses, model.bands)

    def step(self, batch: Batch, clock: Clock, update: Update) -> Mapping[str, Tensor]:
        """One update from the mean loss of the batch's films."""
        found, lengths = self._found(batch)
        loss = self.loss(found, batch.mel, lengths, clock.step)
        update("model", loss)
        with torch.no_grad():
            error = self._errors(found, batch.mel, lengths)
            bands = {f"band/{name}": value for name, value in band_errors(error, self.edges).items()}
            return {"loss": loss.detach(), "mae": error.abs().mean(), **bands}

    def check(self, batch: Batch, clock: Clock) -> Mapping[str, Tensor]:
        """Loss a film, with the ramps at their end; mean absolute errors in dB over frames, whole and by band."""
        found, lengths = self._found(batch)
        loss = self.loss(found, batch.mel, lengths)
        error = self._errors(found, batch.mel, lengths)
        values = {"mae": error.abs().mean()}
        values |= {f"band/{name}": value for name, value in band_errors(error, self.edges).items()}
        frames = torch.tensor(float(len(error)))
        totals = {name: torch.stack([value.cpu() * frames, frames]) for name, value in values.items()}
        films = torch.tensor(float(batch.size))
        return {"loss": torch.stack([loss.cpu() * films, films]), **totals}

    def state_dict(self) -> dict[str, Any]:
        """What the network's outputs mean."""
        return {"mean": self.scaler.mean, "std": self.scaler.std}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Check that mels are normalized as they were.

        Raises:
            DataError: by another scaler.
        """
        saved = (state.get("mean"), state.get("std"))
        if saved != (self.scaler.mean, self.scaler.std):
            raise DataError(
                f"scaler: the checkpoint was trained with mean and deviation {saved}, this run has "
                f"{(self.scaler.mean, self.scaler.std)}",
                "continue with that run's scaler.json, or start a new run with --finetune",
            )

    def _found(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Predicted mels, in 32 bits, and the number of mel frames of each."""
        found = self.modules["model"](batch.frames, batch.lengths)
        return found.float(), batch.lengths * self.subframes

    def _errors(self, found: Tensor, true: Tensor, lengths: Tensor) -> Tensor:
        """Errors of all mel frames in dB, (N, M)."""
        mask = length_mask(lengths, true.shape[1], true.device)
        return (found - true)[mask] * self.scaler.std


@dataclass(frozen=True)
class Lists:
    """Manifests of a run."""

    train: Manifest
    val: Manifest | None


def train(options: Train) -> Summary:
    """Train from prepared clips; the best weights become the model folder ``options.output_dir``.

    Raises:
        OnseiError: a fault in options, clips, scaler or run folder; found before training starts.
    """
    options = settled(options)
    if not options.training.continue_from:
        choose_start("", options.output_dir)  # an occupied folder is refused before the long work
    prepared = read_prepared(options.train_manifest)
    scaler = read_scaler(options.scaler_json or options.train_manifest.parent / SCALER)
    check_scaler(scaler, prepared, Manifest.open(options.train_manifest), options)
    if options.val_manifest is not None:
        check_same(prepared, read_prepared(options.val_manifest), options.val_manifest)
    torch.manual_seed(options.training.seed)
    model = built(options.model, prepared)
    if options.pretrained is not None:
        begin_with(model, options.pretrained)
    model.encoder.segments = options.ckpt_segments if options.use_checkpoint else 0
    learner = Speaking(model, scaler, options)
    engine = Engine(options.training, options.output_dir, resolved=to_dict(options))
    lists = engine.processes.from_first(lambda: opened(options))
    seed = options.training.seed
    training = Preparation(prepared, scaler, options.model, options.augment, options.data.crop)
    checking = Preparation(prepared, scaler, options.model)

    def finish(folder: Path, history: Mapping[str, Any]) -> None:
        save(folder, options.model, prepared, scaler, model, history)

    val = lists.val
    return engine.fit(
        learner,
        source(lists.train, training, options.data, seed=seed, training=True),
        None if val is None else source(val, checking, options.data, seed=seed, training=False),
        finish,
    )


def settled(options: Train) -> Train:
    """The options with what follows from others: micro-batches are accumulated to batches.

    Raises:
        ConfigError: sizes that do not fit.
    """
    whole, micro = options.data.batch_size, options.data.micro_batch_size
    if micro and whole % micro:
        raise ConfigError(
            f"data.micro_batch_size: expected a divisor of batch_size ({whole}), found {micro}",
            "choose one",
            ["data.micro_batch_size"],
        )
    if not micro or micro == whole:
        return options
    return replace(options, training=replace(options.training, accumulate=options.training.accumulate * whole // micro))


def opened(options: Train) -> Lists:
    """The manifests; where the network has a window, those of all windows, written into the run folder."""
    train = Manifest.open(options.train_manifest)
    val = None if options.val_manifest is None else Manifest.open(options.val_manifest)
    window, folder = options.model.window, options.output_dir / "data"
    if not window:
        return Lists(train, val)
    return Lists(
        expanded(train, window, folder / "windows-train.jsonl"),
        None if val is None else expanded(val, window, folder / "windows-val.jsonl"),
    )


def check_scaler(scaler: Scaler, prepared: Prepared, manifest: Manifest, options: Train) -> None:
    """Refuse a scaler that is not of these clips.

    Raises:
        DataError: it is of another preparation, or brings mels far from mean 0 and deviation 1.
    """
    path = options.scaler_json or options.train_manifest.parent / SCALER
    mend = "take the scaler.json beside the training manifest"
    if scaler.prepared and prepared.prepared and scaler.prepared != prepared.prepared:
        raise DataError(
            f"{path}: a scaler of another run: of preparation {scaler.prepared}, the clips are of {prepared.prepared}",
            mend,
        )
    numbers = np.unique(np.linspace(0, len(manifest) - 1, min(_LOOKED_AT, len(manifest))).astype(int))
    rows = [manifest[int(number)] for number in numbers]
    mels = [load_mel(row.features, prepared.mel.n_mels) for row in rows if row.features is not None]
    if not mels:
        raise DataError(f"{manifest.path}: no row has features, the path of its mel", "prepare the clips again")
    seen = scaler.normalized(np.concatenate(mels, axis=1))
    mean, std = float(seen.mean()), float(seen.std())
    if abs(mean) > 1.5 or not 0.25 < std < 4:
        raise DataError(
            f"{path}: a scaler of another run: it brings the mels to mean {mean:.2f} and deviation {std:.2f}, where "
            "0 and 1 are expected",
            mend,
        )


def check_same(ours: Prepared, theirs: Prepared, path: Path) -> None:
    """Refuse validation clips that were made in another way.

    Raises:
        DataError: mel definition, rate or size differ.
    """
    names = ("mel", "frame_rate", "subframes", "size", "crop")
    differing = [name for name in names if getattr(ours, name) != getattr(theirs, name)]
    if differing:
        raise DataError(
            f"{path}: its clips differ from those of training in {', '.join(differing)}",
            "prepare both with the same flags",
        )


def built(options: Model, prepared: Prepared) -> MelGenerator:
    """The network that the options describe.

    Raises:
        ConfigError: convolutions with group norm whose channels cannot be grouped.
    """
    if options.encoder == "small" and options.norm == "group" and any(width % 4 for width in options.channels):
        raise ConfigError("model.channels: expected multiples of 4 with norm group", "change them", ["model.channels"])
    return MelGenerator(options, prepared.mel.n_mels, prepared.subframes)


def begin_with(model: MelGenerator, path: Path) -> None:
    """Fill the encoder's trunk with timm's weights.

    Raises:
        ModelError: no such weights, or of another network.
    """
    if path.suffix == ".safetensors":
        found = weights.load(path)
    else:
        content = checkpoints.read(path)
        found = content.get("state_dict", content) if isinstance(content, dict) else {}
    trunk = model.encoder.trunk
    if not isinstance(trunk, EfficientNetV2):
        raise ModelError(f"{path}: weights of timm are for --encoder efficientnetv2_b2 and its like", "choose one")
    try:
        trunk.load_state_dict(trunk_weights(found, trunk.conv_stem.in_channels))
    except RuntimeError as error:
        raise ModelError(f"{path}: does not fit {model.options.encoder}\n  {error}", "take tf_efficientnetv2") from None


def save(
    folder: Path, options: Model, prepared: Prepared, scaler: Scaler, model: MelGenerator, history: Mapping[str, Any]
) -> None:
    """Write the model folder."""
    store.save(
        folder,
        system="articulation",
        stage="train",
        config=to_dict(Saved(options, prepared, scaler)),
        weights=model.state_dict(),
        history=history,
    )
