"""What breaks in the middle of a run is told with its mend."""

import errno
import itertools
import os
import signal
from pathlib import Path

import pytest
import torch

from onsei.errors import RunError
from onsei.training.checkpoint import list_folders
from onsei.training.failures import describe_batch, explained
from onsei.training.journal import Journal
from onsei.training.signals import watched
from tests.training.toys import Batch, Regression, Source, fit, metrics

MESSAGES = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 18 GB)"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes."),
    MemoryError(),
]


@pytest.mark.parametrize("error", MESSAGES, ids=lambda error: str(error)[:20])
def test_out_of_memory_says_batch_workers_and_what_to_lower(error):
    with (
        pytest.raises(RunError, match="out of memory at a batch of 3 items, x") as caught,
        explained(Source(workers=4), Batch(torch.zeros(3, 4), torch.zeros(3, 1))),
    ):
        raise error
    assert "x (3, 4), y (3, 1) with 4 loader processes" in caught.value.message
    assert caught.value.mend.index("--batch-seconds") < caught.value.mend.index("--precision bf16")


def test_out_of_memory_in_a_step_names_its_batch(tmp_path):
    class Greedy(Regression):
        def step(self, batch, clock, update):
            if clock.step == 2:
                torch.empty(10**15)
            return super().step(batch, clock, update)

    with pytest.raises(RunError, match=r"out of memory at a batch of 4 items, x \(4, 4\)"):
        fit(tmp_path, Greedy())


def test_a_dead_loader_process_is_told(tmp_path):
    class Dying(Source):
        def batches(self, epoch, start=0, rank=0, world=1):
            yield next(super().batches(epoch, start, rank, world))
            raise RuntimeError("DataLoader worker (pid(s) 4711) exited unexpectedly")

    with pytest.raises(RunError, match=r"process that loads data died with 0 loader processes.*4711") as caught:
        fit(tmp_path, train=Dying())
    assert "lower --num-workers" in caught.value.mend


def test_a_loader_process_that_obeys_a_request_to_stop_before_the_run_does_is_no_failure(tmp_path):
    """A launcher signals the whole process group."""

    class Obedient(Source):
        def batches(self, epoch, start=0, rank=0, world=1):
            yield from itertools.islice(super().batches(epoch, start, rank, world), 2)
            os.kill(os.getpid(), signal.SIGTERM)
            raise RuntimeError("DataLoader worker (pid(s) 4711) exited unexpectedly")

    with pytest.raises(SystemExit) as caught:
        fit(tmp_path / "a", train=Obedient())
    assert caught.value.code == 143
    assert [p.name for p in list_folders(tmp_path / "a")] == ["step-00000002"]

    class Later(Obedient):
        """As the validation's loader: the first call is the rehearsal's."""

        def batches(self, epoch, start=0, rank=0, world=1):
            self.workers += 1
            return (Obedient if self.workers == 2 else Source).batches(self, epoch, start, rank, world)

    with pytest.raises(SystemExit):
        fit(tmp_path / "b", val=Later(rows=12, seed=7))
    assert [p.name for p in list_folders(tmp_path / "b")] == ["step-00000007"]
    assert not any("val/loss" in row for row in metrics(tmp_path / "b"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_interrupt_is_obeyed_at_once_and_a_second_termination_is_not(number):
    with watched() as flag:
        os.kill(os.getpid(), number)
        assert flag.signal_number == number
        if number == signal.SIGINT:
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
        else:
            os.kill(os.getpid(), number)


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), OSError(errno.ENOENT, "gone"), KeyError("x")])
def test_other_errors_pass_as_they_are(error):
    with pytest.raises(type(error)) as caught, explained():
        raise error
    assert caught.value is error


def test_a_full_disk_while_logging_is_told(tmp_path, monkeypatch):
    def full(journal, row):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Journal, "write", full)
    with pytest.raises(RunError, match="the disk is full"):
        fit(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_device_without_room_is_told():
    with pytest.raises(RunError, match="the disk is full"), explained(), open("/dev/full", "wb", buffering=0) as file:
        file.write(b"x")


def test_a_batch_without_tensors_is_described_by_its_size():
    class Bare:
        __slots__ = ("size",)

    bare = Bare()
    bare.size = 2
    assert describe_batch(bare) == "2 items"
