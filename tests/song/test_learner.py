"""The Learner: its losses are those of the parts, its chances follow from the seed, it learns and needs the lyrics."""

from dataclasses import replace

import pytest
import torch

from onsei.systems.song.config.train import Objective, Optimizer
from onsei.systems.song.data.batches import Item, collated
from onsei.systems.song.layout import lay_out
from onsei.systems.song.learner import SongLearner, drawn, losses
from onsei.systems.song.model import Lyrics, Prompt
from onsei.text.phones import Phones
from onsei.training.learner import Clock

from . import singers

NETWORK = singers.NETWORK


def item(seed, frames=12, words="s a k u r a", ends=True):
    random = torch.Generator().manual_seed(seed)
    return Item(
        lay_out(f"[verse] {words}".split(), Phones(), NETWORK.lyrics_len),
        torch.randn(seed % 5, NETWORK.latent_dim, generator=random),
        torch.randint(0, NETWORK.num_pitch, (frames,), generator=random),
        torch.randn(NETWORK.latent_dim, frames, generator=random),
        ends,
    )


@pytest.fixture
def batch():
    return collated([item(1), item(2, 8, "u t a"), item(3, 15)], NETWORK)


def learner(**objective):
    return SongLearner(singers.model().model, Objective(**objective), Optimizer(learning_rate=3e-3))


def test_songs_are_padded_with_the_end(batch):
    assert batch.lengths.tolist() == [12, 8, 12]
    assert batch.ends.tolist() == [True, True, False]  # of the third the last block was not whole
    assert batch.sketch[1, 8:].tolist() == [NETWORK.end] * 4
    assert batch.size == 3
    with pytest.raises(ValueError, match="whole block"):
        collated([item(1, 3)], NETWORK)


def test_the_end_is_learned_of_songs_that_end(batch):
    made = learner()
    network = made.modules["model"].eval()
    draws = drawn(batch, made.objective, NETWORK.block_size, torch.Generator())
    scores = network(batch.lyrics, batch.prompt, batch.sketch, batch.latents, batch.lengths, draws)
    found = losses(scores, batch, made.objective, NETWORK.padding)
    rows = scores.told.logits.log_softmax(-1)
    wanted = [-rows[0, t, batch.sketch[0, t]] for t in range(12)] + [-rows[0, 12, NETWORK.end]]
    wanted += [-rows[1, t, batch.sketch[1, t]] for t in range(8)] + [-rows[1, 8, NETWORK.end]]
    wanted += [-rows[2, t, batch.sketch[2, t]] for t in range(12)]
    torch.testing.assert_close(found["sketch"], torch.stack(wanted).mean())
    torch.testing.assert_close(found["loss"], found["sketch"] + 0.1 * found["diffusion"])


