"""The Transcriber: a trained recognizer that turns sound into text with times and confidence."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from onsei.audio import io
from onsei.config import from_dict, to_dict
from onsei.data.manifest import refuse_existing
from onsei.decoding.ctc import Path as LabelPath
from onsei.decoding.ctc import greedy
from onsei.errors import AudioError, ConfigError, ModelError
from onsei.hub import store
from onsei.nn.device import pick_device, pick_dtype
from onsei.paths import write_text
from onsei.systems.recognition import network
from onsei.systems.recognition.config import Features, Model, Request, Span, Transcribe, Transcript
from onsei.systems.recognition.data import FrontEnd
from onsei.systems.recognition.labels import opened
from onsei.systems.recognition.model import DeepSpeech2
from onsei.systems.recognition.transcripts import joined, mean, subtitles, words_of
from onsei.text.alphabet import Alphabet

if TYPE_CHECKING:
    from onsei.systems.recognition.encoder import EncoderCTC

CHUNK = 30.0
"""Longest sound that the network hears at once, in seconds; longer ones are cut at their quietest places."""
_TOGETHER = 16
"""Chunks that ``batch`` gives the network at once."""
_QUIET = 5.0
"""How far before the end of a chunk the quietest place is looked for, in seconds."""


class Transcriber:
    """A trained recognizer.

    Args:
        model: the network.
        options: its shape.
        features: what it sees.
        alphabet: what its labels stand for.
        device: where it computes.
        dtype: its number format.
    """

    def __init__(
        self,
        model: DeepSpeech2 | EncoderCTC,
        options: Model,
        features: Features,
        alphabet: Alphabet,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.model = model.to(device, dtype).eval()
        self.options = options
        self.features = features
        self.alphabet = alphabet
        self.device = device
        self.dtype = dtype
        self._front = FrontEnd(features)

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto", dtype: str = "float32") -> Self:
        """Open a model folder. See ``system.Runner``."""
        saved = store.open(folder, system="recognition")
        missing = [name for name in ("features", "model", "case", "units") if name not in saved.config]
        if missing:
            raise ModelError(f"{folder}/onsei.json: config lacks {', '.join(missing)}", "copy the whole folder again")
        features = from_dict(Features, saved.config["features"], source=f"{folder}/onsei.json")
        alphabet = opened(saved)
        model, options = network.opened(saved, features, len(alphabet.labels))
        return cls(model, options, features, alphabet, pick_device(device), pick_dtype(dtype))

    def __call__(self, request: Request) -> Transcript:
        """Write down one sound of any length."""
        return self._joined([self.hear([samples], [start])[0] for start, samples in self._chunks(request)])

    def batch(self, requests: Sequence[Request]) -> list[Transcript]:
        """Write down many sounds, each as it would be alone; sounds of like length share the network's batches."""
        chunks = [(number, *chunk) for number, request in enumerate(requests) for chunk in self._chunks(request)]
        chunks.sort(key=lambda chunk: len(chunk[2]))
        heard: list[tuple[int, float, Transcript]] = []
        for first in range(0, len(chunks), _TOGETHER):
            numbers, starts, sounds = zip(*chunks[first : first + _TOGETHER], strict=True)
            heard += zip(numbers, starts, self.hear(sounds, starts), strict=True)
        parts: list[list[Transcript]] = [[] for _ in requests]
        for number, _, part in sorted(heard, key=lambda part: part[:2]):
            parts[number].append(part)
        return [self._joined(one) for one in parts]

    def stream(self, request: Request) -> Iterator[Transcript]:
        """Write down a sound chunk by chunk: each result holds all that was heard so far."""
        heard: list[Transcript] = []
        for start, samples in self._chunks(request):
            heard.append(self.hear([samples], [start])[0])
            yield self._joined(heard)

    def hear(self, sounds: Sequence[NDArray[np.float32]], starts: Sequence[float] | None = None) -> list[Transcript]:
        """Write down sounds that lie in memory, in one batch.

        Args:
            sounds: float32 arrays of shape (T,) at ``features.sample_rate``.
            starts: time at which each begins, in seconds; 0 by default.
        """
        if not sounds:
            return []
        rate = self.features.sample_rate
        features, leads = zip(*(self._front.heard(sound) for sound in sounds), strict=True)
        seen = [torch.from_numpy(x) for x in features]
        lengths = torch.tensor([x.shape[-1] for x in seen])
        paths = self.recognize(pad_sequence([x.T for x in seen], batch_first=True).transpose(1, 2), lengths)
        rows = zip(paths, starts or [0.0] * len(sounds), leads, sounds, strict=True)
        return [self._transcript(path, start, lead, len(sound) / rate) for path, start, lead, sound in rows]

    def log_probs(self, sounds: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Log-probabilities of every label in every output frame, for decoders of your own.

        Args:
            sounds: float32 arrays of shape (T,) at ``features.sample_rate``, of any lengths; each is heard whole.

        Returns:
            One float32 array of shape (F, V) a sound; ``exp`` of a row sums to 1. Column v is ``alphabet.labels[v]``,
            column 0 CTC's blank. A frame lasts ``model.frames.stride * features.period`` seconds; the first stands at
            the sound's begin, or where its silence was cut (``features.silence``).
        """
        if not sounds:
            return []
        seen = [torch.from_numpy(self._front(sound)) for sound in sounds]
        lengths = torch.tensor([x.shape[-1] for x in seen])
        padded = pad_sequence([x.T for x in seen], batch_first=True).transpose(1, 2)
        return [scores.cpu().numpy() for scores in self.scores(padded, lengths)]

    @torch.inference_mode()
    def scores(self, features: Tensor, lengths: Tensor) -> list[Tensor]:
        """Log-probabilities, (F, V) each, of padded features, (B, D, T), of ``lengths`` frames, (B,)."""
        logits, frames = self.model(features.to(self.device, self.dtype), lengths)
        chances = torch.log_softmax(logits.float(), -1)
        return [row[:count] for row, count in zip(chances, frames.tolist(), strict=True)]

    @torch.inference_mode()
    def recognize(self, features: Tensor, lengths: Tensor) -> list[LabelPath]:
        """Greedy CTC paths of padded features, (B, D, T), of ``lengths`` frames, (B,)."""
        logits, frames = self.model(features.to(self.device, self.dtype), lengths)
        return greedy(logits, frames)

    def _chunks(self, request: Request) -> Iterator[tuple[float, NDArray[np.float32]]]:
        if self.features.kind == "precomputed":
            raise ConfigError(
                "this model was trained on precomputed features; it cannot hear sound files",
                "use `onsei recognition evaluate` with rows that have `features`",
            )
        rate = self.features.sample_rate
        end = io.info(request.audio).duration if request.duration is None else request.offset + request.duration
        start = request.offset
        if start >= end:
            raise AudioError(
                f"{request.audio}: begins at {start:g} s, but the sound ends at {end:g} s", "lower the offset"
            )
        while start < end:
            take = min(CHUNK, end - start)
            samples, _ = io.load(request.audio, rate, offset=start, duration=take, channel=request.channel)
            if end - start > CHUNK:
                samples = samples[: quietest(samples, rate)]
            yield start, samples
            start += max(len(samples) / rate, 1 / rate) if end - start > CHUNK else take

    def _joined(self, parts: Sequence[Transcript]) -> Transcript:
        return joined(parts, " " if self.alphabet.spaced else "")

    def _transcript(self, path: LabelPath, start: float, lead: float, duration: float) -> Transcript:
        frame = self.model.frames.stride * self.features.period
        characters = tuple(
            Span(
                self.alphabet.shown(label),
                round(start + lead + float(begin) * frame, 3),
                round(start + min(lead + float(end) * frame, duration), 3),
                round(min(float(confidence), 1.0), 4),
            )
            for label, begin, end, confidence in zip(path.labels, path.starts, path.ends, path.confidences, strict=True)
        )
        text = " ".join(self.alphabet.decode(path.labels.tolist()).split())
        words = words_of(characters) if self.alphabet.parted else characters
        return Transcript(text, mean(characters), round(start + duration, 3), words, characters)


def quietest(samples: NDArray[np.float32], rate: int) -> int:
    """Where in the last seconds of samples, (T,), it is quietest over 0.2 s: a sample number."""
    width = rate // 5
    tail = max(len(samples) - int(_QUIET * rate), len(samples) // 2)
    energy = np.concatenate([[0.0], np.cumsum(samples[tail:].astype(np.float64) ** 2)])
    power = energy[width:] - energy[:-width]
    return tail + int(power.argmin()) + width // 2


def transcribe(options: Transcribe) -> int:
    """Print or write the transcripts of sound files; a file that cannot be read is named and the others go on."""
    if not options.audio:
        raise ConfigError("no sound files given", "onsei recognition transcribe MODEL AUDIO…")
    targets = _targets(options)
    runner = Transcriber.load(options.model, options.device, options.dtype)
    failed = 0
    for audio, target in zip(options.audio, targets, strict=True):
        try:
            result = runner(Request(audio))
        except AudioError as error:
            print(f"onsei: {error}", file=sys.stderr, flush=True)
            failed += 1
            continue
        text = formatted(result, audio, options)
        if target is None:
            print(text, flush=True)
        else:
            write_text(target, text + "\n")
    return 2 if failed else 0


def _targets(options: Transcribe) -> list[Path] | list[None]:
    """The file of each transcript; None where they are printed. Faults are found before the work."""
    if options.output_dir is None:
        if options.format in ("srt", "vtt") and len(options.audio) > 1:
            raise ConfigError(f"subtitles of {len(options.audio)} recordings do not fit one page", "give --output-dir")
        return [None] * len(options.audio)
    suffix = "txt" if options.format == "text" else options.format
    targets = [options.output_dir / f"{audio.stem}.{suffix}" for audio in options.audio]
    first: dict[Path, Path] = {}
    for audio, target in zip(options.audio, targets, strict=True):
        other = first.setdefault(target, audio)
        if other is not audio:
            raise ConfigError(f"{other} and {audio}: both would be written to {target}", "write them to two folders")
    refuse_existing(targets, options.force)
    return targets


def formatted(result: Transcript, audio: Path, options: Transcribe) -> str:
    """The transcript as text, JSON line, SRT or WebVTT."""
    if options.format == "json":
        values: dict[str, Any] = {"audio": str(audio), **to_dict(result)}
        if not options.offsets:
            del values["characters"]
        return json.dumps(values, ensure_ascii=False)
    if options.format == "text":
        named = len(options.audio) > 1 and options.output_dir is None
        return f"{audio}\t{result.text}" if named else result.text
    return subtitles(result, options.format)
