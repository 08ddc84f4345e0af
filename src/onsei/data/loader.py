"""Batches for training: rows are prepared by worker processes, and what they draw depends on the row alone."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver, get_context, parent_process
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, Generic, Protocol, SupportsIndex, TypeVar

import numpy as np
import torch
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from onsei.data.row import Row
from onsei.data.sampler import BucketSampler, Rows
from onsei.errors import ConfigError, MissingExtraError, ModelError, OnseiError, RunError

Item = TypeVar("Item")
Batch = TypeVar("Batch")
Plan = tuple[int, Rows]

_END = object()
_NOT_THE_ROWS = (RunError, ConfigError, ModelError, MissingExtraError)
_MACHINE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class Fault:
    """A row that could not be used; the run goes on and the summary counts it."""

    id: str
    file: str
    reason: str


class _Hash(ISeedSequence):
    """A state for a bit generator right out of a hash: six times faster than by way of numpy's own mixing."""

    def __init__(self, digest: bytes) -> None:
        self.digest = digest

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        """The first ``n_words`` of the 64 bytes."""
        return np.frombuffer(self.digest, dtype, n_words)


@dataclass(frozen=True)
class Draw:
    """Where the chance of one row in one epoch comes from: a pure function of its fields."""

    seed: int
    epoch: int
    id: str

    def generator(self, purpose: str = "") -> np.random.Generator:
        """A fresh generator. Name a ``purpose`` (``crop``, ``noise``) so that one draw more does not shift others."""
        words = f"{self.seed}|{self.epoch}|{purpose}|{self.id}".encode(errors="surrogatepass")
        seed: Any = _Hash(hashlib.blake2b(words).digest())  # numpy's types know of its own kind of seed alone
        return np.random.Generator(np.random.PCG64(seed))


class RowList(Protocol):
    """Rows by number, which a worker process can be given: a Manifest, or parts of one."""

    @property
    def path(self) -> Path:
        """The manifest."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes where the rows do."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, number: SupportsIndex, /) -> Row: ...

    def place(self, number: int) -> str:
        """Where row ``number`` stands, for messages."""
        ...


class Loader(Generic[Item, Batch]):
    """A manifest's batches, the same for any number of workers and processes; fits the engine's BatchSource.

    Args:
        manifest: the rows.
        sampler: which rows make a batch.
        prepare: turns a row into an item; run on one thread. Where it raises an OnseiError or cannot read a file, the
            row becomes a Fault of the batch and the run goes on. Faults of the run (RunError, ConfigError, ModelError,
            MissingExtraError, a full disk) and errors of the program end it.
        collate: makes a batch of the items, which may be none, and the faults.
        workers: processes that prepare; 0: this one. They start with the first epoch and stay.
        seed: of what ``prepare`` draws.
        prefetch: batches that each worker may be ahead.
        start_method: how workers start; by default ``forkserver`` on Linux, ``spawn`` elsewhere. ``prepare`` and
            ``collate`` are pickled: functions of a module, or instances of its classes.
    """

    def __init__(
        self,
        manifest: RowList,
        sampler: BucketSampler,
        prepare: Callable[[Row, Draw], Item],
        collate: Callable[[Sequence[Item], Sequence[Fault]], Batch],
        *,
        workers: int = 0,
        seed: int = 0,
        prefetch: int = 2,
        start_method: str | None = None,
    ) -> None:
        if len(sampler.durations) != len(manifest):
            raise RunError(f"{manifest.path}: {len(manifest)} rows, the sampler has {len(sampler.durations)} durations")
        self.manifest, self.sampler, self.seed, self.workers = manifest, sampler, seed, workers
        self.waited = 0.0
        """Seconds spent waiting for batches so far."""
        self._preparer = _Preparer(manifest, prepare, collate, seed)
        self._prefetch = prefetch
        self._context = _context(start_method) if workers else None
        self._plans = _Plans()
        self._stream: DataLoader[Any] | None = None
        # Held here alone: workers whose last reference is the traceback of an error would take 5 s to end.
        self._ready: Iterator[Any] = iter(())
        self._turn = 0

    def count(self, epoch: int) -> int:
        """Number of batches in ``epoch`` over all processes."""
        return self.sampler.count(epoch)

    def batches(self, epoch: int, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """Batches ``start + rank, start + rank + world, …`` of ``epoch``; asking again ends those asked for before."""
        self._turn += 1
        turn = self._turn
        plans = ((epoch, rows) for rows in self.sampler.batches(epoch, start, rank, world))
        alone = map(self._preparer.on_one_thread, plans)
        self._ready = self._from_workers(plans) if self.workers else alone
        while True:
            if turn != self._turn:
                raise RuntimeError("these batches ended when the loader was asked for others")
            since = time.perf_counter()
            batch = next(self._ready, _END)
            self.waited += time.perf_counter() - since
            if batch is _END:
                return
            yield _unwrapped(batch)

    def largest(self, epoch: int = 0) -> Batch:
        """The batch of ``epoch`` with the most padded seconds, prepared in this process."""
        batch: Batch = _unwrapped(self._preparer.on_one_thread((epoch, self.sampler.survey(epoch).largest)))
        return batch

    def fingerprint(self) -> Mapping[str, Any]:
        """What the batches depend on, as JSON values: an exact resume needs it unchanged."""
        about = {"manifest": self.manifest.fingerprint, "rows": len(self.manifest), "draw_seed": self.seed}
        return {**about, **self.sampler.settings()}

    def close(self) -> None:
        """End the workers; they start again when batches are asked for."""
        self._turn += 1
        self._stream, self._ready = None, iter(())

    def _from_workers(self, plans: Iterator[Plan]) -> Iterator[Any]:
        self._plans.current = plans
        if self._stream is None:
            self._stream = DataLoader(
                self._preparer,
                sampler=self._plans,
                batch_size=None,
                num_workers=self.workers,
                prefetch_factor=self._prefetch,
                persistent_workers=True,
                worker_init_fn=_start_worker,
                multiprocessing_context=self._context,
                generator=torch.Generator(),  # its own, or every epoch would draw from the global one
            )
        return iter(self._stream)


class _Plans:
    """The DataLoader's sampler: which epoch and rows to prepare next, set anew for every epoch."""

    def __init__(self) -> None:
        self.current: Iterator[Plan] = iter(())

    def __iter__(self) -> Iterator[Plan]:
        return self.current


