"""`onsei song import`: released files, the fork's Lightning and LoRA checkpoints, shards; faults are named."""

import json
import os
from dataclasses import replace

import pytest
import torch

from onsei import cli
from onsei.errors import OnseiError
from onsei.hub import weights
from onsei.systems.song.config import Import
from onsei.systems.song.exchange.importing import bring
from onsei.systems.song.inference import Singer
from onsei.systems.song.sketch.codebook import Codebook
from onsei.systems.song.sketch.embedding import open_embedding
from onsei.units import muq
from onsei.units.muq.loading import shape_of

from . import singers


@pytest.fixture(scope="module")
def made():
    return singers.model(seed=5)


@pytest.fixture
def released(made, tmp_path):
    """Files as they are released; the codec apart."""
    state = singers.as_released(made)
    torch.save({name: tensor for name, tensor in state.items() if name.startswith("model.")}, tmp_path / "full.pt")
    vae = {name.replace("vae.vae.", "vae."): tensor for name, tensor in state.items() if name.startswith("vae.")}
    torch.save({"state_dict": vae}, tmp_path / "autoencoder_music_dsp1920.ckpt")
    config = {
        "sr": 800,
        "train_dataset": {"prompt_len": 10},
        "pretrained_path": "${dynamic_path:somewhere}",
        "model": {
            "num_pitch": 30, "lm_layers": 2, "num_heads": 2, "rotary_base_val": 20000, "backend": "llama",
            "condition_provider_cfg": {"prompt_wav": {"wav": {"max_len": 40}}, "lyrics": {"phoneme": {"max_len": 24}}},
        },
    }  # fmt: skip
    (tmp_path / "full.yaml").write_text(json.dumps(config))
    return tmp_path / "full.pt"


def same(folder, made, changed=()):
    """Whether the model folder holds the tensors of ``made``."""
    found, wanted = weights.load(folder / "model.safetensors"), made.state_dict()
    assert found.keys() == wanted.keys()
    return [name for name in wanted if name not in changed and not torch.equal(found[name], wanted[name])] == []


def test_released_files(released, made, tmp_path, capsys):
    assert cli.main(["song", "import", str(released), "--output-dir", str(tmp_path / "model")]) == 0
    assert "2 + 1 layers of 64 channels" in capsys.readouterr().out
    assert same(tmp_path / "model", made)
    singer = Singer.load(tmp_path / "model", "cpu")
    assert singer.network.sizes == singers.NETWORK.__class__(**{**singers.NETWORK.__dict__, "init_std": 0.02})
    assert singer.autoencoder.codec == singers.CODEC
    assert "academic" in (tmp_path / "model" / "README.md").read_text()


def test_a_model_that_is_there_stays(released, tmp_path):
    bring(Import(released, tmp_path / "model"))
    with pytest.raises(OnseiError, match="holds a model"):
        bring(Import(released, tmp_path / "model"))
    bring(Import(released, tmp_path / "model", force=True, dtype="bfloat16"))
    assert weights.describe(tmp_path / "model" / "model.safetensors")["model.bos_token"].dtype == "BF16"
    assert Singer.load(tmp_path / "model", "cpu").network.bos_token.dtype == torch.float32


def test_a_lightning_checkpoint_with_all_in_it(made, released, tmp_path):
    content = {
        "state_dict": {**singers.as_released(made), "criterion.weight": torch.zeros(2)},
        "epoch": 3,
        "hyper_parameters": {"rank": 2},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(4)}}}],
    }
    torch.save(content, tmp_path / "last.ckpt")
    bring(Import(tmp_path / "last.ckpt", tmp_path / "model", config=released.with_suffix(".yaml")))
    assert same(tmp_path / "model", made)


