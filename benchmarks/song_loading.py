"""Peak memory of importing and of opening a singer of the released size, 1.9 B parameters with random weights.

    python benchmarks/song_loading.py --json benchmarks/results/song_loading.json

Shards of safetensors under the released names are written first, a tensor at a time. Then a process of its own imports
them, and another opens the model folder and reads every weight once. The peak is the process's largest resident set,
Python and its libraries included; mapped files count as far as they were touched. 17 GB of disk are needed for a while.

Bar: 1.2 times the weights.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

import record
from onsei.hub import weights
from onsei.systems.song.config import Codec, Network
from onsei.systems.song.model import SongModel
from onsei.systems.song.model.autoencoder import released_name
from onsei.text.phones import SYMBOLS

BAR = 1.2
_SHARD = 2**30
_CHILD = """
import resource, sys
{work}
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""
_IMPORT = """
from onsei import cli
assert cli.main(["song", "import", sys.argv[1], "--output-dir", sys.argv[2]]) == 0
"""
_OPEN = """
import onsei
singer = onsei.load(sys.argv[2], device="cpu", dtype="float32")
total = sum(float(p.sum()) for part in (singer.network, singer.autoencoder) for p in part.parameters())
assert total == total
"""


def released_names(names: set[str], layers: int) -> dict[str, str]:
    """The codec's names here by their released ones."""
    found = {}
    leaves = ("alpha", "beta", "bias", "weight_g", "weight_v")
    inner = ["", *(f"layers.{j}." for j in range(5)), *(f"layers.{j}.layers.{k}." for j in range(5) for k in range(4))]
    for side, number, part, leaf in itertools.product(("encoder", "decoder"), range(layers + 3), inner, leaves):
        name = f"{side}.layers.{number}.{part}{leaf}"
        try:
            own = released_name(name, layers)
        except (KeyError, IndexError, ValueError):
            continue
        if own in names:
            found[name] = own
    assert set(found.values()) == names
    return found


def tensors(network: Network, codec: Codec) -> Iterator[tuple[str, Tensor]]:
    """Random weights of a singer under the released names, one after the other."""
    with torch.device("meta"):
        state = SongModel(network, codec, len(SYMBOLS)).state_dict()
    names = {name: name for name in state if name.startswith("model.")}
    own = {name.removeprefix("vae.") for name in state if name.startswith("vae.")}
    names |= {f"vae.vae.{name}": f"vae.{here}" for name, here in released_names(own, len(codec.strides)).items()}
    for name, here in names.items():
        yield name, torch.randn(state[here].shape).mul_(0.02)


def write_shards(folder: Path, network: Network, codec: Codec) -> tuple[Path, int]:
    """The index of the shards, and the bytes of all weights."""
    places: dict[str, str] = {}
    held: dict[str, Tensor] = {}
    total = size = number = 0

    def write() -> None:
        nonlocal size, number
        weights.save(folder / f"model-{number:05}.safetensors", held)
        places.update(dict.fromkeys(held, f"model-{number:05}.safetensors"))
        held.clear()
        size, number = 0, number + 1

    for name, tensor in tensors(network, codec):
        held[name] = tensor
        size += tensor.nbytes
        total += tensor.nbytes
        if size >= _SHARD:
            write()
    write()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    return index, total


def peak(work: str, index: Path, model: Path) -> int:
    """Bytes of the largest resident set of a process that does ``work``."""
    command = [sys.executable, "-c", _CHILD.format(work=work), str(index), str(model)]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return int(done.stdout.split()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a small network, to try this script; misses the bar")
    parser.add_argument("--folder", type=Path, help="where there are 17 GB of disk; by default the temporary folder")
    parser.add_argument("--json", type=Path, help="file to write the result to")
    options = parser.parse_args()
    network = Network(dim=64, num_heads=2, lm_layers=2, diff_layers=1, num_pitch=64) if options.tiny else Network()
    codec = Codec(channels=8) if options.tiny else Codec()
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        index, size = write_shards(Path(place), network, codec)
        print(f"wrote {size / 2**30:.2f} GiB", flush=True)
        peaks = {
            name: peak(work, index, Path(place) / "model") for name, work in (("import", _IMPORT), ("open", _OPEN))
        }
    ratios = {name: value / size for name, value in peaks.items()}
    met = all(ratio <= BAR for ratio in ratios.values())
    for name, ratio in ratios.items():
        print(f"{name}: {peaks[name] / 2**30:.2f} GiB, {ratio:.3f} times the weights (bar {BAR})")
    results = {
        "weights_gib": round(size / 2**30, 3), "peaks_gib": {k: round(v / 2**30, 3) for k, v in peaks.items()},
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()}, "bar": BAR, "passed": met,
    }  # fmt: skip
    record.write(options.json, results)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
