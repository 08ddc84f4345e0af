"""A tiny singer of random weights."""

import torch

from onsei.config import to_dict
from onsei.hub import store
from onsei.systems.song.config import Codec, Network
from onsei.systems.song.model import SongModel
from onsei.text.phones import SYMBOLS

NETWORK = Network(
    block_size=4, latent_dim=4, dim=64, num_heads=2, lm_layers=2, diff_layers=1, num_pitch=30, timestep_features_dim=8,
    prompt_len=40, lyrics_len=24, max_sentence=5, init_std=0.08,
)  # fmt: skip
CODEC = Codec(sample_rate=800, audio_channels=2, channels=4, c_mults=(1, 2), strides=(4, 8))


def model(network=NETWORK, codec=CODEC, seed=0):
    torch.manual_seed(seed)
    return SongModel(network, codec, len(SYMBOLS))


def write(folder, made=None):
    """A model folder."""
    made = made or model()
    with torch.no_grad():
        made.model.skeleton_classifier[2].bias[NETWORK.end] = -9.0  # else songs end at once
    config = {"network": to_dict(NETWORK), "codec": to_dict(CODEC)}
    return store.save(folder, system="song", stage="train", config=config, weights=made.state_dict(), labels=SYMBOLS)


def as_released(made):
    """The state dict as the released files have it: the codec under the names of Stable Audio's own code."""
    renamed = {f"model.{name}": tensor for name, tensor in made.model.state_dict().items()}
    for name, tensor in made.vae.state_dict().items():
        side, *rest = name.split(".")
        layers = len(made.vae.codec.strides)
        down = side == "encoder"
        if rest[0] == "block":
            number, part, *rest = rest[1:]
            place = f"layers.{int(number) + 1}"
            if part.startswith("res_unit"):
                unit = int(part[-1]) - 1 + (0 if down else 2)
                inner = ("snake1", "conv1", "snake2", "conv2").index(rest[0])
                place, rest = f"{place}.layers.{unit}.layers.{inner}", rest[1:]
            else:
                order = {"snake1": 3, "conv1": 4} if down else {"snake1": 0, "conv_t1": 1}
                place = f"{place}.layers.{order[part]}"
        else:
            number = {"conv1": 0, "snake1": layers + 1, "conv2": layers + 2}[rest[0]]
            place, rest = f"layers.{number}", rest[1:]
        shaped = tensor.flatten() if rest[-1] in ("alpha", "beta") else tensor
        renamed[".".join(["vae.vae", side, place, *rest])] = shaped
    return renamed
