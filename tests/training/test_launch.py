"""Which GPUs a process sees, and what is told where they do not fit; starting again is tested by the contract."""

import pytest
import torch

from onsei.errors import RunError
from onsei.training import launch
from onsei.training.options import Training


@pytest.fixture(autouse=True)
def _four(monkeypatch):
    """A machine with four GPUs, none in use; not started by torchrun."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(launch, "_before", None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "untouched")
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)


def seen():
    return launch.os.environ["CUDA_VISIBLE_DEVICES"]


def test_one_gpu_alone_is_the_only_one_seen():
    launch.choose_gpus("2", "auto")
    assert seen() == "2"


def test_under_torchrun_each_process_sees_the_chosen_ones(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    launch.choose_gpus("3,1", "cuda")
    assert seen() == "3,1"


def test_ids_count_the_gpus_that_a_scheduler_left_visible(monkeypatch):
    monkeypatch.setattr(launch, "_before", "5,GPU-8f3a")
    launch.choose_gpus("1", "auto")
    assert seen() == "GPU-8f3a"
    launch.choose_gpus("1", "auto")  # a second run of the same process
    assert seen() == "GPU-8f3a"


def test_a_cpu_has_no_numbers():
    launch.choose_gpus("0", "cpu")
    launch.choose_gpus("", "auto")
    assert seen() == "untouched"


def test_several_gpus_need_as_many_processes():
    with pytest.raises(RunError, match="2 processes are needed on this machine, found 1") as caught:
        launch.choose_gpus("0,1", "auto")
    assert "torchrun --nproc-per-node 2 -m onsei" in caught.value.mend


@pytest.mark.parametrize(("ids", "told"), [("0,9", "torch finds 4 GPUs"), ("1,1", "names a GPU twice")])
def test_gpus_that_are_not_here_are_told_before_anything_starts(ids, told):
    with pytest.raises(RunError, match=told):
        launch.launch(Training(device_ids=ids), [])


def test_cuda_in_use_cannot_change_its_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(RunError, match="CUDA is in use already") as caught:
        launch.choose_gpus("3", "auto")
    assert "CUDA_VISIBLE_DEVICES=3" in caught.value.mend
