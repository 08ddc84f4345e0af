"""The verb `ground`: encoded pairs become a semantic core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from onsei.config import to_dict
from onsei.data.memory import Memory
from onsei.errors import ConfigError, DataError
from onsei.hub import store
from onsei.hub.about import About, base
from onsei.systems.translation.config.ground import Ground, UnitAugment
from onsei.systems.translation.ground.data import Preparation, source
from onsei.systems.translation.ground.learner import Grounding
from onsei.systems.translation.ground.model import SemanticCore
from onsei.systems.translation.ground.params import read_params, with_params
from onsei.systems.translation.ground.rows import Encoded, check_fit, open_encoded, part_off, shared
from onsei.systems.translation.images import Seeing, built
from onsei.training.engine import Engine, Summary
from onsei.training.resume import choose_start

STAGE = "ground"
_FEW_SPEAKERS = 2
_MEAN_OF = 2000
"""Pairs that the means are taken over."""


@dataclass(frozen=True)
class Material:
    """Encoded pairs to learn from and to choose by."""

    train: Encoded
    val: Encoded
    count: int
    """Number of units."""


def ground(options: Ground) -> Summary | None:
    """Train a semantic core; the best weights become the model folder ``options.output_dir``. None of a search alone.

    Raises:
        OnseiError: a fault in options, manifests or run folder; found before training starts.
    """
    if options.params_path is not None:
        options = with_params(options, read_params(options.params_path), str(options.params_path))
    if options.output_dir is None:
        raise ConfigError("output_dir: required, but not given", "--output-dir DIR", ["output_dir"])
    if not options.training.continue_from and not options.study.only:
        choose_start("", options.output_dir)
    material = gathered(options)
    if options.study.trials:
        from onsei.systems.translation.ground.study import searched

        options = searched(options)
        if options.study.only:
            return None
    return fit(options, material)


def gathered(options: Ground, *, quiet: bool = False) -> Material:
    """The pairs that ``options`` name, checked; the same at every call.

    Raises:
        DataError, ConfigError: there are none, or they do not fit together.
    """
    if options.train_manifest is None or options.output_dir is None:
        raise ConfigError("train_manifest: required, but not given", "--train-manifest FILE", ["train_manifest"])
    train = open_encoded(options.train_manifest, image_dir=options.image_dir, aside=options.output_dir)
    if train.lacking.get("image", 0) == len(train.manifest):
        raise DataError(f"{train.manifest.path}: no row has an image", "give rows the key `image`")
    if options.val_manifest is not None:
        val = open_encoded(options.val_manifest, image_dir=options.image_dir, aside=options.output_dir)
        check_fit(val, max(train.count, val.count if not val.stated else 0), "the training manifest")
    else:
        by = None if train.lacking.get("image") else "image"
        train, val = part_off(train, options.val_share, options.output_dir, by=by, seed=options.training.seed)
    both = shared(train.manifest, val.manifest, "image")
    if both:
        raise DataError(
            f"{val.manifest.path}: {len(both)} pictures are in the training pairs too, such as {both[0]}",
            "split by picture: `onsei data split --by image`, or leave out --val-manifest",
        )
    count = options.num_clusters or max(train.count, val.count)
    check_fit(train, count, "--num-clusters")
    if not quiet:
        _tell(train, val, count)
    return Material(train, val, count)


def fit(options: Ground, material: Material, learner: Grounding | None = None, *, keep: bool = True) -> Summary:
    """Train with the engine; ``learner`` in place of the one that ``options`` ask for."""
    assert options.output_dir is not None
    engine = Engine(options.training, options.output_dir, resolved=to_dict(options))
    torch.manual_seed(options.training.seed)
    seeing = built(options.image, options.embedding_dim)
    chosen = learner or learner_of(options, material, seeing)

    def finish(folder: Path, history: Mapping[str, Any]) -> None:
        if not chosen.seen and history["quarantined"] >= len(material.train.manifest):
            raise DataError(
                f"{material.train.manifest.path}: none of its pairs could be used, so nothing was learned",
                f"the reasons are in {folder / 'quarantine.jsonl'}",
            )
        if keep:
            core = chosen.modules["core"]
            assert isinstance(core, SemanticCore)
            _center(core, seeing, options, material)
            save(folder, options, core, seeing, material, history)

    return engine.fit(chosen, *sources(options, material, seeing), finish)


def learner_of(options: Ground, material: Material, seeing: Seeing) -> Grounding:
    """A new Learner; its first weights follow from the seed."""
    torch.manual_seed(options.training.seed)
    core = SemanticCore(material.count, options.embedding_dim, options.units, options.contrast, seeing.network)
    return Grounding(core, options, seeing.transform)


def sources(options: Ground, material: Material, seeing: Seeing) -> tuple[Any, Any]:
    """Batches of training and of validation."""
    data, seed = options.data, options.training.seed
    checking = Preparation(
        material.count, seeing.transform, data.max_units, None, options.image_dir, Memory(data.memory * 2**20)
    )
    learning = replace(checking, augment=options.augment, memory=Memory(data.memory * 2**20))
    train = source(
        material.train,
        learning,
        batch_size=data.batch_size,
        workers=data.num_workers,
        seed=seed,
        training=True,
        alike=data.alike,
    )
    val = source(material.val, checking, batch_size=data.gallery, workers=0, seed=seed, training=False)
    return train, val


@torch.inference_mode()
def _center(core: SemanticCore, seeing: Seeing, options: Ground, material: Material) -> None:
    """Remember where clips and pictures lie on the mean: two clouds beside each other (Liang et al. 2022)."""
    core.eval()
    plain = replace(options, augment=UnitAugment(0.0, 0.0), data=replace(options.data, alike=0))
    batches, _ = sources(plain, material, seeing)
    device, count = core.speech_mean.device, 0
    sums = [torch.zeros_like(core.speech_mean), torch.zeros_like(core.image_mean)]
    for batch in batches.batches(0):
        part = batch.to(device)
        if part.size:
            vectors = core(part.units, part.lengths, seeing.transform.normalized(part.pictures))
            sums = [total + side.float().sum(0) for total, side in zip(sums, vectors[:2], strict=True)]
            count += part.size
        if count >= _MEAN_OF:
            break
    batches.close()
    core.speech_mean.copy_(sums[0] / max(count, 1))
    core.image_mean.copy_(sums[1] / max(count, 1))


def save(
    folder: Path, options: Ground, core: SemanticCore, seeing: Seeing, material: Material, history: Mapping[str, Any]
) -> None:
    """Write the model folder."""
    values = to_dict(options)
    known = About(task="feature-extraction")
    if seeing.origin is not None:
        model, license = base(seeing.origin, options.image.pretrained)
        known = replace(known, base_models=(model,) if model else (), base_license=license)
    store.save(
        folder,
        system="translation",
        stage=STAGE,
        config={
            **{name: values[name] for name in ("units", "image", "contrast", "embedding_dim")},
            "num_clusters": material.count,
            "seeing": seeing.described(),
            "acoustic": dict(material.train.about),
        },
        weights=core.state_dict(),
        history=history,
        about=known,
    )


def _tell(train: Encoded, val: Encoded, count: int) -> None:
    speakers = {row.speaker for row in train.manifest}
    print(
        f"{len(train.manifest)} pairs to learn from, {len(val.manifest)} to choose by, {count} units, "
        f"{train.lengths.mean():.0f} a clip; of the gallery chance finds "
        f"{100 * min(10, len(val.manifest)) / len(val.manifest):.1f} % among 10"
    )
    lacking = {name: number for name, number in train.lacking.items() if name != "text"}
    if lacking:
        told = ", ".join(f"{number} without {name}" for name, number in lacking.items())
        print(f"onsei: {train.manifest.path}: {told}; they are left out")
    if len(speakers) < _FEW_SPEAKERS and None not in speakers:
        print("onsei: all pairs are of one speaker: what is learned may not hold for another one")
