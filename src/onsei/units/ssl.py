"""Self-supervised encoders by Hub name or folder: the one door to transformers."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from onsei.errors import ModelError
from onsei.hub import remote
from onsei.nn.frames import Frames

FAMILIES = ("wav2vec2", "hubert", "wavlm", "data2vec-audio", "unispeech", "unispeech-sat")
"""Kinds of encoder (``model_type`` of ``config.json``) that are read: convolutions over samples, then a transformer."""
CONFIG, PREPROCESSOR, VOCABULARY = "config.json", "preprocessor_config.json", "vocab.json"
DELIMITER = "|"
"""How a space between words is written in ``vocab.json``; transformers' tokenizer opens no folder with another one."""
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_PICKLED = ("pytorch_model*.bin",)


@dataclass(frozen=True)
class Source:
    """An encoder's folder, looked at before its weights are read."""

    folder: Path
    config: Any
    """Transformers' configuration."""
    sample_rate: int
    """Rate that it was trained on, in Hz."""
    standardize: bool
    """Whether each sound is brought to mean 0 and deviation 1."""

    @property
    def frames(self) -> Frames:
        """How samples become frames."""
        return Frames.unpadded(self.config.conv_kernel, self.config.conv_stride)


@dataclass(frozen=True)
class Head:
    """The labels of a fine-tuned folder, and the linear layer that scores them."""

    tokens: Mapping[str, int]
    """Label numbers; the blank's name is ``blank``."""
    blank: str
    delimiter: str
    """How a space between words is written."""
    weight: Tensor
    """Shape (V, H)."""
    bias: Tensor
    """Shape (V,)."""


