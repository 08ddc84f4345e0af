"""From cepstra back to the smooth spectrum that they describe.

K coefficients, D bands.
"""

from __future__ import annotations

from math import pi
from typing import Literal

import torch
from torch import Tensor

from onsei.errors import AudioError

Cosines = Literal["orthonormal", "sphinx"]
"""How coefficient 0 of a cosine transform is weighted: as by SciPy, librosa, Kaldi and HTK, or as by SphinxBase's
``legacy`` transform."""
_FIRST = {"orthonormal": 2**-0.5, "sphinx": 0.5}


def spectrum(cepstra: Tensor, bands: int, cosines: Cosines = "orthonormal") -> Tensor:
    """Log spectrum of mel cepstra: (…, K, T) → (…, D, T), on the mel scale, as smooth as K coefficients can tell.

    The inverse cosine transform (Davis and Mermelstein 1980), up to one factor over all bands. ``sphinx`` differs by
    the weight of coefficient 0: SphinxBase's ``fe_spec2cep`` divides all coefficients by the number of bands, 0 too.

    Args:
        cepstra: coefficients 0 to K - 1, without lifter.
        bands: bands D to evaluate, K or more.
        cosines: the transform that made them.

    Raises:
        AudioError: fewer bands than coefficients.
    """
    kept = cepstra.shape[-2]
    if bands < kept:
        raise AudioError(f"expected {kept} bands or more for {kept} cepstral coefficients, found {bands}", "raise it")
    places = pi / bands * (torch.arange(bands, dtype=torch.float64) + 0.5)
    basis = torch.cos(places[:, None] * torch.arange(kept, dtype=torch.float64))  # (D, K)
    basis[:, 0] = _FIRST[cosines]
    return basis.to(cepstra) @ cepstra
