"""Small Learners and batches that the engine's tests train; run as a program, it trains one of them.

python toys.py JOB   with JOB a JSON object: learner, output_dir, training, die_at, source
"""

import json
import os
import signal
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from onsei.training.engine import Engine
from onsei.training.learner import Fault
from onsei.training.options import Training

ROOT = Path(__file__).parents[2]
WEIGHTS = torch.tensor([[1.0], [-2.0], [0.5], [3.0]])


@dataclass(frozen=True)
class Batch:
    x: torch.Tensor
    y: torch.Tensor
    ids: tuple[int, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def size(self):
        return len(self.x)

    def to(self, device, *, non_blocking=False):
        return replace(self, x=self.x.to(device), y=self.y.to(device))


@dataclass
class Source:
    """Rows of a noisy linear map in batches of ``batch_size``; order and rows follow from seed and epoch."""

    rows: int = 26
    batch_size: int = 4
    seed: int = 0
    empty: tuple[int, ...] = ()
    """Batches all of whose rows are faulty."""
    poison: tuple[int, ...] = ()
    """Batches with a target that is not a number."""
    workers: int = 0
    seen: list = field(default_factory=list)

    def count(self, epoch):
        return -(-self.rows // self.batch_size)

    def batches(self, epoch, start=0, rank=0, world=1):
        order = torch.randperm(self.rows, generator=torch.Generator().manual_seed(self.seed * 1000 + epoch)).tolist()
        for number in range(start + rank, self.count(epoch), world):
            ids = order[number * self.batch_size : (number + 1) * self.batch_size]
            self.seen.append((epoch, number))
            yield self.make(number, ids)

    def make(self, number, ids):
        if number in self.empty:
            faults = tuple(Fault(f"row-{i}", f"row-{i}.wav", "broken") for i in ids)
            return Batch(torch.zeros(0, 4), torch.zeros(0, 1), (), faults)
        x = torch.stack([torch.randn(4, generator=torch.Generator().manual_seed(i)) for i in ids])
        y = x @ WEIGHTS + 0.1
        return Batch(x, y * float("nan") if number in self.poison else y, tuple(ids))

    def fingerprint(self):
        return {"rows": self.rows, "batch_size": self.batch_size, "seed": self.seed}


class Regression:
    """A small network on squared error; with ``dropout`` its steps depend on the random state."""

    def __init__(self, dropout=0.0, norm=False, width=8, optimizer="adamw", die_at=-1, lr=0.01):
        torch.manual_seed(3)
        middle = nn.BatchNorm1d(width) if norm else nn.Identity()
        network = nn.Sequential(nn.Linear(4, width), middle, nn.Tanh(), nn.Dropout(dropout), nn.Linear(width, 1))
        self.modules = {"net": network}
        make = {"adamw": torch.optim.AdamW, "sgd": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9)}[optimizer]
        self.optimizers = {"net": make(network.parameters(), lr=lr)}
        self.die_at = die_at
        self.checked = []
        self.state = {"seen": 0, "mean": torch.zeros(4)}

    def step(self, batch, clock, update):
        if clock.step == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        loss = (self.modules["net"](batch.x) - batch.y).square().mean()
        update("net", loss)
        self.state = {"seen": self.state["seen"] + batch.size, "mean": self.state["mean"] + batch.x.sum(0)}
        return {"loss": loss}

    def check(self, batch, clock):
        error = (self.modules["net"](batch.x) - batch.y).square().sum()
        self.checked.extend(batch.ids)
        return {"loss": torch.stack([error, torch.tensor(float(batch.size))])}

    def state_dict(self):
        return dict(self.state)

    def load_state_dict(self, state):
        self.state = dict(state)


class Gan:
    """A generator that learns to give the rows' targets, and a critic; two optimizers in one step."""

    def __init__(self, die_at=-1):
        torch.manual_seed(5)
        self.die_at = die_at
        self.generator = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.critic = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
        self.unused = nn.Linear(4, 4)
        self.modules = {"generator": self.generator, "critic": self.critic, "unused": self.unused}
        mine = [*self.generator.parameters(), *self.unused.parameters()]
        self.optimizers = {
            "critic": torch.optim.AdamW(self.critic.parameters(), lr=0.01),
            "generator": torch.optim.AdamW(mine, lr=0.01),
        }

    def step(self, batch, clock, update):
        if clock is not None and clock.step == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        made = self.generator(batch.x)
        real = self.critic(torch.cat([batch.x, batch.y], 1))
        fake = self.critic(torch.cat([batch.x, made.detach()], 1))
        critic_loss = ((1 - real).square() + fake.square()).mean()
        update("critic", critic_loss)
        judged = self.critic(torch.cat([batch.x, made], 1))
        loss = (1 - judged).square().mean() + (made - batch.y).square().mean()
        update("generator", loss)
        return {"loss": loss, "critic": critic_loss}

    def check(self, batch, clock):
        error = (self.generator(batch.x) - batch.y).square().sum()
        return {"loss": torch.stack([error, torch.tensor(float(batch.size))])}

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


LEARNERS = {
    "regression": Regression,
    "dropout": lambda **more: Regression(dropout=0.3, norm=True, **more),
    "norm": lambda **more: Regression(norm=True, **more),
    "gan": Gan,
}


def fit(folder, learner=None, train=None, val="default", save=None, schedules=None, **options):
    """Train in this process; returns the summary and the learner."""
    learner = learner or Regression()
    val = Source(rows=10, seed=7) if val == "default" else val
    training = Training(**{"device": "cpu", "silent": True, "epochs": 2, **options})
    engine = Engine(training, folder, resolved={"training": {"epochs": training.epochs}})
    summary = engine.fit(learner, train or Source(), val, save or (lambda path, history: None), schedules=schedules)
    return summary, learner


def metrics(folder, *prefixes):
    """Rows of metrics.jsonl; of each, only what is a pure function of the run (no times)."""
    prefixes = prefixes or ("step", "epoch", "train/", "val/", "lr/", "grad_norm/", "skipped", "best")
    lines = (Path(folder) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [{k: v for k, v in json.loads(line).items() if k.startswith(prefixes)} for line in lines]


def weights(learner):
    return {f"{n}.{k}": v.clone() for n, m in learner.modules.items() for k, v in m.state_dict().items()}


def run_job(job):
    extra = {"die_at": job["die_at"]} if "die_at" in job else {}
    learner = LEARNERS[job.get("learner", "regression")](**extra)
    source = Source(**{k: tuple(v) if isinstance(v, list) else v for k, v in job.get("source", {}).items()})
    _, learner = fit(Path(job["output_dir"]), learner, source, **job.get("training", {}))
    if os.environ.get("RANK", "0") == "0":
        torch.save(weights(learner), Path(job["output_dir"]) / "weights.pt")


def main(jobs):
    for job in jobs:
        if "die_at" not in job:
            run_job(job)
            continue
        child = os.fork()
        if not child:
            run_job(job)
            os._exit(1)  # it should not have lived
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, status


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
