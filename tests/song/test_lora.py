"""Adapters: joined they are the same, alone they open in peft, and the tables learn beside them."""

import json

import pytest
import torch

from onsei.errors import ConfigError
from onsei.systems.song import lora
from onsei.systems.song.config.adapt import Lora
from onsei.systems.song.config.train import Objective, Optimizer
from onsei.systems.song.data.batches import collated
from onsei.systems.song.learner import SongLearner
from onsei.systems.song.phones import begin, nearest
from onsei.text.phones import SYMBOLS, UNTRAINED, Phones
from onsei.training.learner import Clock

from . import singers
from .test_learner import item


def trained(options):
    """A network with adapters after a few steps, how many layers have one, and a batch."""
    network = singers.model().model
    count = lora.put_in(network, options)
    batch = collated([item(1), item(2, 8)], singers.NETWORK)
    made = SongLearner(network, Objective(), Optimizer(learning_rate=1e-2))

    def update(name, loss, *, keep=False):
        made.optimizers[name].zero_grad()
        loss.backward()
        made.optimizers[name].step()

    for step in range(3):
        made.step(batch, Clock(step, 0, step), update)
    return network.eval(), count, batch


def logits(network, batch):
    with torch.no_grad():
        return network.tell(
            network.prefix(batch.lyrics, batch.prompt), batch.sketch, batch.latents, batch.lengths
        ).logits


@pytest.mark.parametrize("options", [Lora(rank=2), Lora(rank=3, lora_train_all=True, train_tables=False)])
def test_joined_is_the_same_and_peft_opens_what_is_saved(options, tmp_path):
    from peft import PeftModel

    network, count, batch = trained(options)
    assert count == (2 * 2 if not options.lora_train_all else 2 * 7 + 1 * 4)
    wanted = logits(network, batch)
    plain = singers.model().model.eval()
    assert (logits(plain, batch) - wanted).abs().max() > 1e-3
    plain.load_state_dict(lora.joined(network))
    assert (logits(plain, batch) - wanted).abs().max() <= 1e-5
    lora.save(network, options, tmp_path)
    opened = PeftModel.from_pretrained(singers.model().model.eval(), tmp_path)
    assert (logits(opened.base_model.model, batch) - wanted).abs().max() <= 1e-5
    assert json.loads((tmp_path / "adapter_config.json").read_text())["r"] == options.rank


def test_what_has_no_adapter_stays():
    network, _, _ = trained(Lora(rank=2))
    before, after = singers.model().model.state_dict(), lora.joined(network)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "ar_transformer.layers.0.self_attn.q_proj.weight" in changed
    assert "skeleton_emb.weight" in changed
    assert not [name for name in changed if "nar_dit" in name or "k_proj" in name or "mlp" in name]


def test_layers_that_are_not_there():
    with pytest.raises(ConfigError, match="to_kv"):
        lora.put_in(singers.model().model, Lora(targets=("q_proj", "to_kv")))


def test_untrained_phones_begin_as_their_nearest():
    phones = Phones(SYMBOLS)
    assert all(nearest(phone) for phone in UNTRAINED)
    assert all(symbol in SYMBOLS and symbol not in UNTRAINED for phone in UNTRAINED for symbol in nearest(phone))
    network = singers.model().model
    table = network.condition_provider.conditioners["lyrics"].output_proj.weight
    before = table.detach().clone()
    assert begin(network, phones) == UNTRAINED
    changed = {phones.symbols[row] for row in (before != table).any(1).nonzero()[:, 0].tolist()}
    assert changed == set(UNTRAINED)
    rows = [phones.rows[f"a{tone}"] for tone in range(1, 6)]
    torch.testing.assert_close(table[phones.rows["a"]], before[rows].mean(0))
