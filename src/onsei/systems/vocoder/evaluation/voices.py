"""The voices that an evaluation compares: a model, and the checkpoints of its run."""

from __future__ import annotations

from pathlib import Path

from onsei.config import from_dict, read_yaml
from onsei.errors import ModelError
from onsei.hub import store
from onsei.nn.device import pick_device, pick_dtype
from onsei.systems.vocoder.config import Evaluate, Network
from onsei.systems.vocoder.inference import Vocoder
from onsei.systems.vocoder.model import build
from onsei.training import checkpoint as checkpoints
from onsei.training.transfer import model_tensors
from onsei.vocoder.definition import MelDefinition


def voices(options: Evaluate) -> dict[str, Vocoder]:
    """The model by its name, and refined where that is asked for; for a listening page, every checkpoint of its run by
    its step. The model comes first.

    Raises:
        ModelError: neither a model nor a run with checkpoints.
    """
    folder = Path(options.model)
    steps = checkpoints.list_readable(folder) if folder.is_dir() else []
    found: dict[str, Vocoder] = {}
    if not steps or (folder / store.MODEL_FILE).is_file():
        found["model"] = Vocoder.load(options.model, options.device, options.dtype)
        if options.refine:
            found["refined"] = Vocoder.load(options.model, options.device, options.dtype, options.refine)
    if options.page is None and found:
        return found
    kept = steps if options.page is not None else steps[-1:]
    for one in kept:
        found[f"step {one.standing.step}"] = of_checkpoint(folder, one, options.device, options.dtype)
    return found


def of_checkpoint(run: Path, one: checkpoints.Checkpoint, device: str, dtype: str) -> Vocoder:
    """The voice that a run would save at this checkpoint.

    Raises:
        ModelError: the checkpoint is of another network than the run's config.yaml describes.
    """
    values = read_yaml(run / "config.yaml")
    mel = from_dict(MelDefinition, values.get("mel", {}), source=f"{run}/config.yaml")
    network = build(from_dict(Network, values.get("network", {}), source=f"{run}/config.yaml"), mel)
    prefix = "generator."
    weights = {
        name.removeprefix(prefix): tensor
        for name, tensor in model_tensors(one.read_state()).items()
        if name.startswith(prefix)
    }
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(f"{one.path}: {error}", "the run's config.yaml must be that of the checkpoint") from None
    return Vocoder(network, pick_device(device), pick_dtype(dtype))
