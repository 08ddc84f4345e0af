"""Shapes of the generators, and the rules by which their kernels must fit the mel's hop. No torch here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from math import log, prod
from typing import Literal

from onsei.config import NonNegativeInt, PositiveInt, options
from onsei.errors import ConfigError

_PATTERN = (8, 8, 2, 2)
"""Rates of HiFi-GAN V1 at hop 256: how the work is shared out among the stages."""
_PATTERNS = {2: (16, 16), 3: (8, 8, 4), 4: _PATTERN, 5: (8, 4, 2, 2, 2)}


@options
class GeneratorShape:
    """Shape of HiFi-GAN's generator, by the names of its published configurations. The default is V1."""

    resblock: Literal["1", "2"] = "1"
    """Residual blocks: 1 (two convolutions a step) or 2 (one)."""
    upsample_rates: tuple[PositiveInt, ...] = ()
    """Upsampling of each stage; their product is the mel's hop. Empty: found from the hop."""
    upsample_kernel_sizes: tuple[PositiveInt, ...] = ()
    """Kernel of each stage, larger than its rate by an even number. Empty: twice the rate, one more if that is odd."""
    upsample_initial_channel: PositiveInt = 512
    """Channels before the first stage; each stage halves them."""
    resblock_kernel_sizes: tuple[PositiveInt, ...] = (3, 7, 11)
    """Kernels of the residual blocks that run side by side, odd numbers."""
    resblock_dilation_sizes: tuple[tuple[PositiveInt, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    """Dilations of each of them."""

    def fitted(self, hop: int) -> GeneratorShape:
        """This shape with rates and kernels filled in for ``hop`` samples a frame, and checked.

        Raises:
            ConfigError: they do not fit; all faults, each with its mend.
        """
        rates = self.upsample_rates or automatic_rates(hop, 3 if self.resblock == "2" else 4)
        kernels = self.upsample_kernel_sizes or tuple(kernel_for(rate) for rate in rates)
        shape = replace(self, upsample_rates=rates, upsample_kernel_sizes=kernels)
        faults = list(_faults(shape, hop))
        if faults:
            raise ConfigError("generator: " + "\n  ".join(faults), "mend these, or leave rates and kernels empty")
        return shape


V1 = GeneratorShape()
V2 = GeneratorShape(upsample_initial_channel=128)
V3 = GeneratorShape(
    resblock="2",
    upsample_initial_channel=256,
    resblock_kernel_sizes=(3, 5, 7),
    resblock_dilation_sizes=((1, 2), (2, 6), (3, 12)),
)
PRESETS: Mapping[str, GeneratorShape] = {"v1": V1, "v2": V2, "v3": V3}
"""The published generators, for any hop."""


@options
class HeadShape:
    """Shape of the fast head: ConvNeXt blocks over frames and an inverse Fourier transform."""

    upsample: PositiveInt | None = None
    """Transforms to each mel frame; null: so many that they are no more than 10 ms apart."""
    channels: PositiveInt = 384
    """Channels of the blocks at the mel's frame rate."""
    layers: PositiveInt = 6
    """Blocks at the mel's frame rate."""
    fine_channels: PositiveInt = 256
    """Channels of the blocks at the rate of the transforms."""
    fine_layers: PositiveInt = 2
    """Blocks at the rate of the transforms, after the upsampling."""
    kernel: PositiveInt = 7
    """Frames that each block's depthwise convolution spans, an odd number."""
    expansion: PositiveInt = 3
    """Inner width of a block, in channels a channel."""
    overlap: PositiveInt = 4
    """Hops to a window of the transform."""
    rounds: NonNegativeInt = 0
    """Rounds that draw the sound to the mel within the network, each a transform and its inverse: the sound is nearer
    to the mel then, and takes longer."""

    def factor(self, hop: int, sample_rate: int) -> int:
        """Transforms to each mel frame of ``hop`` samples at ``sample_rate`` Hz.

        Raises:
            ConfigError: the hop does not divide by ``upsample``, or the kernel is even.
        """
        if self.kernel % 2 == 0:
            raise ConfigError(f"head: kernel: expected an odd number, found {self.kernel}", f"take {self.kernel + 1}")
        if self.upsample is not None:
            if hop % self.upsample:
                raise ConfigError(
                    f"head: upsample: expected a divisor of the mel's hop ({hop}), found {self.upsample}",
                    f"take {_nearest(self.upsample, divisors(hop))}",
                )
            return self.upsample
        least = hop / sample_rate / _LONGEST_HOP
        return next(factor for factor in divisors(hop) if factor >= least or factor == hop)


_LONGEST_HOP = 0.0125
"""Seconds from transform to transform above which the phase is hard to predict."""


def kernel_for(rate: int) -> int:
    """The kernel of a stage that upsamples by ``rate``: twice as long, and longer than it by an even number."""
    return 2 * rate + rate % 2


def check_segment(segment: int, hop: int) -> None:
    """Raise ConfigError unless ``segment`` samples are whole frames of ``hop`` samples."""
    if segment <= 0 or segment % hop:
        nearest = max(1, round(segment / hop)) * hop
        raise ConfigError(
            f"segment_size: expected a multiple of the mel's hop ({hop} samples), found {segment}",
            f"take {nearest} ({nearest // hop} frames)",
        )


def automatic_rates(hop: int, stages: int = 4) -> tuple[int, ...]:
    """Rates whose product is ``hop``, largest first, shared out as in the published configurations.

    Raises:
        ConfigError: a hop of 1 sample, which has nothing to upsample.
    """
    if hop < 2:
        raise ConfigError(f"hop_length: expected 2 samples or more for a generator, found {hop}", "raise it")
    pattern = _PATTERNS.get(stages, _PATTERN)
    scale = log(hop / prod(pattern)) / len(pattern)
    wanted = [log(rate) + scale for rate in pattern]

    def distance(rates: tuple[int, ...]) -> float:
        return sum((log(rate) - want) ** 2 for rate, want in zip(rates, wanted, strict=True))

    best = min(_products(hop, len(pattern), hop), key=distance)
    return tuple(rate for rate in best if rate > 1)


@cache
def _products(number: int, count: int, largest: int) -> tuple[tuple[int, ...], ...]:
    """All ways to write ``number`` as ``count`` factors of at most ``largest``, largest first."""
    if count == 1:
        return ((number,),) if number <= largest else ()
    return tuple(
        (factor, *rest)
        for factor in divisors(number)
        if factor <= largest
        for rest in _products(number // factor, count - 1, factor)
    )


@cache
def divisors(number: int) -> tuple[int, ...]:
    """All divisors, smallest first."""
    small = [n for n in range(1, int(number**0.5) + 1) if number % n == 0]
    return tuple(sorted({*small, *(number // n for n in small)}))


def _nearest(wanted: int, among: Sequence[int]) -> int:
    return min(among, key=lambda n: abs(n - wanted))


def _faults(shape: GeneratorShape, hop: int) -> Iterator[str]:
    rates, kernels = shape.upsample_rates, shape.upsample_kernel_sizes
    if prod(rates) != hop:
        fit = list(automatic_rates(hop, max(3, min(5, len(rates)))))
        product = " x ".join(map(str, rates))
        yield (
            f"upsample_rates: expected a product of {hop}, the mel's hop; found {product} = {prod(rates)}; "
            f"{fit} would do"
        )
    if len(kernels) != len(rates):
        fit = [kernel_for(rate) for rate in rates]
        yield f"upsample_kernel_sizes: expected {len(rates)}, one for each rate, found {len(kernels)}; {fit} would do"
    for place, (rate, kernel) in enumerate(zip(rates, kernels, strict=False)):
        if kernel < rate or (kernel - rate) % 2:
            why = "leaves samples out" if kernel < rate else "gives a sample too many"
            yield (
                f"upsample_kernel_sizes[{place}]: {kernel} with rate {rate} {why}: kernel - rate must be even and not "
                f"below 0; {kernel_for(rate)} would do"
            )
    if shape.upsample_initial_channel % 2 ** len(rates):
        step = 2 ** len(rates)
        fit_to = max(1, round(shape.upsample_initial_channel / step)) * step
        yield (
            f"upsample_initial_channel: expected a multiple of {step}, as {len(rates)} stages halve it; "
            f"found {shape.upsample_initial_channel}; {fit_to} would do"
        )
    even = [kernel for kernel in shape.resblock_kernel_sizes if kernel % 2 == 0]
    if even or not shape.resblock_kernel_sizes:
        yield f"resblock_kernel_sizes: expected odd numbers, found {list(shape.resblock_kernel_sizes)}"
    if len(shape.resblock_dilation_sizes) != len(shape.resblock_kernel_sizes):
        yield (
            f"resblock_dilation_sizes: expected {len(shape.resblock_kernel_sizes)} lists, one for each kernel; "
            f"found {len(shape.resblock_dilation_sizes)}"
        )
    if any(not steps for steps in shape.resblock_dilation_sizes):
        yield "resblock_dilation_sizes: an empty list; give each residual block a dilation, such as 1"
