"""Recurrences over packed frames on a CPU, with their backward passes written out.

Torch's own recurrences add to the gradient of the weights at every frame, and over packed frames they even clear a
tensor of all frames at every frame. Here each weight has one matrix product over all frames, in both passes, and only
what truly depends on the frame before is done frame by frame. Padding is never computed.

N frames of all items together, sorted by time as in a `PackedSequence`, I inputs, H units, K gates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Step(NamedTuple):
    """Frames of one time, of which the first ``going`` continue those that begin at ``before``."""

    start: int
    end: int
    before: int
    going: int


def recur(kind: str, x: Tensor, weights: Sequence[Tensor], batch_sizes: Tensor, backward: bool = False) -> Tensor:
    """One direction of a recurrent layer: the states of all frames, (N, H), those before the first being zero.

    Args:
        kind: ``rnn`` (tanh), ``gru`` or ``lstm``, computed as torch does.
        x: inputs, (N, I).
        weights: of the inputs (K H, I) and of the states (K H, H), and the biases of each, (K H); as torch orders them.
        batch_sizes: frames at each time.
        backward: from the last frame of each item to its first.
    """
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        x, weights = x.to(dtype), [weight.to(dtype) for weight in weights]
    states: Tensor = _RECURRENCES[kind].apply(x, *weights, _plan(batch_sizes.tolist(), backward))  # type: ignore[no-untyped-call]
    return states


def _plan(sizes: list[int], backward: bool) -> list[Step]:
    """Steps in the order in which they are made."""
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + size)
    times = range(len(sizes))[::-1] if backward else range(len(sizes))
    steps: list[Step] = []
    for time in times:
        start, end = starts[time], starts[time + 1]
        before, going = (steps[-1].start, min(end - start, steps[-1].end - steps[-1].start)) if steps else (0, 0)
        steps.append(Step(start, end, before, going))
    return steps


def _earlier(states: Tensor, steps: list[Step]) -> Tensor:
    """The state before each frame, (N, H); zeros where there is none."""
    earlier = torch.zeros_like(states)
    for start, _, before, going in steps:
        earlier[start : start + going] = states[before : before + going]
    return earlier


class _Recurrence(torch.autograd.Function):
    """What the kinds share; each says how gates become states, and how their gradients go back."""

    @staticmethod
    def _gradients(ctx: Any, by_input: Tensor, by_state: Sequence[Tensor], steps: list[Step]) -> tuple[Any, ...]:
        """Gradients of what ``forward`` takes, from those of the gates: as the inputs reach them, and as the states do
        (in parts, by columns).
        """
        x, weight_ih, weight_hh, states = ctx.saved_tensors[:4]
        earlier, dweight_hh = _earlier(states, steps), torch.empty_like(weight_hh)
        row = 0
        for part in by_state:
            torch.mm(part.t(), earlier, out=dweight_hh[row : row + part.size(1)])
            row += part.size(1)
        return (
            by_input @ weight_ih if ctx.needs_input_grad[0] else None,
            by_input.t() @ x,
            dweight_hh,
            by_input.sum(0),
            torch.cat([part.sum(0) for part in by_state]),
            None,
        )


class _RNN(_Recurrence):
    """h' = tanh(W x + U h)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor, steps: list[Step]
    ) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            h = torch.addmm(bias_ih + bias_hh, x, weight_ih.t())
        u = weight_hh.t()
        for start, end, before, going in steps:
            if going:
                h[start : start + going].addmm_(h[before : before + going], u)
            h[start:end].tanh_()
        ctx.save_for_backward(x, weight_ih, weight_hh, h)
        ctx.steps = steps
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Any, ...]:
        _, _, u, h = ctx.saved_tensors
        d = dy.clone(memory_format=torch.contiguous_format)
        slope = 1 - h.square()
        with torch.autocast("cpu", enabled=False):
            for start, end, before, going in reversed(ctx.steps):
                d[start:end].mul_(slope[start:end])
                if going:
                    d[before : before + going].addmm_(d[start : start + going], u)
            return _Recurrence._gradients(ctx, d, [d], ctx.steps)


