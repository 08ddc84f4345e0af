"""HiFi-GAN's files: configurations read and written, g_ and do_ pairs in upstream's layout, and hostile ones."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from onsei.errors import ConfigError, ModelError
from onsei.vocoder import checkpoints, upstream
from onsei.vocoder.discriminators import MultiPeriod, MultiScale
from onsei.vocoder.generator import PRESETS, Generator, GeneratorShape
from onsei.vocoder.mel import MelDefinition
from onsei.vocoder.weightnorm import classic, fill, fused
from tests.hub.hostile import MARK, Calls, archive, by_text

SEED = {
    "resblock": "1", "num_gpus": 0, "batch_size": 16, "learning_rate": 5e-5, "adam_b1": 0.8, "adam_b2": 0.99,
    "lr_decay": 0.999, "seed": 1234, "upsample_rates": [10, 7, 3, 2], "upsample_kernel_sizes": [20, 15, 7, 4],
    "upsample_initial_channel": 512, "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]], "segment_size": 8400, "num_mels": 64,
    "num_freq": 1025, "n_fft": 2048, "hop_size": 420, "win_size": 2048, "sampling_rate": 11413, "fmin": 0,
    "fmax": None, "fmax_for_loss": None, "num_workers": 4,
    "dist_config": {"dist_backend": "nccl", "dist_url": "tcp://localhost:54321", "world_size": 1},
}  # fmt: skip
MEL = MelDefinition(sample_rate=8000, n_fft=256, hop_length=8, win_length=256, n_mels=8, f_max=3000.0)
SHAPE = GeneratorShape(
    resblock="2", upsample_initial_channel=8, resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1,),)
)


def written(path, values):
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def test_a_configuration_is_read(tmp_path):
    found = upstream.read_config(written(tmp_path / "config.json", SEED))
    assert found.remarks == ()
    assert found.config.generator() == PRESETS["v1"].fitted(420)
    assert found.config.mel() == MelDefinition(
        sample_rate=11413, n_fft=2048, hop_length=420, win_length=2048, n_mels=64, f_max=None
    )
    assert (found.config.learning_rate, found.config.segment_size) == (5e-5, 8400)


def test_a_configuration_is_written_as_it_was(tmp_path):
    config = upstream.read_config(written(tmp_path / "config.json", SEED)).config
    assert json.loads(upstream.written(config)) == SEED
    again = upstream.config_of(config.generator(), config.mel(), learning_rate=5e-5)
    assert again == config


def test_forks_are_read_and_what_has_no_effect_is_told(tmp_path):
    values = {**SEED, "resblock": 1, "fmax": "null", "fmax_for_loss": 5000, "snake": True}
    found = upstream.read_config(written(tmp_path / "config.json", values))
    assert found.config.fmax is None
    assert "snake" in found.remarks[0]
    assert "5000" in found.remarks[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ["not valid JSON"]),
        ("[]", ["JSON object"]),
        ("{}", ["sampling_rate", "upsample_rates"]),
        (json.dumps({**SEED, "hop_size": "420", "n_fft": -1}), ["hop_size", "n_fft"]),
        ("[" * 100_000, ["not valid JSON"]),
    ],
)
def test_bad_configurations_are_refused(tmp_path, text, words):
    path = tmp_path / "config.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        upstream.read_config(path)
    assert all(word in str(refused.value) for word in words)
    with pytest.raises(ConfigError, match="no such file"):
        upstream.read_config(tmp_path / "none.json")
    with pytest.raises(ConfigError):
        upstream.read_config(tmp_path)


def test_mels_that_upstream_cannot_make_are_known():
    assert upstream.is_upstream_mel(MelDefinition(hop_length=420, n_fft=2048, peak=None))
    for other in (MelDefinition(log="decibel"), MelDefinition(padding="center"), MelDefinition(hop_length=105)):
        assert not upstream.is_upstream_mel(other)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("hop", [256, 420, 300])
def test_a_shape_is_told_by_its_weights(name, hop):
    shape = PRESETS[name].fitted(hop)
    with torch.device("meta"):
        state = Generator(shape, MelDefinition(hop_length=hop), normed=False).state_dict()
    assert upstream.shape_of({key: tuple(value.shape) for key, value in state.items()}) == shape
    with pytest.raises(ConfigError, match="no generator"):
        upstream.shape_of({"conv_pre.weight": (1, 2, 3)})


class Old(nn.Module):
    """A discriminator's convolutions under torch's old weight normalization, as upstream's code makes them."""

    def __init__(self, norm):
        super().__init__()
        self.conv = norm(nn.Conv1d(2, 3, 5))


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
def test_parameters_come_in_the_order_of_upstream(name):
    """Optimizers count parameters: theirs, under the old names, must be in the order of ours."""
    old = dict(Old(getattr(nn.utils, name)).named_parameters())
    new = dict(Old(getattr(nn.utils.parametrizations, name)).named_parameters())
    assert list(old) == list(classic(new))


def trained(steps=2):
    """A small pair with discriminators of a few channels, after some steps."""
    torch.manual_seed(1)
    generator, mpd, msd = Generator(SHAPE, MEL), MultiPeriod((2, 3), width=0.02), MultiScale(2, width=0.02)
    optim_g = torch.optim.AdamW(generator.parameters(), 1e-3)
    optim_d = torch.optim.AdamW(checkpoints.parameters(msd, mpd), 1e-3)
    for _ in range(steps):
        sound = generator(torch.randn(2, 8, 6))
        verdicts = [score.square().mean() for score, _ in itertools.chain(mpd(sound), msd(sound))]
        (sum(verdicts) + sound.square().mean()).backward()
        optim_g.step()
        optim_d.step()
    return generator, mpd, msd, optim_g, optim_d


