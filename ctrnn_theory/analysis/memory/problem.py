"""What is to be remembered: latent variables, start states, inputs and targets, once they are checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.analysis.latent import checked_factors
from ctrnn_theory.model.kinds import require
from ctrnn_theory.model.low_rank import SHARE, Factors, low_rank
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.markov.latent.step import MOST
from ctrnn_theory.support.arguments import positive_integer, real_array
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray, IntArray
from ctrnn_theory.training.tasks.latent_network import Private


@dataclass(frozen=True, eq=False)
class Problem:
    """C conditions of R latent variables and P values that are read, followed for a number of steps."""

    factors: Factors
    """Encoders and decoders (N, R)."""
    weights: FloatArray
    """Weights (P, N) of the values that are read."""
    offset: FloatArray
    """What is added to them (P,)."""
    inputs: FloatArray
    """Inputs (steps or 1, C or 1, K)."""
    start: FloatArray
    """Start states (C, N)."""
    target: FloatArray
    """What ought to be read at each recorded time (T, C, P)."""
    steps: int
    """Number of steps."""
    every: int
    """Steps between recorded times, of which the first is after so many steps."""

    @classmethod
    def of(
        cls,
        net: CTRNN,
        noise: Noise,
        u: ArrayLike | None,
        target: ArrayLike | None,
        start: ArrayLike | None,
        steps: int,
        every: int,
        factors: Any,
    ) -> Problem:
        """Make it from what a user gives, see :func:`ctrnn_theory.memory`."""
        require("memory", net, noise, "gain_inside", "gain_outside")
        if Private.of(noise, net.n) is None:
            raise NotApplicable("memory takes noise inside and gains only if neurons have their own; theirs are shared")
        steps, every = positive_integer("steps", steps), positive_integer("record_every", every)
        if every > steps:
            raise ValueError(f"record_every must be at most steps = {steps}; got {every}")
        found = checked_factors(net, factors) or low_rank(net.W, max(MOST, net.n // SHARE))
        if found is None or not found.E.shape[1]:
            raise NotApplicable("memory takes weights of low rank, at least one and at most a quarter of the neurons")
        weights = found.D.T if net.W_out is None else net.W_out
        offset = np.zeros(len(weights)) if net.b_out is None else net.b_out
        K = 0 if net.W_in is None else net.W_in.shape[1]
        inputs = _over_time("u", np.zeros(K) if u is None else u, steps, K)
        begin = np.atleast_2d(real_array("start", np.zeros(net.n) if start is None else start))
        if begin.shape[1:] != (net.n,):
            raise ValueError(f"start must have shape ({net.n},) or (C, {net.n}); got {begin.shape}")
        wanted = (begin @ weights.T + offset)[None] if target is None else target
        goal = _over_time("target", wanted, steps, len(weights))
        counts = {"u": inputs.shape[1], "start": len(begin), "target": goal.shape[1]}
        C = max(counts.values())
        for name, count in counts.items():
            if count not in (1, C):
                raise ValueError(f"{name} must have {C} conditions, as others have, or one; got {count}")
        at = np.arange(every - 1, steps, every) if len(goal) > 1 else np.zeros(steps // every, dtype=np.intp)
        goal = np.broadcast_to(goal[at], (len(at), C, len(weights)))
        return cls(found, weights, offset, inputs, np.broadcast_to(begin, (C, net.n)), goal, steps, every)

    @property
    def conditions(self) -> int:
        """Number C of conditions."""
        return len(self.start)

    @property
    def rank(self) -> int:
        """Number R of latent variables."""
        return int(self.factors.E.shape[1])

    @property
    def constant(self) -> FloatArray | None:
        """The input (K,) if it is the same at all times and in all conditions, else None."""
        return self.inputs[0, 0] if self.inputs.shape[:2] == (1, 1) else None

    def time(self, gamma: float) -> FloatArray:
        """Return the recorded times (T,) in units of τ."""
        time: FloatArray = np.arange(1, len(self.target) + 1, dtype=np.float64) * (self.every * gamma)
        return time

    def chosen(self, conditions: IntArray) -> Problem:
        """Return the problem for some of the conditions alone."""
        inputs = self.inputs if self.inputs.shape[1] == 1 else self.inputs[:, conditions]
        start, target = self.start[conditions], self.target[:, conditions]
        return Problem(self.factors, self.weights, self.offset, inputs, start, target, self.steps, self.every)


def _over_time(name: str, value: ArrayLike, steps: int, width: int) -> FloatArray:
    """Return an array (width,), (steps, width) or (steps or 1, C, width) as one of the last shape."""
    array = real_array(name, value)
    full = array[None, None] if array.ndim == 1 else array[:, None] if array.ndim == 2 else array
    if full.ndim != 3 or full.shape[2] != width or len(full) not in (1, steps) or not full.shape[1]:
        wanted = f"({width},), ({steps}, {width}) or (1 or {steps}, C, {width})"
        raise ValueError(f"{name} must have shape {wanted}; got {array.shape}")
    return full
