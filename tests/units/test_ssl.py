"""Encoders are opened from folders, without a network and without running anything that lies in them."""

import json
import os

import pytest
import torch

from onsei.errors import ModelError
from onsei.units import ssl
from tests.units.encoders import write_encoder, write_fine_tuned


def test_a_folder_is_opened_with_its_weights_rate_and_frames(tmp_path):
    folder = write_encoder(tmp_path / "encoder", "hubert-group", rate=8000)
    source = ssl.look(ssl.locate(str(folder)))
    assert (source.sample_rate, source.standardize) == (8000, True)
    assert (source.frames.stride, source.frames.smallest) == (320, 165)
    first, second = ssl.load(source), ssl.load(source)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


def test_the_body_of_a_fine_tuned_folder_is_taken_and_its_head_read(tmp_path):
    folder = write_fine_tuned(tmp_path / "tuned", ["<pad>", "<s>", "<unk>", "|", "A", "B"])
    source = ssl.look(folder)
    assert type(ssl.load(source)).__name__ == "Wav2Vec2Model"
    head = ssl.read_head(source)
    assert (head.blank, head.delimiter, head.tokens["B"]) == ("<pad>", "|", 5)
    assert head.weight.shape == (6, 32)


def test_a_pickled_checkpoint_is_read_as_tensors_only(tmp_path):
    folder = write_encoder(tmp_path / "encoder")
    want = ssl.load(ssl.look(folder)).state_dict()
    torch.save(want, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    found = ssl.load(ssl.look(folder)).state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in want.items())

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    torch.save({"x": Hostile()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="weights cannot be read"):
        ssl.load(ssl.look(folder))
    assert not (tmp_path / "harm").exists()


def test_code_in_the_folder_is_not_run(tmp_path):
    folder = write_encoder(tmp_path / "encoder")
    values = json.loads((folder / "config.json").read_text())
    values["auto_map"] = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    values["_attn_implementation"] = "someone/kernel"
    (folder / "config.json").write_text(json.dumps(values))
    (folder / "evil.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'harm')!r})\n")
    assert type(ssl.load(ssl.look(folder))).__name__ == "Wav2Vec2Model"
    assert not (tmp_path / "harm").exists()


def test_faults_are_told_with_their_mend(tmp_path):
    with pytest.raises(ModelError, match="no such folder"):
        ssl.locate("nowhere")
    with pytest.raises(ModelError, match="no such folder"):
        ssl.locate(tmp_path / "none")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ModelError, match="no weights"):
        ssl.locate(empty)
    with pytest.raises(ModelError, match=r"no config\.json"):
        ssl.look(empty)
    (empty / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match="'bert' is no speech encoder"):
        ssl.look(empty)
    (empty / "config.json").write_text("{")
    with pytest.raises(ModelError, match="not valid JSON"):
        ssl.look(empty)


def test_weights_of_another_network_are_refused(tmp_path):
    folder = write_encoder(tmp_path / "encoder")
    other = write_encoder(tmp_path / "other", "hubert-layer", num_hidden_layers=1)
    (folder / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match="the weights lack"):
        ssl.load(ssl.look(folder))
    (folder / "model.safetensors").write_bytes(b"short")
    with pytest.raises(ModelError, match="cannot be read"):
        ssl.load(ssl.look(folder))
