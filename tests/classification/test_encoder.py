import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import onsei
from onsei.errors import ConfigError, ModelError
from onsei.systems.classification import encoder
from onsei.systems.classification.config import Augment, Encoder, Features, Optimizer
from onsei.systems.classification.network import groups, planned, state
from onsei.systems.classification.training import train
from tests.classification import encoders
from tests.classification.sounds import rows, sounds_at, write

RATE = 16000


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("encoders")
    return {name: make(place / name) for name, make in encoders.MAKERS.items()}


def options(made, folder, run, **changes):
    clock = replace(made.train.training, epochs=1, estimate_memory=False)
    base = {
        "features": Features(kind="wave", sample_rate=RATE, seconds=0.6),
        "encoder": Encoder(pretrained=str(folder)),
        "augment": Augment(shift=0.5, mixup=0.2, time_masks=1, gain=3.0),
        "training": clock,
    }
    return replace(made.train, output_dir=run, **{**base, **changes})


@pytest.mark.parametrize("kind", sorted(encoders.MAKERS))
@pytest.mark.parametrize("lora", [0, 4])
def test_an_encoder_trains_and_opens_in_the_stock_pipeline(made, corpus, folders, tmp_path, kind, lora):
    from transformers import pipeline

    small = write(corpus, rows(corpus), f"small-{kind}-{lora}.jsonl")
    chosen = options(
        made, folders[kind], tmp_path / "run", encoder=Encoder(pretrained=str(folders[kind]), lora_rank=lora)
    )
    train(replace(chosen, train_manifest=small, val_manifest=None))
    runner = onsei.load(tmp_path / "run", device="cpu")
    heard = sounds_at(corpus, RATE, 0.6)
    alone = np.concatenate([runner.probabilities([sound]) for sound in heard])
    np.testing.assert_allclose(runner.probabilities(heard), alone, atol=1e-5)
    stock = pipeline("audio-classification", model=str(tmp_path / "run"))
    for sound, ours in zip(heard, alone, strict=True):
        theirs = {row["label"]: row["score"] for row in stock(sound)}
        np.testing.assert_allclose([theirs[label] for label in runner.labels], ours, atol=1e-5)


def test_training_begins_with_the_encoders_own_weights(made, folders, tmp_path):
    chosen = options(made, folders["hubert"], tmp_path)
    first, again = (planned(chosen).build(3).state_dict() for _ in range(2))
    scratch = planned(replace(chosen, encoder=Encoder(str(folders["hubert"]), from_scratch=True))).build(3).state_dict()
    name = "hubert.encoder.layers.0.attention.q_proj.weight"
    assert torch.equal(first[name], again[name])
    assert not torch.equal(first[name], scratch[name])


def trained(network):
    return {name for name, p in network.named_parameters() if p.requires_grad}


def test_what_is_frozen_is_not_trained(made, folders, tmp_path):
    def build(kind="hubert", **settings):
        chosen = options(made, folders[kind], tmp_path, encoder=Encoder(str(folders[kind]), **settings))
        return planned(chosen).build(3)

    head = {"projector.weight", "projector.bias", "classifier.weight", "classifier.bias"}
    assert trained(build(freeze="all")) == head
    assert not any("feature_extractor" in name for name in trained(build(freeze="front")))
    upper = trained(build(freeze_layers=1)) - head
    assert upper
    assert all(name.startswith("hubert.encoder.layers.1.") for name in upper)
    assert not any(".embeddings." in name for name in trained(build("ast", freeze="front")))
    assert not any(".conv" in name for name in trained(build("whisper", freeze="front")))
    low_rank = trained(build(lora_rank=2)) - head
    assert low_rank
    assert all("lora_" in name for name in low_rank)


def test_rates_fall_from_layer_to_layer(made, folders, tmp_path):
    settings = Encoder(str(folders["hubert"]), layer_decay=0.5, head_rate=10.0)
    chosen = options(made, folders["hubert"], tmp_path, encoder=settings, optimization=Optimizer(learning_rate=1e-3))
    network = planned(chosen).build(3)
    rates = {id(p): group["lr"] for group in groups(network, chosen) for p in group["params"]}
    names = {name: rates[id(p)] for name, p in network.named_parameters() if id(p) in rates}
    assert len(rates) == len(trained(network))
    expected = {
        "classifier.weight": 1e-2,
        "hubert.encoder.layers.1.attention.q_proj.weight": 1e-3,
        "hubert.encoder.layers.0.attention.q_proj.weight": 5e-4,
        "hubert.feature_projection.projection.weight": 2.5e-4,
    }
    assert {name: names[name] for name in expected} == pytest.approx(expected)