def test_a_song_alone_has_the_losses_it_has_in_a_batch(batch):
    network = learner().modules["model"].eval()
    alone = collated([item(2, 8, "u t a")], NETWORK)
    both = [network.tell(network.prefix(b.lyrics, b.prompt), b.sketch, b.latents, b.lengths) for b in (batch, alone)]
    torch.testing.assert_close(both[0].logits[1, :9], both[1].logits[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(both[0].hidden[1, :2], both[1].hidden[0], atol=1e-5, rtol=0)


def test_chances_follow_from_the_seed_and_have_their_shares():
    batch = collated([item(seed) for seed in range(400)], NETWORK)
    objective = Objective(h_dropout=0.2, block_dropout=0.1, cfg_dropout=0.1, prompt_dropout=0.3, lyrics_dropout=0.0)
    one, again, other = (drawn(batch, objective, 4, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert one.places is None
    assert all(torch.equal(getattr(one, name), getattr(again, name)) for name in vars(one) if name != "places")
    assert not torch.equal(one.noise, other.noise)
    assert one.no_lyrics.float().mean() == pytest.approx(0.1, abs=0.05)
    assert one.no_prompt.float().mean() == pytest.approx(1 - 0.9 * 0.7, abs=0.08)
    assert one.no_hidden.float().mean() == pytest.approx(1 - 0.8 * 0.9, abs=0.05)
    assert (one.no_hidden & one.no_sketch).float().mean() == pytest.approx(0.1 + 0.9 * 0.04, abs=0.04)
    assert one.no_lyrics[one.no_lyrics].all()
    assert one.time.min() > 0
    assert one.time.max() < 1


def test_what_is_dropped_is_not_seen(batch):
    network = learner().modules["model"].eval()
    songs = torch.tensor([True, False, True])
    dropped = network.condition_provider(batch.lyrics.without(songs), batch.prompt.without(songs))
    nothing = network.condition_provider(Lyrics.none(3), Prompt.none(3, NETWORK.latent_dim))
    whole = network.condition_provider(batch.lyrics, batch.prompt)
    assert torch.equal(dropped[0], nothing[0])
    assert torch.equal(dropped[1], whole[1])
    assert not torch.equal(whole[0], nothing[0])


def test_diffusion_teaches_the_language_model(batch):
    made = learner(cfg_dropout=0.0, h_dropout=0.0)
    draws = drawn(batch, made.objective, 4, torch.Generator())
    network = made.modules["model"]
    scores = network(batch.lyrics, batch.prompt, batch.sketch, batch.latents, batch.lengths, draws)
    (scores.velocity - scores.wanted).square().mean().backward()
    assert float(network.ar_transformer.layers[0].self_attn.q_proj.weight.grad.abs().sum()) > 0


def test_it_learns_and_hears_the_lyrics():
    """Songs whose tokens say their lyrics: other lyrics then cost more."""
    words = {"s a k u r a": 1, "u t a": 2, "h a n a": 3, "n o h a r a": 4}
    songs = [replace(item(seed, 8, text), prompt=torch.zeros(0, NETWORK.latent_dim)) for text, seed in words.items()]
    batch = collated(songs, NETWORK)
    made = learner(cfg_dropout=0.0, h_dropout=0.0)
    before = made.check(batch, Clock(0, 0, 0))

    def update(name, loss, *, keep=False):
        made.optimizers[name].zero_grad()
        loss.backward()
        made.optimizers[name].step()

    for step in range(60):
        made.step(batch, Clock(step, 0, step), update)
    after = {name: float(value[0] / value[1]) for name, value in made.check(batch, Clock(60, 0, 0)).items()}
    assert after["sketch"] < 0.3 * float(before["sketch"][0] / before["sketch"][1])
    assert after["accuracy"] > 0.9
    assert after["shuffled"] > after["sketch"] + 0.5
    assert made.check(batch, Clock(3, 0, 9)).keys() == before.keys()


def test_vectors_and_embeddings_do_not_decay():
    made = learner()
    decayed, kept = made.optimizers["model"].param_groups
    assert kept["weight_decay"] == 0
    network = made.modules["model"]
    assert any(p is network.project_in.weight for p in decayed["params"])
    assert any(p is network.skeleton_emb.weight for p in kept["params"])
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == sum(
        p.numel() for group in (decayed, kept) for p in group["params"]
    )


def test_the_diffusion_may_learn_from_some_blocks():
    batch = collated([item(seed) for seed in range(4)], NETWORK)  # three blocks each
    made = learner(diffusion_blocks=5)
    chances = drawn(batch, made.objective, NETWORK.block_size, torch.Generator().manual_seed(0))
    assert len(set(chances.places.tolist())) == len(chances.time) == len(chances.no_hidden) == 5
    network = made.modules["model"].eval()
    with torch.no_grad():
        given = batch.lyrics, batch.prompt, batch.sketch, batch.latents, batch.lengths
        few = network(*given, chances)
        wide = drawn(batch, Objective(), NETWORK.block_size, torch.Generator().manual_seed(0))
        for name in ("time", "noise", "no_hidden", "no_sketch"):
            getattr(wide, name)[chances.places] = getattr(chances, name)
        every = network(*given, replace(wide, no_lyrics=chances.no_lyrics, no_prompt=chances.no_prompt))
    torch.testing.assert_close(few.velocity, every.velocity[chances.places], atol=1e-5, rtol=0)
    torch.testing.assert_close(few.wanted, every.wanted[chances.places])
    torch.testing.assert_close(few.told.logits, every.told.logits)
