"""``onsei recognition import``: a checkpoint of deepspeech.pytorch becomes a model folder."""

from __future__ import annotations

import torch

from onsei.errors import ConfigError
from onsei.hub import checkpoints, store
from onsei.hub.weights import is_statistic
from onsei.systems.recognition.config import Import, Train
from onsei.systems.recognition.exchange.upstream import Checkpoint, understand
from onsei.systems.recognition.model import DeepSpeech2
from onsei.systems.recognition.training import save
from onsei.text.alphabet import Alphabet


def bring(options: Import) -> None:
    """Write the model folder and say what was found.

    Raises:
        OnseiError: the checkpoint cannot be read safely, is none of deepspeech.pytorch, or the folder is not free.
    """
    folder = options.output_dir
    if (folder / store.MODEL_FILE).exists() and not options.force:
        raise ConfigError(f"{folder}: holds a model already", "give --force to replace it, or name another folder")
    if (folder / "checkpoints").exists():
        raise ConfigError(f"{folder}: holds a training run", "name another --output-dir")
    if (options.checkpoint / "config.json").is_file():
        _adopted(options)
        return
    labels = Alphabet.read(options.labels_path).labels if options.labels_path is not None else None
    found = understand(checkpoints.read(options.checkpoint), options.checkpoint, labels)
    with torch.device("meta"):  # no memory of its own: the weights stay those that are mapped from the file
        model = DeepSpeech2(found.model, found.features.bins, len(found.alphabet.labels))
    model.load_state_dict(found.weights, assign=True)
    resolved = Train(
        train_manifest=folder,
        output_dir=folder,
        features=found.features,
        model=found.model,
        case=found.alphabet.case,
        units=found.alphabet.units,
    )
    save(folder, resolved, model, found.alphabet, found.history)
    print(report(found, options))


def _adopted(options: Import) -> None:
    """Bring in a folder of transformers that was fine-tuned with CTC."""
    from onsei.systems.recognition.adoption import adopt  # transformers takes seconds to import

    alphabet = adopt(options.checkpoint, options.output_dir)
    print(f"{options.checkpoint}: encoder with {len(alphabet.labels)} labels, case {alphabet.case}")
    print(f"wrote {options.output_dir}; next: onsei recognition evaluate {options.output_dir} --test-manifest FILE")


def report(found: Checkpoint, options: Import) -> str:
    """What was found, what was assumed, and what to do next."""
    model, features, past = found.model, found.features, found.history
    reading = "bidirectional" if model.bidirectional else f"look-ahead of {model.lookahead_context} frames"
    count = sum(tensor.numel() for name, tensor in found.weights.items() if not is_statistic(name))
    lines = [
        f"{options.checkpoint}: checkpoint of deepspeech.pytorch, {found.generation}",
        f"  network   {model.rnn_type} {model.hidden_layers} x {model.hidden_size}, {reading}, {count:,} parameters",
        f"  labels    {len(found.alphabet.labels)}, case {found.alphabet.case}",
        f"  sound     {features.sample_rate} Hz, {features.window} window of {1000 * features.window_size:g} ms every "
        f"{1000 * features.window_stride:g} ms",
    ]
    facts = [f"{past['epochs']} epochs"] if "epochs" in past else []
    facts += [f"{name} {value:.6g}" for name, value in past.get("metrics", {}).items() if value is not None]
    facts += [f"best {name} {value:.6g}" for name, value in past["imported"].get("best", {}).items()]
    if facts:
        lines.append(f"  training  {', '.join(facts)}")
    lines += [f"  {remark}" for remark in found.remarks]
    folder = options.output_dir
    lines += [
        f"wrote {folder}; next:",
        f"  onsei recognition transcribe {folder} SOUND",
        f"  onsei recognition evaluate {folder} --test-manifest FILE",
        f"  onsei inspect {folder}",
    ]
    return "\n".join("".join(c if c.isprintable() else repr(c)[1:-1] for c in line) for line in lines)
