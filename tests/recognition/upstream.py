"""Checkpoints as the two generations of deepspeech.pytorch write them, made by classes with their names."""

from __future__ import annotations

import enum
import sys
import types
from contextlib import contextmanager

import torch

from onsei.systems.recognition.config import Model
from onsei.systems.recognition.model import DeepSpeech2
from onsei.text.alphabet import ENGLISH

TEXT = "".join(ENGLISH)
SMALL = {"hidden_size": 6, "hidden_layers": 2}


def network(seed=0, labels=29, bins=161, **options):
    """A small network with running statistics that are not those of a fresh one."""
    torch.manual_seed(seed)
    model = DeepSpeech2(Model(**{**SMALL, "count_padding": True, **options}), bins, labels)
    for name, value in model.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            value.uniform_(0.5, 1.5)
    return model.eval()


def package(model, *, labels=TEXT, prefix="", rnn_type=None, **further):
    """What ``torch.save`` was given in 2020."""
    options = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
    kind = next(name for name, cls in options.items() if type(model.rnns[0].rnn) is cls)
    conf = {"sample_rate": 16000, "window_size": 0.02, "window_stride": 0.01, "window": "hamming", "noise_dir": None,
            "noise_prob": 0.4, "noise_levels": (0.0, 0.5)}  # fmt: skip
    return {
        "version": "0.0.1",
        "hidden_size": model.rnns[0].rnn.hidden_size,
        "hidden_layers": len(model.rnns),
        "rnn_type": options[kind] if rnn_type is None else rnn_type,
        "audio_conf": conf,
        "labels": labels,
        "state_dict": {prefix + name: value for name, value in model.state_dict().items()},
        "bidirectional": model.rnns[0].rnn.bidirectional,
        "optim_dict": {"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": [{"lr": 3e-4, "params": [0]}]},
        "amp": None,
        "epoch": 3,
        "iteration": 120,
        "loss_results": torch.tensor([9.0, 5.0, 4.5, 0.0, 0.0]),
        "cer_results": torch.tensor([60.0, 30.0, 20.25, 0.0, 0.0]),
        "wer_results": torch.tensor([90.0, 70.0, 50.5, 0.0, 0.0]),
        "avg_loss": 4.5,
        "meta": {"note": "by hand"},
        **further,
    }


@contextmanager
def modules(*names):
    """Empty modules with these names while the context lasts: the loader must do without them."""
    made = {}
    for name in names:
        made[name] = sys.modules[name] = types.ModuleType(name)
    try:
        yield made
    finally:
        for name in names:
            del sys.modules[name]


def _class(module, name, bases=(), **body):
    cls = type(name, bases, {"__module__": module.__name__, **body})
    setattr(module, name, cls)
    return cls


def _node(cls, **state):
    made = cls.__new__(cls)
    made.__dict__.update(state)
    return made


def lightning(path, model, *, omegaconf, labels=ENGLISH, **further):
    """Write what Lightning's trainer wrote in 2022: configs are dataclasses, or OmegaConf's containers of nodes."""
    parents = ("deepspeech_pytorch", "deepspeech_pytorch.configs", "omegaconf")
    names = ("deepspeech_pytorch.configs.train_config", "deepspeech_pytorch.enums", "omegaconf.dictconfig",
             "omegaconf.nodes", "omegaconf.base")  # fmt: skip
    with modules(*parents, *names) as made:
        configs, enums, containers, nodes, base = (made[name] for name in names)
        kinds = enum.Enum(
            "RNNType", {"lstm": torch.nn.LSTM, "rnn": torch.nn.RNN, "gru": torch.nn.GRU}, module=enums.__name__
        )
        windows = enum.Enum("SpectrogramWindow", {"hamming": "hamming", "hann": "hann"}, module=enums.__name__)
        enums.RNNType, enums.SpectrogramWindow = kinds, windows
        metadata = _class(base, "ContainerMetadata")
        container, node = _class(containers, "DictConfig"), _class(nodes, "AnyNode")

        def config(kind, **fields):
            if not omegaconf:
                return _node(kind, **fields)
            about = _node(metadata, ref_type=dict[str, int], object_type=kind, key=None)
            inside = {name: _node(node, _metadata=about, _parent=None, _val=value) for name, value in fields.items()}
            return _node(container, _metadata=about, _parent=None, _content=inside)

        one_way = not model.rnns[0].rnn.bidirectional
        shape = _class(configs, "UniDirectionalConfig" if one_way else "BiDirectionalConfig")
        sound, adam = _class(configs, "SpectConfig"), _class(configs, "AdamConfig")
        kind = next(k for k in kinds if k.value is type(model.rnns[0].rnn))
        size = {"rnn_type": kind, "hidden_size": model.rnns[0].rnn.hidden_size, "hidden_layers": len(model.rnns)}
        content = {
            "epoch": 14,
            "global_step": 62000,
            "pytorch-lightning_version": "1.5.10",
            "state_dict": model.state_dict(),
            "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}}],
            "lr_schedulers": [{"gamma": 0.99}],
            "callbacks": {"ModelCheckpoint": {"monitor": "wer", "best_model_score": torch.tensor(10.25)}},
            "hparams_name": "kwargs",
            "hyper_parameters": {
                "labels": list(labels),
                "model_cfg": config(shape, **size, **({"lookahead_context": 7} if one_way else {})),
                "precision": 16,
                "optim_cfg": config(adam, learning_rate=1.5e-4, betas=(0.9, 0.999)),
                "spect_cfg": config(
                    sound, sample_rate=16000, window_size=0.02, window_stride=0.01, window=windows.hann
                ),
            },
            **further,
        }
        torch.save(content, path)
    return path
