"""Pretraining networks: the contrastive task is transformers' own to the last digits; masks and negatives are fair."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import Wav2Vec2ForPreTraining

from onsei.errors import ModelError
from onsei.units import ssl
from onsei.units.kmeans import KMeans
from onsei.units.pretraining import (
    ContrastiveModel,
    MaskedUnits,
    config_of,
    contrastive,
    fresh_config,
    masks,
    sample_negatives,
)
from onsei.units.spectral import Spectral
from tests.units.encoders import shape, write_encoder

SIZES = {"num_codevectors_per_group": 8, "codevector_dim": 16, "proj_codevector_dim": 12}


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = shape("wav2vec2-layer", **SIZES, num_negatives=7, layerdrop=0.0)
    return ContrastiveModel(ssl.with_attention(config)).eval()


def test_the_loss_is_transformers_own(model):
    torch.manual_seed(1)
    samples = torch.randn(3, 6000)
    frames = int(model._get_feat_extract_output_lengths(6000))
    mask = masks(3, frames, 0.5, 4)
    negatives = sample_negatives(mask, 7)
    found = model(samples, mask, negatives)
    theirs = Wav2Vec2ForPreTraining(model.config).eval()
    theirs.load_state_dict(model.state_dict())
    places = mask.flatten().nonzero()[:, 0]
    spread = torch.zeros(3 * frames, 7, dtype=torch.long)
    spread[places] = places[negatives]
    wanted = theirs(samples, mask_time_indices=mask, sampled_negative_indices=spread.view(3, frames, 7))
    count = mask.sum()
    assert float(found.main) == pytest.approx(float((wanted.contrastive_loss / count).detach()), rel=1e-5)
    assert float(found.loss.detach()) == pytest.approx(float((wanted.loss / count).detach()), rel=1e-5)
    assert float(found.perplexity) == pytest.approx(float(wanted.codevector_perplexity), rel=1e-5)
    assert (found.possible, float(found.masked)) == (16, float(count))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 4), st.floats(0.05, 0.9), st.integers(1, 12))
def test_every_clip_is_masked_and_told_from_its_own_other_frames(frames, clips, share, length):
    torch.manual_seed(frames)
    mask = masks(clips, frames, share, length)
    assert mask.shape == (clips, frames)
    assert mask.any(1).all()
    negatives = sample_negatives(mask, 5)
    owner = mask.nonzero()[:, 0]
    assert negatives.shape == (len(owner), 5)
    assert (owner[negatives] == owner[:, None]).all()
    several = mask.sum(1)[owner] > 1
    assert (negatives != torch.arange(len(owner))[:, None])[several].all()


def test_about_half_is_masked_at_the_papers_settings():
    torch.manual_seed(0)
    assert 0.42 < float(masks(200, 100, 0.65, 10).float().mean()) < 0.55


def test_a_collapsed_quantizer_recognizes_nothing(model):
    with torch.no_grad():
        model.quantizer.weight_proj.weight.zero_()
        model.quantizer.weight_proj.bias[:] = torch.arange(16.0)
    mask = masks(2, 20, 0.5, 4)
    samples = torch.randn(2, 19 * 320 + 570)
    frames = int(model._get_feat_extract_output_lengths(samples.shape[1]))
    mask = masks(2, frames, 0.5, 4)
    found = model(samples, mask, sample_negatives(mask, 7))
    assert float(found.perplexity) == pytest.approx(2)  # one codevector of each group
    assert float(found.right) == 0
    assert float(found.main) == pytest.approx(0, abs=1e-6)  # which a loss alone would call perfect


def test_units_are_numbers_of_codevectors_in_all_groups(model):
    features = torch.randn(2, 5, 16)
    units = model.units(features)
    scores = model.quantizer.weight_proj(features).view(2, 5, 2, 8).argmax(-1)
    assert torch.equal(units, 8 * scores[..., 0] + scores[..., 1])


def test_gradients_reach_front_quantizer_and_encoder(model):
    model.train()
    samples = torch.randn(2, 8000)
    mask = masks(2, int(model._get_feat_extract_output_lengths(8000)), 0.5, 4)
    model(samples, mask, sample_negatives(mask, 7)).loss.backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert not without


def test_masked_units_are_clusters_of_the_hidden_sound():
    torch.manual_seed(0)
    targets = Spectral("mfcc", 4, 0)
    clusters = KMeans(torch.randn(5, 4), torch.ones(5).long(), 0.0)
    usual = {"conv_kernel": (10, 3, 3, 3, 3, 2, 2), "conv_stride": (5, 2, 2, 2, 2, 2, 2), "conv_dim": (8,) * 7}
    body = ssl.fresh(shape("wav2vec2-layer", **usual))
    model = MaskedUnits(body, clusters, targets).eval()
    samples = 0.1 * torch.randn(2, 8000)
    mask = masks(2, 24, 0.5, 4)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias[:] = torch.tensor([0.0, 0.0, 9.0, 0.0, 0.0])
    labels = clusters.assign(targets(samples)[0])[mask]
    found = model(samples, mask, samples)
    assert float(found.right) == pytest.approx(float((labels == 2).float().mean()))
    assert float(found.perplexity) == pytest.approx(1)


def test_weights_come_from_a_folder_of_transformers(tmp_path):
    torch.manual_seed(0)
    config = shape("wav2vec2-layer", **SIZES)
    Wav2Vec2ForPreTraining(config).save_pretrained(tmp_path / "whole")
    source = ssl.look(tmp_path / "whole")
    whole, missing = contrastive(source, source.config, mel=False)
    assert not missing
    bare, lacking = contrastive(ssl.look(write_encoder(tmp_path / "bare", **SIZES)), config, mel=False)
    assert any(name.startswith("quantizer") for name in lacking)
    assert bare.wav2vec2.config.hidden_size == whole.wav2vec2.config.hidden_size
    (tmp_path / "whole" / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="cannot be read"):
        contrastive(source, source.config, mel=False)


def test_a_configuration_survives_json():
    config = fresh_config(hidden_size=24, num_hidden_layers=3)
    again = config_of(config.to_dict())
    assert (type(again), again.hidden_size, again.num_hidden_layers) == (type(config), 24, 3)
