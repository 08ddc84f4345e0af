"""Training as its users run it: HiFi-GAN's commands and files, fine-tuning, what is caught before the first step."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import onsei
from onsei import cli, config
from onsei.errors import OnseiError
from onsei.systems.vocoder.config import Data, Losses, Network, Train
from onsei.systems.vocoder.data.example import MEL
from onsei.systems.vocoder.learner import VocoderLearner
from onsei.systems.vocoder.model import build, critics
from onsei.systems.vocoder.training import train
from onsei.training import checkpoint as runs
from onsei.vocoder import checkpoints
from onsei.vocoder.generator import GeneratorShape
from tests.vocoder_system.conftest import NARROW, TINY, mel_of, options

CONFIG = {
    "resblock": "2", "num_gpus": 0, "batch_size": 2, "learning_rate": 5e-05, "adam_b1": 0.8, "adam_b2": 0.99,
    "lr_decay": 0.999, "seed": 1234, "upsample_rates": [8, 4, 2], "upsample_kernel_sizes": [16, 8, 4],
    "upsample_initial_channel": 16, "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 2]],
    "segment_size": 512, "num_mels": 32, "num_freq": 129, "n_fft": 256, "hop_size": 64, "win_size": 256,
    "sampling_rate": 8000, "fmin": 0, "fmax": None, "fmax_for_loss": None, "num_workers": 0,
    "dist_config": {"dist_backend": "nccl", "dist_url": "tcp://localhost:54321", "world_size": 1},
}  # fmt: skip
QUICK = [
    "--max-steps",
    "1",
    "--critics.mpd-width",
    "0.01",
    "--critics.msd-width",
    "0.01",
    "--device",
    "cpu",
    "--silent",
    "--mel.floor",
    "1e-3",
]


def values(folder, key):
    lines = map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [line[key] for line in lines if key in line]


@pytest.fixture
def upstream(tmp_path, wavs):
    """What a user of HiFi-GAN has: filelists, a configuration, mels, further mels, and a lone generator."""
    (tmp_path / "training.txt").write_text("a|x\nb|x\nc|x\n", encoding="utf-8")
    (tmp_path / "validation.txt").write_text("d|x\n", encoding="utf-8")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    (tmp_path / "extra").mkdir()
    for mel in (tmp_path / "mels").iterdir():
        np.save(tmp_path / "extra" / mel.name, np.load(mel)[None])
    generator = build(Network(generator=GeneratorShape(**TINY_RATES)), MEL)
    (tmp_path / "cp").mkdir()
    checkpoints.write_generator(tmp_path / "cp" / "g_00055000", generator.state_dict())
    return tmp_path


TINY_RATES = {
    "resblock": "2", "upsample_rates": (8, 4, 2), "upsample_kernel_sizes": (16, 8, 4), "upsample_initial_channel": 16,
    "resblock_kernel_sizes": (3,), "resblock_dilation_sizes": ((1, 2),),
}  # fmt: skip


def test_the_nine_flags_fine_tune_from_a_lone_generator(upstream, capsys):
    words = [
        *("vocoder", "train", "--config", upstream / "config.json", "--input_wavs_dir", upstream / "wavs"),
        *("--input_training_file", upstream / "training.txt", "--input_validation_file", upstream / "validation.txt"),
        *("--input_mels_dir", upstream / "mels", "--extra_mels_dir", upstream / "extra", "--extra_mels_weight", "0.8"),
        *("--checkpoint_path", upstream / "cp", "--fine_tuning", "1", "--no-compare"),
    ]
    assert cli.main([*map(str, words), *QUICK]) == 0
    said = capsys.readouterr().out
    assert "g_00055000; no do_ file beside it: the discriminators begin anew" in said
    assert "mel.peak null" in said
    written = config.from_yaml(Train, upstream / "cp" / "config.yaml")
    assert (written.fine_tuning, written.extra_mels_weight) == (True, 0.8)
    assert written.network.generator.upsample_kernel_sizes == (16, 8, 4)
    assert written.mel.hop_length == 64
    assert written.optimization.learning_rate == 5e-5
    assert written.training.learning_anneal == pytest.approx(1 / 0.999)
    assert onsei.load(upstream / "cp", device="cpu").mel.peak is None
    history = json.loads((upstream / "cp" / "onsei.json").read_text(encoding="utf-8"))["history"]
    assert history["finetuned_from"].endswith("g_00055000")


def test_a_lone_generator_is_no_resume(upstream):
    words = ["vocoder", "train", "--config", upstream / "config.json", "--wavs-dir", upstream / "wavs"]
    given = options(
        upstream / "cp", wavs_dir=upstream / "wavs", network=Network(generator=GeneratorShape(**TINY_RATES))
    )
    with pytest.raises(OnseiError, match="no do_ file; resuming needs both"):
        train(given)
    assert cli.main([*map(str, words), "--checkpoint-path", str(upstream / "cp"), *QUICK]) == 2
    assert not (upstream / "cp" / "checkpoints").exists()


def test_flags_win_over_the_configuration_and_it_over_the_recipe(upstream):
    words = ["--config", str(upstream / "config.json"), "--lr", "3e-4", "--output-dir", "x", "--wavs-dir", "y"]
    from onsei.system import resolve
    from onsei.systems.vocoder import SYSTEM

    cls = resolve(SYSTEM.verbs[0].options)
    default, flags = cli._recipe(cls, words, "vocoder")
    chosen = config.parse_flags(cls, flags, prog="x", default=cli._adopted(cls, default, words))
    assert chosen.optimization.learning_rate == 3e-4
    assert chosen.data.segment_size == 512
    assert chosen.training.epochs == 3100  # of the recipe base


def test_a_pair_goes_on_where_it_stood_with_both_optimizers(tmp_path, wavs):
    straight = options(tmp_path / "first", wavs_dir=wavs)
    train(straight)
    state = runs.list_readable(tmp_path / "first")[-1].read_state()
    optimizers, modules = state["optimizers"], state["modules"]
    (tmp_path / "pair").mkdir()
    checkpoints.write_generator(tmp_path / "pair" / "g_00000002", modules["generator"])
    checkpoints.write_training(
        tmp_path / "pair" / "do_00000002",
        checkpoints.TrainingState(
            modules["mpd"], modules["msd"], optimizers["generator"], optimizers["discriminator"], steps=2, epoch=1
        ),
    )
    clock = replace(straight.training, max_steps=4, validate_steps=1)
    train(options(tmp_path / "pair", wavs_dir=wavs, training=clock))
    adopted = runs.read(tmp_path / "pair" / "checkpoints" / "step-00000003")
    assert adopted.standing.epoch == 1
    steps = adopted.read_state()["optimizers"]["discriminator"]["state"][0]["step"]
    assert float(steps) == 3
    assert values(tmp_path / "pair", "step")[0] == 2  # validated as it came
    assert values(tmp_path / "pair", "val/loss")[0] == pytest.approx(
        values(tmp_path / "first", "val/loss")[-1], abs=1e-5
    )


@pytest.mark.parametrize("kind", ["hifigan", "istft"])
def test_all_losses_are_named_and_the_sides_are_kept_apart(made, tmp_path, kind, wavs):
    network = made.train.network if kind == "istft" else Network(generator=TINY)
    train(options(tmp_path / "run", wavs_dir=wavs, network=network, losses=Losses(spectral=1.0), checkpointing=True))
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[0])
    names = {name.removeprefix("train/") for name in last if name.startswith("train/")}
    assert names == {"loss", "mel", "spectral", "features", "adversarial", "discriminator"}
    assert {"grad_norm/generator", "grad_norm/discriminator"} <= last.keys()


def test_the_network_learns_nothing_from_the_discriminators_loss_and_they_nothing_from_its(made):
    torch.manual_seed(0)
    learner = VocoderLearner(build(Network(generator=TINY), MEL), *critics(NARROW), Losses(), made.train.optimization)
    taken = {}

    def update(name, loss, *, keep=False):
        wanted = [p for group in learner.optimizers[name].param_groups for p in group["params"]]
        others = [p for module in learner.modules.values() for p in module.parameters() if p.grad is not None]
        assert not others
        taken[name] = torch.autograd.grad(loss, wanted, retain_graph=keep, allow_unused=True)

    from onsei.systems.vocoder.data import Batch
    from onsei.training.learner import Clock

    batch = Batch(("a",), torch.randn(1, MEL.n_mels, 8), 0.1 * torch.randn(1, 8 * MEL.hop))
    learner.step(batch, Clock(0, 0, 0), update)
    assert all(grad is not None and grad.isfinite().all() for name in taken for grad in taken[name])
    assert list(taken) == ["discriminator", "generator"]


def test_the_discriminators_wait_for_their_step(tmp_path, wavs):
    train(options(tmp_path / "run", wavs_dir=wavs, losses=Losses(critics_from=1)))
    first, second = (json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[:2])
    assert "train/discriminator" not in first
    assert "train/discriminator" in second


@pytest.mark.parametrize("extra", [1, -1, 30])
def test_mels_of_another_length_are_told_before_training(tmp_path, wavs, extra):
    for path in (tmp_path / "mels").iterdir():
        mel = np.load(path)
        np.save(path, np.pad(mel, ((0, 0), (0, extra)), mode="edge") if extra > 0 else mel[:, :extra])
    given = {"wavs_dir": wavs, "mels_dir": tmp_path / "mels", "fine_tuning": True}
    with pytest.raises(OnseiError, match=rf"3 of 3 mels: \{'+' if extra > 0 else '-'}{abs(extra)} frames") as error:
        train(options(tmp_path / "run", **given))
    assert ("half a hop" in str(error.value)) == (abs(extra) == 1)
    assert not (tmp_path / "run" / "checkpoints").exists()
    data = Data(batch_size=2, segment_size=512, num_workers=0, tolerance=30, compare=False)
    assert train(options(tmp_path / "tolerant", data=data, **given)).steps == 2


def test_mels_of_another_definition_are_told_before_training(tmp_path, wavs):
    for path in (tmp_path / "mels").iterdir():
        np.save(path, np.load(path) * 20 / np.log(10))  # decibels
    with pytest.raises(OnseiError, match=r"(?s)another definition.*decibels"):
        train(options(tmp_path / "run", wavs_dir=wavs, mels_dir=tmp_path / "mels", fine_tuning=True))


def test_a_broken_mel_is_told_with_the_others_before_training(tmp_path, wavs):
    (tmp_path / "mels" / "a.npy").write_bytes(b"no array")
    np.save(tmp_path / "mels" / "b.npy", np.zeros((80, 4), np.float32))
    with pytest.raises(OnseiError, match=r"cannot be read as a mel|expected 32 bands"):
        train(options(tmp_path / "run", wavs_dir=wavs, mels_dir=tmp_path / "mels", fine_tuning=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": Network(generator=replace(TINY, upsample_rates=(8, 4)))}, "expected a product of 64"),
        (
            {"network": Network(generator=replace(TINY, upsample_rates=(8, 8), upsample_kernel_sizes=(15, 16)))},
            "must be even",
        ),
        ({"data": Data(segment_size=500)}, "multiple of the mel's hop"),
        ({"mel": replace(MEL, win_length=512)}, "win_length"),
    ],
)
def test_sizes_that_do_not_fit_are_told_before_anything_is_written(tmp_path, wavs, change, message):
    with pytest.raises(OnseiError, match=message):
        train(options(tmp_path / "run", wavs_dir=wavs, **change))
    assert not (tmp_path / "run").exists()


def test_a_broken_sound_is_put_aside_and_the_run_goes_on(tmp_path, wavs):
    (wavs / "a.wav").write_bytes(b"RIFF")
    (wavs / "b.wav").write_bytes((wavs / "b.wav").read_bytes()[:200])
    given = options(tmp_path / "run", wavs_dir=wavs, data=Data(batch_size=4, segment_size=512, num_workers=0))
    summary = train(replace(given, training=replace(given.training, epochs=2)))
    assert summary.quarantined >= 1


def test_mels_are_what_the_definition_says(wavs):
    from onsei.audio import io

    sound, _ = io.load(wavs / "a.wav", 8000)
    assert mel_of(sound).shape == (32, MEL.frames(3000))
