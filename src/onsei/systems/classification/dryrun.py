"""The dry run: the network is built, and one real step on noise tells memory and time before a long training."""

from __future__ import annotations

import torch

from onsei.errors import RunError
from onsei.systems.classification.config import Train
from onsei.systems.classification.data import Batch, FrontEnd
from onsei.systems.classification.network import planned
from onsei.systems.classification.training import Classifying
from onsei.training import memory
from onsei.training.learner import Clock
from onsei.training.onestep import one_step
from onsei.training.peak import readable, resident_bytes
from onsei.training.processes import Processes

CLASSES = 10
"""Classes of a dry run whose options name none."""


def dry_run(options: Train) -> dict[str, float]:
    """Build the network, without weights where they are not here, and learn from one batch of noise.

    Prints and returns parameters, bytes and seconds; writes nothing.

    Raises:
        OnseiError: options that do not fit each other; the step does not fit into memory.
    """
    training = options.training
    if training.threads:
        torch.set_num_threads(training.threads)
    processes = Processes(training.device, training.precision, "")
    base = resident_bytes()
    torch.manual_seed(training.seed)
    plan = planned(options, weights=False)
    labels = options.labels or tuple(map(str, range(CLASSES)))
    network = plan.build(len(labels)).to(processes.device).train()
    learner = Classifying(network, labels, plan.options)
    batch = noise(plan.options, len(labels)).to(processes.device)
    total = sum(p.numel() for p in network.parameters())
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    title = options.encoder.pretrained or "own network"
    print(f"{title}: {total / 1e6:.2f} M parameters, {trained / 1e6:.2f} M of them trained")
    shown = f"batch: {batch.size} sounds of {plan.options.features.seconds:g} s, {training.precision}"
    print(f"{shown}, on {processes.device}, {torch.get_num_threads()} threads")
    print(memory.estimate(learner, batch, Clock(0, 0, 0), processes))
    try:
        seconds, peak = one_step(learner, batch, processes, base)
    except torch.OutOfMemoryError:
        raise RunError(
            f"one step of {batch.size} sounds does not fit into the memory of {processes.device}",
            "lower --batch-size or --seconds, or set --gradient-checkpointing, --precision bf16",
        ) from None
    found = {"parameters": total, "trained": trained, "step_seconds": seconds, "peak_bytes": peak}
    print(f"one step: {seconds:.2f} s, peak memory {readable(int(found['peak_bytes']))}")
    return found


def noise(options: Train, classes: int) -> Batch:
    """A batch of noise as training would hear it."""
    front, size = FrontEnd(options.features), options.data.batch_size
    owners = torch.arange(size).repeat_interleave(2 if options.agreement else 1)
    draw = torch.Generator().manual_seed(options.training.seed)
    return Batch(
        ids=tuple(map(str, range(size))),
        features=torch.randn(len(owners), front.bins, front.piece, generator=draw),
        lengths=torch.full((len(owners),), front.piece),
        owners=owners,
        labels=torch.arange(size) % classes,
    )