def test_merged_low_rank_changes_give_what_they_gave_apart(made, folders, tmp_path):
    chosen = options(made, folders["hubert"], tmp_path, encoder=Encoder(str(folders["hubert"]), lora_rank=3))
    network = planned(chosen).build(3).eval()
    for name, parameter in network.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    plain = planned(options(made, folders["hubert"], tmp_path)).build(3).eval()
    before = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    plain.load_state_dict(state(network, chosen))
    sound = torch.randn(2, 1, 4000)
    with torch.no_grad():
        torch.testing.assert_close(plain(sound), network(sound), atol=1e-5, rtol=1e-4)
    moved = {name for name, tensor in plain.state_dict().items() if not torch.equal(tensor, before[name])}
    changed = {f"hubert.encoder.layers.{n}.attention.{part}_proj.weight" for n in (0, 1) for part in "qv"}
    assert moved - {name for name in moved if name.startswith(("projector", "classifier"))} == changed


def test_a_tiny_hubert_learns_and_beats_its_frozen_random_control(made, tmp_path):
    folder = encoders.hubert(tmp_path / "encoder", norm="layer")
    errors = {}
    for freeze in ("none", "all"):
        settings = Encoder(str(folder), from_scratch=True, freeze=freeze)
        clock = replace(made.train.training, epochs=6, max_norm=1.0, warmup_steps=10, estimate_memory=False)
        rate = Optimizer(learning_rate=3e-3)
        chosen = options(
            made, folder, tmp_path / freeze, encoder=settings, training=clock, augment=Augment(), optimization=rate
        )
        errors[freeze] = train(replace(chosen, features=replace(chosen.features, seconds=0.5))).best
    assert errors["none"] <= 10
    assert errors["all"] >= errors["none"] + 15


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"encoder": Encoder()}, ConfigError, "encoder.pretrained is empty"),
        ({"encoder": Encoder("nowhere/at/all")}, ModelError, "nowhere"),
        ({"features": Features(kind="mel")}, ConfigError, "features.kind is mel"),
        ({"features": Features(kind="wave", sample_rate=8000)}, ConfigError, "16000 Hz"),
    ],
)
def test_options_that_do_not_fit_the_encoder_are_refused(made, folders, tmp_path, changes, error, words):
    with pytest.raises(error, match=words):
        planned(options(made, folders["hubert"], tmp_path, **changes))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"freeze_layers": 3}, "2 layers"),
        ({"lora_rank": 2, "lora_targets": ("nothing",)}, "no layers nothing"),
        ({"lora_rank": 2, "freeze": "all"}, "exclude"),
    ],
)
def test_changes_that_the_encoder_does_not_have_are_refused(made, folders, tmp_path, settings, words):
    chosen = options(made, folders["hubert"], tmp_path, encoder=Encoder(str(folders["hubert"]), **settings))
    with pytest.raises(ConfigError, match=words):
        planned(chosen).build(3)


def test_pieces_longer_than_a_spectral_encoder_hears_are_refused(made, folders, tmp_path):
    features = Features(kind="wave", sample_rate=RATE, seconds=2.0)
    for kind in ("ast", "whisper"):
        with pytest.raises(ConfigError, match=r"features\.seconds: 2 s"):
            planned(options(made, folders[kind], tmp_path, features=features))


def test_another_kind_of_network_is_no_encoder(made, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="bert"):
        planned(options(made, tmp_path, tmp_path))


def test_a_cut_file_of_weights_is_named(made, folders, tmp_path):
    for file in folders["ast"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="cannot be read"):
        planned(options(made, tmp_path, tmp_path)).build(3)


def test_layers_are_found_in_every_kind(made, folders, tmp_path):
    for folder in folders.values():
        network = planned(options(made, folder, tmp_path)).build(3)
        assert len(encoder.layers_of(network.body)) == 2


def test_importing_onsei_imports_neither_torch_nor_transformers():
    code = "import sys, onsei; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
