"""The verbs import and export of the vocoder: HiFi-GAN's files and ONNX, there and back."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from onsei.config import to_dict
from onsei.errors import ConfigError, DataError, ModelError
from onsei.hub import store
from onsei.systems.vocoder.config.exchange import Export, Import
from onsei.systems.vocoder.config.network import Network
from onsei.systems.vocoder.exchange import exporting
from onsei.systems.vocoder.exchange.exporting import export, opened
from onsei.systems.vocoder.exchange.importing import bring
from onsei.systems.vocoder.inference import Vocoder
from onsei.training import checkpoint as runs
from onsei.training.clock import Standing
from onsei.vocoder import checkpoints, upstream
from onsei.vocoder.discriminators import MultiPeriod, MultiScale
from onsei.vocoder.generator import V1, V3, Generator
from onsei.vocoder.istft import Head, HeadShape
from onsei.vocoder.mel import MelDefinition
from onsei.vocoder.weightnorm import classic, fused
from tests.hub.hostile import MARK, Calls

SMALL = replace(V1, upsample_initial_channel=16)
MEL = MelDefinition(sample_rate=8000, n_fft=256, hop_length=60, win_length=256, n_mels=8, f_max=3000.0)
HEAD = HeadShape(channels=16, layers=1, fine_channels=8, fine_layers=1, upsample=2)


def louder(network):
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            scale = 0.2 if parameter.dim() > 1 else 0.3
            parameter.copy_(
                torch.full_like(parameter, 1.2) if "original0" in name else torch.randn_like(parameter) * scale
            )
    return network.eval()


def upstream_files(folder, network, layout=classic):
    folder.mkdir(exist_ok=True)
    torch.save({"generator": layout(network.state_dict())}, folder / "g_00000007")
    config = upstream.written(upstream.config_of(network.shape, network.mel))
    (folder / "config.json").write_text(config, encoding="utf-8")
    return folder / "g_00000007"


def model_folder(folder, network):
    kind = "hifigan" if isinstance(network, Generator) else "istft"
    shapes = {"generator": network.shape} if kind == "hifigan" else {"head": network.shape}
    store.save(
        folder, system="vocoder", stage="train", weights=network.state_dict(), history={"steps": 42},
        config={"mel": to_dict(network.mel), "network": to_dict(Network(kind=kind, **shapes))},
    )  # fmt: skip
    return folder


def sound_of(network):
    mel = torch.randn(1, network.mel.n_mels, 9, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        return network(mel)


@pytest.mark.parametrize("layout", [classic, fused, dict])
def test_a_generator_is_brought_in_and_speaks_as_before(tmp_path, capsys, layout):
    network = louder(Generator(SMALL, MEL))
    checkpoint = upstream_files(tmp_path / "theirs", network, layout)
    (tmp_path / "theirs" / "do_00000007").write_bytes(b"")
    bring(Import(checkpoint=checkpoint.parent, output_dir=tmp_path / "model"))
    said = capsys.readouterr().out
    assert all(word in said for word in ("g_00000007", "8000 Hz", "do_00000007", "vocode"))
    voice, history = opened(str(tmp_path / "model"))
    torch.testing.assert_close(sound_of(voice), sound_of(network))
    assert history["steps"] == 7
    mel = np.random.default_rng(1).normal(size=(8, 9)).astype(np.float32)
    assert Vocoder.load(tmp_path / "model", "cpu").speak(mel).shape == (9 * 60,)


def test_a_published_generator_needs_no_configuration(tmp_path, capsys):
    network = Generator(replace(V3, upsample_initial_channel=32), MelDefinition())
    checkpoint = upstream_files(tmp_path / "theirs", network)
    (tmp_path / "theirs" / "config.json").unlink()
    bring(Import(checkpoint=checkpoint, output_dir=tmp_path / "model"))
    assert "assumed the published mel" in capsys.readouterr().out
    voice, _ = opened(str(tmp_path / "model"))
    assert voice.shape == network.shape


def test_what_cannot_be_brought_in_is_told(tmp_path):
    checkpoint = upstream_files(tmp_path / "theirs", Generator(SMALL, MEL))
    config = checkpoint.with_name("config.json")
    values = json.loads(config.read_text())

    def refused(error, match, **changed):
        with pytest.raises(error, match=match):
            bring(Import(**{"checkpoint": checkpoint, "output_dir": tmp_path / "model", **changed}))
        assert not (tmp_path / "model").exists()

    config.write_text(json.dumps({**values, "hop_size": 50}))
    refused(ModelError, "product of 50")
    config.write_text(json.dumps({**values, "resblock_kernel_sizes": [3, 7, 9]}))
    refused(ModelError, "of another shape")
    config.unlink()
    refused(ModelError, "give the configuration")
    refused(ConfigError, "no such file", config=tmp_path / "none.json")
    (tmp_path / "empty").mkdir()
    refused(ModelError, "no g_ file", checkpoint=tmp_path / "empty")
    torch.save({"generator": {"lin.weight": torch.zeros(2, 2)}}, tmp_path / "g_1")
    refused(ModelError, "no generator of HiFi-GAN", checkpoint=tmp_path / "g_1")


def test_hostile_checkpoints_run_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"generator": Calls(Path.touch, Path(MARK))}, "g_1")
    with pytest.raises(ModelError):
        bring(Import(checkpoint=Path("g_1"), output_dir=tmp_path / "model"))
    assert not Path(MARK).exists()


def test_a_model_is_not_overwritten_unasked(tmp_path):
    checkpoint = upstream_files(tmp_path / "theirs", louder(Generator(SMALL, MEL)))
    options = Import(checkpoint=checkpoint, output_dir=tmp_path / "model")
    bring(options)
    with pytest.raises(ConfigError, match="--force"):
        bring(options)
    bring(replace(options, force=True))
    export(Export(model=str(tmp_path / "model"), output=tmp_path / "out"))
    with pytest.raises(DataError, match="--force"):
        export(Export(model=str(tmp_path / "model"), output=tmp_path / "out"))


def test_a_model_goes_out_as_it_came_in(tmp_path):
    network = louder(Generator(SMALL, MEL))
    checkpoint = upstream_files(tmp_path / "theirs", network)
    bring(Import(checkpoint=checkpoint, output_dir=tmp_path / "model"))
    export(Export(model=str(tmp_path / "model"), output=tmp_path / "ours"))
    written = torch.load(tmp_path / "ours" / "g_00000007", weights_only=True)["generator"]
    for name, value in classic(network.state_dict()).items():
        torch.testing.assert_close(written[name], value)
    theirs, ours = (upstream.read_config(tmp_path / name / "config.json").config for name in ("theirs", "ours"))
    assert theirs == ours


def test_a_run_goes_out_as_a_pair(tmp_path, capsys, monkeypatch):
    network = louder(Generator(SMALL, replace(MEL, log="decibel")))
    mpd, msd = MultiPeriod(width=0.02), MultiScale(width=0.02)
    folder = model_folder(tmp_path / "run", network)
    options = Export(model=str(folder), output=tmp_path / "out", pair=True)
    with pytest.raises(ModelError, match="no checkpoints"):
        export(options)
    optimizers = {
        "generator": torch.optim.AdamW(network.parameters(), 3e-4),
        "discriminator": torch.optim.AdamW(checkpoints.parameters(msd, mpd), 3e-4),
    }
    state = {
        "modules": {"generator": network.state_dict(), "mpd": mpd.state_dict(), "msd": msd.state_dict()},
        "optimizers": {name: optimizer.state_dict() for name, optimizer in optimizers.items()},
    }
    standing = Standing(run="r", epoch=3, step=5000)
    runs.write(folder, state, standing=standing, learner="L", world=1, fingerprint={}, metrics_bytes=0)
    with pytest.raises(ConfigError, match="not as wide"):
        export(options)
    for network in (MultiPeriod, MultiScale):  # the published ones hold 70 million weights
        monkeypatch.setattr(exporting, network.__name__, partial(network, width=0.02))
    export(options)
    assert checkpoints.pair(tmp_path / "out")[0].name == "g_00005000"
    assert "HiFi-GAN's own code" in capsys.readouterr().out
    found = checkpoints.read_training(tmp_path / "out" / "do_00005000")
    assert (found.steps, found.epoch) == (5000, 3)
    assert found.mpd.keys() == classic(mpd.state_dict()).keys()
    assert upstream.read_config(tmp_path / "out" / "config.json").config.learning_rate == 3e-4


@pytest.mark.parametrize("kind", ["hifigan", "head", "drawn head"])
@pytest.mark.parametrize("preemphasis", [0.0, 0.97])
def test_onnx_gives_the_same_sound(tmp_path, capsys, kind, preemphasis):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    mel = replace(MEL, preemphasis=preemphasis)
    if kind == "hifigan":
        network = louder(Generator(replace(V3, upsample_initial_channel=16), mel))
    else:
        network = Head(replace(HEAD, rounds=2 if kind == "drawn head" else 0), mel)
    folder = model_folder(tmp_path / "model", network)
    export(Export(model=str(folder), output=tmp_path / "voice.onnx"))
    said = capsys.readouterr().out
    assert float(said.split("at most ")[1]) <= 1e-4
    facts = {item.key: item.value for item in onnx.load(tmp_path / "voice.onnx").metadata_props}
    assert (facts["sample_rate"], facts["hop_length"]) == ("8000", "60")
    assert json.loads(facts["mel"])["preemphasis"] == preemphasis


def test_heads_go_out_as_onnx_only(tmp_path):
    folder = model_folder(tmp_path / "model", Head(HEAD, MEL))
    with pytest.raises(ConfigError, match=r"\.onnx"):
        export(Export(model=str(folder), output=tmp_path / "out"))
    with pytest.raises(ConfigError, match="--pair"):
        export(Export(model=str(folder), output=tmp_path / "v.onnx", pair=True))
