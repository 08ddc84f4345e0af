"""The fork's codebook, a file of vector-quantize-pytorch, becomes a codebook of sketches.

K codes, C code size, D features.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from onsei.errors import ModelError
from onsei.systems.song.sketch.codebook import Codebook
from onsei.systems.song.sketch.embedding import open_embedding
from onsei.units.quantizer import Codebook as Shape
from onsei.units.quantizer import VectorQuantizer

_CODES = "_codebook.embed"


def is_codebook(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a checkpoint is a vector quantizer of that library."""
    return any(name.endswith(_CODES) for name in tensors)


def codebook(tensors: Mapping[str, Tensor], embedding: str, path: Path) -> Codebook:
    """The codebook that gives every frame the code that the file gives it.

    Args:
        tensors: ``_codebook.embed``, and ``project_in`` and ``project_out`` where codes are narrower than frames.
        embedding: the MuQ whose last hidden states it was fitted on, by folder or name.
        path: for errors.

    Raises:
        ModelError: several codebooks, tensors that do not fit together, or no such MuQ.
    """
    names = [name for name in tensors if name.endswith(_CODES)]
    prefix = names[0].removesuffix(_CODES)
    codes = tensors[names[0]].float().flatten(0, -3) if tensors[names[0]].ndim > 2 else tensors[names[0]].float()[None]
    if len(names) > 1 or len(codes) > 1:
        raise ModelError(f"{path}: {max(len(names), len(codes))} codebooks", "sketches have one")
    codes = codes[0]  # (K, C)
    heard = open_embedding(embedding, "cpu")
    inward = tensors.get(f"{prefix}project_in.weight", torch.eye(codes.shape[1])).float()  # (C, D)
    if inward.shape != (codes.shape[1], heard.width):
        found = f"codes of {codes.shape[1]} values over {inward.shape[1]} features; {embedding} gives {heard.width}"
        raise ModelError(f"{path}: {found}", "name the MuQ that it was fitted on: --muq-model")
    quantizer = VectorQuantizer(heard.width, Shape(codes=len(codes), code_size=codes.shape[1]))
    with torch.no_grad():
        quantizer.project.weight.copy_(inward)
        shift = tensors.get(f"{prefix}project_in.bias")
        if shift is not None:  # what is added behind the projection is taken away before it
            quantizer.mean.copy_(-torch.linalg.pinv(inward) @ shift.float())
        quantizer.codebook.copy_(codes)
        uses = tensors.get(f"{prefix}_codebook.cluster_size")
        if uses is not None and uses.numel() == len(codes) and float(uses.sum()) > 0:
            quantizer.uses.copy_(uses.float().flatten() * len(codes) / uses.float().sum())
        quantizer.sums.copy_(codes * quantizer.uses[:, None])
        outward = tensors.get(f"{prefix}project_out.weight", torch.linalg.pinv(inward))
        quantizer.decode.weight.copy_(outward.float())
        quantizer.decode.bias.copy_(tensors.get(f"{prefix}project_out.bias", torch.zeros(heard.width)).float())
    return Codebook(quantizer.eval(), embedding, heard.fingerprint)
