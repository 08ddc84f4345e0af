"""BART as a decoder, from a folder, a Hub name, or a small configuration with a tokenizer learned on the spot.

B batch, T states, H width, L tokens.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from onsei.errors import ModelError
from onsei.hub import remote
from onsei.systems.translation.config.train import Decoder
from onsei.units.ssl import loaded, with_attention

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
"""As BART numbers them, from 0."""
TOKENIZER = "tokenizer.json"
FILES = (TOKENIZER, "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt")


@dataclass(frozen=True)
class Tokens:
    """Text as numbers and back."""

    inner: Any
    """Transformers' tokenizer."""

    @classmethod
    def learned(cls, texts: Iterable[str], size: int) -> Tokens:
        """Byte-level pairs (Radford et al. 2019, section 2.2) of the bytes in ``texts``, at most ``size`` tokens.

        A byte that is not in ``texts`` is unknown: what is learned from them would never write it, and tokens that
        never occur take their share of smoothed labels.
        """
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
        from transformers import PreTrainedTokenizerFast

        made = Tokenizer(models.BPE(unk_token="<unk>"))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        made.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=2,
            special_tokens=list(SPECIAL),
            show_progress=False,
        )
        made.train_from_iterator(texts, trainer)
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
        names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
        make: Any = PreTrainedTokenizerFast
        return cls(make(tokenizer_object=made, mask_token="<mask>", **names))

    @classmethod
    def opened(cls, folder: Path) -> Tokens:
        """The tokenizer of a folder.

        Raises:
            ModelError: there is none, or it is damaged.
        """
        from transformers import AutoTokenizer

        try:
            return cls(AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True))
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            mend = "name a folder that holds tokenizer.json, or vocab.json and merges.txt"
            raise ModelError(f"{folder}: no usable tokenizer ({reason})", mend) from None

    def __len__(self) -> int:
        return len(self.inner)

    def encode(self, texts: Sequence[str], longest: int) -> Tensor:
        """Numbers of ``texts`` with start and end, (B, L); those beyond an end are -100."""
        found = [self.inner(text, truncation=True, max_length=longest)["input_ids"] for text in texts]
        numbers = torch.full((len(found), max(map(len, found), default=1)), -100)
        for row, ids in enumerate(found):
            numbers[row, : len(ids)] = torch.tensor(ids)
        return numbers

    def decode(self, numbers: Tensor) -> list[str]:
        """Texts of numbers, (B, L)."""
        real = [[number for number in row if number >= 0] for row in numbers.tolist()]
        return [text.strip() for text in self.inner.batch_decode(real, skip_special_tokens=True)]

    def pieces(self, numbers: Sequence[int]) -> list[str]:
        """What each number stands for, as text."""
        return [self.inner.decode([number]) for number in numbers]

    @property
    def special(self) -> frozenset[int]:
        """Numbers that stand for no text."""
        return frozenset(self.inner.all_special_ids)

    def files(self) -> dict[str, bytes]:
        """Content of the tokenizer's files by name."""
        with tempfile.TemporaryDirectory() as folder:
            self.inner.save_pretrained(folder)
            return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


@dataclass(frozen=True)
class Found:
    """A decoder with its tokenizer."""

    model: nn.Module
    tokens: Tokens
    origin: Path | None = None
    """Folder of a pretrained one."""


def made(options: Decoder, texts: Iterable[str]) -> Found:
    """The decoder that ``options`` ask for: a pretrained one, or a small new one with a tokenizer of ``texts``."""
    if options.pretrained:
        return pretrained(options.pretrained)
    tokens = Tokens.learned(texts, options.vocabulary)
    return Found(_new(options, len(tokens)), tokens)


def rebuilt(config: Mapping[str, Any], folder: Path) -> Found:
    """A decoder of the configuration in a model folder, without its weights."""
    from transformers import BartConfig, BartForConditionalGeneration

    return Found(BartForConditionalGeneration(with_attention(BartConfig(**config))), Tokens.opened(folder))


