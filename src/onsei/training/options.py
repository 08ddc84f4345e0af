"""Options of every training run, whichever system trains: nested as ``training`` in each system's options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from onsei.config import Fraction, Indices, NonNegative, NonNegativeInt, Positive, PositiveInt, flag, options
from onsei.former import Former

Shape = Literal["constant", "anneal", "cosine", "linear", "plateau"]
TrackerName = Literal["tensorboard", "wandb"]
_TORCHRUN = (
    "one machine: `torchrun --nproc-per-node 4 -m onsei SYSTEM train …`, or --device-ids 0,1,2,3 alone; two machines, "
    "on each: `torchrun --nnodes 2 --node-rank 0 --master-addr FIRST --nproc-per-node 4 -m onsei SYSTEM train …`, on "
    "the second with --node-rank 1"
)
_RANKS = "processes are started by torchrun, which tells each its place and address"


@options
class Training:
    """How long, in what precision and with what care to train; what to write down."""

    FORMER: ClassVar[Mapping[str, Former]] = {
        "--cuda": Former({"": "--device cuda"}, switch=True),
        "--opt-level": Former(
            {"O0": "--precision fp32", "O1": "--precision fp16", "O2": "--precision fp16"},
            "is --precision here: O0 fp32, O1 and O2 fp16 with weights in 32 bits; O3, weights in 16 bits, does not "
            "train reliably",
            "write --precision fp16, or bf16, which needs no loss scale",
        ),
        "--loss-scale": Former({"*": ""}, "has no effect: under --precision fp16 the scale follows the gradients"),
        "--keep-batchnorm-fp32": Former({"*": ""}, "has no effect: mixed precision keeps batch norm in 32 bits"),
        "--tensorboard": Former({"": "--tracker tensorboard"}, switch=True),
        "--logdir": Former({"*": "--log-dir {value}"}),
        "--visdom": Former({"": ""}, "has no effect: `onsei watch RUN` shows live curves", switch=True),
        "--world-size": Former({"1": ""}, _RANKS, _TORCHRUN),
        "--rank": Former({"0": ""}, _RANKS, _TORCHRUN),
        **{name: Former({}, _RANKS, _TORCHRUN) for name in ("--dist-url", "--dist-backend", "--gpu-rank")},
    }

    epochs: PositiveInt = 10
    """Passes over the training rows."""
    max_steps: NonNegativeInt = 0
    """Stop after this many optimizer steps, counted from the run's start; 0: no limit."""
    accumulate: PositiveInt = 1
    """Batches per process whose gradients make one optimizer step."""
    max_norm: NonNegative = 0.0
    """Clip the gradients of each optimizer to this norm; 0: no clipping."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Number format of the networks' arithmetic. The weights stay in 32 bits. bf16 is fp32 on CPUs without it."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train; auto: the GPU if there is one."""
    device_ids: Indices = ""
    """GPUs to train on, as `0,1,2,3`: one process each, started by this command unless torchrun did. With device cpu:
    as many processes. Empty: the first GPU, or under torchrun one for each of its processes."""
    threads: NonNegativeInt = 0
    """CPU threads of each training process; 0: as torch chooses."""
    seed: NonNegativeInt = 0
    """Every random choice of the run follows from it."""

    schedule: Shape = "constant"
    """Course of the learning rate: constant; anneal: divided once an epoch; cosine or linear: down to the end; plateau:
    lower where the monitored value of validation no longer gets better."""
    warmup_steps: NonNegativeInt = 0
    """Optimizer steps over which the learning rate rises from 0."""
    learning_anneal: Positive = 1.1
    """With anneal: the learning rate is divided by this after each epoch."""
    learning_floor: Fraction = 0.0
    """With cosine or linear: the last learning rate as a part of the first; with plateau: the least one."""
    plateau_factor: Annotated[Fraction, flag("--lr-factor")] = 0.5
    """With plateau: what the learning rate is multiplied with."""
    plateau_patience: Annotated[NonNegativeInt, flag("--lr-patience")] = 5
    """With plateau: validations in a row without a better value that are waited for; one more lowers the rate."""
    stop_at_floor: bool = False
    """With plateau: stop once the learning rate has come down to `learning_floor`."""

    ema_decay: Fraction = 0.0
    """Decay per step of the weights' moving average, which is then validated and saved; 0: no average."""
    max_skipped: PositiveInt = 3
    """Stop after this many steps in a row with losses or gradients that are not finite. Such a step changes nothing."""

    validate_steps: NonNegativeInt = 0
    """Validate after every so many optimizer steps; 0: after every epoch."""
    monitor: str = "val/loss"
    """The validation value that decides which checkpoint is best."""
    mode: Literal["min", "max"] = "min"
    """Whether a smaller or a larger monitored value is better."""
    patience: NonNegativeInt = 0
    """Stop after this many validations in a row without a better value; 0: never."""

    checkpoint_per_batch: NonNegativeInt = 0
    """Also write a checkpoint after every so many batches (counted over all processes); 0: after validations only."""
    checkpoint: bool = False
    """Keep the checkpoint of every epoch."""
    keep: PositiveInt = 2
    """Newest checkpoints kept, beside the best one."""
    continue_from: str = ""
    """A run folder, or one checkpoint folder in it, to go on from; with finetune also a model folder or a Hub
    repository."""
    finetune: bool = False
    """Take only the weights from there: a new run, with a fresh optimizer. Rows of labels are taken by label."""

    id: str = ""
    """Name of the run in trackers; empty: the run folder's name."""
    tracker: tuple[TrackerName, ...] = ()
    """Where to log besides metrics.jsonl."""
    log_dir: str = ""
    """Folder of the TensorBoard files; empty: `tensorboard` in the run folder."""
    log_params: bool = False
    """Also track histograms of weights and gradients, at each validation."""
    log_steps: PositiveInt = 1
    """Write a line of metrics after every so many optimizer steps."""
    silent: bool = False
    """Print warnings and the last line only."""
    profile: bool = False
    """Profile a few early steps into `profile/` in the run folder."""
    estimate_memory: bool = True
    """Before the first step, estimate the memory the run needs and warn where it will not fit."""
