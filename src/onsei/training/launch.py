"""Several GPUs from one command: it starts itself again, once for each, through torch's elastic launcher."""

from __future__ import annotations

import os
from collections.abc import Sequence

from onsei.errors import RunError
from onsei.training.options import Training

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_before = os.environ.get(_VISIBLE)


def launch(training: Training, words: Sequence[str]) -> int:
    """Run ``onsei WORDS`` in one process for each of ``training.device_ids``; returns the exit status.

    Raises:
        RunError: this machine lacks such GPUs.
    """
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    ids = read_ids(training.device_ids)
    if training.device != "cpu":
        _visible(ids)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // len(ids))))
    count = ["--standalone", "--nproc-per-node", str(len(ids))]
    try:
        run.run(run.parse_args([*count, "-m", "onsei", *words]))  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
        return code if code > 0 else 128 - code
    except SignalException as stopped:
        return 128 + int(stopped.sigval)
    return 0


def choose_gpus(device_ids: str, device: str) -> None:
    """Let this process see only the GPUs of ``device_ids``; call before torch first looks for them.

    Raises:
        RunError: they are not here, or there are not as many processes.
    """
    ids = read_ids(device_ids)
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if ids and len(ids) != here:
        raise RunError(
            f"--device-ids {device_ids}: {len(ids)} processes are needed on this machine, found {here}",
            f"start with `torchrun --nproc-per-node {len(ids)} -m onsei …`; the command line alone does so by itself",
        )
    if not ids or device == "cpu":
        return
    import torch

    chosen = _visible(ids)
    if os.environ.get(_VISIBLE) != chosen and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        raise RunError(f"--device-ids {device_ids}: CUDA is in use already", f"set {_VISIBLE}={chosen} from outside")
    os.environ[_VISIBLE] = chosen


def read_ids(text: str) -> list[int]:
    """GPU numbers in ``0,1,2``.

    Raises:
        RunError: one is named twice.
    """
    ids = [int(word) for word in text.split(",") if word]
    if len(set(ids)) < len(ids):
        raise RunError(f"--device-ids {text}: names a GPU twice", "name each once")
    return ids


def _visible(ids: Sequence[int]) -> str:
    """What ``CUDA_VISIBLE_DEVICES`` must be for ``ids``, which count the GPUs that it leaves visible now."""
    import torch

    shown = _before.split(",") if _before else [str(n) for n in range(torch.cuda.device_count())]
    if max(ids) >= len(shown):
        raise RunError(
            f"--device-ids {','.join(map(str, ids))}: torch finds {len(shown)} GPUs here, counted from 0",
            "name those that are here; on a CPU, --device cpu starts as many processes",
        )
    return ",".join(shown[n] for n in ids)
