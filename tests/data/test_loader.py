"""Loaders: the same batches for any number of workers, faults told, draws by row alone."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from onsei.data.loader import Draw, Loader
from onsei.data.manifest import Manifest
from onsei.data.sampler import BucketSampler
from onsei.errors import OnseiError, RunError
from tests.data.toys import Prepare, collate
from tests.data.toys import make_loader as make

TIMEOUT = 60


def seen(batches):
    return [(batch.ids, batch.values.numpy().tobytes(), batch.faults) for batch in batches]


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("workers", "method"), [(1, None), (2, None), (1, "spawn")])
def test_workers_change_no_bit(tmp_path, two_threads, workers, method):
    texts = ["broken" if n % 9 == 0 else "ok" for n in range(60)]
    alone, helped = make(tmp_path, texts), make(tmp_path, texts, workers=workers, start_method=method)
    try:
        processes = set()
        for epoch, start in ((0, 0), (1, 0), (1, 4)):
            expected = seen(alone.batches(epoch, start))
            found = list(helped.batches(epoch, start))
            assert seen(found) == expected
            assert len(expected) == alone.count(epoch) - start
            assert all(batch.threads == 1 for batch in found)
            processes |= {batch.process for batch in found}
        assert len(processes) == workers, "workers stay from epoch to epoch"
        assert os.getpid() not in processes
        assert torch.get_num_threads() == 2, "this process keeps its threads"
    finally:
        helped.close()


def test_ranks_take_turns(tmp_path):
    loader = make(tmp_path)
    whole = seen(loader.batches(0))
    assert seen(loader.batches(0, 2, 1, 3)) == whole[3::3]


def test_breaking_off_leaves_the_next_epoch_whole(tmp_path):
    expected = seen(make(tmp_path).batches(1))
    loader = make(tmp_path, workers=1)
    try:
        first = loader.batches(0)
        next(first)
        assert seen(loader.batches(1)) == expected
        with pytest.raises(RuntimeError, match="ended when"):
            next(first)
    finally:
        loader.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_faults_of_rows_are_told_and_the_batch_goes_on(tmp_path, workers):
    loader = make(tmp_path, ["ok", "broken", "unreadable", "ok"], workers=workers)
    try:
        batches = list(loader.batches(0))
    finally:
        loader.close()
    assert sorted(i for batch in batches for i in batch.ids) == ["発話0", "発話3"]
    faults = sorted((fault for batch in batches for fault in batch.faults), key=lambda fault: fault.id)
    assert [fault.id for fault in faults] == ["発話1", "発話2"]
    assert [os.path.basename(fault.file) for fault in faults] == ["1.wav", "2.wav"]
    assert "broken" in faults[0].reason
    assert "FileNotFoundError" in faults[1].reason


def test_line_that_is_no_json_is_a_fault_with_its_place(tmp_path):
    (tmp_path / "m.jsonl").write_text('{"id": "a", "duration": 1}\n{"id": "b", "duration": 1\n')
    manifest = Manifest.open(tmp_path / "m.jsonl")
    sampler = BucketSampler(np.ones(2, np.float32), batch_seconds=None, batch_size=9, seed=0)
    (batch,) = Loader(manifest, sampler, Prepare(), collate).batches(0)
    assert batch.ids == ("a",)
    assert batch.faults[0].id.endswith("m.jsonl:2")


def test_batch_of_faults_alone_is_empty(tmp_path):
    (batch,) = make(tmp_path, ["broken"]).batches(0)
    assert (batch.size, len(batch.faults)) == (0, 1)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(("text", "message"), [("stop", "cannot go on"), ("full", "No space left")])
def test_faults_of_the_run_end_it_in_their_own_words(tmp_path, workers, text, message):
    loader = make(tmp_path, [text], workers=workers)
    try:
        with pytest.raises(RunError, match=message) as caught:
            list(loader.batches(0))
    finally:
        loader.close()
    assert "Traceback" not in str(caught.value)
    assert caught.value.mend


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_of_the_program_are_not_hidden(tmp_path, workers):
    loader = make(tmp_path, ["bug"], workers=workers)
    try:
        with pytest.raises(KeyError, match="a bug"):
            list(loader.batches(0))
    finally:
        loader.close()


def test_global_chance_is_left_alone(tmp_path):
    loader = make(tmp_path, workers=1)
    try:
        torch.manual_seed(5)
        before = torch.get_rng_state()
        list(loader.batches(0))
        list(loader.batches(1))
        assert torch.equal(torch.get_rng_state(), before)
    finally:
        loader.close()


def test_draws_depend_on_each_field_and_nothing_else():
    def first(*fields, purpose=""):
        return Draw(*fields).generator(purpose).standard_normal(4).tolist()

    assert first(1, 2, "a") == first(1, 2, "a")
    others = [first(2, 2, "a"), first(1, 3, "a"), first(1, 2, "b"), first(1, 2, "a", purpose="x"), first(12, 0, "a")]
    assert all(other != first(1, 2, "a") for other in others)
    assert first(1, 12, "a") != first(11, 2, "a")


def test_largest_batch_is_the_one_with_most_padded_seconds(tmp_path):
    loader = make(tmp_path)
    lengths = {f"発話{n}": 1 + n % 7 for n in range(60)}
    sizes = [len(batch.ids) * max(lengths[i] for i in batch.ids) for batch in loader.batches(0)]
    largest = loader.largest(0)
    assert len(largest.ids) * max(lengths[i] for i in largest.ids) == max(sizes)


def test_fingerprint_tells_what_a_resume_needs(tmp_path):
    import json

    found = make(tmp_path).fingerprint()
    assert found == json.loads(json.dumps(found))
    assert found == make(tmp_path, workers=2).fingerprint(), "workers change nothing"
    assert found["batch_seconds"] == 25
    assert found["rows"] == 60
    assert found != make(tmp_path, seed=4).fingerprint()
    assert found != make(tmp_path / "other", ["ok"] * 59).fingerprint()


def test_waiting_is_measured(tmp_path):
    class Slow(Prepare):
        def __call__(self, row, draw):
            time.sleep(0.01)
            return super().__call__(row, draw)

    loader = make(tmp_path, ["ok"] * 5, prepare=Slow())
    batches = loader.batches(0)
    next(batches)
    assert loader.waited >= 0.01
    before = loader.waited
    time.sleep(0.05)
    list(batches)
    assert loader.waited - before < 0.5


def test_sampler_of_another_manifest_is_refused(tmp_path):
    manifest = make(tmp_path).manifest
    sampler = BucketSampler(np.ones(3, np.float32), batch_seconds=5, batch_size=2, seed=0)
    with pytest.raises(OnseiError, match="60 rows"):
        Loader(manifest, sampler, Prepare(), collate)


def test_program_without_a_file_is_told_to_use_no_workers(tmp_path):
    code = f"""
