"""The Singer: the same song alone, in a batch, as a stream; guidance, endings, prompts, bad input."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import onsei
from onsei.audio import io
from onsei.errors import OnseiError
from onsei.systems.song.composition import Composer
from onsei.systems.song.config import Request, Sampling
from onsei.systems.song.inference import Singer
from onsei.systems.song.layout import batch
from onsei.systems.song.model import Prompt

from . import singers

QUICK = Sampling(steps=4, top_k=10)
WISH = Request("[verse] s a k u r a . h a n a", phones=True, max_duration=1.5, seed=3, sampling=QUICK)
OTHER = Request("[intro] [intro] , [chorus] u t a", phones=True, max_duration=1.5, seed=4, sampling=QUICK)


def alike(ours, theirs):
    assert ours.sketch == theirs.sketch
    assert ours.ended == theirs.ended
    np.testing.assert_allclose(ours.sound, theirs.sound, atol=2e-4)


def test_a_song_follows_from_its_seed(singer):
    first, again, other = singer(WISH), singer(WISH), singer(replace(WISH, seed=5))
    assert first == again
    assert first.sketch != other.sketch
    assert first.sound.shape == (2, round(first.duration * first.sample_rate))


def test_onsei_opens_it(folder, singer):
    assert onsei.load(folder, device="cpu")(WISH) == singer(WISH)


def test_songs_side_by_side_are_what_they_are_alone(singer, voice):
    wishes = [WISH, OTHER, replace(WISH, prompt_wav=voice), replace(OTHER, seed=9)]
    for wish, together in zip(wishes, singer.batch(wishes), strict=True):
        alike(singer(wish), together)


@pytest.mark.parametrize(
    "sampling",
    [
        replace(QUICK, dit_cfg_type="none"),
        replace(QUICK, dit_cfg_type="global"),
        replace(QUICK, cfg_coef=1.0),
        replace(QUICK, cfg_coef=1.0, dit_cfg_type="global", diff_cfg_coef=2.0),
        replace(QUICK, top_k=0, top_p=0.8, penalty_repeat=False),
        replace(QUICK, use_sampling=False, diff_temp=1.0),
    ],
    ids=["none", "global", "unguided", "global alone", "top-p", "greedy"],
)
def test_ways_of_drawing(singer, sampling):
    wishes = [replace(WISH, sampling=sampling), replace(OTHER, sampling=sampling)]
    songs = singer.batch(wishes)
    for wish, song in zip(wishes, songs, strict=True):
        alike(singer(wish), song)
        assert np.isfinite(song.sound).all()


def test_a_stream_ends_with_the_whole(singer):
    *parts, last = singer.stream(WISH)
    whole = singer(WISH)
    alike(last, whole)
    for part in parts:
        np.testing.assert_allclose(part.sound, whole.sound[:, : part.sound.shape[1]], atol=2e-4)


def test_pieces_come_block_by_block(singer):
    pieces = [piece for _, piece in singer.pieces(WISH)]
    assert len(pieces) > 2
    np.testing.assert_allclose(np.concatenate(pieces, 1), singer(WISH).sound, atol=2e-4)


def test_guidance_without_a_cache_is_the_same(singer):
    """Greedy tokens against a plain pass over the whole sequence for each of them, with and without lyrics apart."""
    network, sizes = singer.network, singer.network.sizes
    sampling = Sampling(use_sampling=False, penalty_repeat=False, steps=2, cfg_coef=3.0)
    lyrics, prompt = batch([singer.read(WISH)[0]]), Prompt.none(1, sizes.latent_dim)
    blocks = list(Composer(network, lyrics, prompt, sampling, [torch.Generator().manual_seed(1)], 12).blocks())
    sketch = torch.cat([block.sketch for block in blocks], 1)
    latents = torch.cat([block.latents for block in blocks], -1)
    told = network.tell(network.prefix(lyrics, prompt), sketch, latents, torch.tensor([sketch.size(1)]))
    nothing = network.prefix(type(lyrics).none(1), prompt)
    alone = network.tell(nothing, sketch, latents, torch.tensor([sketch.size(1)]))
    chosen = (alone.logits + 3 * (told.logits - alone.logits)).argmax(-1)[0, :-1]
    assert chosen.tolist() == sketch[0].tolist()


def test_going_on_behind_given_blocks_is_composing_on(singer):
    network = singer.network
    sampling = Sampling(use_sampling=False, steps=2, diff_temp=0.0)
    inputs = batch([singer.read(WISH)[0]]), Prompt.none(1, network.sizes.latent_dim), sampling

    def composer():
        return Composer(network, *inputs, [torch.Generator().manual_seed(2)], 24)

    whole = list(composer().blocks())
    going = composer()
    going.take(torch.cat([b.sketch for b in whole[:3]], 1), torch.cat([b.latents for b in whole[:3]], -1))
    rest = list(going.blocks())
    assert [b.sketch.tolist() for b in rest][:1] == [b.sketch.tolist() for b in whole[3:]][:1]
    assert len(rest) == 3


def test_a_song_that_ends_leaves_the_others_going(singer):
    """With the end token made likely, songs end at different blocks; each as it does alone."""
    with torch.no_grad():
        bias = singer.network.skeleton_classifier[2].bias
        before = bias.clone()
        bias[singers.NETWORK.end] = 0.0
    try:
        wishes = [replace(WISH, seed=seed, max_duration=3.0) for seed in range(6)]
        songs = singer.batch(wishes)
        assert len({len(song.sketch) for song in songs}) > 1
        assert any(song.ended for song in songs)
        for wish, song in zip(wishes, songs, strict=True):
            alike(singer(wish), song)
            assert singers.NETWORK.end not in song.sketch
    finally:
        with torch.no_grad():
            bias.copy_(before)


def test_bfloat16_sings(folder):
    song = Singer.load(folder, "cpu", "bfloat16")(WISH)
    assert np.isfinite(song.sound).all()
    assert song.sound.shape[1]


def test_lyrics_in_words(singer):
    song = singer(replace(WISH, lyrics="[verse] さくら", phones=False))
    assert song.duration
    assert not song.remarks


def test_long_lyrics_say_where_they_are_cut(singer):
    song = singer(replace(WISH, lyrics="[verse] " + " ".join(["a"] * 2000)))
    assert "2001" in song.remarks[0]
    assert "24" in song.remarks[0]


@pytest.mark.parametrize("phones", [True, False])
def test_empty_lyrics_are_refused(singer, phones):
    with pytest.raises(OnseiError, match="empty"):
        singer(replace(WISH, lyrics=" ", phones=phones))


def test_unknown_symbols_are_named(singer):
    with pytest.raises(OnseiError, match="qqq"):
        singer(replace(WISH, lyrics="[verse] qqq"))


def test_a_short_prompt_is_told(singer, tmp_path):
    path = tmp_path / "short.wav"
    io.save(path, 0.3 * np.ones(4000), 8000)
    assert "0.50 s" in singer(replace(WISH, prompt_wav=path)).remarks[0]


def test_a_prompt_as_long_as_the_network_hears_is_not_called_short(singer, tmp_path, monkeypatch):
    heard = replace(singer.network.sizes, prompt_len=12)  # 0.48 s
    monkeypatch.setattr(singer.network, "sizes", heard)
    path = tmp_path / "p.wav"
    io.save(path, np.full(800, 0.1, dtype=np.float32), 800)
    _, remarks = singer.prompt(path, torch.Generator().manual_seed(0))
    assert not remarks
    io.save(path, np.full(200, 0.1, dtype=np.float32), 800)
    _, remarks = singer.prompt(path, torch.Generator().manual_seed(0))
    assert "0.25 s; the network was made for 0.48 s" in remarks[0]


def test_a_silent_prompt_is_refused(singer, tmp_path):
    path = tmp_path / "silent.wav"
    io.save(path, np.zeros(8000), 8000)
    with pytest.raises(OnseiError, match="silent"):
        singer(replace(WISH, prompt_wav=path))


def test_a_folder_without_symbols_is_refused(folder, tmp_path):
    facts = json.loads((folder / "onsei.json").read_text())
    (tmp_path / "onsei.json").write_text(json.dumps({**facts, "labels": []}))
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(OnseiError, match="labels"):
        Singer.load(tmp_path)
