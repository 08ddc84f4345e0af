"""Heat maps: which places of a frame raise the predicted mel in a band. Grad-CAM, Grad-CAM++, HiResCAM.

T frames, H height, W width, C channels of a map, h, w its size, D features of a frame, r mel frames a film frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from onsei.audio.features.mel import hz_to_mel, mel_to_hz
from onsei.config import Span
from onsei.errors import ConfigError
from onsei.systems.articulation.config.explain import Method, Target
from onsei.systems.articulation.model import MelGenerator
from onsei.vocoder.definition import MelDefinition

_FINE = 32
_FRAMES_AT_ONCE = 64
_TARGETS_AT_ONCE = 16


@dataclass(frozen=True)
class Question:
    """What is to be shown."""

    bins: tuple[int, ...]
    """Mel bands whose mean is the target."""
    method: Method = "hirescam"
    target: Target = "frame"
    layer: str = ""


def mel_bins(band: Span, mel: MelDefinition) -> tuple[int, ...]:
    """Mel bands whose centers lie in ``band``.

    Raises:
        ConfigError: none does.
    """
    ends = hz_to_mel(torch.tensor([mel.f_min, mel.top], dtype=torch.float64), mel.scale)
    centers = mel_to_hz(torch.linspace(float(ends[0]), float(ends[1]), mel.n_mels + 2, dtype=torch.float64), mel.scale)
    found = [i for i, hertz in enumerate(centers[1:-1].tolist()) if band.low <= hertz <= band.high]
    if not found:
        raise ConfigError(
            f"--formant-band {band.name}: no mel band has its center in {band.low:g} to {band.high:g} Hz; they lie "
            f"from {centers[1]:.0f} to {centers[-2]:.0f} Hz",
            "choose a wider band",
        )
    return tuple(found)


def layers(model: MelGenerator) -> dict[str, tuple[int, int, int]]:
    """Names of the encoder's parts that give maps, and their (C, h, w)."""
    found: dict[str, tuple[int, int, int]] = {}
    handles = []
    for name, part in model.encoder.named_modules():

        def note(_: nn.Module, __: object, made: object, name: str = name) -> None:
            if isinstance(made, Tensor) and made.ndim == 4 and min(made.shape[2:]) > 1:
                found[name] = (int(made.shape[1]), int(made.shape[2]), int(made.shape[3]))

        if name:
            handles.append(part.register_forward_hook(note))
    size = model.options.size
    picture = next(model.parameters()).new_zeros(1, 1, 1, size, size)
    try:
        with _still(model), torch.no_grad():
            model.encoded(picture, torch.tensor([1]))
    finally:
        for handle in handles:
            handle.remove()
    return found


def chosen_layer(model: MelGenerator, name: str) -> str:
    """The layer called ``name``; without a name the last one whose map is 32 × 32 or finer.

    Raises:
        ConfigError: no such layer.
    """
    known = layers(model)
    if not name:
        whole = {part: min(h, w) for part, (_, h, w) in known.items() if part.count(".") <= 2}
        fine = [part for part, side in whole.items() if side >= _FINE]
        return fine[-1] if fine else max(whole, key=lambda part: whole[part])
    if name not in known:
        listed = ", ".join(f"{other} ({c} × {h} × {w})" for other, (c, h, w) in known.items() if other.count(".") <= 2)
        raise ConfigError(f"--layer {name}: no such map", f"choose one: {listed}")
    return name


def heat_maps(model: MelGenerator, pictures: NDArray[np.float32], question: Question, size: int) -> NDArray[np.float32]:
    """Heat maps of a film, (T, size, size), not negative; their scale is dB, but for gradcam++, and not comparable
    between methods.

    Sources: Selvaraju et al., Grad-CAM, 2017, equations 1 and 2; Chattopadhay et al., Grad-CAM++, 2018, equation 19;
    Draelos and Carin, HiResCAM, 2020, equation 5.

    Args:
        model: stays as it is; its dropout is off, its running statistics are not touched.
        pictures: the film as the network sees it, (T, H, W) in 0..1.
        question: what is to be shown.
        size: height and width of the maps.
    """
    layer = chosen_layer(model, question.layer)
    device = next(model.parameters()).device
    frames = torch.from_numpy(np.ascontiguousarray(pictures))[None, :, None].to(device)
    made = np.empty((len(pictures), size, size), np.float32)
    with _still(model):
        with torch.no_grad():
            features = model.encoded(frames, torch.tensor([len(pictures)]))
        wanted = feature_gradients(model, features, question)
        stacked = model.stacked(frames)[0]  # (T, C, H, W)
        for at in range(0, len(pictures), _FRAMES_AT_ONCE):
            part = slice(at, at + _FRAMES_AT_ONCE)
            coarse = _weighted(*_layer_gradients(model, layer, stacked[part], wanted[part]), question.method)
            fine = interpolate(coarse[:, None].float(), (size, size), mode="bilinear", align_corners=False)
            made[part] = fine[:, 0].cpu().numpy()
    return made


