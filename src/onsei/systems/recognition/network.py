"""Which network the options name: DeepSpeech2 over spectrograms, or a pretrained encoder over samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from onsei.config import from_dict
from onsei.errors import ConfigError, ModelError
from onsei.hub.store import ModelFolder
from onsei.nn.frames import Frames
from onsei.systems.recognition.config import Augment, Encoder, Features, Model, Train
from onsei.systems.recognition.data.front import network_bins
from onsei.systems.recognition.model import DeepSpeech2, frames_of
from onsei.text.alphabet import Alphabet

if TYPE_CHECKING:  # transformers is imported only where an encoder is asked for
    from onsei.systems.recognition.encoder import EncoderCTC
    from onsei.units.ssl import Source

_SPECTRA = ("spec_augment", "warp", "slope", "tilt", "time_warp", "freq_masks", "time_masks")
"""Changes that work on spectrograms; those of tempo do unless told otherwise."""
_TEMPO = ("tempo", "speed_volume_perturb")


@dataclass(frozen=True)
class Plan:
    """What is known of the network before the rows are looked at."""

    options: Train
    """The options with what the encoder's preprocessor says."""
    frames: Frames
    """How feature frames (or samples) become output frames."""
    source: Source | None = None
    """The encoder's folder; None for DeepSpeech2."""

    def build(self, bins: int, alphabet: Alphabet) -> DeepSpeech2 | EncoderCTC:
        """The network that training starts from."""
        if self.source is None:
            return DeepSpeech2(self.options.model, bins, len(alphabet.labels))
        from onsei.systems.recognition.encoder import built

        return built(self.source, self.options.encoder, alphabet)


def planned(options: Train) -> Plan:
    """Check the options of the network against each other, and look at the encoder that they name.

    Raises:
        ConfigError: options that do not go together.
        ModelError: the encoder is missing or of another kind.
    """
    name = options.encoder.pretrained
    if options.features.kind != "wave":
        if name:
            raise ConfigError(
                f"encoder.pretrained {name} hears samples, but features.kind is {options.features.kind}",
                "take the recipe wav2vec2, or --kind wave",
            )
        return Plan(options, frames_of(options.model.time_stride))
    if not name:
        raise ConfigError(
            "features.kind wave needs an encoder, but encoder.pretrained is empty",
            "--pretrained FOLDER, or a Hub repository such as facebook/wav2vec2-base",
        )
    _check_augment(options.augment)
    from onsei.units import ssl

    source = ssl.look(ssl.locate(name, weights=not options.encoder.from_scratch))
    if source.sample_rate != options.features.sample_rate:
        raise ConfigError(
            f"features.sample_rate: {options.features.sample_rate} Hz, but {name} hears {source.sample_rate} Hz",
            f"--sample-rate {source.sample_rate}; files of any rate are resampled",
        )
    features = replace(options.features, bins=1, standardize=source.standardize)
    return Plan(replace(options, features=features), source.frames, source)


def opened(saved: ModelFolder, features: Features, labels: int) -> tuple[DeepSpeech2 | EncoderCTC, Model]:
    """The network of a trained model with its weights, and the shape of DeepSpeech2 that its options name.

    Raises:
        ModelError: the folder's parts do not fit each other.
    """
    shape = from_dict(Model, saved.config["model"], source=f"{saved.path}/onsei.json")
    network: DeepSpeech2 | EncoderCTC = (
        DeepSpeech2(shape, network_bins(features), labels) if features.kind != "wave" else _encoder(saved, labels)
    )
    saved.fill(network)
    return network, shape


def files(network: Any, alphabet: Alphabet, features: Features) -> Mapping[str, str]:
    """Files of other tools beside the weights."""
    if features.kind != "wave":
        return {}
    from onsei.systems.recognition import encoder

    return encoder.files(network, alphabet, features)


def groups(network: Any, rate: float, options: Encoder) -> list[dict[str, Any]]:
    """Parameters to train, in groups with their learning rates."""
    if isinstance(network, DeepSpeech2):
        return [{"params": list(network.parameters()), "lr": rate}]
    from onsei.systems.recognition import encoder

    return encoder.groups(network, rate, options)


def _encoder(saved: ModelFolder, labels: int) -> EncoderCTC:
    from onsei.systems.recognition import encoder

    if not (saved.path / "config.json").is_file():
        raise ModelError(f"{saved.path}: config.json is missing", "copy the whole folder again")
    return encoder.opened(saved.path, labels)


def _check_augment(augment: Augment) -> None:
    names = _SPECTRA if getattr(augment, "tempo_method", "") == "samples" else (*_SPECTRA, *_TEMPO)
    wrong = [name for name in names if getattr(augment, name, 0)]
    if wrong:
        raise ConfigError(
            f"augment.{', augment.'.join(wrong)}: change spectrograms, but features.kind is wave",
            "leave these at 0; --mask-time-prob masks the encoder's frames, --augment.speed changes samples",
        )
