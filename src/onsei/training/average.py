"""``onsei average``: the mean of a run's checkpoints as a model, which often generalizes better than each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onsei.config import NonNegativeInt, Positional, options, read_yaml
from onsei.errors import ConfigError, ModelError, RunError

if TYPE_CHECKING:
    from torch import Tensor

    from onsei.training.checkpoint import Checkpoint


@options
class Average:
    """Average the weights of a finished run's checkpoints into a model of its own."""

    run: Positional[Path]
    """Folder of a finished run."""
    output_dir: Path
    """Folder of the new model; must not hold one."""
    last: NonNegativeInt = 0
    """Average this many of the newest checkpoints."""
    best: NonNegativeInt = 0
    """Average this many of those with the best validation."""


def average(options: Average) -> None:
    """Write the model and say what went into it.

    Raises:
        ConfigError: not one of ``--last`` and ``--best`` is given.
        RunError: the run has not finished, or kept too few checkpoints; the output folder holds something.
        ModelError: a checkpoint is damaged.
    """
    from onsei.hub import store
    from onsei.hub.about import About

    if bool(options.last) == bool(options.best):
        raise ConfigError("average: give either --last N or --best N", "--best 5 takes the five best validations")
    target = options.output_dir
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise RunError(f"{target}: is there already, and not empty", "choose another --output-dir")
    if not options.run.is_dir():
        raise RunError(f"{options.run}: no such run folder", "name the --output-dir of a training")
    model = store.open(options.run)
    chosen = _chosen(options)
    shapes = {name: tensor.shape for name, tensor in model.weights().items()}
    tensors = _mean(chosen, shapes, model.path)
    steps = [checkpoint.standing.step for checkpoint in chosen]
    history = {key: value for key, value in model.history.items() if key not in ("metrics", "best_step")}
    files = [path for path in sorted(model.path.rglob("*")) if path.is_file() and _is_of_model(path, model.path)]
    store.save(
        target,
        system=model.system,
        stage=model.stage,
        config=model.config,
        weights=tensors,
        labels=model.labels,
        history={**history, "metrics": {}, "averaged": {"run": str(options.run), "steps": steps}},
        about=About.of(model.about),
        files={path.relative_to(model.path).as_posix(): path.read_bytes() for path in files},
    )
    print(f"{target}: the mean of {len(steps)} checkpoints, steps {', '.join(map(str, steps))}")
    print(f"not measured yet: onsei {model.system} evaluate {target} …")


def _chosen(options: Average) -> list[Checkpoint]:
    """The checkpoints to average, by step."""
    from onsei.training import checkpoint as checkpoints

    found, wanted = checkpoints.list_readable(options.run), options.last or options.best
    if options.best:
        found = [c for c in found if c.standing.score is not None]
        sign = -1.0 if _mode(options.run) == "max" else 1.0
        found = sorted(found, key=lambda c: (sign * (c.standing.score or 0.0), c.standing.step))[:wanted]
        found.sort(key=lambda c: c.standing.step)
    if len(found) < wanted:
        kind = "validated checkpoints" if options.best else "checkpoints"
        raise RunError(
            f"{options.run}: keeps {len(found)} {kind}, {wanted} are to be averaged",
            f"train with --keep {wanted}, or with --checkpoint, which keeps every epoch; or average fewer",
        )
    return found[-wanted:]


def _mode(run: Path) -> str:
    training: Any = read_yaml(run / "config.yaml").get("training", {})
    return str(training.get("mode", "min")) if isinstance(training, Mapping) else "min"


def _mean(chosen: Sequence[Checkpoint], shapes: Mapping[str, Any], model: Path) -> dict[str, Tensor]:
    """Means of the tensors that the model has, running statistics too; whole numbers as in the newest checkpoint."""
    import torch

    from onsei.training.transfer import model_tensors, named_as

    sums: dict[str, Tensor] = {}
    kinds: dict[str, torch.dtype] = {}
    for checkpoint in chosen:
        tensors = named_as(model_tensors(checkpoint.read_state()), shapes)
        wrong = [name for name, shape in shapes.items() if name not in tensors or tensors[name].shape != shape]
        if wrong:
            raise ModelError(
                f"{checkpoint.path}: does not hold the model's {wrong[0]} ({len(wrong)} of {len(shapes)} tensors)",
                f"{model} and its checkpoints must come from one training",
            )
        for name in shapes:
            tensor = tensors[name]
            kinds[name] = tensor.dtype
            if not tensor.is_floating_point():
                sums[name] = tensor
            elif name in sums:
                sums[name] += tensor.double()
            else:
                sums[name] = tensor.double()
    count = len(chosen)
    return {n: (t / count).to(kinds[n]) if kinds[n].is_floating_point else t for n, t in sums.items()}


def _is_of_model(path: Path, folder: Path) -> bool:
    """Whether a file in the run's folder belongs to the model and not to the run: for other tools, pieces of words, or
    a model that this one hears through."""
    from onsei.hub import store

    parts = path.relative_to(folder).parts
    own = (store.MODEL_FILE, store.WEIGHTS_FILE, store.CARD_FILE, *store.RUN_FILES)
    hidden = any(part.startswith(".") for part in parts)
    return parts[0] not in own and not hidden and not parts[-1].endswith((".jsonl", ".yaml", ".db"))
