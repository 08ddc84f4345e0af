"""Memory does not grow from epoch to epoch, however the shapes of batches change."""

import json
import subprocess
import sys

import pytest

ALLOWED_MIB = 6

SCRIPT = """
import json
import numpy as np
import torch
from onsei.data.sampler import BucketSampler
from onsei.systems.recognition.config import Model, Optimizer
from onsei.systems.recognition.data import collate
from onsei.systems.recognition.data.batches import Item
from onsei.systems.recognition.model import DeepSpeech2
from onsei.systems.recognition.training import CTCLearner
from onsei.text.alphabet import Alphabet
from onsei.training.learner import Clock

def private():
    lines = open("/proc/self/smaps_rollup").read().splitlines()[1:]
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024

torch.set_num_threads(1)
alphabet = Alphabet(("_", "A", "B", " "))
learner = CTCLearner(DeepSpeech2(Model(hidden_size=24, hidden_layers=2, conv_channels=4), 21, 4), alphabet, Optimizer())
optimizer = learner.optimizers["model"]
durations = np.random.default_rng(0).uniform(0.5, 6, 40).astype(np.float32)
sampler = BucketSampler(durations, batch_seconds=30, batch_size=8, seed=0)
kept, found = [], []

def update(name, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

for epoch in range(7):
    for rows in sampler.batches(epoch):
        frames = [int(100 * durations[row]) for row in rows]
        batch = collate([Item("u", torch.randn(21, n), [1, 2, 1], "ABA", n / 100) for n in frames], [])
        learner.step(batch, Clock(step=0, epoch=epoch, seed=0), update)
        if epoch > 4:
            kept.append(learner.modules["model"](batch.features, batch.lengths))
    found.append(private())
print(json.dumps(found))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ragged_batches_leave_no_memory_behind():
    answer = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
    private = json.loads(answer)
    assert private[4] - private[1] < ALLOWED_MIB, private
    assert private[6] - private[4] > 2 * ALLOWED_MIB, "outputs that are kept, with their graphs, would have been seen"
