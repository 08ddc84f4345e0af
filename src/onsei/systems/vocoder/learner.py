"""The adversarial Learner: a network, its discriminators, and all their losses by name.

B batch, M mel bands, F frames, T samples.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torch.optim import AdamW

from onsei.systems.vocoder.config.train import Losses
from onsei.systems.vocoder.config.train import Optimizer as OptimizerOptions
from onsei.systems.vocoder.data.segments import Batch
from onsei.systems.vocoder.model import Voice
from onsei.training.learner import Clock, Update
from onsei.vocoder import losses
from onsei.vocoder.discriminators import MultiPeriod, MultiScale, Verdicts
from onsei.vocoder.losses import MelLoss, SpectralLoss
from onsei.vocoder.mel import LogMel, to_natural


class VocoderLearner:
    """Trains a network against discriminators (Kong, Kim and Bae, HiFi-GAN, 2020, section 2.4).

    Both sides take their gradients from the same pass and step together: the discriminators are frozen in the
    network's loss. The power iteration of spectral norms goes one step in each optimizer step, so that accumulated
    batches and several processes see the same weights.

    Args:
        voice: maps a log-mel (B, M, F) to sound (B, F · hop); it knows its mel definition as ``mel``.
        mpd, msd: the discriminators.
        weights: of the losses.
        options: the optimizers.
    """

    def __init__(
        self, voice: Voice, mpd: MultiPeriod, msd: MultiScale, weights: Losses, options: OptimizerOptions
    ) -> None:
        self.modules: dict[str, nn.Module] = {"generator": voice, "mpd": mpd.eval(), "msd": msd.eval()}
        rate, betas = options.learning_rate, (options.beta1, options.beta2)
        critics = chain(msd.parameters(), mpd.parameters())  # the order of HiFi-GAN's own checkpoints
        decay = options.weight_decay
        self.optimizers = {
            "discriminator": AdamW(critics, lr=rate * options.critics_rate, betas=betas, weight_decay=decay),
            "generator": AdamW(voice.parameters(), lr=rate, betas=betas, weight_decay=decay),
        }
        self.weights = weights
        self._mel_loss, self._spectral_loss = MelLoss(voice.mel), SpectralLoss()
        self._analysis = LogMel(voice.mel)
        self._iterated = -1

    @property
    def companions(self) -> Collection[str]:
        """Networks that a model folder lacks: they begin anew where only its weights are taken."""
        return ("mpd", "msd")

    def step(self, batch: Batch, clock: Clock, update: Update) -> Mapping[str, Tensor]:
        """One update of both sides; before ``critics_from`` of the network alone, by mel and spectral losses."""
        made = self.modules["generator"](batch.mel)
        found = {"mel": self._compared(self._mel_loss, made, batch.sound)}
        if self.weights.spectral:
            found["spectral"] = self._compared(self._spectral_loss, made, batch.sound)
        against: dict[str, Tensor] = {}
        if clock.step >= self.weights.critics_from and (self.weights.adversarial or self.weights.features):
            real, fake = self._judged(batch.sound, clock), self._judged(made, None)
            against["discriminator"] = losses.discriminator(real, fake)
            update("discriminator", against["discriminator"], keep=True)
            found["features"] = losses.features(real, fake)
            found["adversarial"] = losses.adversarial(fake)
        total = torch.stack([getattr(self.weights, name) * loss.float() for name, loss in found.items()]).sum()
        update("generator", total)
        return {"loss": total.detach(), **{name: loss.detach() for name, loss in (found | against).items()}}

    def check(self, batch: Batch, clock: Clock) -> Mapping[str, Tensor]:
        """L1 of mels in nepers: ``loss`` by the model's definition, ``full_band`` up to half the sample rate."""
        made = self.modules["generator"](batch.mel)
        count = float(batch.size)
        values = {
            "loss": self._compared(self._own_mel_l1, made, batch.sound),
            "full_band": self._compared(self._mel_loss, made, batch.sound),
        }
        return {name: torch.stack([value.cpu() * count, torch.tensor(count)]) for name, value in values.items()}

    def state_dict(self) -> dict[str, Any]:
        """The step in which the power iteration went last."""
        return {"iterated": self._iterated}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        self._iterated = int(state.get("iterated", -1))

    def _judged(self, sound: Tensor, clock: Clock | None) -> Verdicts:
        """What both discriminators say of sound (B, T); with ``clock``, after the step's power iteration."""
        moves = clock is not None and clock.step != self._iterated
        if clock is not None:
            self._iterated = clock.step
        mpd, msd = self.modules["mpd"], self.modules["msd"]
        for critic in (mpd, msd):
            critic.train(moves)
        verdicts: Verdicts = [*mpd(sound), *msd(sound)]
        for critic in (mpd, msd):
            critic.eval()
        return verdicts

    def _compared(self, measure: Any, made: Tensor, real: Tensor) -> Tensor:
        """``measure`` of both sounds in 32 bits; the analysis is moved to their device."""
        with torch.autocast(made.device.type, enabled=False):
            self._mel_loss.to(made.device)
            self._spectral_loss.to(made.device)
            self._analysis.to(made.device)
            value: Tensor = measure(made.float(), real.float())
        return value

    def _own_mel_l1(self, made: Tensor, real: Tensor) -> Tensor:
        ours, theirs = (to_natural(self._analysis(sound), self._analysis.definition) for sound in (made, real))
        return l1_loss(ours, theirs)