@dataclass(frozen=True)
class _Stopped:
    """An error that ends the run, on its way from a worker; DataLoader would wrap it in a traceback."""

    kind: type[OnseiError]
    message: str
    mend: str


@dataclass(frozen=True)
class _Preparer(torch.utils.data.Dataset[Any]):
    """What a worker does: a plan becomes a batch."""

    manifest: RowList
    prepare: Callable[[Row, Draw], Any]
    collate: Callable[[Sequence[Any], Sequence[Fault]], Any]
    seed: int

    def __getitem__(self, plan: Plan) -> Any:
        epoch, rows = plan
        items: list[Any] = []
        faults: list[Fault] = []
        try:
            for number in rows.tolist():
                item = self._item(number, epoch)
                (faults if isinstance(item, Fault) else items).append(item)
            return self.collate(items, faults)
        except _NOT_THE_ROWS as error:
            return _Stopped(type(error), error.message, error.mend)

    def on_one_thread(self, plan: Plan) -> Any:
        """As in a worker: the same sums in the same order, bit by bit."""
        with _one_thread():
            return self[plan]

    def _item(self, number: int, epoch: int) -> Any:
        row = None
        try:
            row = self.manifest[number]
            return self.prepare(row, Draw(self.seed, epoch, row.id))
        except _NOT_THE_ROWS:
            raise
        except OnseiError as error:
            return self._fault(number, row, error.message)
        except (OSError, EOFError) as error:
            if isinstance(error, OSError) and error.errno in _MACHINE:
                file = row.source if row else self.manifest.path
                mend = "free room, or lower the number of workers, then continue the run"
                raise RunError(f"{file}: {error.strerror}", mend) from error
            return self._fault(number, row, f"{type(error).__name__}: {error}")

    def _fault(self, number: int, row: Row | None, reason: str) -> Fault:
        if row is None:
            return Fault(self.manifest.place(number), str(self.manifest.path), reason)
        return Fault(row.id, str(row.source or self.manifest.path), reason)


def _unwrapped(batch: Any) -> Any:
    if not isinstance(batch, _Stopped):
        return batch
    error = batch.kind.__new__(batch.kind)
    OnseiError.__init__(error, batch.message, batch.mend)
    raise error


def _start_worker(number: int) -> None:
    # Ctrl-C reaches the whole process group: the parent ends its workers in its own time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # Torch's workers watch the process that forked them: the fork server, which lives as long as they do.
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _context(start_method: str | None) -> BaseContext:
    """How workers start. Not by fork: it copies locks that threads (torch's, a progress bar's) hold at that moment."""
    method = start_method or ("forkserver" if sys.platform == "linux" else "spawn")
    script = getattr(sys.modules["__main__"], "__file__", None)
    if method != "fork" and script is not None and not Path(script).exists():
        raise RunError(f"worker processes cannot start from a program without a file ({script})", "give --workers 0")
    context = get_context(method)
    if method == "forkserver":
        # Workers are forked from a server that has imported torch once: they share its memory and start at once. The
        # server starts here, and imports while the program goes on.
        context.set_forkserver_preload([__name__])
        forkserver.ensure_running()
    return context
