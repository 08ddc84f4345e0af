"""What a process keeps of rows is bounded, and no worker is sent it."""

import pickle

from onsei.data.memory import Memory


def test_what_fits_is_kept_and_what_does_not_is_not():
    memory = Memory(100)
    memory.keep("a", "first", 80)
    memory.keep("b", "second", 80)
    memory.keep("c", "third", 20)
    assert (memory.get("a"), memory.get("b"), memory.get("c")) == ("first", None, "third")
    assert memory.used == 100


def test_a_value_kept_twice_counts_once():
    memory = Memory(100)
    memory.keep("a", "first", 60)
    memory.keep("a", "again", 60)
    assert (memory.get("a"), memory.used) == ("first", 60)


def test_a_worker_begins_with_nothing():
    memory = Memory(100)
    memory.keep("a", "first", 80)
    sent = pickle.loads(pickle.dumps(memory))
    assert (sent.most, sent.used, sent.get("a")) == (100, 0, None)
