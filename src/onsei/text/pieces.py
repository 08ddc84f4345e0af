"""Pieces of words learned from transcripts by byte-pair encoding: the one door to sentencepiece."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from onsei.errors import ConfigError

FILE = "pieces.model"
"""Name of the model in a folder: a protocol buffer of sentencepiece, which holds data only."""
SPACE = "▁"
"""How a piece shows that a space stands before it."""
_SENTENCES = 1_000_000
"""Most transcripts that pieces are learned from; of more, so many are drawn."""
_BOUND = re.compile(r"too high.*<= (\d+)|smaller than required_chars\. \d+ vs (\d+)", re.DOTALL)


@dataclass(frozen=True)
class Pieces:
    """A vocabulary of pieces. Piece 0 is the unknown one, whose number CTC's blank takes.

    Args:
        model: a serialized sentencepiece model.
    """

    model: bytes

    @classmethod
    def learn(cls, texts: Iterable[str], size: int, *, spaced: bool = True) -> Pieces:
        """Learn pieces by byte-pair encoding (Sennrich et al. 2016, section 3.2); the same texts give the same pieces.

        Args:
            texts: spelled transcripts, each read once.
            size: pieces with the unknown one.
            spaced: whether spaces part the texts' words; pieces do not reach over them.

        Raises:
            ConfigError: the texts have more characters than ``size``, or fewer pieces.
        """
        import sentencepiece

        sentencepiece.set_random_generator_seed(0)
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=model,
                model_type="bpe",
                vocab_size=size,
                character_coverage=1.0,
                normalization_rule_name="identity",
                add_dummy_prefix=spaced,
                unk_id=0,
                bos_id=-1,
                eos_id=-1,
                pad_id=-1,
                input_sentence_size=_SENTENCES,
                shuffle_input_sentence=True,
                max_sentence_length=1 << 20,
                num_threads=1,
                minloglevel=2,
            )
        except (RuntimeError, OSError) as error:
            raise _explained(size, str(error)) from None
        return cls(model.getvalue())

    @classmethod
    def read(cls, path: Path) -> Pieces:
        """Read a model file, or the one in a folder.

        Raises:
            ConfigError: it is missing, is no sentencepiece model, or has special pieces where labels are expected.
        """
        file = path / FILE if path.is_dir() else path
        try:
            pieces = cls(file.read_bytes())
        except OSError as error:
            raise ConfigError(
                f"{file}: {error.strerror}", "`onsei recognition labels MANIFEST --units bpe --output DIR` makes pieces"
            ) from None
        try:
            size, unknown = pieces.processor.get_piece_size(), pieces.processor.unk_id()
        except (RuntimeError, OSError):
            raise ConfigError(f"{file}: no model of sentencepiece", "copy the file again") from None
        if unknown or any(pieces.processor.is_control(number) for number in range(size)):
            raise ConfigError(
                f"{file}: expected the unknown piece at 0 and no control pieces (<s>, </s>, <pad>)",
                "train with unk_id=0, bos_id=-1, eos_id=-1, pad_id=-1, or let `onsei recognition labels` train it",
            )
        return pieces

    @cached_property
    def processor(self) -> Any:
        """The sentencepiece processor."""
        import sentencepiece

        processor = sentencepiece.SentencePieceProcessor()
        processor.LoadFromSerializedProto(self.model)
        return processor

    def __reduce__(self) -> tuple[type[Pieces], tuple[bytes]]:
        """Only the model goes to other processes."""
        return Pieces, (self.model,)

    def known(self) -> list[str]:
        """All pieces but the unknown one, by number from 1."""
        return [str(self.processor.id_to_piece(number)) for number in range(1, self.processor.get_piece_size())]

    def encode(self, text: str) -> list[int]:
        """Numbers of the pieces of ``text``, those of unknown characters left out."""
        return [number for number in self.processor.encode(text) if number]

    def unknown(self, text: str) -> Counter[str]:
        """How often each character of ``text`` occurs that no piece holds."""
        pairs = zip(self.processor.encode(text, out_type=str), self.processor.encode(text), strict=True)
        return Counter(c for piece, number in pairs if not number for c in piece if c != SPACE)


def _explained(size: int, message: str) -> ConfigError:
    bound = _BOUND.search(message)
    if bound and bound[1]:
        return ConfigError(f"vocab_size: {size}, but the transcripts give {bound[1]} pieces at most", "lower it")
    if bound:
        mend = "raise it, or leave out rare characters with --min-count"
        return ConfigError(f"vocab_size: {size}, but the transcripts need {bound[2]} for their characters", mend)
    return ConfigError(f"vocab_size: {size}: no pieces could be learned: {message[-200:]}", "check the transcripts")
