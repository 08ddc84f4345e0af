import subprocess
import sys

import numpy as np
import pytest
import torch

import onsei
from onsei import hooks
from onsei.config import to_dict
from onsei.hub import store
from onsei.systems.classification.config import Features, Model
from onsei.systems.classification.model import MelClassifier
from onsei.systems.classification.stock import describing
from tests.classification.sounds import sounds_at


@pytest.fixture(scope="module")
def heard(corpus, runner):
    return sounds_at(corpus, runner.sample_rate, 0.6)


def test_the_own_network_opens_in_the_stock_pipeline(model, runner, heard):
    from transformers import pipeline

    stock = pipeline("audio-classification", model=str(model))
    for sound in heard:
        theirs = {row["label"]: row["score"] for row in stock(sound)}
        np.testing.assert_allclose(
            [theirs[label] for label in runner.labels], runner.probabilities([sound])[0], atol=1e-5
        )


def test_a_batch_of_the_stock_extractor_gives_what_each_sound_gives(model, runner, heard):
    from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

    extractor = AutoFeatureExtractor.from_pretrained(model)
    network = AutoModelForAudioClassification.from_pretrained(model).eval().requires_grad_(False)
    made = extractor(heard, sampling_rate=runner.sample_rate, return_tensors="pt")
    found = network(**made).logits.softmax(-1).numpy()
    np.testing.assert_allclose(found, runner.probabilities(heard), atol=1e-5)
    loss = network(**made, labels=network(**made).logits.argmax(-1)).loss
    assert loss.item() > 0
    with pytest.raises(ValueError, match="16000"):
        extractor(heard[0], sampling_rate=16000)
    with pytest.raises(ValueError, match="no samples"):
        extractor(np.zeros(0, np.float32))


def test_transformers_may_save_the_network_again(model, heard, tmp_path):
    from transformers import AutoFeatureExtractor, AutoModelForAudioClassification, pipeline

    first = pipeline("audio-classification", model=str(model))
    AutoModelForAudioClassification.from_pretrained(model).save_pretrained(tmp_path)
    AutoFeatureExtractor.from_pretrained(model).save_pretrained(tmp_path)
    assert pipeline("audio-classification", model=str(tmp_path))(heard[0]) == first(heard[0])


def test_textures_answer_the_same_in_the_stock_pipeline(tmp_path):
    """Also what is no weight, such as windows, must be there once transformers has filled the network."""
    from transformers import pipeline

    torch.manual_seed(0)
    shape, features = Model(channels=(4, 6), strides=(2, 2), textures=20, rhythms=True), Features()
    network = MelClassifier(shape, features.n_mels, 3)
    network.network.textures.norm.running_mean.normal_()
    config = {"features": to_dict(features), "model": to_dict(shape), "encoder": {}}
    labels = ("rain", "fire", "engine")
    store.save(
        tmp_path / "model", system="classification", stage="train", config=config, weights=network.state_dict(),
        labels=labels, files=dict(describing.files(shape, features, labels)),
    )  # fmt: skip
    runner = onsei.load(tmp_path / "model", device="cpu")
    sound = np.random.default_rng(0).standard_normal(runner.sample_rate).astype(np.float32)
    stock = pipeline("audio-classification", model=str(tmp_path / "model"))
    theirs = {row["label"]: row["score"] for row in stock(sound)}
    ours = runner.probabilities([sound])[0]
    np.testing.assert_allclose([theirs[label] for label in runner.labels], ours, atol=1e-5)


def test_it_opens_also_where_transformers_was_imported_first(model):
    code = (
        "import transformers; from transformers.models.auto import modeling_auto; import onsei; "
        f"print(type(transformers.AutoModelForAudioClassification.from_pretrained({str(model)!r})).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert "MelConvForAudioClassification" in done.stdout


def test_a_call_waits_for_an_import_and_is_made_once(tmp_path, monkeypatch):
    for name, text in (("later_library", "ready = True"), ("later_answer", "calls = []\ndef call(): calls.append(1)")):
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    hooks.after_import("later_library", "later_answer:call")
    assert "later_library" not in sys.modules
    assert "later_answer" not in sys.modules
    import later_library

    assert later_library.ready
    import later_answer

    assert later_answer.calls == [1]
    hooks.after_import("later_library", "later_answer:call")
    assert later_answer.calls == [1, 1]
    sys.modules.pop("later_library")
    sys.modules.pop("later_answer")


def test_a_library_that_is_missing_stays_missing():
    hooks.after_import("no_such_library_at_all", "os:getcwd")
    with pytest.raises(ModuleNotFoundError):
        import no_such_library_at_all  # noqa: F401