def pretrained(name: str) -> Found:
    """BART by folder or Hub name.

    Raises:
        ModelError: there is none, it is no BART, or it has no weights that are safe to read.
    """
    from transformers import AutoConfig, BartForConditionalGeneration

    folder = Path(name).expanduser()
    if not folder.is_dir():
        if "/" not in name or name.startswith((".", "/", "~")):
            raise ModelError(
                f"{name}: no such folder", "give the folder of a BART, or a Hub name such as facebook/bart-base"
            )
        folder = remote.fetch(name)
    try:
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: no readable config.json ({str(error).splitlines()[0]})", "name a BART") from None
    if config.model_type != "bart":
        raise ModelError(f"{folder}: a model of kind {config.model_type}", "name a BART, such as facebook/bart-base")
    model, missing = loaded(BartForConditionalGeneration, folder, with_attention(config), pickles=False)
    lacking = [name for name in missing if name != "final_logits_bias"]  # zero where BART was saved without a head
    if lacking:
        raise ModelError(f"{folder}: the weights lack {len(lacking)} tensors, first {lacking[0]}", "fetch it again")
    return Found(model, Tokens.opened(folder), folder)


def configuration(model: nn.Module) -> dict[str, Any]:
    """The configuration of a decoder, as JSON values."""
    values: dict[str, Any] = json.loads(model.config.to_json_string(use_diff=True))  # type: ignore[union-attr, operator]
    return values


def written(
    decoder: Any, states: Tensor, mask: Tensor, *, beams: int, count: int, longest: int
) -> tuple[Tensor, Tensor]:
    """The ``count`` best translations of each item: tokens (B · count, L), and their mean log probability a token.

    Beam search; with one beam the likeliest token after another.
    """
    from transformers.modeling_outputs import BaseModelOutput

    found = decoder.generate(
        encoder_outputs=BaseModelOutput(last_hidden_state=states),
        attention_mask=mask.long(),
        num_beams=beams,
        num_return_sequences=count,
        max_new_tokens=longest,
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
    )
    chances = getattr(found, "sequences_scores", None)
    if chances is None:
        steps = decoder.compute_transition_scores(found.sequences, found.scores, normalize_logits=True)
        real = steps.isfinite() & (found.sequences[:, 1:] != decoder.config.pad_token_id)
        chances = torch.where(real, steps, 0.0).sum(1) / real.sum(1).clamp(min=1)
    return found.sequences, chances


def cross_attention(decoder: Any, states: Tensor, mask: Tensor, numbers: Tensor) -> NDArray[np.float32]:
    """Share of each state, (T,), in each token that follows the first of ``numbers``, (1, L + 1): (L, T).

    Mean over layers and heads.
    """
    decoder.set_attn_implementation("eager")  # others do not tell
    found = decoder(
        encoder_outputs=(states,), attention_mask=mask.long(), decoder_input_ids=numbers[:, :-1], output_attentions=True
    )
    weights = torch.stack(found.cross_attentions).float().mean((0, 2))[0]
    return weights.cpu().numpy()


def width(model: Any) -> int:
    """Width of a decoder's states."""
    return int(model.config.d_model)


def tied(model: nn.Module) -> frozenset[str]:
    """Names of weights that share memory with one named before; they are saved once."""
    seen: dict[int, str] = {}
    again = []
    for name, value in model.state_dict(keep_vars=True).items():
        key = value.data_ptr() if value.numel() else id(value)
        if key in seen:
            again.append(name)
        seen.setdefault(key, name)
    return frozenset(again)


def fill(model: nn.Module, weights: Mapping[str, Tensor], folder: Path) -> None:
    """Load weights of which tied ones are there once.

    Raises:
        ModelError: names or shapes differ from the model's.
    """
    lacking = tied(model)
    try:
        found = model.load_state_dict(dict(weights), strict=False)
        wrong = [*(name for name in found.missing_keys if name not in lacking), *found.unexpected_keys]
        if wrong:
            raise RuntimeError(", ".join(wrong[:5]))
    except RuntimeError as error:
        raise ModelError(
            f"{folder}: its weights do not fit its onsei.json: {error}", "copy the whole folder again"
        ) from None


def _new(options: Decoder, vocabulary: int) -> nn.Module:
    from transformers import BartConfig, BartForConditionalGeneration

    config = BartConfig(
        vocab_size=vocabulary,
        d_model=options.width,
        encoder_layers=0,  # what the encoder would do, the unit encoder does
        decoder_layers=options.layers,
        decoder_attention_heads=options.heads,
        encoder_attention_heads=options.heads,
        decoder_ffn_dim=4 * options.width,
        encoder_ffn_dim=4 * options.width,
        max_position_embeddings=options.longest + 2,
        dropout=options.dropout,
        attention_dropout=0.0,
        activation_dropout=0.0,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
        forced_eos_token_id=2,
        init_std=options.width**-0.5,  # 0.02 suits 1024: at 128 attention to the speech begins too weak to be learned
    )
    return BartForConditionalGeneration(config)