def feature_gradients(model: MelGenerator, features: Tensor, question: Question) -> Tensor:
    """Gradients of the target by each frame's features: ``features`` (1, T, D) → (T, D).

    Row t is of the band's mean at frame t with target ``frame``, of its mean over the film with ``clip``.
    """
    total, window = features.shape[1], model.options.window
    if window and total > window:
        return _of_windows(model, features, question)
    if question.target == "clip":
        return _gradients(model, features, [slice(None)], question)[0]
    rows = []
    for at in range(0, total, _TARGETS_AT_ONCE):
        frames = range(at, min(total, at + _TARGETS_AT_ONCE))
        places = [slice(t * model.subframes, (t + 1) * model.subframes) for t in frames]
        found = _gradients(model, features.expand(len(frames), -1, -1), places, question)
        rows.append(found[torch.arange(len(frames)), torch.tensor(list(frames))])
    return torch.cat(rows)


def _of_windows(model: MelGenerator, features: Tensor, question: Question) -> Tensor:
    """The same where the network sees windows: a window's mel is that of its last frame (the first window has those of
    all its frames), and with target ``clip`` a frame counts in every window that holds it."""
    window, r = model.options.window, model.subframes
    windows = features[0].unfold(0, window, 1).transpose(1, 2)  # (T - window + 1, window, D)
    found = []
    for part in torch.split(windows, _TARGETS_AT_ONCE):
        found.append(_gradients(model, part, [slice(-r, None)] * len(part), question))
    last = torch.cat(found)  # (T - window + 1, window, D)
    whole = torch.zeros_like(features[0])
    if question.target == "clip":
        for place in range(window):
            whole[place : place + len(last)] += last[:, place] / len(last)
        return whole
    whole[window - 1 :] = last[:, -1]
    first = windows[:1].expand(window - 1, -1, -1)
    places = [slice(t * r, (t + 1) * r) for t in range(window - 1)]
    start = _gradients(model, first, places, question)
    whole[: window - 1] = start[torch.arange(window - 1), torch.arange(window - 1)]
    return whole


def _gradients(model: MelGenerator, features: Tensor, places: Sequence[slice], question: Question) -> Tensor:
    """Gradients by ``features`` (B, T, D) of the mean of each row's mel over its place and the bins."""
    leaf = features.detach().clone().requires_grad_()
    lengths = torch.full((len(leaf),), leaf.shape[1])
    # cuDNN's recurrent layers have no backward pass outside of training mode.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        mel = model.decoded(leaf, lengths)[..., list(question.bins)]
        target = torch.stack([row[place].mean() for row, place in zip(mel, places, strict=True)]).sum()
        return torch.autograd.grad(target, leaf)[0]


def _layer_gradients(model: MelGenerator, layer: str, pictures: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Maps of ``layer`` and the gradients by them, (T, C, h, w) each, where ``wanted`` (T, D) are those by features."""
    held: list[Tensor] = []

    def cut(_: nn.Module, __: object, made: Tensor) -> Tensor:
        held.append(made.detach().requires_grad_())
        return held[-1]

    handle = model.encoder.get_submodule(layer).register_forward_hook(cut)
    try:
        with torch.enable_grad():
            features = model.encoder(pictures)
            gradient = torch.autograd.grad(features, held[0], grad_outputs=wanted)[0]
    finally:
        handle.remove()
    return held[0].detach(), gradient


def _weighted(maps: Tensor, gradients: Tensor, method: Method) -> Tensor:
    """(T, h, w) of maps and gradients (T, C, h, w)."""
    if method == "hirescam":
        return (maps * gradients).sum(1).relu()
    if method == "gradcam":
        weights = gradients.mean((2, 3), keepdim=True)
    else:
        squared = gradients.square()
        below = 2 * squared + maps.sum((2, 3), keepdim=True) * squared * gradients
        share = squared / torch.where(below.abs() > 1e-12, below, torch.ones_like(below))
        weights = (share * gradients.relu()).sum((2, 3), keepdim=True)
    return (weights * maps).sum(1).relu()


@contextmanager
def _still(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and no gradients by weights, for a while."""
    modes = {part: part.training for part in model.modules()}
    grads = {weight: weight.requires_grad for weight in model.parameters()}
    model.eval()
    for weight in grads:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training
        for weight, wanted in grads.items():
            weight.requires_grad_(wanted)
