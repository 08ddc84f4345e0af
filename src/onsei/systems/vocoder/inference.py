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
from onsei.systems.vocoder.model import build
from onsei.vocoder.mel import LogMel, MelDefinition, placed, prepared
from onsei.vocoder.synthesis import Synthesizer, Voice

_DIGITS = 6


class Vocoder:
    """A trained vocoder.

    Args:
        network: maps a log-mel (1, M, F) to sound (1, F · hop); it is changed in place, for good.
        device: where it computes.
        dtype: its number format.
        refine: iterations of Griffin-Lim that draw its sound to the mel afterwards.
    """

    def __init__(self, network: Voice, device: torch.device, dtype: torch.dtype, refine: int = 0) -> None:
        self.mel: MelDefinition = network.mel
        self._speaker = Synthesizer(network, device, dtype, refine=refine)
        self._analysis = LogMel(self.mel)

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto", dtype: str = "float32", refine: int = 0) -> Self:
        """Open a model folder. See ``system.Runner``; ``refine`` as above."""
        saved = store.open(folder, system="vocoder")
        missing = [name for name in ("mel", "network") if name not in saved.config]
        if missing:
            raise ModelError(f"{folder}/onsei.json: config lacks {', '.join(missing)}", "copy the whole folder again")
        mel = from_dict(MelDefinition, saved.config["mel"], source=f"{folder}/onsei.json")
        network = build(from_dict(Network, saved.config["network"], source=f"{folder}/onsei.json"), mel)
        saved.fill(network)
        return cls(network, pick_device(device), pick_dtype(dtype), refine)

    @property
    def sample_rate(self) -> int:
        """Samples a second of what it says."""
        return self.mel.sample_rate

    def __call__(self, request: Request) -> Speech:
        """Speak one mel, or copy one sound."""
        mel, length = self.read(request)
        return self._speech(self.speak(mel, length))

    def batch(self, requests: Sequence[Request]) -> list[Speech]:
        """Speak many, one after the other: mels of unlike length share no padding."""
        return [self(request) for request in requests]

    def stream(self, request: Request) -> Iterator[Speech]:
        """Speak a mel part by part: each result holds all that was said so far."""
        mel, length = self.read(request)
        said: list[NDArray[np.float32]] = []
        whole, known = mel.shape[1] * self.mel.hop, 0
        for part in self._parts(mel):
            said.append(part)
            if (
                known * 2 < (total := sum(map(len, said))) < whole
            ):  # each twice as long: all of them cost no more than two
                known = total
                yield self._speech(self._placed(np.concatenate(said), None))
        yield self._speech(self._placed(np.concatenate(said), length))

    def speak(self, mel: NDArray[np.float32], length: int | None = None) -> NDArray[np.float32]:
        """Sound (T,) of a log-mel (M, F) of the model's definition.

        Args:
            mel: the mel.
            length: samples of the recording that it was made of, where the sound is to lie as in that; else the sound
                is the F · hop samples that the frames stand for.

        Raises:
            DataError: another number of bands, no frames, or values that are not finite.
        """
        return self._placed(np.concatenate(list(self._parts(mel))), length)

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

    def _parts(self, mel: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """The sound of a mel piece by piece."""
        self._check(mel)
        for piece in self._speaker.stream(torch.from_numpy(np.ascontiguousarray(mel[None], np.float32))):
            yield piece[0].numpy()

    def _check(self, mel: NDArray[np.float32]) -> None:
        if mel.ndim != 2 or mel.shape[0] != self.mel.n_mels or not mel.shape[1]:
            raise DataError(
                f"mel: expected shape ({self.mel.n_mels}, frames), found {mel.shape}", "see `onsei vocoder check`"
            )
        if not np.isfinite(mel).all():
            raise DataError("mel: values that are NaN or infinite", "compute it again")

    def _placed(self, made: NDArray[np.float32], length: int | None) -> NDArray[np.float32]:
        """Sound of F frames, (F · hop,), within full scale; as it lies in a recording of ``length`` samples."""
        heard = torch.from_numpy(made)
        if length is not None:
            heard = placed(heard, self.mel, length)
        return heard.clamp(-1, 1).numpy()

    def _speech(self, heard: NDArray[np.float32]) -> Speech:
        samples = tuple(np.round(heard.astype(np.float64), _DIGITS).tolist())
        return Speech(self.sample_rate, len(heard) / self.sample_rate, samples)
