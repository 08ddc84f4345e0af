"""The original's networks, wrapped as its users' checkpoints, are imported and give its numbers."""

import json
from pathlib import Path

import pytest
import torch

import onsei
from onsei import cli
from onsei.hub import weights

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "deepspeech2_tiny.safetensors"
pytestmark = pytest.mark.skipif(not GOLDEN.exists(), reason="golden tensors are not on this machine")


@pytest.mark.parametrize("name", ["bilstm", "bigru", "unilstm"])
@pytest.mark.parametrize("archive", [True, False])
def test_an_imported_checkpoint_gives_the_original_s_numbers(name, archive, tmp_path, capsys):
    tensors, notes = weights.load(GOLDEN), json.loads(GOLDEN.with_suffix(".json").read_text(encoding="utf-8"))
    prefix = f"{name}/state_dict/"
    kind = notes[f"{name}/config/rnn_type"]
    package = {
        "version": "0.0.1",
        "hidden_size": notes[f"{name}/config/hidden_size"],
        "hidden_layers": notes[f"{name}/config/hidden_layers"],
        "rnn_type": {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind],
        "audio_conf": {"sample_rate": 16000, "window_size": 0.02, "window_stride": 0.01, "window": "hamming"},
        "labels": notes["labels"],
        "state_dict": {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)},
        "bidirectional": name != "unilstm",
    }
    torch.save(package, tmp_path / "a.pth", _use_new_zipfile_serialization=archive)
    assert cli.main(["recognition", "import", str(tmp_path / "a.pth"), "--output-dir", str(tmp_path / "model")]) == 0
    model = onsei.load(tmp_path / "model", device="cpu").model
    want = {k: tensors[f"{name}/{k}"] for k in ("input", "lengths", "output", "output_lengths")}
    with torch.no_grad():
        logits, lengths = model(want["input"][:, 0], want["lengths"].long())
    assert lengths.tolist() == want["output_lengths"].tolist()
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(logits[row, :length].softmax(-1), want["output"][row, :length], atol=1e-5, rtol=0)
