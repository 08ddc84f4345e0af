"""A self-supervised encoder with a layer of labels on top, fine-tuned with CTC.

B batch, T samples, F frames, H hidden size, V labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from onsei.systems.recognition.config import Encoder, Features
from onsei.text.alphabet import Alphabet
from onsei.text.pieces import SPACE
from onsei.units import ssl
from onsei.units.encoder import SpeechEncoder

_BARS = ("¦", "❘", "│")


class EncoderCTC(SpeechEncoder):
    """An encoder, dropout, one linear layer; parameters are named as in transformers' ``…ForCTC``.

    Args:
        body: transformers' network without a head.
        labels: number of output labels with the blank, V.
    """

    def __init__(self, body: Any, labels: int) -> None:
        super().__init__(body)
        self.dropout = nn.Dropout(getattr(body.config, "final_dropout", 0.0))
        self.lm_head = nn.Linear(self.width, labels)

    @property
    def head(self) -> nn.Linear:
        """The layer of labels."""
        return self.lm_head

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of every frame.

        Args:
            features: samples, shape (B, 1, T), float.
            lengths: samples of each item, shape (B,), on the CPU.

        Returns:
            logits, shape (B, F, V), and the frames of each item, shape (B,).
        """
        hidden, frames = self.hidden(features[:, 0], lengths)
        return self.lm_head(self.dropout(hidden)), frames


def built(source: ssl.Source, options: Encoder, alphabet: Alphabet) -> EncoderCTC:
    """The network that training starts from; says which labels of an older layer are taken over."""
    drop = options.hidden_dropout
    config = ssl.changed(
        source.config,
        hidden_dropout=drop,
        attention_dropout=drop,
        activation_dropout=drop,
        feat_proj_dropout=drop,
        final_dropout=drop,
        layerdrop=options.layerdrop,
        mask_time_prob=options.mask_time_prob,
        mask_time_length=options.mask_time_length,
        mask_feature_prob=options.mask_feature_prob,
        mask_feature_length=options.mask_feature_length,
    )
    body = ssl.fresh(config) if options.from_scratch else ssl.load(source, config)
    network = EncoderCTC(body, len(alphabet.labels))
    head = ssl.read_head(source) if options.take_head and not options.from_scratch else None
    if head is not None:
        taken = take_head(network.lm_head, head, alphabet)
        print(f"{source.folder}: outputs of {taken} of {len(alphabet.labels)} labels taken over")
    if options.freeze_front:
        network.freeze_front()
    if options.gradient_checkpointing:
        body.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return network


def take_head(layer: nn.Linear, head: ssl.Head, alphabet: Alphabet) -> int:
    """Copy the rows of labels that ``head`` has too into ``layer``; returns how many."""
    names = {" ": head.delimiter, alphabet.labels[0]: head.blank}
    pairs = [
        (number, head.tokens[names.get(label, label)])
        for number, label in enumerate(alphabet.labels)
        if names.get(label, label) in head.tokens
    ]
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    with torch.no_grad():
        layer.weight[ours] = head.weight[theirs].to(layer.weight)
        layer.bias[ours] = head.bias[theirs].to(layer.bias)
    return len(pairs)


def groups(network: EncoderCTC, rate: float, options: Encoder) -> list[dict[str, Any]]:
    """The parameters that are trained, the layer of labels in a group with a rate of its own."""
    head = list(network.lm_head.parameters())
    body = [p for p in network.body.parameters() if p.requires_grad]
    return [{"params": body, "lr": rate}, {"params": head, "lr": rate * options.head_rate}]


def opened(texts: Any, labels: int) -> EncoderCTC:
    """The network that a model folder's ``config.json`` describes, without its weights."""
    return EncoderCTC(ssl.fresh(ssl.look(texts).config), labels)


def files(network: EncoderCTC, alphabet: Alphabet, features: Features) -> Mapping[str, str]:
    """What lies beside the weights so that transformers opens the folder too."""
    tokens = _tokens(alphabet)
    return ssl.ctc_files(network.body, tokens, sample_rate=features.sample_rate, standardize=features.standardize)


def _tokens(alphabet: Alphabet) -> list[str]:
    """Labels as a tokenizer joins them to text, in which ``|`` is a space; a bar of the text is another one there."""
    blank, *rest = alphabet.labels
    bar = next(mark for mark in _BARS if mark not in rest)
    shown = [bar if label == ssl.DELIMITER else label for label in rest]
    if alphabet.units == "words":
        return [blank, *(f" {word}" for word in shown)]
    if alphabet.pieces is not None:
        return [blank, *(piece.replace(SPACE, " ") for piece in shown)]
    return [blank, *(ssl.DELIMITER if label == " " else label for label in shown)]
