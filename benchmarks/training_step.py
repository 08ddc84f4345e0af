"""How long a training step takes against the packed network of deepspeech.pytorch, written here in plain PyTorch.

    python benchmarks/training_step.py --json benchmarks/results/training_step.json

Forward pass, CTC loss, backward pass, clipping and SGD step of five bidirectional layers of 800 units over a ragged
batch. Both networks have the same weights and count padding in their norms, so that their outputs and gradients are the
same; they are compared before anything is timed. Steps alternate. Times are CPU seconds of this process with one
thread, which other work on the machine disturbs least; `--threads 2` takes wall time.

In bf16 each network computes as its user gets it by asking for bf16, and the bar is between these two. For the packed
one that is torch's autocast. For ours it is what the training engine does: autocast where the CPU is made for bfloat16,
32 bits where it is not. There the packed network in bf16 is some ten times slower than in fp32, so that little is
learned from the ratio; it is taken with a shorter batch, and ours to the packed one in fp32 is told beside it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import ctc_loss, log_softmax
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import record
from onsei.nn.device import has_bfloat16
from onsei.systems.recognition.config import Model
from onsei.systems.recognition.model import DeepSpeech2
from onsei.training.processes import Processes

BARS = {"fp32": 1.5, "bf16": 2.0}
TOLERANCE = {"outputs": 1e-5, "gradients": 1e-4}
"""Relative to the largest of the tensor; a gradient passes through all frames of five layers and norms."""
KINDS: dict[str, type[nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU}
HIDDEN, LAYERS, LABELS, BINS = 800, 5, 29, 161


class Masked(nn.Module):
    """Convolutions after each of whose layers padding is cleared."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.seq_module = layers

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        lengths = (lengths - 1) // 2 + 1
        padding = torch.arange((x.size(-1) - 1) // 2 + 1) >= lengths[:, None]
        for layer in self.seq_module:
            x = layer(x).masked_fill(padding[:, None, None], 0)
        return x, lengths


class FrameWise(nn.Module):
    """A module over all frames of a padded batch, (T, B, H), padding included."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.module(x.flatten(0, 1))
        return y.view(*x.shape[:2], -1)


class Recurrent(nn.Module):
    """Norm, then torch's packed bidirectional recurrence, directions summed."""

    def __init__(self, inputs: int, kind: type[nn.RNNBase], norm: bool) -> None:
        super().__init__()
        self.batch_norm = FrameWise(nn.BatchNorm1d(inputs)) if norm else None
        self.rnn = kind(inputs, HIDDEN, bidirectional=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if self.batch_norm is not None:
            x = self.batch_norm(x)
        y = pad_packed_sequence(self.rnn(pack_padded_sequence(x, lengths))[0])[0]
        return y.view(*y.shape[:2], 2, -1).sum(2)


class Packed(nn.Module):
    """DeepSpeech2 as deepspeech.pytorch computes it, with its names of parameters; items from long to short."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.conv = Masked(
            nn.Sequential(
                nn.Conv2d(1, 32, (41, 11), stride=(2, 2), padding=(20, 5)),
                nn.BatchNorm2d(32),
                nn.Hardtanh(0, 20, inplace=True),
                nn.Conv2d(32, 32, (21, 11), stride=(2, 1), padding=(10, 5)),
                nn.BatchNorm2d(32),
                nn.Hardtanh(0, 20, inplace=True),
            )
        )
        self.rnns = nn.ModuleList(Recurrent(HIDDEN if n else 1312, kind, norm=n > 0) for n in range(LAYERS))
        self.fc = nn.Sequential(FrameWise(nn.Sequential(nn.BatchNorm1d(HIDDEN), nn.Linear(HIDDEN, LABELS, bias=False))))

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x, lengths = self.conv(features[:, None], lengths)
        x = x.flatten(1, 2).permute(2, 0, 1).contiguous()  # (T, B, H)
        for rnn in self.rnns:
            x = rnn(x, lengths)
        return self.fc(x).transpose(0, 1), lengths


class Batch:
    """Utterances whose lengths spread evenly from a third of the longest to the longest, as 5 to 15 s do."""

    def __init__(self, size: int, longest: int) -> None:
        random = torch.Generator().manual_seed(0)
        self.lengths = torch.linspace(longest, longest / 3, size).long()
        self.features = torch.randn(size, BINS, longest, generator=random)
        for row, length in enumerate(self.lengths.tolist()):
            self.features[row, :, length:] = 0
        self.label_lengths = self.lengths // 7  # about 14 characters a second
        self.labels = torch.randint(1, LABELS, (size, int(self.label_lengths.max())), generator=random)

    def loss(self, network: nn.Module) -> tuple[Tensor, Tensor]:
        logits, lengths = network(self.features, self.lengths)
        scores = log_softmax(logits.float(), -1).transpose(0, 1)
        loss = ctc_loss(scores, self.labels, lengths, self.label_lengths, reduction="sum", zero_infinity=True)
        return loss / len(self.lengths), logits


class Trained:
    """A network with its optimizer, in a precision."""

    def __init__(self, network: nn.Module, autocast: Callable[[], Any]) -> None:
        self.network, self.autocast = network, autocast
        self.optimizer = torch.optim.SGD(network.parameters(), lr=3e-4, momentum=0.9, nesterov=True, weight_decay=1e-5)

    def step(self, batch: Batch) -> None:
        self.optimizer.zero_grad()
        with self.autocast():
            loss, _ = batch.loss(self.network)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 400)
        self.optimizer.step()

    def outcome(self, batch: Batch) -> dict[str, list[Tensor]]:
        """Output and gradients of one pass; weights stay as they are."""
        self.optimizer.zero_grad()
        with self.autocast():
            loss, logits = batch.loss(self.network)
        loss.backward()
        sound = torch.arange(logits.size(1)) < ((batch.lengths - 1) // 2 + 1)[:, None]
        found = {"outputs": [logits.detach()[sound].float()]}
        found["gradients"] = [p.grad.clone() for p in self.network.parameters() if p.grad is not None]
        return found


def networks(kind: str, precision: str) -> dict[str, Trained]:
    """Ours and the packed one in a precision, with the same weights."""
    torch.manual_seed(0)
    packed = Packed(KINDS[kind])
    ours = DeepSpeech2(Model(rnn_type=kind, count_padding=True), BINS, LABELS)  # type: ignore[arg-type]
    ours.load_state_dict(packed.state_dict())
    processes = Processes("cpu", precision)
    rounded = precision == "bf16"
    return {
        "ours": Trained(ours, processes.autocast),
        "packed": Trained(packed, lambda: torch.autocast("cpu", torch.bfloat16, enabled=rounded)),
    }


def difference(found: list[Tensor], wanted: list[Tensor]) -> float:
    """The largest, relative to the largest number of its tensor; tensors that are nothing but rounding are left out.

    (A convolution's bias before a batch norm has no gradient.)
    """
    largest = max(float(b.abs().max()) for b in wanted)
    pairs = [(a, b) for a, b in zip(found, wanted, strict=True) if float(b.abs().max()) > 1e-6 * largest]
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def race(runners: dict[str, Trained], batch: Batch, rounds: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Seconds of each runner's steps, in turn, after one that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in runners}
    for number in range(rounds + 1):
        for name, runner in runners.items():
            since = clock()
            runner.step(batch)
            if number:
                times[name].append(clock() - since)
    return times


def ratios(times: dict[str, list[float]], name: str) -> dict[str, float]:
    """How many times longer ``name`` takes than ours, round by round."""
    found = [theirs / ours for theirs, ours in zip(times[name], times["ours"], strict=True)]
    return {"median": statistics.median(found), "least": min(found), "most": max(found)}


def measure(kind: str, chosen: argparse.Namespace, clock: Callable[[], float]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    full = networks(kind, "fp32")
    batch = Batch(chosen.batch_size, chosen.frames)
    native = has_bfloat16(torch.device("cpu"))
    rounds, short = (chosen.rounds, batch) if native else (2, Batch(chosen.batch_size, chosen.frames // 5))
    exact = {name: one.outcome(batch) for name, one in full.items()}
    equal = {what: difference(exact["ours"][what], exact["packed"][what]) for what in TOLERANCE}
    times = race(full, batch, chosen.rounds, clock)
    results["fp32"] = {"ratio": ratios(times, "packed"), "differences": equal, "seconds": times}
    del exact
    half = networks(kind, "bf16")
    exact = {name: one.outcome(short) for name, one in {**half, "exact": networks(kind, "fp32")["packed"]}.items()}
    errors = {
        f"{name}_{what}": difference(exact[name][what], exact["exact"][what]) for name in half for what in TOLERANCE
    }
    times = race({**half, **({"packed_fp32": full["packed"]} if native else {})}, short, rounds, clock)
    results["bf16"] = {
        "ratio": ratios(times, "packed"),
        "ratio_to_packed_fp32": ratios(times, "packed_fp32") if native else results["fp32"]["ratio"],
        "frames": int(short.lengths.max()),
        "differences_from_fp32": errors,
        "seconds": times,
    }
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=200, help="of the longest utterance, 10 ms each")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=tuple(KINDS))
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    clock = time.process_time if chosen.threads == 1 else time.perf_counter
    results: dict[str, Any] = {"threads": chosen.threads, "frames": chosen.frames, "batch_size": chosen.batch_size}
    results["cpu_has_bf16"] = has_bfloat16(torch.device("cpu"))
    held = {}
    for kind in [chosen.only] if chosen.only else KINDS:
        found = results[kind] = measure(kind, chosen, clock)
        for precision, bar in BARS.items():
            ratio = found[precision]["ratio"]
            held[f"{kind}_{precision}"] = ratio["median"] >= bar
            print(f"{kind} {precision}: {ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f}), bar {bar}")
        for what, limit in TOLERANCE.items():
            held[f"{kind}_{what}"] = found["fp32"]["differences"][what] <= limit
        print(
            kind, {k: v for k, v in found["bf16"].items() if k != "seconds"}, found["fp32"]["differences"], flush=True
        )
    print("bars:", ", ".join(f"{name} {'held' if ok else 'MISSED'}" for name, ok in held.items()))
    record.write(chosen.json, {**results, "bars": {**BARS, **TOLERANCE}, "held": held})
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
