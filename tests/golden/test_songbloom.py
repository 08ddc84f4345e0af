"""Our SongBloom gives the numbers of the original network, whose state dicts are loaded unchanged."""

import json
from pathlib import Path

import pytest
import torch

from onsei.hub import weights
from onsei.systems.song.composition import Composer
from onsei.systems.song.config import Import, Sampling
from onsei.systems.song.config.train import Objective
from onsei.systems.song.data.batches import Batch
from onsei.systems.song.exchange.importing import bring
from onsei.systems.song.inference import Singer
from onsei.systems.song.layout import batch, lay_out
from onsei.systems.song.learner import drawn
from onsei.systems.song.model import Lyrics, Prompt

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "songbloom_tiny.safetensors"
pytestmark = pytest.mark.skipif(not GOLDEN.exists(), reason="golden tensors are not on this machine")
LOGITS, ELSEWHERE = 1e-4, 1e-5


@pytest.fixture(scope="module")
def golden():
    return weights.load(GOLDEN), json.loads(GOLDEN.with_suffix(".json").read_text())


def under(tensors, prefix, new=""):
    return {new + name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


@pytest.fixture(scope="module")
def singer(golden, tmp_path_factory):
    """The original's files, as its authors release them, by way of the importer."""
    tensors, notes = golden
    folder = tmp_path_factory.mktemp("released")
    torch.save(under(tensors, "model/", "model."), folder / "tiny.pt")
    torch.save({"state_dict": under(tensors, "vae/vae.", "autoencoder.")}, folder / "autoencoder_music_dsp1920.ckpt")
    (folder / "vocab_g2p.yaml").write_text(json.dumps({"symbols": notes["meta/vocab"]}))
    network = {name: value for name, value in under(notes, "meta/model_cfg/").items() if "/" not in name}
    lengths = {
        "lyrics": {"max_len": notes["meta/lyrics_max_len"]},
        "prompt_wav": {"max_len": notes["meta/prompt_max_len"]},
    }
    config = {"sr": notes["meta/vae_cfg/sample_rate"], "model": {**network, "condition_provider_cfg": lengths}}
    (folder / "tiny.yaml").write_text(json.dumps(config))
    bring(Import(folder / "tiny.pt", folder / "model"))
    return Singer.load(folder / "model", "cpu")


@pytest.fixture(scope="module")
def network(singer):
    return singer.network


@pytest.fixture(scope="module")
def autoencoder(singer):
    return singer.autoencoder


@pytest.fixture(scope="module")
def lyrics(golden, singer):
    return [
        lay_out(text.split(), singer.phones, singer.network.sizes.lyrics_len) for text in golden[1]["cond_ref/lyrics"]
    ]


def near(ours, theirs, bound):
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= bound


def test_the_autoencoder_encodes(golden, autoencoder):
    tensors, _ = golden
    mean, deviation = autoencoder.encode(tensors["vae_ref/wav"])
    near(mean, tensors["vae_ref/mean"], ELSEWHERE)
    near(deviation, tensors["vae_ref/stdev"], ELSEWHERE)
    near(autoencoder.encoder(tensors["vae_ref/wav"]), tensors["vae_ref/enc"], ELSEWHERE)


@pytest.mark.parametrize("piece", [1000, 32])
def test_the_autoencoder_decodes(golden, autoencoder, piece):
    tensors, _ = golden
    near(autoencoder.decode(tensors["vae_ref/lat"], piece), tensors["vae_ref/dec"], ELSEWHERE)


def test_lyrics_become_vectors(golden, network, lyrics):
    tensors, _ = golden
    conditioner = network.condition_provider.conditioners["lyrics"]
    near(conditioner(batch(lyrics)), tensors["cond_ref/tensors/lyrics/0"], ELSEWHERE)
    assert [len(layout.symbols) for layout in lyrics] == tensors["cond_ref/tensors/lyrics/1"].sum(1).tolist()


def test_lyrics_and_their_absence_become_vectors(golden, network, lyrics):
    tensors, _ = golden
    conditioner = network.condition_provider.conditioners["lyrics"]
    both = torch.cat([conditioner(batch(lyrics[:1])), conditioner(Lyrics.none(1))])
    near(both, tensors["gen_cond/tensors/lyrics/0"], ELSEWHERE)


@pytest.mark.parametrize(("name", "lengths"), [("cond_ref", [10, 6]), ("gen_cond", [10, 0])])
def test_prompts_become_vectors(golden, network, name, lengths):
    """The original gives zeros as latents of prompts that are shorter than its pieces, as these are."""
    tensors, _ = golden
    prompt = Prompt(torch.zeros(2, max(lengths), network.sizes.latent_dim), torch.tensor(lengths))
    ours = network.condition_provider.conditioners["prompt_wav"](prompt)
    near(ours, tensors[f"{name}/tensors/prompt_wav/0"], ELSEWHERE)
    assert tensors[f"{name}/tensors/prompt_wav/1"].sum(1).tolist() == lengths


def test_songs_that_are_told(golden, network, lyrics):
    tensors, notes = golden
    sketch, latents, lengths = (tensors[f"train_ref/{name}"] for name in ("x_sketch", "x_latent", "x_len"))
    prompt = Prompt.none(2, network.sizes.latent_dim)
    songs = Batch(batch(lyrics), prompt, sketch, latents, lengths, torch.ones(2, dtype=torch.bool))
    generator = torch.Generator().manual_seed(notes["train_ref/seed"])
    draws = drawn(songs, Objective(h_dropout=0, cfg_dropout=0, prompt_dropout=0), network.sizes.block_size, generator)
    near(draws.time, tensors["train_ref/nar_t"], ELSEWHERE)
    scores = network(songs.lyrics, prompt, sketch, latents, lengths, draws)
    told = scores.told
    near(told.logits, tensors["train_ref/ar_logit"], LOGITS)
    assert torch.equal(told.targets, tensors["train_ref/ar_target"])
    near(scores.wanted, tensors["train_ref/nar_target"], ELSEWHERE)
    near(scores.velocity, tensors["train_ref/nar_pred"], ELSEWHERE)


def test_diffusion_with_and_without_guidance(golden, network):
    tensors, _ = golden
    noisy, time, hidden, sketch, before = (tensors[f"dit_ref/{name}"] for name in ("x", "t", "h", "s", "history_x"))
    told = network.velocity(noisy, time, hidden, sketch, before)
    near(told, tensors["dit_ref/y"], ELSEWHERE)
    alone = network.velocity(noisy, time, torch.zeros_like(hidden), torch.zeros_like(sketch), before)
    near(alone + 1.5 * (told - alone), tensors["dit_ref/y_cfg15"], ELSEWHERE)


@pytest.mark.parametrize("name", ["gen_greedy", "gen_topk"])
def test_songs_that_are_composed(golden, network, lyrics, name):
    tensors, notes = golden
    given = under(notes, f"{name}/kw/")
    sampling = Sampling(**{"top_k": 0, **given}, steps=6, penalty_repeat=False)
    generator = torch.Generator()
    generator.set_state(tensors["gen_cond/rng_state"])
    assert generator.get_state().equal(torch.Generator().manual_seed(notes[f"{name}/seed"]).get_state())
    prompt = Prompt.none(1, network.sizes.latent_dim)
    frames = tensors[f"{name}/tokens"].size(1)
    composer = Composer(network, batch(lyrics[:1]), prompt, sampling, [generator], frames)
    blocks = list(composer.blocks())
    assert torch.cat([block.sketch for block in blocks], 1).equal(tensors[f"{name}/tokens"])
    near(torch.cat([block.latents for block in blocks], -1), tensors[f"{name}/latents"], ELSEWHERE)
