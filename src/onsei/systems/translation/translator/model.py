"""The translator: states of a unit encoder, as a sequence, are what a BART decoder attends to.

B batch, U units, T states, H width of a state, E size of the common space, L tokens, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from onsei.nn.masks import length_mask
from onsei.systems.translation.config.train import Train
from onsei.systems.translation.ground.encoder import UnitEncoder


class Translator(nn.Module):
    """Writes what units say.

    Args:
        encoder: reads units.
        decoder: BartForConditionalGeneration; its own encoder is not used.
        width: of the decoder's states.
        word_dropout: share of tokens that are hidden from those behind them in training.
    """

    def __init__(self, encoder: UnitEncoder, decoder: nn.Module, width: int, word_dropout: float = 0.0) -> None:
        super().__init__()
        self.word_dropout = word_dropout
        self.encoder = encoder
        self.bridge = nn.Sequential(nn.Linear(encoder.width, width), nn.LayerNorm(width))
        self.decoder = decoder

    def thaw(self, options: Train, step: int) -> None:
        """Let learn what learns at a step."""
        tuning = options.optimization
        if tuning.freeze_encoder_steps:
            self.encoder.requires_grad_(step >= tuning.freeze_encoder_steps)
        if tuning.freeze_decoder_steps and options.decoder.pretrained:
            for name, weight in self.decoder.named_parameters():
                weight.requires_grad_("encoder_attn" in name or step >= tuning.freeze_decoder_steps)

    def read(self, units: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder attends to: states (B, T, width of the decoder), and where they are, (B, T)."""
        states, counts = self.encoder(units, lengths)
        return self.bridge(states), length_mask(counts, states.shape[1], states.device)

    def forward(self, units: Tensor, lengths: Tensor, labels: Tensor) -> Tensor:
        """Scores of each token of the translations, (B, L, V); see ``UnitEncoder.forward``. Labels: (B, L)."""
        hidden = self.word_dropout if self.training else 0.0
        return scores(self.decoder, *self.read(units, lengths), labels, hidden)


class Pivoted(nn.Module):
    """Writes what a vector of the common space means: trained on pictures, fed speech.

    Args:
        size: of the space, E.
        states: number of states that a vector becomes.
        decoder: as of ``Translator``.
        width: of the decoder's states.
        word_dropout: as of ``Translator``.
    """

    def __init__(self, size: int, states: int, decoder: nn.Module, width: int, word_dropout: float = 0.0) -> None:
        super().__init__()
        self.states, self.word_dropout = states, word_dropout
        self.bridge = nn.Linear(size, states * width)
        self.norm = nn.LayerNorm(width)
        self.decoder = decoder

    def read(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder attends to, of vectors (B, E)."""
        states = self.norm(self.bridge(vectors).unflatten(-1, (self.states, -1)))
        return states, torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Scores of each token of the translations, (B, L, V), of vectors (B, E) and labels (B, L)."""
        return scores(self.decoder, *self.read(vectors), labels, self.word_dropout if self.training else 0.0)


def scores(decoder: nn.Module, states: Tensor, mask: Tensor, labels: Tensor, word_dropout: float = 0.0) -> Tensor:
    """Scores (B, L, V) that a decoder gives each label, having seen those before it.

    Of these a share, ``word_dropout``, is hidden by chance, as padding (Bowman et al. 2016, section 3.1): what is told
    must then come from the speech, not from the words that usually stand together.
    """
    inputs: Tensor | None = None
    if word_dropout:
        config: Any = decoder.config
        first = labels.new_full((len(labels), 1), config.decoder_start_token_id)
        before = labels[:, :-1]
        hidden = (before < 0) | (torch.rand(before.shape, device=before.device) < word_dropout)
        inputs = torch.cat([first, before.masked_fill(hidden, config.pad_token_id)], 1)
    found: Tensor = decoder(
        encoder_outputs=(states,), attention_mask=mask.long(), labels=labels, decoder_input_ids=inputs
    ).logits
    return found


def translation_loss(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy a token, smoothed (Szegedy et al. 2016, section 7), without what is padding (-100)."""
    return nn.functional.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), ignore_index=-100, label_smoothing=smoothing
    )
