"""A folder of transformers that was fine-tuned with CTC becomes a model folder of ours."""

from __future__ import annotations

import re
from pathlib import Path

from onsei.errors import ModelError
from onsei.systems.recognition.config import Encoder, Features, Train
from onsei.systems.recognition.encoder import EncoderCTC, take_head
from onsei.systems.recognition.training import save
from onsei.text.alphabet import BLANK, Alphabet, Case
from onsei.units import ssl

_SPECIAL = re.compile(r"<.+>|\[.+\]")


def adopt(name: str | Path, output_dir: Path) -> Alphabet:
    """Write the model folder ``output_dir`` of the encoder with CTC head ``name``, a folder or Hub repository.

    Special tokens (``<s>``, ``<unk>`` …) get no label: their outputs are left behind.

    Returns:
        the alphabet that was read off ``vocab.json``.

    Raises:
        ModelError: there is no such folder, no head of labels, or tokens of several characters.
    """
    source = ssl.look(ssl.locate(name))
    head = ssl.read_head(source)
    if head is None:
        raise ModelError(
            f"{source.folder}: no vocab.json with a layer lm_head to it",
            f"it was not fine-tuned with CTC: `onsei recognition train wav2vec2 --pretrained {name}` does that",
        )
    alphabet = alphabet_of(head, source.folder)
    network = EncoderCTC(ssl.load(source), len(alphabet.labels))
    take_head(network.lm_head, head, alphabet)
    features = Features(kind="wave", sample_rate=source.sample_rate, bins=1, standardize=source.standardize)
    options = Train(
        train_manifest=output_dir,
        output_dir=output_dir,
        features=features,
        encoder=Encoder(pretrained=str(name)),
        case=alphabet.case,
    )
    history = {"imported": {"from": str(name), "tool": "transformers"}}
    save(output_dir, options, network, alphabet, history, source.folder)
    return alphabet


def alphabet_of(head: ssl.Head, folder: Path) -> Alphabet:
    """The labels of ``head`` in the order of their numbers, the blank first."""
    ordered = sorted(head.tokens, key=head.tokens.__getitem__)
    special = {token for token in ordered if _SPECIAL.fullmatch(token)} - {head.delimiter} | {head.blank}
    labels = [" " if token == head.delimiter else token for token in ordered if token not in special]
    wrong = [label for label in labels if len(label) != 1 or label == BLANK]
    if wrong:
        raise ModelError(
            f"{folder / ssl.VOCABULARY}: expected one character a token, found {', '.join(map(repr, wrong[:5]))}",
            "take a model whose labels are single characters",
        )
    letters = "".join(labels)
    case: Case = "keep"
    if letters.upper() != letters.lower():
        case = "upper" if letters == letters.upper() else "lower" if letters == letters.lower() else "keep"
    return Alphabet((BLANK, *labels), case)
