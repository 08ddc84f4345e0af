"""Inference against HiFi-GAN's network written here in plain PyTorch, side by side in one run, on one thread.

    python benchmarks/vocoder_speed.py --json benchmarks/results/vocoder_speed.json

HiFi-GAN V1 with its weight normalization taken out and the same weights in both, which are compared first. The fast
head stands at the same rate, hop and mel. Rounds alternate; times are CPU seconds of this process, which other work on
the machine disturbs least, and a ratio is that of the medians.

In bf16 ours is what a user gets who asks for it: 32 bits where the CPU is not made for bfloat16, and then the bar
cannot be measured. What rounding costs is told in any case: L1 between the log-mels of both sounds, in nepers. With
--model that is taken on a trained generator, else on random weights.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, leaky_relu

import record
from onsei.nn.device import has_bfloat16
from onsei.vocoder.generator import V1, Generator, GeneratorShape
from onsei.vocoder.istft import Head, HeadShape
from onsei.vocoder.mel import LogMel, MelDefinition
from onsei.vocoder.synthesis import Synthesizer

BARS = {"fp32": 0.98, "bf16": 1.6, "head": 8.0}
TOLERANCE = 1e-5


class Block(nn.Module):
    """Residual block 1 as published."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()

        def conv(dilation: int) -> nn.Module:
            return nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2)

        self.convs1 = nn.ModuleList(conv(d) for d in dilations)
        self.convs2 = nn.ModuleList(conv(1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for first, second in zip(self.convs1, self.convs2, strict=True):
            x = second(leaky_relu(first(leaky_relu(x, 0.1)), 0.1)) + x
        return x


class Published(nn.Module):
    """The generator of HiFi-GAN V1 as published, without weight normalization."""

    def __init__(self, shape: GeneratorShape, bands: int) -> None:
        super().__init__()
        width = shape.upsample_initial_channel
        self.count = len(shape.resblock_kernel_sizes)
        self.conv_pre = nn.Conv1d(bands, width, 7, padding=3)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(shape.upsample_rates, shape.upsample_kernel_sizes, strict=True):
            self.ups.append(nn.ConvTranspose1d(width, width // 2, kernel, rate, padding=(kernel - rate) // 2))
            width //= 2
            for size, steps in zip(shape.resblock_kernel_sizes, shape.resblock_dilation_sizes, strict=True):
                self.resblocks.append(Block(width, size, steps))
        self.conv_post = nn.Conv1d(width, 1, 7, padding=3)

    def forward(self, mel: Tensor) -> Tensor:
        x = self.conv_pre(mel)
        for stage, up in enumerate(self.ups):
            x = up(leaky_relu(x, 0.1))
            blocks = self.resblocks[stage * self.count : (stage + 1) * self.count]
            x = sum(block(x) for block in blocks) / self.count
        return torch.tanh(self.conv_post(leaky_relu(x)))


def loud(network: nn.Module) -> None:
    """Weights at which activations keep their size, so that differences would show."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, (nn.Conv1d, nn.ConvTranspose1d)):
                inputs = module.weight[0].numel() if isinstance(module, nn.Conv1d) else module.weight[:, 0].numel() / 4
                module.weight.normal_(0, inputs**-0.5)


def trained(model: str) -> Generator:
    from onsei.systems.vocoder.inference import Vocoder

    network = Vocoder.load(model, "cpu").network
    if not isinstance(network, Generator):
        raise SystemExit(f"{model}: expected a generator of HiFi-GAN")
    return network


def seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def race(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median CPU seconds of each, taken in turn."""
    for work in contenders.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, work in contenders.items():
            repeats = 3 if name == "head" else 1
            times[name].append(min(seconds(work) for _ in range(repeats)))
        print(f"round {number + 1} of {rounds}", flush=True)
    return {name: statistics.median(values) for name, values in times.items()}


def rounding(network: Generator, mel: Tensor) -> float:
    """L1 between the log-mels of sound in 32 bits and with weights and layers' results rounded to bfloat16, in nepers.

    Sums are in 32 bits, as processors made for bfloat16 keep them.
    """
    rounded, logmel = copy.deepcopy(network), LogMel(network.mel)
    for part in rounded.modules():
        if isinstance(part, (nn.Conv1d, nn.ConvTranspose1d)):
            part.register_forward_hook(lambda _, __, y: y.bfloat16().float())
    with torch.inference_mode():
        for parameter in rounded.parameters():
            parameter.copy_(parameter.bfloat16())
        return float(l1_loss(logmel(rounded(mel.bfloat16().float())), logmel(network(mel))))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=172, help="mel frames that are spoken; 172 are 2 s")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--model", help="a trained generator, to measure what bfloat16 costs")
    parser.add_argument("--json", type=Path, help="file to write the result to")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    mel = MelDefinition()
    ours = Generator(V1, mel, normed=False).eval()
    loud(ours)
    published = Published(ours.shape, mel.n_mels).eval()
    published.load_state_dict(ours.state_dict())
    head = Head(HeadShape(), mel)
    speak, speak_head = Synthesizer(ours), Synthesizer(head)
    given = torch.randn(1, mel.n_mels, options.frames)
    with torch.inference_mode():
        want = published(given)[:, 0]
    apart = float((speak(given) - want).abs().max())
    print(f"largest difference {apart:.1e} of samples that spread by {float(want.std()):.2f}")
    measured = has_bfloat16(torch.device("cpu"))
    contenders: dict[str, Callable[[], object]] = {
        "published": torch.inference_mode()(lambda: published(given)),
        "ours": lambda: speak(given),
        "head": lambda: speak_head(given),
    }
    if measured:
        rounded = Synthesizer(copy.deepcopy(ours), dtype=torch.bfloat16)
        contenders["bf16"] = lambda: rounded(given)
    times = race(contenders, options.rounds)
    ratios = {"fp32": times["published"] / times["ours"], "head": times["published"] / times["head"]}
    if measured:
        ratios["bf16"] = times["published"] / times["bf16"]
    spoken = options.frames * mel.hop / mel.sample_rate
    network = ours if options.model is None else trained(options.model)
    cost = rounding(network, given if options.model is None else spectrum(network))
    for name, bar in BARS.items():
        told = f"{ratios[name]:.2f}" if name in ratios else "not measured: this CPU is not made for bfloat16"
        print(f"{name:6} bar {bar}: {told}")
    print(f"bfloat16 costs {cost:.4f} nepers of mel L1")
    met = apart <= TOLERANCE and all(ratios[name] >= bar for name, bar in BARS.items() if name in ratios)
    results = {
        "ratios": {name: round(value, 3) for name, value in ratios.items()}, "bars": BARS, "passed": met,
        "not_measured": [name for name in BARS if name not in ratios], "largest_difference": apart,
        "times_real_time": {name: round(spoken / value, 2) for name, value in times.items()},
        "parameters": {"V1": count(ours), "head": count(head)}, "bf16_mel_l1": round(cost, 4),
        "bf16_network": options.model or "random weights", "threads": 1,
    }  # fmt: skip
    record.write(options.json, results)
    return 0 if met else 1


def spectrum(network: Generator) -> Tensor:
    """A mel of something like a voice: harmonics that glide, under a little noise."""
    mel = network.mel
    clock = torch.arange(2 * mel.sample_rate) / mel.sample_rate
    phase = 2 * torch.pi * (110 * clock + 20 * clock.square())
    voice = sum(torch.sin(n * phase) / n for n in range(1, 20))
    sound = 0.1 * torch.as_tensor(voice) + 0.002 * torch.randn(len(clock))
    return LogMel(mel)(sound[None])


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


if __name__ == "__main__":
    sys.exit(main())
