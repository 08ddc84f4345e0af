"""What a training begins with: a fresh network, or that of a base; its codec, its table of symbols, its adapters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from onsei.config import from_dict
from onsei.errors import ConfigError, ModelError
from onsei.hub import store
from onsei.hub.store import ModelFolder
from onsei.systems.song import lora
from onsei.systems.song.config.saved import Saved
from onsei.systems.song.config.train import Train
from onsei.systems.song.model import Analytic, Autoencoder, SongModel, SongNetwork, opened
from onsei.systems.song.phones import begin
from onsei.text.phones import SYMBOLS, Phones

TABLES_TOO = (
    "beside the adapters the tables of sketch tokens and of phones learn, and what scores tokens: a codebook of one's "
    "own has nothing in common with the released one, which nobody else has, and 19 of 38 Japanese phones were never "
    "trained"
)


@dataclass(frozen=True)
class Beginning:
    """What is trained, and what it is trained with."""

    network: SongNetwork
    codec: Autoencoder | Analytic
    phones: Phones
    codebook: str
    """Fingerprint of the codebook that the base knows; empty where none is known."""
    remarks: tuple[str, ...]


def settled(options: Train) -> Train:
    """The options with what follows from others: a fine-tuning begins with a base, whose sizes count.

    Raises:
        ConfigError: adapters without a base, or two bases.
        ModelError: the base cannot be read.
    """
    training = options.training
    if training.finetune and training.continue_from:
        if options.base and options.base != training.continue_from:
            raise ConfigError("base: two of them", "give --base, or --continue-from with --finetune", ["base"])
        training = replace(training, continue_from="", finetune=False)
        options = replace(options, base=options.training.continue_from, training=training)
    if not options.base:
        if options.lora.use_lora:
            mend = "give --base MODEL; `onsei song import CHECKPOINT --output-dir MODEL` makes one"
            raise ConfigError("use_lora: adapters for which model?", mend, ["base"])
        return options
    saved = opened_base(options.base)
    about = told(saved)
    return replace(options, network=about.network, codec=about.codec)


def opened_base(name: str) -> ModelFolder:
    """The model that training begins with.

    Raises:
        ModelError: no singer, or not a whole one.
    """
    saved = store.open(name, system="song")
    missing = [key for key in ("network", "codec") if key not in saved.config]
    if missing or not saved.labels:
        lacks = ", ".join(missing) or "labels (the table of symbols)"
        raise ModelError(f"{name}/onsei.json: lacks {lacks}", "copy the whole folder again")
    return saved


def told(saved: ModelFolder) -> Saved:
    """Sizes of a model's network and codec, and its codebook."""
    return from_dict(Saved, saved.config, f"{saved.path}/onsei.json")


def made(options: Train) -> Beginning:
    """Build what is trained; ``options`` as ``settled`` gives them.

    Raises:
        ConfigError: sizes that make no network, adapters on layers that are not there, no codec.
        ModelError: the base, or the model whose codec is taken, cannot be read.
    """
    if options.base:
        found = _of_base(options)
    else:
        network = SongNetwork(options.network, len(SYMBOLS))
        found = Beginning(network, _codec(options), Phones(SYMBOLS), "", ())
    found.codec.requires_grad_(False).eval()
    if isinstance(found.codec, Autoencoder):
        found.codec.to(torch.float32)
    if not options.lora.use_lora:
        return found
    count = lora.put_in(found.network, options.lora)
    remarks = [*found.remarks, f"{count} layers have adapters of rank {options.lora.rank}"]
    if options.lora.train_tables:
        remarks.append(TABLES_TOO)
    return replace(found, remarks=tuple(remarks))


def check_codebook(options: Train, known: str, found: str) -> None:
    """Refuse sketch tokens that the base gives other meanings.

    Raises:
        ModelError: of another codebook than the base's, and that is not wanted.
        ConfigError: it is wanted, but its tables would stay as they are.
    """
    if known and known != found and not options.sketch.new_codebook:
        raise ModelError(
            f"{options.base}: was trained with the codebook {known}, the sketch tokens are of {found}",
            "sketch with that codebook, or learn the tables anew: --new-codebook",
        )
    if options.base and known != found and options.lora.use_lora and not options.lora.train_tables:
        raise ConfigError(
            "train_tables: the sketch tokens are of another codebook than the base's, and its tables would stay",
            "leave --no-train-tables out",
            ["lora.train_tables"],
        )


def _of_base(options: Train) -> Beginning:
    saved = opened_base(options.base)
    with torch.device("meta"):
        model = SongModel(options.network, options.codec, len(saved.labels))
    saved.fill(model, assign=True)
    network = model.model
    with torch.no_grad():
        for parameter in network.parameters():  # the file itself is mapped, and stays as it is
            parameter.data = parameter.data.float().clone()
    phones = Phones(saved.labels)
    remarks = []
    if options.nearest_phones and "imported" in saved.history:
        changed = begin(network, phones)
        if changed:
            remarks.append(f"{len(changed)} untrained phones begin as their nearest: {' '.join(changed)}")
    return Beginning(network, model.vae, phones, told(saved).sketch.codebook, tuple(remarks))


def _codec(options: Train) -> Autoencoder | Analytic:
    if options.codec.kind == "analytic":
        return opened(options.codec, options.network.latent_dim)
    if not options.codec_model:
        raise ConfigError(
            "codec_model: a codec of kind vae needs weights",
            "give --codec-model MODEL; `onsei song import CHECKPOINT --output-dir MODEL` makes one",
            ["codec_model"],
        )
    saved = opened_base(options.codec_model)
    about = told(saved)
    network, codec = about.network, about.codec
    if codec != options.codec or network.latent_dim != options.network.latent_dim:
        raise ConfigError(
            f"codec: other sizes than that of {options.codec_model}: {codec}, {network.latent_dim} latents",
            "give the same sizes",
            ["codec"],
        )
    with torch.device("meta"):
        model = SongModel(network, codec, len(saved.labels))
    saved.fill(model, assign=True)
    return model.vae