def locate(name: str | Path, *, weights: bool = True, revision: str | None = None) -> Path:
    """The folder of an encoder: one that is here, or a Hub repository ``user/name``, fetched.

    Weights are taken as safetensors; a pickle is fetched only where there is nothing else, and read without running
    what it says.

    Raises:
        ModelError: there is neither, or no weights.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if isinstance(name, Path) or folder.exists() or str(name).startswith((".", "/", "~")) or "/" not in str(name):
            raise ModelError(
                f"{name}: no such folder", "give the folder of an encoder, or a Hub repository as user/name"
            )
        folder = remote.fetch(str(name), revision=revision)
        if weights and not _has_weights(folder):
            folder = remote.fetch(str(name), revision=revision, further=_PICKLED)
    if weights and not _has_weights(folder):
        raise ModelError(f"{folder}: no weights ({' or '.join(WEIGHTS[::2])})", "copy or download the whole folder")
    return folder


def look(folder: Path) -> Source:
    """Read what kind of encoder lies in ``folder``.

    Raises:
        ModelError: no ``config.json``, or one of another kind of network.
    """
    from transformers import AutoConfig

    kind = read_json(folder / CONFIG).get("model_type")
    if kind not in FAMILIES:
        raise ModelError(
            f"{folder / CONFIG}: model_type {kind!r} is no speech encoder that is understood",
            f"choose one of the kinds {', '.join(FAMILIES)}",
        )
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if getattr(config, "add_adapter", False):
        raise ModelError(
            f"{folder / CONFIG}: add_adapter is set; encoders with adapters are not read", "choose another"
        )
    values = read_json(folder / PREPROCESSOR) if (folder / PREPROCESSOR).is_file() else {}
    return Source(folder, config, int(values.get("sampling_rate", 16000)), bool(values.get("do_normalize", True)))


def changed(config: Any, **settings: Any) -> Any:
    """A copy of ``config`` with the settings that are not None."""
    config = copy.deepcopy(config)
    for name, value in settings.items():
        if value is not None:
            setattr(config, name, value)
    return config


def fresh(config: Any) -> Any:
    """An encoder of the shape ``config`` with random weights."""
    return _class(config)._from_config(with_attention(config))


def load(source: Source, config: Any | None = None) -> Any:
    """The encoder in ``source`` with its weights; ``config`` may differ in what changes no shape.

    Raises:
        ModelError: the weights do not fit, or lack.
    """
    config = with_attention(config or source.config)
    body, missing = loaded(_class(config), source.folder, config)
    if missing:
        raise ModelError(
            f"{source.folder}: the weights lack {len(missing)} of the encoder's tensors, first {missing[0]}",
            "the folder holds another network than its config.json says; copy it again",
        )
    return body


def loaded(kind: Any, folder: Path, config: Any, *, pickles: bool = True, **settings: Any) -> tuple[Any, list[str]]:
    """A network of transformers' class ``kind`` with the weights in ``folder``, and which of its tensors lack there.

    Safetensors are read where there are any; of a pickle tensors alone, without running what it says, or nothing where
    ``pickles`` says so.

    Raises:
        ModelError: there are no weights, they cannot be read, or they are of another shape.
    """
    if not pickles and not has_safetensors(folder):
        mend = "a pickle is not read: open it once with transformers and save_pretrained"
        raise ModelError(f"{folder}: no {WEIGHTS[0]}", mend)
    try:
        with quiet():  # it warns of every head that is left behind
            network, report = kind.from_pretrained(
                folder,
                config=config,
                output_loading_info=True,
                local_files_only=True,
                use_safetensors=has_safetensors(folder),
                weights_only=True,
                **settings,
            )
    except Exception as error:  # safetensors', pickle's, torch's: all say that the file is not what it should be
        raise ModelError(
            f"{folder}: the weights cannot be read: {type(error).__name__}: {str(error)[:300]}",
            "copy or download the whole folder again",
        ) from error
    # The embedding of masked frames is of training alone, and is missing in many folders.
    return network, sorted(name for name in report["missing_keys"] if "masked_spec_embed" not in name)


def read_head(source: Source) -> Head | None:
    """The labels and the last layer of a folder fine-tuned with CTC; None where it is not, or has one a language."""
    if not (source.folder / VOCABULARY).is_file():
        return None
    vocabulary = read_json(source.folder / VOCABULARY)
    if not all(isinstance(number, int) for number in vocabulary.values()):
        return None
    from onsei.hub import weights

    file = source.folder / WEIGHTS[0]
    tensors = weights.load(file) if file.is_file() else _unpickled(source.folder / WEIGHTS[2])
    if not {"lm_head.weight", "lm_head.bias"} <= tensors.keys():
        return None
    settings = source.folder / "tokenizer_config.json"
    told = read_json(settings) if settings.is_file() else {}
    names = {number: token for token, number in vocabulary.items()}
    blank = names.get(source.config.pad_token_id, "<pad>")
    delimiter = told.get("word_delimiter_token") or DELIMITER
    return Head(vocabulary, blank, str(delimiter), tensors["lm_head.weight"], tensors["lm_head.bias"])


def ctc_files(body: Any, tokens: Sequence[str], *, sample_rate: int, standardize: bool) -> dict[str, str]:
    """What lies beside the weights so that transformers opens the folder: ``AutoModelForCTC``, the pipeline.

    Args:
        tokens: what its tokenizer joins to text, by label, with ``DELIMITER`` for a space; the blank first.
    """
    config = changed(body.config, vocab_size=len(tokens), pad_token_id=0, bos_token_id=None, eos_token_id=None)
    config.bos_token_id = config.eos_token_id = None
    config.architectures = [type(body).__name__.replace("Model", "ForCTC")]
    tokenizer = {
        "tokenizer_class": "Wav2Vec2CTCTokenizer",
        "pad_token": tokens[0],
        "unk_token": "<unk>",
        "bos_token": None,
        "eos_token": None,
        "word_delimiter_token": DELIMITER,
        "do_lower_case": False,
        "clean_up_tokenization_spaces": False,
    }
    preprocessor = {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "feature_size": 1,
        "sampling_rate": sample_rate,
        "padding_value": 0.0,
        "do_normalize": standardize,
        "return_attention_mask": config.feat_extract_norm == "layer",
    }
    written = {
        PREPROCESSOR: preprocessor,
        "tokenizer_config.json": tokenizer,
        VOCABULARY: {token: number for number, token in enumerate(tokens)},
    }
    texts = {name: json.dumps(values, ensure_ascii=False, indent=1) + "\n" for name, values in written.items()}
    return {CONFIG: config.to_json_string(), **texts}


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' remarks and progress bars."""
    from transformers import logging as said

    level, bars = said.get_verbosity(), said.is_progress_bar_enabled()
    said.set_verbosity(logging.CRITICAL)
    said.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        said.set_verbosity(level)
        if bars:
            said.enable_progress_bar()  # type: ignore[no-untyped-call]


def _class(config: Any) -> Any:
    import transformers

    return transformers.MODEL_MAPPING[type(config)]


def with_attention(config: Any) -> Any:
    """A copy of ``config`` with an attention that is part of torch: a name in the file could else fetch code."""
    config = copy.deepcopy(config)
    config._attn_implementation = "sdpa" if _class(config)._supports_sdpa else "eager"
    return config


def has_safetensors(folder: Path) -> bool:
    """Whether there are weights that are no pickle."""
    return any((folder / name).is_file() for name in WEIGHTS[:2])


def _has_weights(folder: Path) -> bool:
    return any((folder / name).is_file() for name in WEIGHTS)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file of a model's folder. ModelError where there is none."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path.parent}: no {path.name}", "this is no encoder's folder; name another") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not valid JSON ({error})", "copy or download the whole folder again") from None
    if not isinstance(values, dict):
        raise ModelError(f"{path}: expected a JSON object", "copy or download the whole folder again")
    return values


def _unpickled(path: Path) -> Mapping[str, Tensor]:
    import torch

    if not path.is_file():
        return {}
    try:
        tensors: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file that is cut, or one with more than tensors in it
        raise ModelError(f"{path}: not a file of tensors: {str(error)[:200]}", "take a safetensors file") from None
    return tensors