@pytest.mark.parametrize(
    "names",
    [
        ("base.weight", "lora_A", "lora_B"),
        ("linear.weight", "lora_A.weight", "lora_B.weight"),
        ("base_layer.weight", "lora_A.default.weight", "lora_B.default.weight"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_checkpoint_with_adapters(made, released, tmp_path, names, turned):
    layer = "model.ar_transformer.layers.1.self_attn.q_proj"
    state = singers.as_released(made)
    weight = state.pop(f"{layer}.weight")
    first, second = torch.randn(2, 64), torch.randn(64, 2)
    pair = (first.T.contiguous(), second.T.contiguous()) if turned else (first, second)
    state |= {f"{layer}.{name}": tensor for name, tensor in zip(names, (weight, *pair), strict=True)}
    torch.save({"state_dict": state, "hyper_parameters": {"lora": {"lora_alpha": 8}}}, tmp_path / "last.ckpt")
    bring(Import(tmp_path / "last.ckpt", tmp_path / "model", config=released.with_suffix(".yaml")))
    assert same(tmp_path / "model", made, changed=[f"{layer}.weight"])
    found = weights.load(tmp_path / "model" / "model.safetensors")[f"{layer}.weight"]
    torch.testing.assert_close(found, weight + 4 * second @ first)


def test_adapters_alone_need_their_base(made, released, tmp_path):
    layer = "base_model.model.ar_transformer.layers.0.self_attn.v_proj"
    first, second = torch.randn(2, 64), torch.randn(64, 2)
    state = {f"{layer}.lora_A.weight": first, f"{layer}.lora_B.weight": second}
    weights.save(tmp_path / "adapter_model.safetensors", state)
    options = Import(tmp_path / "adapter_model.safetensors", tmp_path / "model", config=released.with_suffix(".yaml"))
    with pytest.raises(OnseiError, match="--base"):
        bring(options)
    whole = options.__class__(**{**options.__dict__, "base": released, "lora_alpha": 2.0})
    bring(whole)
    name = "model.ar_transformer.layers.0.self_attn.v_proj.weight"
    found = weights.load(tmp_path / "model" / "model.safetensors")[name]
    torch.testing.assert_close(found, made.state_dict()[name] + second @ first)
    other = {f"{layer}.lora_A.weight": torch.zeros(2, 32), f"{layer}.lora_B.weight": torch.zeros(32, 2)}
    weights.save(tmp_path / "adapter_model.safetensors", other)
    with pytest.raises(OnseiError, match="another base"):
        bring(whole.__class__(**{**whole.__dict__, "force": True}))


def test_adapters_are_refused_for_weights_that_they_were_not_trained_on(made, released, tmp_path):
    layer = "base_model.model.ar_transformer.layers.0.self_attn.v_proj"
    state = {f"{layer}.lora_A.weight": torch.randn(2, 64), f"{layer}.lora_B.weight": torch.randn(64, 2)}
    for name, seed in (("mine", 1), ("other", 2)):
        torch.manual_seed(seed)
        changed = {key: tensor + 0.01 * torch.randn(tensor.shape) for key, tensor in singers.as_released(made).items()}
        weights.save(tmp_path / f"{name}.safetensors", changed)
    mark = weights.fingerprint(tmp_path / "mine.safetensors")
    weights.save(tmp_path / "adapter_model.safetensors", state, {"base": mark})
    (tmp_path / "adapter_config.json").write_text('{"lora_alpha": 2}')
    options = Import(tmp_path / "adapter_model.safetensors", tmp_path / "model", config=released.with_suffix(".yaml"))
    with pytest.raises(OnseiError, match=f"other.safetensors: fingerprint .* trained on {mark}"):
        bring(replace(options, base=tmp_path / "other.safetensors"))
    assert not (tmp_path / "model").exists()
    bring(replace(options, base=tmp_path / "mine.safetensors"))
    assert (tmp_path / "model" / "model.safetensors").exists()


def test_shards_of_safetensors(made, released, tmp_path):
    state = singers.as_released(made)
    names = sorted(state)
    places = {}
    for number, part in enumerate((names[::2], names[1::2])):
        weights.save(tmp_path / f"model-{number}.safetensors", {name: state[name] for name in part})
        places |= dict.fromkeys(part, f"model-{number}.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    bring(Import(index, tmp_path / "model", config=released.with_suffix(".yaml")))
    assert same(tmp_path / "model", made)
    index.write_text(json.dumps({"weight_map": {"a": "../other.safetensors"}}))
    with pytest.raises(OnseiError, match="beside"):
        bring(Import(index, tmp_path / "model", force=True))


def test_what_does_not_fit_is_listed(made, released, tmp_path):
    state = {name: tensor for name, tensor in singers.as_released(made).items() if "k_proj" not in name}
    state["model.nar_dit.layers.0.self_attn.to_q.weight"] = torch.zeros(3)
    state["model.bos_token"] = torch.zeros(7)
    torch.save(state, released)
    with pytest.raises(OnseiError) as caught:
        bring(Import(released, tmp_path / "model"))
    text = str(caught.value)
    assert "missing: model.ar_transformer.layers.0.self_attn.k_proj.weight" in text
    assert "unknown: model.nar_dit.layers.0.self_attn.to_q.weight" in text
    assert "expected (64,), found (7,)" in text
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("lm_layers", 3, "lm_layers is 3"), ("backend", "bart", "bart"), ("time_cond_type", "adaLN", "adaLN")],
)
def test_a_configuration_of_another_network_is_refused(released, tmp_path, name, value, said):
    path = released.with_suffix(".yaml")
    config = json.loads(path.read_text())
    config["model"][name] = value
    path.write_text(json.dumps(config))
    with pytest.raises(OnseiError, match=said):
        bring(Import(released, tmp_path / "model"))


def test_a_table_of_other_size_is_refused(released, tmp_path):
    (tmp_path / "vocab_g2p.json").write_text(
        json.dumps(["", "[verse]", "[chorus]", "[bridge]", "[intro]", "[outro]", "[inst]", "[silence]", ".", ","])
    )
    with pytest.raises(OnseiError, match="330"):
        bring(Import(released, tmp_path / "model", vocab=tmp_path / "vocab_g2p.json"))


def test_without_an_autoencoder(released, tmp_path):
    (tmp_path / "autoencoder_music_dsp1920.ckpt").unlink()
    with pytest.raises(OnseiError, match="autoencoder"):
        bring(Import(released, tmp_path / "model"))


class _Hostile:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_a_file_that_would_run_code_is_refused(released, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"model.bos_token": _Hostile()}}, tmp_path / "bad.ckpt")
    with pytest.raises(OnseiError, match="refused"):
        bring(Import(tmp_path / "bad.ckpt", tmp_path / "model"))
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut short"])
def test_no_checkpoint(tmp_path, content):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(OnseiError, match=r"x\.pt"):
        bring(Import(tmp_path / "x.pt", tmp_path / "model"))
    torch.save({"model.other": torch.zeros(2)}, tmp_path / "y.pt")
    with pytest.raises(OnseiError, match="no checkpoint of SongBloom"):
        bring(Import(tmp_path / "y.pt", tmp_path / "model"))


