"""Parts of a work side by side: all of them, once, in order, and the caller's threads are what they were."""

import multiprocessing
import threading

import pytest
import torch

from onsei.nn.abreast import mapped, shares

CPU, THREADS = torch.device("cpu"), 3


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    assert torch.get_num_threads() == THREADS
    torch.set_num_threads(before)


def test_every_part_is_done_once_in_order_and_side_by_side():
    meeting = threading.Barrier(THREADS, timeout=60)

    def work(part):
        if part < THREADS:
            meeting.wait()  # breaks unless as many threads as there are work at once
        return part, torch.get_num_threads()

    assert mapped(work, range(10), CPU) == [(part, 1) for part in range(10)]


@pytest.mark.parametrize(
    ("parts", "device", "count"), [(range(2), CPU, THREADS), (range(9), torch.device("cuda"), THREADS), ([], CPU, 0)]
)
def test_few_parts_and_other_devices_keep_all_threads(parts, device, count):
    assert mapped(lambda _: torch.get_num_threads(), parts, device) == [count] * len(parts)


@pytest.mark.parametrize("wrong", range(8))
def test_what_a_part_raises_is_raised(wrong):
    def work(part):
        if part == wrong:
            raise ValueError(f"part {part}")

    with pytest.raises(ValueError, match=f"part {wrong}"):
        mapped(work, range(8), CPU)
    assert torch.get_num_threads() == THREADS
    assert mapped(str, range(8), CPU) == list("01234567")


def test_after_a_mistake_no_further_part_is_begun():
    begun = []

    def work(part):
        begun.append(part)
        raise ValueError("each part")

    with pytest.raises(ValueError, match="each part"):
        mapped(work, range(1000), CPU)
    assert len(begun) <= THREADS


def test_threads_of_later_do_not_inherit_the_one():
    mapped(str, range(8), CPU)
    found = []
    other = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert found == [THREADS]


def _in_a_fork(answers):
    answers.put(mapped(str, range(8), CPU))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
def test_a_forked_process_gets_threads_of_its_own():
    mapped(str, range(8), CPU)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=_in_a_fork, args=(answers,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert answers.get() == list("01234567")


@pytest.mark.parametrize(
    ("total", "sizes"),
    [(0, []), (5, [5]), (11, [11]), (12, [4, 4, 4]), (30, [10] * 3), (31, [10, 11, 10]), (100, [17, 16, 17] * 2)],
)
def test_shares_are_alike_and_enough_for_all_threads(total, sizes):
    made = shares(total, most=20, least=4, device=CPU)
    assert [share.stop - share.start for share in made] == sizes
    assert [n for share in made for n in range(total)[share]] == list(range(total))


@pytest.mark.parametrize("total", range(50))
@pytest.mark.parametrize("most", [1, 2, 7])
def test_no_share_is_empty_or_too_large(total, most):
    made = shares(total, most, least=2, device=CPU)
    assert [n for share in made for n in range(total)[share]] == list(range(total))
    assert all(0 < share.stop - share.start <= most for share in made)


def test_shares_of_another_device_are_as_large_as_they_may_be():
    assert shares(40, most=20, least=1, device=torch.device("cuda")) == [slice(0, 20), slice(20, 40)]