import sys; sys.path[:0] = {sys.path!r}
from pathlib import Path
from tests.data.toys import make_loader as make
try:
    list(make(Path({str(tmp_path)!r}), workers=1).batches(0))
except Exception as error:
    print(type(error).__name__, error)
"""
    shown = subprocess.run([sys.executable, "-"], input=code, capture_output=True, text=True, timeout=TIMEOUT).stdout
    assert "RunError" in shown
    assert "--workers 0" in shown


@pytest.mark.skipif(sys.platform == "win32", reason="processes are ended otherwise there")
@pytest.mark.parametrize("end", ["SIGINT", "SIGKILL"])
def test_workers_end_with_their_parent(tmp_path, end):
    import signal

    import psutil

    script = tmp_path / "script.py"
    script.write_text(f"""
import signal, sys; sys.path[:0] = {sys.path!r}
from pathlib import Path
from tests.data.toys import make_loader as make

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and all they start
    batches = make(Path({str(tmp_path)!r}), workers=1).batches(0)
    try:
        print(next(batches).process, flush=True)
        sys.stdin.read()
    except KeyboardInterrupt:
        sys.exit(130)
""")
    pipe = subprocess.PIPE
    parent = subprocess.Popen([sys.executable, script], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    worker = int(parent.stdout.readline())
    family = psutil.Process(parent.pid).children(recursive=True)
    assert worker in {process.pid for process in family}
    if end == "SIGINT":
        os.killpg(parent.pid, signal.SIGINT)  # as Ctrl-C does: the whole group
        _, errors = parent.communicate(timeout=TIMEOUT)
        assert parent.returncode == 130
        assert b"Traceback" not in errors
    else:
        parent.kill()
        parent.wait(TIMEOUT)
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