class _LSTM(_Recurrence):
    """c' = f c + i g, h' = o tanh(c') with gates i, f, g, o (Hochreiter & Schmidhuber 1997; Gers et al. 2000)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor, steps: list[Step]
    ) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            gates = torch.addmm(bias_ih + bias_hh, x, weight_ih.t())
        units, u = weight_hh.size(1), weight_hh.t()
        i, f, g, o = gates.chunk(4, 1)
        h = torch.empty_like(i, memory_format=torch.contiguous_format)
        bent = torch.empty_like(h)  # tanh of the cells, which themselves add up too much to be rounded to 16 bits
        c = torch.empty_like(h, dtype=torch.promote_types(h.dtype, torch.float32))
        for start, end, before, going in steps:
            here, on, past = slice(start, end), slice(start, start + going), slice(before, before + going)
            if going:
                gates[on].addmm_(h[past], u)
            gates[here, : 2 * units].sigmoid_()
            g[here].tanh_()
            o[here].sigmoid_()
            torch.mul(i[here], g[here], out=c[here])
            if going:
                c[on].addcmul_(f[on], c[past])
            torch.tanh(c[here], out=bent[here])
            torch.mul(o[here], bent[here], out=h[here])
        ctx.save_for_backward(x, weight_ih, weight_hh, h, gates, c, bent)
        ctx.steps = steps
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Any, ...]:
        _, _, u, h, gates, c, bent = ctx.saved_tensors
        i, f, g, o = gates.chunk(4, 1)
        d = torch.empty_like(gates)  # of each gate before it is bent, without the factor dc or dh
        inputs = d[:, : 3 * h.size(1)].view(len(d), 3, -1)
        torch.mul(g, i * (1 - i), out=inputs[:, 0])
        torch.mul(_earlier(c, ctx.steps), f * (1 - f), out=inputs[:, 1])
        torch.mul(i, 1 - g.square(), out=inputs[:, 2])
        outputs = d[:, 3 * h.size(1) :]
        torch.mul(bent, o * (1 - o), out=outputs)
        slope = o * (1 - bent.square())
        dh, dc = dy.clone(memory_format=torch.contiguous_format), torch.zeros_like(c)
        with torch.autocast("cpu", enabled=False):
            for start, end, before, going in reversed(ctx.steps):
                here, on, past = slice(start, end), slice(start, start + going), slice(before, before + going)
                dc[here].addcmul_(dh[here], slope[here])
                inputs[here].mul_(dc[here, None])
                outputs[here].mul_(dh[here])
                if going:
                    torch.mul(dc[on], f[on], out=dc[past])
                    dh[past].addmm_(d[on], u)
            return _Recurrence._gradients(ctx, d, [d], ctx.steps)


class _GRU(_Recurrence):
    """n = tanh(W x + r (U h)), h' = (1 - z) n + z h with gates r, z (Cho et al. 2014, with the reset after U)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor, steps: list[Step]
    ) -> Tensor:
        units = weight_hh.size(1)
        bias = bias_ih.clone()
        bias[: 2 * units] += bias_hh[: 2 * units]
        with torch.autocast("cpu", enabled=False):
            gates = torch.addmm(bias, x, weight_ih.t())
        r, z, n = gates.chunk(3, 1)
        u, v = weight_hh[: 2 * units].t(), weight_hh[2 * units :].t()
        q = bias_hh[2 * units :].repeat(len(x), 1)  # U h
        h = torch.empty_like(q)
        for start, end, before, going in steps:
            here, on, past = slice(start, end), slice(start, start + going), slice(before, before + going)
            if going:
                gates[on, : 2 * units].addmm_(h[past], u)
                q[on].addmm_(h[past], v)
            gates[here, : 2 * units].sigmoid_()
            n[here].addcmul_(r[here], q[here]).tanh_()
            torch.addcmul(n[here], z[here], n[here], value=-1, out=h[here])
            if going:
                h[on].addcmul_(z[on], h[past])
        ctx.save_for_backward(x, weight_ih, weight_hh, h, gates, q)
        ctx.steps = steps
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Any, ...]:
        _, _, weight_hh, h, gates, q = ctx.saved_tensors
        units = h.size(1)
        r, z, n = gates.chunk(3, 1)
        u, v = weight_hh[: 2 * units], weight_hh[2 * units :]
        d = torch.empty_like(gates)  # of each gate before it is bent, without the factor dn or dh
        dr, dzn = d[:, :units], d[:, units:].view(len(d), 2, -1)
        torch.mul(q, r * (1 - r), out=dr)
        torch.mul(_earlier(h, ctx.steps) - n, z * (1 - z), out=dzn[:, 0])
        torch.mul(1 - z, 1 - n.square(), out=dzn[:, 1])
        dn, dh = dzn[:, 1], dy.clone(memory_format=torch.contiguous_format)
        dq = torch.empty_like(dh)
        with torch.autocast("cpu", enabled=False):
            for start, end, before, going in reversed(ctx.steps):
                here, on, past = slice(start, end), slice(start, start + going), slice(before, before + going)
                dzn[here].mul_(dh[here, None])
                dr[here].mul_(dn[here])
                torch.mul(dn[here], r[here], out=dq[here])
                if going:
                    dh[past].addcmul_(dh[on], z[on]).addmm_(d[on, : 2 * units], u).addmm_(dq[on], v)
            return _Recurrence._gradients(ctx, d, [d[:, : 2 * units], dq], ctx.steps)


_RECURRENCES: dict[str, type[_Recurrence]] = {"rnn": _RNN, "gru": _GRU, "lstm": _LSTM}
