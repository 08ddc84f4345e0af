"""Whisper (Radford et al. 2022): what is said or sung in a sound, sentence by sentence with times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from onsei.audio import io
from onsei.errors import ModelError
from onsei.nn.device import pick_device
from onsei.units import ssl

RATE = 16_000
"""Samples a second that it hears."""
WINDOW = 30.0
"""Seconds that it hears at once."""
_LEAST = 0.02
_SPECIAL = re.compile(r"<\|[^|]*\|>")


@dataclass(frozen=True)
class Whisper:
    """A loaded model. It guesses: what it writes is marked as machine-made wherever it goes."""

    network: nn.Module
    features: Any
    tokenizer: Any
    language: str

    @classmethod
    def load(cls, name: str | Path, language: str = "ja", device: str = "auto") -> Whisper:
        """Open a folder, or a Hub repository ``user/name``.

        Raises:
            ModelError: there is none, or it is no Whisper.
            ConfigError: no such device.
        """
        from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer

        folder = ssl.locate(name)
        kind = ssl.read_json(folder / ssl.CONFIG).get("model_type")
        if kind != "whisper":
            raise ModelError(f"{folder}: model_type {kind!r}, expected whisper", "name a Whisper model")
        local: dict[str, Any] = {"local_files_only": True}
        try:
            with ssl.quiet():
                network = WhisperForConditionalGeneration.from_pretrained(folder, trust_remote_code=False, **local)
                features = WhisperFeatureExtractor.from_pretrained(folder, **local)
                tokenizer = WhisperTokenizer.from_pretrained(folder, **local)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{folder}: cannot be opened: {error}", "copy the whole folder again") from None
        known = getattr(network.generation_config, "lang_to_id", None) or {}
        if known and f"<|{language}|>" not in known:
            raise ModelError(f"{folder}: knows no language {language!r}", "choose another model or language")
        moved: Any = network
        return cls(moved.eval().to(pick_device(device)), features, tokenizer, language if known else "")

    @torch.inference_mode()
    def sentences(
        self, audio: Path, offset: float = 0.0, duration: float | None = None
    ) -> list[tuple[str, float, float]]:
        """Text, start and end in seconds from ``offset`` of everything that is heard, in windows of 30 s."""
        samples, _ = io.load(audio, RATE, offset=offset, duration=duration)
        found: list[tuple[str, float, float]] = []
        start = 0.0
        total = len(samples) / RATE
        while total - start > _LEAST:
            piece = samples[round(start * RATE) : round((start + WINDOW) * RATE)]
            heard = self._window(piece)
            last = start + WINDOW >= total
            # The sentence that the window cuts off is heard again from its beginning.
            cut = [one for one in heard if not last and one[2] >= WINDOW - 0.5 and one[1] > 1.0]
            found += [(text, begin + start, end + start) for text, begin, end in heard if (text, begin, end) not in cut]
            start += cut[0][1] if cut else WINDOW
        return found

    def _window(self, samples: np.ndarray) -> list[tuple[str, float, float]]:
        device = next(self.network.parameters()).device
        seconds = len(samples) / RATE
        inputs = self.features(samples, sampling_rate=RATE, return_tensors="pt", return_attention_mask=True)
        asked = {"language": self.language, "task": "transcribe"} if self.language else {}
        generate: Any = self.network.generate
        with ssl.quiet():
            tokens = generate(
                inputs.input_features.to(device),
                attention_mask=inputs.attention_mask.to(device),
                return_timestamps=True,
                **asked,
            )
        decoded = self.tokenizer.decode(tokens[0].tolist(), output_offsets=True, skip_special_tokens=True)
        found = []
        for one in decoded["offsets"]:
            begin, end = one["timestamp"]
            begin, end = min(begin or 0.0, seconds), min(end if end is not None else seconds, seconds)
            text = _SPECIAL.sub("", one["text"]).strip()
            if text and end > begin:
                found.append((text, begin, end))
        return found
