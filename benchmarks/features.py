"""Features alone against librosa, side by side in one warm process on one thread.

    python benchmarks/features.py --data ../shared/data/arctic_en --json benchmarks/results/features.json

Clips are read into memory first. Each round times every contender once over all clips, in turn, so that a busy machine
slows all alike; the ratio is that of the medians over the rounds. It is taken against the faster of librosa's own call
and librosa's STFT with the mel filters kept between clips (its own call computes them each time). ``torch.stft`` is
our feature with that in place of our framing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import librosa
import numpy as np
import torch

from onsei.audio import io
from onsei.audio.features import LogSpectrogram, MelSpectrogram, mel_filters, window

BAR = 1.4
RATE = 16000
Clip = np.ndarray
Contender = Callable[[Clip], object]


def contenders() -> dict[str, dict[str, Contender]]:
    mel, log = MelSpectrogram(RATE, 400, 160, 80), LogSpectrogram(RATE)
    kept = librosa.filters.mel(sr=RATE, n_fft=400, n_mels=80)
    filters, hann = mel_filters(RATE, 400, 80), window("hann", 400)
    hamming = window("hamming", 320)

    def torch_mel(clip: Clip) -> object:
        spectrum = torch.stft(torch.from_numpy(clip), 400, 160, window=hann, return_complex=True)
        return filters @ (spectrum.real.square() + spectrum.imag.square())

    def torch_log(clip: Clip) -> object:
        sound = torch.from_numpy(clip)
        spectrum = torch.stft(sound, 320, 160, window=hamming, pad_mode="constant", return_complex=True)
        logs = (spectrum.real.square() + spectrum.imag.square()).sqrt().log1p()
        centered = logs - logs.mean()
        return centered / (centered.square().sum() / (centered.numel() - 1)).sqrt()

    def librosa_mel(clip: Clip) -> object:
        return librosa.feature.melspectrogram(y=clip, sr=RATE, n_fft=400, hop_length=160, n_mels=80, pad_mode="reflect")

    def librosa_kept(clip: Clip) -> object:
        spectrum = librosa.stft(clip, n_fft=400, hop_length=160, pad_mode="reflect")
        return kept @ (spectrum.real**2 + spectrum.imag**2)

    def librosa_log(clip: Clip) -> object:
        logs = np.log1p(np.abs(librosa.stft(clip, n_fft=320, hop_length=160, window="hamming", pad_mode="constant")))
        return (logs - logs.mean()) / logs.std(ddof=1)

    return {
        "mel 400/160/80": {
            "librosa": librosa_mel,
            "librosa kept": librosa_kept,
            "onsei": lambda clip: mel(torch.from_numpy(clip)),
            "torch.stft": torch_mel,
        },
        "log spectrogram 320/160": {
            "librosa": librosa_log,
            "onsei": lambda clip: log(torch.from_numpy(clip)),
            "torch.stft": torch_log,
        },
    }


def timed(contender: Contender, clips: list[Clip]) -> float:
    start = time.perf_counter()
    for clip in clips:
        contender(clip)
    return time.perf_counter() - start


def measure(clips: list[Clip], rounds: int) -> dict[str, dict[str, float]]:
    """Feature → contender → median seconds over all clips."""
    medians = {}
    with torch.inference_mode():
        for feature, rivals in contenders().items():
            for rival in rivals.values():
                timed(rival, clips[:20])
            times: dict[str, list[float]] = {name: [] for name in rivals}
            for _ in range(rounds):
                for name, rival in rivals.items():
                    times[name].append(timed(rival, clips))
            medians[feature] = {name: statistics.median(values) for name, values in times.items()}
    return medians


def machine() -> dict[str, str | int | None]:
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), cpu)
    versions = {"python": platform.python_version(), "torch": torch.__version__, "librosa": librosa.__version__}
    return {"cpu": cpu, "cores": os.cpu_count(), "threads": torch.get_num_threads(), **versions}


def commit() -> str:
    here = Path(__file__).parent
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/arctic_en"), help="folder with audio/ in it")
    parser.add_argument("--clips", type=int, default=200, help="how many clips, by name")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="file to write the result to")
    options = parser.parse_args()
    torch.set_num_threads(1)
    files = sorted((options.data / "audio").glob("*.ogg"))[: options.clips]
    if not files:
        parser.error(f"{options.data}: no audio/*.ogg; name a folder with --data")
    clips = [io.load(file, RATE)[0] for file in files]
    seconds = sum(len(clip) for clip in clips) / RATE
    medians = measure(clips, options.rounds)
    result: dict[str, object] = {"clips": len(clips), "audio_seconds": round(seconds, 1), "bar": BAR}
    print(f"{len(clips)} clips, {seconds:.0f} s; × real time, one thread\n")
    passed = True
    for feature, times in medians.items():
        ratio = min(value for name, value in times.items() if name.startswith("librosa")) / times["onsei"]
        passed &= ratio >= BAR
        speeds = {name: round(seconds / value) for name, value in times.items()}
        print(f"{feature:26}{'  '.join(f'{name} {speed}' for name, speed in speeds.items())}  ratio {ratio:.2f}")
        result[feature] = {"ratio": round(ratio, 3), "times_real_time": speeds}
    print(f"\nbar: ratio ≥ {BAR}: {'met' if passed else 'MISSED'}")
    if options.json:
        command = shlex.join(["python", *sys.argv])
        result |= {"passed": passed, "machine": machine(), "commit": commit(), "command": command}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