@pytest.mark.parametrize("narrow", [False, True])
def test_the_forks_codebook(tmp_path, capsys, narrow):
    """Every frame gets the code that vector-quantize-pytorch's formula gives it; another MuQ is refused."""
    folder = muq_folder(tmp_path / "muq", width=16)
    torch.manual_seed(0)
    state = {"vq._codebook.embed": torch.randn(1, 20, 6 if narrow else 16), "vq._codebook.initted": torch.ones(1)}
    if narrow:
        state |= {"vq.project_in.weight": torch.randn(6, 16), "vq.project_in.bias": torch.randn(6)}
        state |= {"vq.project_out.weight": torch.randn(16, 6), "vq.project_out.bias": torch.randn(16)}
    torch.save({"state_dict": state}, tmp_path / "vq_16384.pt")
    words = ["song", "import", str(tmp_path / "vq_16384.pt"), "--output-dir", str(tmp_path / "vq")]
    assert cli.main([*words, "--muq-model", str(folder)]) == 0
    book = Codebook.load(tmp_path / "vq" / "vq_16384.pt")
    frames = torch.randn(50, 16)
    projected = frames @ state["vq.project_in.weight"].T + state["vq.project_in.bias"] if narrow else frames
    wanted = torch.cdist(projected, state["vq._codebook.embed"][0]).argmin(1)
    assert book.tokens(frames.numpy()).tolist() == wanted.tolist()
    assert book.embedding_fingerprint == open_embedding(str(folder), "cpu").fingerprint
    assert cli.main([*words, "--muq-model", str(folder)]) == 2
    other = muq_folder(tmp_path / "other", width=8)
    assert cli.main([*words, "--muq-model", str(other), "--force"]) == 2
    assert "--muq-model" in capsys.readouterr().err


def muq_folder(path, width):
    path.mkdir()
    config = {
        "n_mels": 16, "hop_length": 240, "conv_dim": 4, "encoder_dim": width, "encoder_depth": 1,
        "stat": {"melspec_2048_mean": 6.0, "melspec_2048_std": 18.0},
        "w2v2_config": {"num_attention_heads": 2, "intermediate_size": 8, "conv_depthwise_kernel_size": 3},
    }  # fmt: skip
    (path / "config.json").write_text(json.dumps(config))
    network = muq.MuQ(shape_of(config, path))
    weights.save(path / "model.safetensors", {f"model.{k}": v for k, v in network.state_dict().items()})
    return path
