"""The Singer: a trained network that sings lyrics with the voice of a prompt.

A audio channels, T samples, F frames, Z latent channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onsei.audio import io
from onsei.config import from_dict
from onsei.errors import AudioError, ModelError
from onsei.hub import store
from onsei.nn.device import pick_device, pick_dtype, suited
from onsei.systems.song.composition import Composer
from onsei.systems.song.config import Codec, Network, Request, Song
from onsei.systems.song.kept import Kept
from onsei.systems.song.layout import Layout, batch, lay_out
from onsei.systems.song.model import Prompt, SongModel
from onsei.text import lyrics as lines
from onsei.text.phones import Phones

SAVED = ("network", "codec")
"""What of the options a model is saved with."""
_DIGITS = 6
_SHORT = 1.0
"""Seconds below which a prompt is told to be short."""


@dataclass
class Take:
    """A song that is being sung."""

    request: Request
    remarks: tuple[str, ...]
    sketch: list[int] = field(default_factory=list)
    latents: list[Tensor] = field(default_factory=list)
    """Of each block, (1, Z, P), float32."""
    ended: bool = False
    chance: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.uint8))
    """State of its generator behind the last block."""

    @property
    def kept(self) -> Kept:
        """What it is made of; at least one block."""
        return Kept(self.request, torch.tensor(self.sketch), torch.cat(self.latents, -1)[0], self.chance, self.ended)


class Singer:
    """A trained singer.

    Args:
        model: network and codec; they are changed in place, for good.
        phones: the table of symbols.
        device: where it computes.
        dtype: number format of the network; the codec computes in float32.
    """

    def __init__(self, model: SongModel, phones: Phones, device: torch.device, dtype: torch.dtype) -> None:
        network, self.dtype = suited(model.model.requires_grad_(False), device, dtype)
        self.network = model.model
        assert network is self.network
        self.autoencoder = model.vae.requires_grad_(False).eval()
        self.autoencoder.settle()
        self.autoencoder.to(device, torch.float32)
        self.phones, self.device = phones, device

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto", dtype: str = "float32") -> Self:
        """Open a model folder. See ``system.Runner``."""
        saved = store.open(folder, system="song")
        missing = [name for name in SAVED if name not in saved.config]
        if missing or not saved.labels:
            lacks = ", ".join(missing) or "labels (the table of symbols)"
            raise ModelError(f"{folder}/onsei.json: lacks {lacks}", "copy the whole folder again")
        source = f"{folder}/onsei.json"
        sizes = from_dict(Network, saved.config["network"], source), from_dict(Codec, saved.config["codec"], source)
        with torch.device("meta"):
            model = SongModel(*sizes, len(saved.labels))
        saved.fill(model, assign=True)
        return cls(model, Phones(saved.labels), pick_device(device), pick_dtype(dtype))

    @property
    def sample_rate(self) -> int:
        """Samples a second of what it sings."""
        return self.autoencoder.codec.sample_rate

    @property
    def frame_rate(self) -> float:
        """Frames a second of sketch and latents."""
        return self.autoencoder.codec.frame_rate

    def __call__(self, request: Request) -> Song:
        """Sing one song."""
        return self.batch([request])[0]

    def batch(self, requests: Sequence[Request]) -> list[Song]:
        """Sing songs side by side, each as it would be alone."""
        return [self.song(take, self.sound(take)) for take in self.takes(requests)]

    def stream(self, request: Request) -> Iterator[Song]:
        """Sing a song part by part: each result holds all that was sung so far."""
        take, heard, known = None, list[NDArray[np.float32]](), 0
        for take, piece in self.pieces(request):
            heard.append(piece)
            total = sum(part.shape[1] for part in heard)
            if total and known * 2 < total:  # each twice as long: all of them cost no more than two
                known = total
                yield self.song(take, np.concatenate(heard, 1))
        assert take is not None
        yield self.song(take, np.concatenate(heard, 1))

    def pieces(self, request: Request, kept: Kept | None = None) -> Iterator[tuple[Take, NDArray[np.float32]]]:
        """The sound of a song as it is being sung, (A, T) block by block, and what is known of the song by then.

        With ``kept`` it goes on where that song stopped; the first pieces then are what was sung of it.
        """
        take, heard = Take(request, ()), 0
        stream = self.autoencoder.stream()
        for take, _ in self._sung([request], kept):
            for latents in take.latents[heard:]:
                yield take, _clamped(stream.push(latents.to(self.device)))
            heard = len(take.latents)
        yield take, _clamped(stream.finish()).reshape(self.autoencoder.codec.audio_channels, -1)

    def takes(
        self,
        requests: Sequence[Request],
        told: Callable[[float], None] | None = None,
        under_way: dict[int, Take] | None = None,
    ) -> list[Take]:
        """Compose songs; those with the same sampling and longest duration side by side.

        Args:
            requests: the songs.
            told: called after every block with the seconds that all songs together grew by.
            under_way: is given every song, by its number, as soon as there is anything of it.
        """
        groups: dict[object, list[int]] = {}
        for place, request in enumerate(requests):
            groups.setdefault((request.sampling, request.max_duration), []).append(place)
        found: dict[int, Take] = {} if under_way is None else under_way
        for places in groups.values():
            for take, number in self._sung([requests[place] for place in places]):
                found[places[number]] = take
                if told is not None and not take.ended:
                    told(self.network.sizes.block_size / self.frame_rate)
        return [found[place] for place in range(len(requests))]

    def repainted(
        self, request: Request, kept: Kept, first: int, last: int, told: Callable[[float], None] | None = None
    ) -> Take:
        """The song ``kept`` with its frames from ``first`` to ``last``, whole blocks, sung anew.

        What is new follows from what stands before it; what stands behind it stays as it was.
        """
        take = Take(request, ())
        for found, _ in self._sung([request], kept.first(first), frames=last):
            take = found
            if told is not None:
                told(self.network.sizes.block_size / self.frame_rate)
        take.sketch += kept.sketch[last:].tolist()
        take.latents += torch.split(kept.latents[None, :, last:], self.network.sizes.block_size, -1)
        take.ended, take.chance = kept.ended, kept.chance
        return take

    def sound(self, take: Take) -> NDArray[np.float32]:
        """The sound of a song that was composed, (A, T)."""
        latents = torch.cat(take.latents, -1) if take.latents else torch.zeros(1, self.network.sizes.latent_dim, 0)
        return _clamped(self.autoencoder.decode(latents.to(self.device)))[:, :]

    def song(self, take: Take, sound: NDArray[np.float32]) -> Song:
        """What is answered."""
        samples = tuple(tuple(channel) for channel in np.round(sound.astype(np.float64), _DIGITS).tolist())
        duration = sound.shape[1] / self.sample_rate
        return Song(self.sample_rate, duration, take.ended, tuple(take.sketch), take.remarks, samples)

    def read(self, request: Request) -> tuple[Layout, list[str]]:
        """The lyrics of a request as the network reads them, and what of them could not be taken as given.

        Raises:
            ConfigError: no lyrics, none that make sense, or symbols that the table does not have.
        """
        places = self.network.sizes.lyrics_len
        if request.phones:
            layout = lay_out(lines.from_symbols(request.lyrics).symbols, self.phones, places)
            cut = f"{layout.cut + places} symbols, of which the network reads {places}: the rest is not sung"
            return layout, [cut] if layout.cut else []
        parsed = lines.parse(request.lyrics)
        told = lines.phonemes(parsed)
        return lay_out(told.symbols, self.phones, places), lines.faults(parsed, told, places)

    def prompt(self, path: Path, generator: torch.Generator) -> tuple[Tensor, list[str]]:
        """Latents of the beginning of a sound, (F, Z), and what is to be said of it.

        Raises:
            AudioError: it cannot be read, or is silent.
        """
        codec, frames = self.autoencoder.codec, self.network.sizes.prompt_len
        whole = frames / codec.frame_rate
        seconds = min(io.info(path).duration, whole)
        mono, _ = io.load(path, codec.sample_rate, duration=seconds)
        if not np.abs(mono).max() > 0:
            raise AudioError(f"{path}: silent for its first {seconds:.1f} s", "name another prompt, or none")
        sound = torch.from_numpy(mono)[None, None].expand(1, codec.audio_channels, -1).to(self.device)
        mean, deviation = (part[0, :, :frames].cpu() for part in self.autoencoder.encode(sound))
        latents = mean + deviation * torch.randn(mean.shape, generator=generator)
        short = f"{path}: a prompt of {seconds:.2f} s; the network was made for {whole:.3g} s"
        return latents.T, [short] if seconds < min(_SHORT, whole) else []

    def _sung(
        self, requests: Sequence[Request], kept: Kept | None = None, frames: int = 0
    ) -> Iterator[tuple[Take, int]]:
        """Compose side by side: each take whenever it has a block more, or has ended; at least once.

        A single one goes on behind what was ``kept``; with ``frames`` it draws anew, to that frame without an end.
        """
        generators = [torch.Generator().manual_seed(request.seed) for request in requests]
        layouts, prompts, takes = [], [], []
        for request, generator in zip(requests, generators, strict=True):
            layout, remarks = self.read(request)
            latents = torch.zeros(0, self.network.sizes.latent_dim)
            if request.prompt_wav is not None:
                latents, further = self.prompt(request.prompt_wav, generator)
                remarks += further
            layouts.append(layout)
            prompts.append(latents)
            takes.append(Take(request, tuple(remarks)))
        held = 0 if kept is None else len(kept.sketch)
        most = max(held, frames or int(requests[0].max_duration * self.frame_rate))
        prompt, sampling = _padded(prompts), requests[0].sampling
        composer = Composer(self.network, batch(layouts), prompt, sampling, generators, most, endless=bool(frames))
        if kept is not None and held:
            composer.take(kept.sketch[None], kept.latents[None])
            takes[0].sketch, size = kept.sketch.tolist(), self.network.sizes.block_size
            takes[0].latents, takes[0].chance = list(torch.split(kept.latents[None], size, -1)), kept.chance
            if not frames:
                generators[0].set_state(kept.chance)
        yield from self._followed(composer, takes)

    def _followed(self, composer: Composer, takes: list[Take]) -> Iterator[tuple[Take, int]]:
        said = set()
        for block in composer.blocks():
            for place, song in enumerate(block.songs):
                takes[song].sketch += block.sketch[place].tolist()
                takes[song].latents.append(block.latents[place : place + 1])
                takes[song].chance = composer.generators[song].get_state()
                said.add(song)
                yield takes[song], song
        for song, take in enumerate(takes):
            take.ended = song in composer.ended
            if take.ended or song not in said:
                yield take, song


def _padded(prompts: Sequence[Tensor]) -> Prompt:
    return Prompt(
        torch.nn.utils.rnn.pad_sequence([*prompts, prompts[0].new_zeros(1, prompts[0].size(1))], batch_first=True)[:-1],
        torch.tensor([len(latents) for latents in prompts]),
    )


def _clamped(sound: Tensor) -> NDArray[np.float32]:
    """Sound (1, A, T) within full scale, (A, T)."""
    heard: NDArray[np.float32] = sound.clamp(-1, 1).cpu().numpy()
    return heard[0] if len(heard) else heard.reshape(heard.shape[1], 0)
