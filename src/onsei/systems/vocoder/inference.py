"""The Vocoder: a trained network that turns mels into sound.

M mel bands, F frames, T samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.audio import io
from onsei.config import from_dict
from onsei.errors import ConfigError, DataError, ModelError
from onsei.hub import store
from onsei.nn.device import pick_device, pick_dtype
from onsei.systems.vocoder.config import Network, Request, Speech
from onsei.systems.vocoder.data.mels import SUFFIXES, load_mel
from onsei.systems.vocoder.model import Voice, build
from onsei.vocoder.mel import LogMel, MelDefinition, placed, prepared, restored

CHUNK = 1024
"""Frames that the network speaks at once; longer mels are spoken in parts that overlap."""
CONTEXT = 64
"""Frames before and after a part that the network sees too; no network here reaches farther."""
_DIGITS = 6


class Vocoder:
    """A trained vocoder.

    Args:
        network: maps a log-mel (1, M, F) to sound (1, F · hop).
        mel: the definition of its mels.
        device: where it computes.
        dtype: its number format.
    """

    def __init__(self, network: Voice, mel: MelDefinition, device: torch.device, dtype: torch.dtype) -> None:
        network.fuse()
        self.network = network.to(device, dtype).eval()
        self.mel = mel
        self.device = device
        self.dtype = dtype
        self._analysis = LogMel(mel)

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto", dtype: str = "float32") -> Self:
        """Open a model folder. See ``system.Runner``."""
        saved = store.open(folder, system="vocoder")
        missing = [name for name in ("mel", "network") if name not in saved.config]
        if missing:
            raise ModelError(f"{folder}/onsei.json: config lacks {', '.join(missing)}", "copy the whole folder again")
        mel = from_dict(MelDefinition, saved.config["mel"], source=f"{folder}/onsei.json")
        network = build(from_dict(Network, saved.config["network"], source=f"{folder}/onsei.json"), mel)
        saved.fill(network)
        return cls(network, mel, pick_device(device), pick_dtype(dtype))

    @property
    def sample_rate(self) -> int:
        """Samples a second of what it says."""
        return self.mel.sample_rate

    def __call__(self, request: Request) -> Speech:
        """Speak one mel, or copy one sound."""
        *_, last = self.stream(request)
        return last

    def batch(self, requests: Sequence[Request]) -> list[Speech]:
        """Speak many, one after the other: mels of unlike length share no padding."""
        return [self(request) for request in requests]

    def stream(self, request: Request) -> Iterator[Speech]:
        """Speak a mel part by part: each result holds all that was said so far."""
        mel, length = self.read(request)
        said: list[NDArray[np.float32]] = []
        for part in self._parts(mel):
            said.append(part)
            if sum(map(len, said)) < mel.shape[1] * self.mel.hop:
                yield self._speech(np.concatenate(said), None)
        yield self._speech(np.concatenate(said), length)

    def speak(self, mel: NDArray[np.float32], length: int | None = None) -> NDArray[np.float32]:
        """Sound (T,) of a log-mel (M, F) of the model's definition.

        Args:
            mel: the mel.
            length: samples of the recording that it was made of, where the sound is to lie as in that; else the sound
                is the F · hop samples that the frames stand for.

        Raises:
            DataError: another number of bands, no frames, or values that are not finite.
        """
        return self._finished(np.concatenate(list(self._parts(mel))), length)

    def analyze(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """The log-mel (M, F) of a recording (T,) at ``sample_rate``, by the model's definition."""
        if len(sound) < self.mel.shortest:
            sound = np.pad(sound, (0, self.mel.shortest - len(sound)))
        ready = prepared(torch.from_numpy(np.ascontiguousarray(sound, np.float32)), self.mel)
        mel: NDArray[np.float32] = self._analysis(ready[None])[0].numpy()
        return mel

    def copy(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """A recording (T,) by way of its mel: copy synthesis."""
        return self.speak(self.analyze(sound), len(sound))

    def read(self, request: Request) -> tuple[NDArray[np.float32], int | None]:
        """The mel of a request, (M, F); and the samples of the sound it was made of, None where it was given."""
        if Path(str(request.source).partition("#")[0]).suffix.lower() in SUFFIXES:
            if request.offset or request.duration is not None or request.channel is not None:
                raise ConfigError(
                    f"{request.source}: offset, duration and channel are for sounds, not for mels", "leave them out"
                )
            return load_mel(request.source, self.mel), None
        sound, _ = io.load(
            request.source, self.sample_rate, offset=request.offset, duration=request.duration, channel=request.channel
        )
        return self.analyze(sound), len(sound)

    @torch.inference_mode()
    def _parts(self, mel: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """The sound of each part of a mel, in a row; as the network makes it."""
        if mel.ndim != 2 or mel.shape[0] != self.mel.n_mels or not mel.shape[1]:
            raise DataError(f"mel: expected shape ({self.mel.n_mels}, frames), found {mel.shape}", "see `check`")
        if not np.isfinite(mel).all():
            raise DataError("mel: values that are NaN or infinite", "compute it again")
        frames, hop = mel.shape[1], self.mel.hop
        for start in range(0, frames, CHUNK):
            stop = min(start + CHUNK, frames)
            first, last = max(0, start - CONTEXT), min(frames, stop + CONTEXT)
            given = torch.from_numpy(np.ascontiguousarray(mel[None, :, first:last]))
            made = self.network(given.to(self.device, self.dtype))[0].float().cpu().numpy()
            yield made[(start - first) * hop : (stop - first) * hop]

    def _finished(self, made: NDArray[np.float32], length: int | None) -> NDArray[np.float32]:
        """What the network made, (F · hop,), as it is heard."""
        heard = restored(torch.from_numpy(made), self.mel)
        if length is not None:
            heard = placed(heard, self.mel, length)
        return heard.clamp(-1, 1).numpy()

    def _speech(self, made: NDArray[np.float32], length: int | None) -> Speech:
        heard = self._finished(made, length)
        samples = tuple(np.round(heard.astype(np.float64), _DIGITS).tolist())
        return Speech(self.sample_rate, len(heard) / self.sample_rate, samples)
