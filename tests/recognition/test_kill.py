"""A run killed by SIGKILL in mid-epoch goes on as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.recognition.corpus import rows, steps, train, write


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
def test_a_killed_run_goes_on_bit_for_bit(capsys, corpus, recipe, tmp_path):
    path, run = write(tmp_path, rows(corpus, 120)), tmp_path / "run"  # an epoch of 60 steps
    words = ["train", recipe, "--train-manifest", path, "--output-dir", run, "--checkpoint-per-batch", "2"]
    killed = subprocess.Popen(
        [sys.executable, "-m", "onsei", "recognition", *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        wait_for_steps(killed, run, 5)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    last = max(run.glob("checkpoints/step-*/checkpoint.json"))
    standing = json.loads(last.read_text(encoding="utf-8"))["standing"]
    assert 0 < standing["batch"] < 60
    assert not (run / "onsei.json").exists()

    clock = ("--max-steps", str(standing["step"] + 4), "--checkpoint-per-batch", "2")
    assert train(capsys, recipe, path, tmp_path / "straight", *clock).status == 0
    assert train(capsys, recipe, path, run, *clock, "--continue-from", run).status == 0
    assert steps(run) == steps(tmp_path / "straight")


def wait_for_steps(process, run, count, limit=90):
    """Wait until the run has written ``count`` lines and a checkpoint."""
    began = time.monotonic()
    while time.monotonic() - began < limit:
        assert process.poll() is None, process.stderr.read().decode()
        lines = (run / "metrics.jsonl").read_bytes().count(b"\n") if (run / "metrics.jsonl").is_file() else 0
        if lines >= count and list(run.glob("checkpoints/step-*")):
            return
        time.sleep(0.01)
    raise AssertionError(f"no {count} steps within {limit} s")
