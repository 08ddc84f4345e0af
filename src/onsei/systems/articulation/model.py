"""The mel generator: frames of a film to frames of a log-mel.

B films, T frames, C channels, H height, W width, D features, M mel bands, r mel frames a film frame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from onsei.nn.masks import length_mask
from onsei.nn.rnn import BatchRNN, pack, unpack
from onsei.systems.articulation.config.network import Model
from onsei.systems.articulation.encoder import FrameEncoder

WINDOWS_AT_ONCE = 256
"""Windows whose mels are computed at a time: memory does not grow with the film."""
FRAMES_AT_ONCE = 256
"""Frames that an accelerator encodes at a time where no gradients are wanted."""
PIXELS_AT_ONCE = 4 * 256**2
"""As many as a CPU encodes at a time: activations that outgrow its caches cost twice the time."""


class MelGenerator(nn.Module):
    """Encoder of single frames, bidirectional LSTM whose directions are summed, dropout, linear layer.

    Source: Otani et al., Interspeech 2023, which ends in one mel frame a window; here each frame of a window, or of a
    whole film, has its own, and where ``subframes`` is above 1 several.

    Args:
        options: the network.
        bands: M.
        subframes: r.
    """

    def __init__(self, options: Model, bands: int, subframes: int = 1) -> None:
        super().__init__()
        self.options, self.bands, self.subframes = options, bands, subframes
        self.encoder = FrameEncoder(options)
        widths = [self.encoder.features] + [options.hidden] * (options.layers - 1)
        self.recurrent = nn.ModuleList(BatchRNN(width, options.hidden, "lstm", batch_norm=False) for width in widths)
        self.feature_dropout, self.dropout = nn.Dropout(options.feature_dropout), nn.Dropout(options.dropout)
        self.mel = nn.Linear(options.hidden, bands * subframes)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Films to normalized log-mels, each frame being encoded once.

        Args:
            frames: pictures in 0..1, (B, T, 1, H, W); zeros as padding.
            lengths: frames of each film, (B,).

        Returns:
            (B, T · r, M); what stands for padding means nothing.
        """
        return self.decoded(self.encoded(frames, lengths), lengths)

    def encoded(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """``frames`` (B, T, 1, H, W) → (B, T, D), zeros as padding. Padding is not computed."""
        mask = length_mask(lengths, frames.shape[1], frames.device)
        pictures = self.stacked(frames)[mask]  # (N, C, H, W)
        if torch.is_grad_enabled():
            vectors = self.encoder(pictures)
        else:
            vectors = torch.cat([self.encoder(part) for part in torch.split(pictures, _at_once(pictures))])
        whole = vectors.new_zeros(*mask.shape, vectors.shape[-1])
        found: Tensor = whole.masked_scatter(mask[..., None], vectors)
        return found

    def stacked(self, frames: Tensor) -> Tensor:
        """``frames`` (B, T, 1, H, W) as the encoder sees them, (B, T, C, H, W): each with those before it, the first
        one standing for what came before it.
        """
        count, copies = self.options.stack, self.options.input_channels
        if count > 1:
            first = frames[:, :1].expand(-1, count - 1, -1, -1, -1)
            whole = torch.cat([first, frames], 1)
            frames = torch.cat([whole[:, n : n + frames.shape[1]] for n in range(count)], 2)
        return frames.repeat_interleave(copies, 2) if copies > 1 else frames

    def decoded(self, features: Tensor, lengths: Tensor) -> Tensor:
        """``features`` (B, T, D) → (B, T · r, M)."""
        batch, frames = features.shape[:2]
        x = pack(self.feature_dropout(features), lengths)
        for layer in self.recurrent:
            x = layer(x)
        mels: Tensor = self.mel(self.dropout(unpack(x, frames)))  # (B, T, M r)
        return mels.view(batch, frames * self.subframes, self.bands)

    @torch.inference_mode()
    def spoken(self, frames: Tensor) -> Tensor:
        """One film (T, 1, H, W) → (T · r, M), as the network was trained: with ``window``, each frame's mel is that of
        the last frame of the window that ends with it; those of the first frames are of the first window.
        """
        lengths = torch.tensor([len(frames)])
        features = self.encoded(frames[None], lengths)
        window, total = self.options.window, len(frames)
        if not window or total <= window:
            mel: Tensor = self.decoded(features, lengths)[0]
            return mel
        windows = features[0].unfold(0, window, 1).transpose(1, 2)  # (T - window + 1, window, D)
        parts = []
        for part in torch.split(windows, WINDOWS_AT_ONCE):
            parts.append(self.decoded(part, torch.full((len(part),), window)))
        mels = torch.cat(parts)
        start = mels[0, : (window - 1) * self.subframes]
        return torch.cat([start, mels[:, -self.subframes :].flatten(0, 1)])


def _at_once(pictures: Tensor) -> int:
    height, width = pictures.shape[-2:]
    return max(1, PIXELS_AT_ONCE // (height * width)) if pictures.device.type == "cpu" else FRAMES_AT_ONCE
