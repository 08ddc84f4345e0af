"""``onsei recognition benchmark``: does a batch fit, how much memory does it take, how fast are training steps?

B batch, D feature rows, T frames.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from onsei.errors import ConfigError
from onsei.paths import write_text
from onsei.systems.recognition.config import Benchmark
from onsei.systems.recognition.data import Batch
from onsei.systems.recognition.data.front import FrontEnd
from onsei.systems.recognition.model import DeepSpeech2, frames_of
from onsei.systems.recognition.training import CTCLearner
from onsei.text.alphabet import ENGLISH, Alphabet
from onsei.training.learner import Clock
from onsei.training.memory import estimate
from onsei.training.peak import free_bytes, peak_bytes, readable, resident_bytes
from onsei.training.processes import Processes

_LARGEST = 1024
_MARGIN = {"cuda": 0.97}
"""Share of the free memory that may be used; elsewhere, where too much takes the machine down, 0.8."""


@dataclass(frozen=True)
class Trial:
    """What one batch size took."""

    batch_size: int
    fits: bool
    peak_bytes: int = 0
    """Most memory: on a GPU all that is allocated, elsewhere what the process grew by with network and optimizer."""
    run_seconds: float = 0.0
    """Median over the runs."""
    forward_seconds: float = 0.0
    """Of these, the network and the loss."""
    backward_seconds: float = 0.0
    step_seconds: float = 0.0
    """Clipping and optimizer."""


class Bench:
    """Networks, optimizer and noise for training steps of any batch size."""

    def __init__(self, options: Benchmark) -> None:
        self.options = options
        self.processes = Processes(options.training.device, options.training.precision)
        self.device = self.processes.device
        if options.training.threads:
            torch.set_num_threads(options.training.threads)
        torch.manual_seed(options.training.seed)
        self.base = resident_bytes()
        self.bins, self.labels = _bins(options), _labels(options)
        network = DeepSpeech2(options.model, self.bins, self.labels).to(self.device).train()
        self.learner = CTCLearner(network, Alphabet(), options.optimization)
        self.parameters = sum(p.numel() for p in network.parameters())
        self.frames = FrontEnd(options.features).frames(options.seconds)

    def batch(self, size: int) -> Batch:
        """``size`` utterances of noise with labels, about 12 of them a second."""
        draw = torch.Generator().manual_seed(size)
        count = max(
            1, min(frames_of(self.options.model.time_stride).count(self.frames) // 2, round(12 * self.options.seconds))
        )
        whole = Batch(
            ids=tuple(map(str, range(size))),
            features=torch.randn(size, self.bins, self.frames, generator=draw),
            lengths=torch.full((size,), self.frames),
            labels=torch.randint(1, self.labels, (size * count,), generator=draw),
            label_lengths=torch.full((size,), count),
            needed=torch.full((size,), 2 * count - 1),
            texts=("",) * size,
            seconds=(self.options.seconds,) * size,
        )
        return whole.to(self.device)

    def estimated(self, size: int) -> int:
        """Bytes that a step will need beyond the weights, from a forward pass."""
        return estimate(self.learner, self.batch(size), Clock(0, 0, 0), self.processes).further

    def step(self, batch: Batch) -> tuple[float, float, float]:
        """Learn from ``batch``: seconds of the forward pass, the backward pass, and the optimizer's step."""
        optimizer, scaler = self.learner.optimizers["model"], self.processes.scaler
        optimizer.zero_grad(set_to_none=True)
        marks = [self._now()]

        def update(name: str, loss: Tensor, *, keep: bool = False) -> None:
            with torch.autocast(self.device.type, enabled=False):
                marks.append(self._now())
                scaled: Tensor = loss if scaler is None else scaler.scale(loss)
                scaled.backward()  # type: ignore[no-untyped-call]
                marks.append(self._now())

        with self.processes.autocast():
            self.learner.step(batch, Clock(0, 0, 0), update)
        if scaler is not None:
            scaler.unscale_(optimizer)
        if self.options.training.max_norm:
            torch.nn.utils.clip_grad_norm_(self.learner.modules["model"].parameters(), self.options.training.max_norm)
        if scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)
            scaler.update()
        marks.append(self._now())
        return marks[1] - marks[0], marks[2] - marks[1], marks[3] - marks[2]

    def try_once(self, size: int) -> Trial:
        """One step of a batch of ``size``; that the GPU's memory is too small is an answer and no error."""
        with peak_bytes(self.device, self.base) as peak:
            try:
                self.step(self.batch(size))
            except torch.OutOfMemoryError:
                self.clear()
                return Trial(size, fits=False)
        self.clear()
        return Trial(size, fits=True, peak_bytes=peak())

    def measure(self, size: int) -> Trial:
        """Time ``runs`` runs after ``dry_runs`` others."""
        per_run = -(-self.options.num_samples // size) or 1
        rows = []
        with peak_bytes(self.device, self.base) as peak:
            try:
                batch = self.batch(size)
                for _ in range(self.options.dry_runs + self.options.runs):
                    parts = [self.step(batch) for _ in range(per_run)]
                    rows.append([sum(column) for column in zip(*parts, strict=True)])
            except torch.OutOfMemoryError:
                self.clear()
                return Trial(size, fits=False)
        kept = rows[self.options.dry_runs :]
        medians = [statistics.median(column) for column in zip(*kept, strict=True)]
        return Trial(size, True, peak(), statistics.median(map(sum, kept)), *medians)

    def clear(self) -> None:
        """Let go of gradients and of what the GPU's allocator holds."""
        self.learner.optimizers["model"].zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()


def largest(
    attempt: Callable[[int], Trial], guess: Callable[[int], int], free: int, most: int, tell: Callable[[str], None]
) -> int:
    """The largest batch that fits, 0 where none does: doubled until memory would run out, then narrowed down.

    No size is tried whose need, guessed from smaller ones, is more than ``free``.

    Args:
        attempt: one real step.
        guess: bytes that a size will need, from an estimate; asked for sizes 1 and 2 only.
        free: bytes that may be used.
        most: where to stop.
    """
    one = guess(1)
    slope = max(1, guess(2) - one)
    if one > free:
        return 0
    best, failed = 0, most + 1
    size, first = 1, 0
    while size > best:
        trial = attempt(size)
        tell(f"batch of {size}: {f'fits, {readable(trial.peak_bytes)}' if trial.fits else 'does not fit'}")
        if trial.fits:
            best, first = size, first or trial.peak_bytes
            if size > 1:  # what was measured counts where it is more than what was guessed
                slope = max(slope, -(-(trial.peak_bytes - first) // (size - 1)))
        else:
            failed = size
        allowed = min(1 + (free - one) // slope, failed - 1, most)
        doubled = 2 * best if failed > most else (best + failed) // 2
        size = min(doubled, allowed)
        if failed <= most and failed - best <= max(1, best // 20):
            break
    return best


def benchmark(options: Benchmark) -> int:
    """Print and write what was measured; the status is 1 where the batch does not fit.

    Raises:
        OnseiError: options that make no network.
    """
    bench = Bench(options)
    free = int(_MARGIN.get(bench.device.type, 0.8) * free_bytes(bench.device))
    say = _teller(options.training.silent)
    say(f"{bench.parameters:,} parameters, utterances of {options.seconds:g} s, {readable(free)} may be used")
    size = options.batch_size
    if size is None:
        size = largest(bench.try_once, bench.estimated, free, options.num_samples or _LARGEST, say)
    elif bench.device.type != "cuda":
        one = bench.estimated(1)
        need = one + (size - 1) * (bench.estimated(2) - one)
        if need > free:
            say(f"a batch of {size} would need {readable(need)}")
            size = 0
    bench.clear()
    trial = bench.measure(size) if size else Trial(options.batch_size or 1, fits=False)
    numbers = _numbers(trial, bench, free)
    print(_table(trial, numbers, bench), flush=True)
    if options.json is not None:
        write_text(options.json, json.dumps(numbers, indent=1) + "\n")
    return 0 if trial.fits else 1


def _numbers(trial: Trial, bench: Bench, free: int) -> dict[str, Any]:
    options = bench.options
    heard = trial.batch_size * (-(-options.num_samples // trial.batch_size) or 1)
    rate = heard / trial.run_seconds if trial.run_seconds else 0.0
    return {
        **asdict(trial),
        "free_bytes": free,
        "parameters": bench.parameters,
        "utterance_seconds": options.seconds,
        "utterances_per_second": rate,
        "audio_seconds_per_second": rate * options.seconds,
        "runs": options.runs,
        "device": str(bench.device),
        "precision": options.training.precision,
        "threads": torch.get_num_threads(),
    }


def _table(trial: Trial, numbers: dict[str, Any], bench: Bench) -> str:
    if not trial.fits:
        return f"a batch of {trial.batch_size} does not fit"
    parts = ", ".join(f"{n} {numbers[f'{n}_seconds']:.3g} s" for n in ("forward", "backward", "step"))
    return "\n".join(
        [
            f"batch of {trial.batch_size} fits on {numbers['device']} in {numbers['precision']}",
            f"  memory      {readable(trial.peak_bytes)} at most, {readable(numbers['free_bytes'])} may be used",
            f"  a run       {trial.run_seconds:.3g} s ({parts}), median of {bench.options.runs}",
            f"  throughput  {numbers['utterances_per_second']:.3g} utterances/s, "
            f"{numbers['audio_seconds_per_second']:.4g} s of sound a second",
        ]
    )


def _teller(silent: bool) -> Callable[[str], None]:
    return lambda line: None if silent else print(line, file=sys.stderr, flush=True)


def _bins(options: Benchmark) -> int:
    features = options.features
    if features.kind == "wave":
        raise ConfigError("features.kind wave: the benchmark trains DeepSpeech2 only", "choose another kind")
    if features.kind == "spectrogram":
        return round(features.sample_rate * features.window_size) // 2 + 1
    bins = features.n_mels if features.kind == "mel" else features.bins
    if not bins:
        raise ConfigError("features.bins: needed for precomputed features", "give --bins, the rows of the features")
    return bins


def _labels(options: Benchmark) -> int:
    """Number of labels; the English ones where they would be read off transcripts."""
    if options.units == "bpe":
        return options.vocab_size
    if options.labels_path is not None:
        return len(Alphabet.read(options.labels_path, options.case, options.units).labels)
    return len(options.labels or ENGLISH)
