"""Mels to sound, chunk by chunk: memory does not grow with the length, and the sound is the same as in one piece.

B batch, M mel bands, F frames, T samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import torch
from torch import Tensor

from onsei.nn.device import has_bfloat16
from onsei.vocoder.generator import Generator, check_bands
from onsei.vocoder.istft import Head
from onsei.vocoder.mel import restored
from onsei.vocoder.refinement import Refiner

Voice: TypeAlias = Generator | Head
"""What turns a mel (B, M, F) into sound (B, F · hop)."""

CHUNK = 1024
"""Frames at a time: what a chunk computes beside its own frames is then a fortieth."""


class Synthesizer:
    """A network ready to speak: evaluation mode, plain weights, one device, one number format.

    Args:
        network: is changed in place, for good: its weight normalization is taken out.
        device: where to compute.
        dtype: ``bfloat16`` is taken where the device is made for it; elsewhere 32 bits, which are faster there.
        chunk: frames at a time; 0 takes all at once.
        refine: iterations of Griffin-Lim that draw the sound to its mel afterwards (``Refiner``); all of it at once.
    """

    def __init__(
        self,
        network: Voice,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        chunk: int = CHUNK,
        refine: int = 0,
    ) -> None:
        self.device = torch.device(device)
        self.dtype = torch.float32 if dtype == torch.bfloat16 and not has_bfloat16(self.device) else dtype
        network.eval()
        network.fuse()
        self.network = network.to(self.device, self.dtype)
        self.mel = network.mel
        self.chunk = chunk
        self.refiner = Refiner(self.mel, refine) if refine else None

    def __call__(self, mel: Tensor) -> Tensor:
        """Log-mel (B, M, F) of the network's definition → sound (B, F · hop) as it is heard: de-emphasized, float32,
        on the CPU.

        Raises:
            ConfigError: another number of bands, or no frame.
        """
        check_bands(mel, self.mel)
        sound = torch.cat(list(self._pieces(mel)), dim=-1)
        return restored(sound if self.refiner is None else self.refiner(mel.cpu(), sound), self.mel)

    def stream(self, mel: Tensor) -> Iterator[Tensor]:
        """The same in pieces (B, t), each as soon as it is known."""
        if self.refiner is not None:
            yield self(mel)
            return
        check_bands(mel, self.mel)
        factor = self.mel.preemphasis
        last = torch.zeros(mel.shape[0], 1)
        for piece in self._pieces(mel):
            if factor:
                decay = factor ** torch.arange(1, piece.shape[-1] + 1, dtype=torch.float64)
                piece = restored(piece, self.mel) + (last * decay).float()
                last = piece[:, -1:].double()
            yield piece

    @torch.inference_mode()
    def _pieces(self, mel: Tensor) -> Iterator[Tensor]:
        frames, around, hop = mel.shape[-1], self.network.context, self.mel.hop
        step = self.chunk or frames
        for begin in range(0, frames, step):
            end = min(frames, begin + step)
            before = min(begin, around)
            part = mel[..., begin - before : min(frames, end + around)].to(self.device, self.dtype)
            sound = self.network(part)[:, before * hop : (before + end - begin) * hop]
            yield sound.float().cpu()
