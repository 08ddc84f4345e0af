"""Memory does not grow with the manifest."""

import json
import subprocess
import sys

import pytest

from onsei.data.manifest import Manifest

ROWS, ALLOWED_MIB = 100_000, 16

SCRIPT = """
import json, sys
from pathlib import Path
from onsei.data.loader import Loader
from onsei.data.manifest import Manifest
from onsei.data.sampler import BucketSampler

def private():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024

def run(path, kept, hold=False):
    manifest = Manifest.open(path)
    sampler = BucketSampler(manifest.durations, batch_seconds=240, batch_size=64, seed=0, sorted_first=True)
    loader = Loader(manifest, sampler, lambda row, draw: row.id, lambda items, faults: items)
    for epoch in (0, 1):
        loader.count(epoch)
        for _, batch in zip(range(100), loader.batches(epoch)):
            pass
    kept.append((loader, list(manifest) if hold else None))

kept = []
run(sys.argv[1], kept)
before = private()
run(sys.argv[2], kept)
after = private()
run(sys.argv[2], kept, hold=True)
print(json.dumps([after - before, private() - after]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_rows(tmp_path):
    for name, rows in (("short", 2000), ("long", ROWS)):
        with (tmp_path / f"{name}.jsonl").open("w") as file:
            file.writelines(
                json.dumps({"id": f"u{n}", "audio": f"{n}.wav", "duration": 1 + n % 13, "text": "some words"}) + "\n"
                for n in range(rows)
            )

        Manifest.open(tmp_path / f"{name}.jsonl")  # builds the index, in blocks that a short manifest does not fill

    command = [sys.executable, "-c", SCRIPT, tmp_path / "short.jsonl", tmp_path / "long.jsonl"]
    growth, held = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert growth < ALLOWED_MIB
    assert held > 2 * ALLOWED_MIB, "rows held as objects would have been seen"
