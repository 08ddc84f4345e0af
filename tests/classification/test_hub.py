"""A classifier goes to the Hub and comes back: by onsei, and by the stock pipeline; all against a server here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from onsei.systems.classification.data.example import KINDS, example
from onsei.systems.classification.training import train
from tests.hub.writable_hub import GOOD, writable

ROUND_TRIP = """
import json, sys
import numpy as np
from onsei import cli
status = cli.main(["classification", "push", sys.argv[1], "user/genres", "--data-license", "cc-by-4.0"])
assert status == 0, status
import onsei
ours = onsei.load("user/genres", device="cpu")
samples = np.random.default_rng(0).standard_normal(4000).astype(np.float32) * 0.1
print(json.dumps(dict(zip(ours.labels, ours.probabilities([samples])[0].tolist()))))
from transformers import pipeline
pipe = pipeline("audio-classification", model="user/genres", device="cpu")
print(json.dumps({found["label"]: found["score"] for found in pipe({"raw": samples, "sampling_rate": 8000})}))
"""


@pytest.fixture
def model(tmp_path):
    options = example(tmp_path / "made").train
    train(replace(options, training=replace(options.training, epochs=1, max_steps=2)))
    return options.output_dir


def test_onsei_and_the_stock_pipeline_load_back_what_was_pushed(model, tmp_path):
    with writable() as hub:
        environment = os.environ | {
            "HF_ENDPOINT": hub.url, "HF_TOKEN": GOOD, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0",
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", ROUND_TRIP, str(model)],
            env=environment, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        names = set(hub.repositories["user/genres"].files)
    assert {"config.json", "preprocessor_config.json", "model.safetensors", "onsei.json", "README.md"} <= names
    assert not any(name.endswith((".bin", ".pt", ".pth", ".pkl", ".py")) for name in names)
    ours, stock = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    assert set(ours) == set(KINDS)
    assert np.allclose([stock[label] for label in ours], list(ours.values()), atol=1e-5)
