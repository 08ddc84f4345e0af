"""The own network as transformers opens it: ``AutoModelForAudioClassification`` and the stock pipeline."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from onsei.config import from_dict
from onsei.systems.classification.config import Model
from onsei.systems.classification.model import ConvNet
from onsei.systems.classification.stock.configuration import MelConvConfig


class MelConvForAudioClassification(PreTrainedModel):  # type: ignore[no-untyped-call]
    """The convolutional network with a layer of classes; parameters are named as in the model folder."""

    config_class = MelConvConfig
    base_model_prefix = "network"
    main_input_name = "input_features"

    def __init__(self, config: MelConvConfig) -> None:
        super().__init__(config)
        options = from_dict(Model, config.network, source="config.json")
        self.network = ConvNet(options, config.n_mels)
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(self.network.width, int(config.num_labels or 2))
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        input_features: Tensor,
        lengths: Tensor | None = None,
        labels: Tensor | None = None,
        **ignored: Any,
    ) -> SequenceClassifierOutput:
        """Scores of the classes, (B, N), of ``input_features``, (B, D, T), with ``lengths`` frames, (B,)."""
        counts = None if lengths is None else lengths.long().cpu()
        logits = self.classifier(self.dropout(self.network(input_features, counts)))
        loss = None if labels is None else cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


def register() -> None:
    """Make ``AutoModelForAudioClassification`` know the network."""
    from transformers import AutoModelForAudioClassification

    from onsei.systems.classification.stock import configuration

    configuration.register()
    AutoModelForAudioClassification.register(MelConvConfig, MelConvForAudioClassification, exist_ok=True)
