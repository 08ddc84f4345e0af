"""A codebook on disk: the quantizer's tensors, which embedding it belongs to, and its own fingerprint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from onsei import config
from onsei.errors import ConfigError, ModelError
from onsei.hub import weights
from onsei.units.quantizer import Codebook as Shape
from onsei.units.quantizer import VectorQuantizer

_KIND = "onsei song codebook"
_PICKLED = (".pt", ".pth", ".ckpt", ".bin")
_CHUNK = 8192


@dataclass(frozen=True)
class Codebook:
    """A quantizer over the frames of an embedding."""

    quantizer: VectorQuantizer
    embedding: str
    """Name of the embedding, as ``embedding.open_embedding`` takes it."""
    embedding_fingerprint: str
    fitted: bool = True
    """Whether its codes come from songs; else they are random."""

    @property
    def codes(self) -> int:
        """K."""
        return self.quantizer.codes

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits: which codes of which embedding. Tokens and networks keep it."""
        hashed = blake2b(self.embedding_fingerprint.encode(), digest_size=8)
        for name, tensor in sorted(self.quantizer.state_dict().items()):
            if name in ("mean", "scale", "codebook", "project.weight"):  # all that decides which code a frame gets
                hashed.update(name.encode() + tensor.detach().cpu().float().numpy().tobytes())
        return hashed.hexdigest()

    @torch.inference_mode()
    def tokens(self, frames: NDArray[np.float32]) -> NDArray[np.int32]:
        """The code of each frame: (F, D) to (F,)."""
        parts = torch.split(torch.from_numpy(np.ascontiguousarray(frames)), _CHUNK)
        found = [self.quantizer.nearest(self.quantizer.projected(self.quantizer.normal(part))) for part in parts]
        return torch.cat(found).numpy().astype(np.int32) if found else np.zeros(0, np.int32)

    def save(self, path: Path) -> None:
        """Write a safetensors file; everything but the tensors is in its metadata."""
        about = {
            "kind": _KIND,
            "shape": json.dumps(config.to_dict(self.quantizer.shape)),
            "embedding": self.embedding,
            "embedding_fingerprint": self.embedding_fingerprint,
            "fitted": str(self.fitted).lower(),
            "fingerprint": self.fingerprint,
        }
        weights.save(path, self.quantizer.state_dict(), about)

    @classmethod
    def load(cls, path: Path, *, random: bool = False) -> Codebook:
        """Read what ``save`` wrote. A path that ends as a pickle stands for the safetensors file beside it.

        Args:
            path: the file.
            random: accept a codebook that was never fitted.

        Raises:
            ModelError: no codebook, a damaged one, or one that was never fitted.
        """
        path = written_as(path)
        about = weights.metadata(path)
        if about.get("kind") != _KIND:
            raise ModelError(f"{path}: no codebook of sketches", "name a file that `onsei song fit-sketch` wrote")
        tensors = weights.load(path)
        try:
            shape = config.from_json(Shape, about["shape"], str(path))
            quantizer = VectorQuantizer(int(tensors["mean"].numel()), shape)
            quantizer.load_state_dict(tensors)
        except (KeyError, RuntimeError, ConfigError) as error:
            raise ModelError(f"{path}: tensors that do not fit: {error}", "copy the whole file again") from None
        found = cls(quantizer.eval(), about["embedding"], about["embedding_fingerprint"], about["fitted"] == "true")
        if found.fingerprint != about["fingerprint"]:
            raise ModelError(f"{path}: changed since it was written", "copy the whole file again")
        if not found.fitted and not random:
            mend = "fit it: `onsei song fit-sketch`; to compare with random codes, --random-codebook"
            raise ModelError(f"{path}: its codes are random, no song was looked at", mend)
        return found

    def check_embedding(self, fingerprint: str, name: str) -> None:
        """ModelError where an embedding is not the one that the codebook was fitted on."""
        if fingerprint != self.embedding_fingerprint:
            found = f"codebook of the embedding {self.embedding} ({self.embedding_fingerprint}), found {name}"
            raise ModelError(f"{found} ({fingerprint})", "name the embedding that the codebook was fitted on")


def written_as(path: Path) -> Path:
    """``path`` with the ending of the format that codebooks have here."""
    return path.with_suffix(weights.SUFFIX) if path.suffix.lower() in _PICKLED else path


def check_same(expected: str, found: str, place: str, what: str = "sketch tokens") -> None:
    """Refuse what was made with another codebook.

    Raises:
        ModelError: the fingerprints ``expected`` and ``found`` differ; names ``place``.
    """
    if expected != found:
        raise ModelError(
            f"{place}: {what} of codebook {found}, expected {expected}: a number means another sound there",
            "make them again with `onsei song sketch`, or name the codebook that the model was trained with",
        )


def check_size(codebook: Codebook, num_pitch: int) -> None:
    """ConfigError where a network has not as many tokens as the codebook has codes."""
    if codebook.codes != num_pitch:
        found = f"network.num_pitch: {num_pitch}, but the codebook has {codebook.codes} codes"
        raise ConfigError(found, f"give --network.num-pitch {codebook.codes}", ["network.num_pitch"])


def usage(counts: NDArray[np.int64]) -> dict[str, Any]:
    """What part of the codes is used, and how evenly, of how often each was."""
    share = counts[counts > 0] / max(1, counts.sum())
    return {
        "codes": len(counts),
        "codes_used": int((counts > 0).sum()),
        "usage": 100.0 * float((counts > 0).mean()),
        "perplexity": float(np.exp(-(share * np.log(share)).sum())) if len(share) else 0.0,
    }