def state_of(mpd, msd, optim_g, optim_d):
    return checkpoints.TrainingState(
        mpd.state_dict(), msd.state_dict(), optim_g.state_dict(), optim_d.state_dict(), steps=2, epoch=1
    )


def test_a_pair_is_written_in_upstreams_layout_and_read_back(tmp_path):
    generator, *rest = trained()
    checkpoints.write_generator(tmp_path / "g_00000002", generator.state_dict())
    checkpoints.write_training(tmp_path / "do_00000002", state_of(*rest))
    theirs = torch.load(tmp_path / "g_00000002", weights_only=True)
    assert set(theirs) == {"generator"}
    assert {name.rpartition(".")[2] for name in theirs["generator"]} == {"bias", "weight_g", "weight_v"}
    theirs = torch.load(tmp_path / "do_00000002", weights_only=True)
    assert set(theirs) == {"mpd", "msd", "optim_g", "optim_d", "steps", "epoch"}
    assert {name.rpartition(".")[2] for name in theirs["msd"] if "discriminators.0" in name} == {
        "bias", "weight_orig", "weight_u", "weight_v",
    }  # fmt: skip
    assert theirs["optim_g"]["state"][0]["step"] == 2

    assert checkpoints.pair(tmp_path) == (tmp_path / "g_00000002", tmp_path / "do_00000002")
    other, mpd, msd, optim_g, optim_d = trained(steps=0)
    fill(other, checkpoints.read_generator(tmp_path / "g_00000002"))
    found = checkpoints.read_training(tmp_path / "do_00000002")
    fill(mpd, found.mpd)
    fill(msd, found.msd)
    checkpoints.restore(optim_g, found.optim_g, "do_00000002")
    checkpoints.restore(optim_d, found.optim_d, "do_00000002")
    assert (found.steps, found.epoch) == (2, 1)
    for mine, origin in zip((other, mpd, msd), (generator, *rest[:2]), strict=True):
        for name, value in origin.state_dict().items():
            torch.testing.assert_close(mine.state_dict()[name], value)
    for mine, origin in zip((optim_g, optim_d), rest[2:], strict=True):
        assert mine.state_dict()["param_groups"] == origin.state_dict()["param_groups"]
        for number, values in origin.state_dict()["state"].items():
            for name, value in values.items():
                assert torch.equal(mine.state_dict()["state"][number][name], value)


@pytest.mark.parametrize("layout", [dict, classic, fused])
@pytest.mark.parametrize("bare", [True, False])
def test_generators_are_read_in_every_layout(tmp_path, layout, bare):
    generator = trained()[0]
    state = layout(generator.state_dict())
    torch.save(state if bare else {"generator": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "g_1")
    other = Generator(SHAPE, MEL)
    fill(other, checkpoints.read_generator(tmp_path / "g_1"))
    mel = torch.randn(1, 8, 4)
    with torch.no_grad():
        torch.testing.assert_close(other(mel), generator(mel))


def test_optimizers_of_other_networks_are_refused(tmp_path):
    *_, optim_g, optim_d = trained()
    state = optim_d.state_dict()
    with pytest.raises(ModelError, match="parameters"):
        checkpoints.restore(optim_g, state, "do_1")
    wrong = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(7)) for _ in optim_g.param_groups[0]["params"]])
    with pytest.raises(ModelError, match="other shapes"):
        checkpoints.restore(wrong, optim_g.state_dict(), "do_1")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"generator": {}}, "no weights"),
        ({"generator": {"conv_pre.bias": 3}}, "no plain weights"),
        ({"generator": {"conv_pre.bias": torch.tensor([float("nan")])}}, "not finite"),
        ({"mpd": {}, "msd": {}}, "do_ file"),
        ([1], "no weights"),
    ],
)
def test_other_content_is_refused(tmp_path, content, words):
    torch.save(content, tmp_path / "g_1")
    with pytest.raises(ModelError, match=words):
        checkpoints.read_generator(tmp_path / "g_1")
    with pytest.raises(ModelError, match="missing or of another kind"):
        checkpoints.read_training(tmp_path / "g_1")


@pytest.mark.parametrize("read", [checkpoints.read_generator, checkpoints.read_training])
def test_hostile_files_run_nothing(tmp_path, monkeypatch, read):
    monkeypatch.chdir(tmp_path)
    archive(tmp_path / "g_1", by_text("os", "mkdir"))
    torch.save({"generator": Calls(Path.touch, Path(MARK)), "optim_g": Calls(Path.touch, Path(MARK))}, "g_2")
    for name in ("g_1", "g_2"):
        with pytest.raises(ModelError):
            read(tmp_path / name)
    assert not (tmp_path / MARK).exists()


def test_pairs_must_be_whole_and_of_one_step(tmp_path):
    with pytest.raises(ModelError, match="no g_ file"):
        checkpoints.pair(tmp_path)
    (tmp_path / "g_00000005").touch()
    with pytest.raises(ModelError, match="fresh discriminators"):
        checkpoints.pair(tmp_path)
    (tmp_path / "do_00000004").touch()
    (tmp_path / "do_notes").touch()
    with pytest.raises(ModelError, match="different steps"):
        checkpoints.pair(tmp_path)
    assert checkpoints.newest(tmp_path / "none") == (None, None)
