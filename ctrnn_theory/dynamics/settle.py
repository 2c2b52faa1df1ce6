"""Where the noise-free or noise-smoothed map settles.

A path is followed step by step while it is fast, and in the long strides of :mod:`ctrnn_theory.dynamics.slow_path` once
it is slow. It ends early once :mod:`ctrnn_theory.dynamics.destination` shows which fixed point it leads to, or
:mod:`ctrnn_theory.dynamics.ball` in a large network.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.dynamics.ball import Destination
from ctrnn_theory.dynamics.destination import grows
from ctrnn_theory.dynamics.slow_path import MOST_STRIDES, integrate, interpolating_field, late_average, slow_period
from ctrnn_theory.dynamics.step import BOUND, PASSED, Step
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.types import FloatArray, IntArray

WALK = 1000  # steps of the map before long strides may be taken
MOST_STEPS = 10_000  # steps for which a path is followed if it stays fast
FIRST_CHUNK, LONGEST_CHUNK = 16, 4096  # steps between looks at the destination: they double from the first to the last
LONGEST_TOGETHER, CALM = 512, 1e-6  # the same for many inputs at once, which ends where a path changes by less
LOOK = 5  # strides of the integrator between looks at the destination; later a tenth of those taken


@dataclass(frozen=True)
class Settled:
    """The end of a noise-free path."""

    state: FloatArray
    """Fixed point (N,), or the time average of the last part of the path if it reaches none."""
    converged: bool
    """Whether the path reached a fixed point."""
    stable: bool
    """Whether that is linearly stable; a path that starts on an unstable one stays there."""
    steps: int
    """Steps of the map and strides of the integrator taken."""

    def remark(self, whose: str) -> str:
        """Say what a law at this end of the path of the network named must report; empty if the end is stable."""
        return self.reason(whose) + ("" if self.converged else "; its time average is given")

    def reason(self, whose: str) -> str:
        """Say why the end of the path of the network named is no stable fixed point; empty if it is one."""
        if not self.converged:
            return f"{whose} does not settle to a fixed point from this start, as far as it was followed"
        if self.stable:
            return ""
        if not self.steps:
            return f"the start lies on an unstable fixed point of {whose}, which any noise leaves"
        return f"the path of {whose} ends on a fixed point that is not linearly stable"

    @property
    def fixed_point(self) -> FloatArray:
        """Return h* (N,), or NaN if the path reaches none."""
        return self.state if self.converged else np.full_like(self.state, np.nan)


def settle(
    net: CTRNN, u: ArrayLike | None = None, start: ArrayLike | None = None, noise: Noise | None = None
) -> Settled:
    """Follow a network without noise from a start state to its end, or smoothed by all noise inside if it is given.

    See :func:`follow`.

    Examples
    --------
    >>> settle(CTRNN([[0.5]], 0.1, form="voltage")).state
    array([0.2])
    """
    return follow(Step.of(net, u, noise), net.start_state(start))


def settle_inputs(net: CTRNN, inputs: FloatArray) -> Iterator[Settled | Divergence]:
    """Yield where a network without noise settles from the zero state under each of constant inputs (C, K).

    The first steps are those of all inputs at once, which takes less time.

    Examples
    --------
    >>> net = CTRNN([[0.5]], 0.0, W_in=[[1.0]])
    >>> [float(end.state[0].round(6)) for end in settle_inputs(net, np.array([[0.1], [0.3]]))]
    [0.2, 0.6]
    """
    steps = [Step.of(net, u if u.size else None) for u in inputs]
    starts, taken = np.zeros((len(inputs), net.n)), np.zeros(len(inputs), dtype=np.intp)
    with suppress(Divergence):  # each path says for itself whether it grows
        starts, taken = _together(steps, starts)
    for step, start, count in zip(steps, starts, taken.tolist(), strict=True):
        try:
            yield follow(step, start, count)
        except Divergence as error:
            yield error


def _together(steps: list[Step], start: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return states (C, N) on the paths of steps that differ in their inputs alone, and how many steps lead there.

    Looks are at the times at which `follow` has them. A path is left at the last one before it was calm.
    """
    c, d = (np.array([getattr(step.wiring, name) for step in steps]) for name in ("c", "d"))
    step, h = replace(steps[0], wiring=replace(steps[0].wiring, c=c, d=d)), start
    found, taken = start.copy(), np.zeros(len(start), dtype=np.intp)
    going, chunk = np.ones(len(start), dtype=bool), FIRST_CHUNK
    while going.any() and chunk <= LONGEST_TOGETHER:
        for _ in range(chunk):
            h = step(h)
        going &= np.max(np.abs(h - found), axis=1) > CALM * np.max(np.abs(h), axis=1)
        found[going] = h[going]
        taken[going] += chunk
        chunk *= 2
    return found, taken


def follow(step: Step, start: FloatArray, taken: int = 0) -> Settled:
    """Follow a step of a network from the state `start` (N,) to its end.

    The cost does not grow with the time constant of the approach. Newton's method names the end once it is shown that
    the path leads there: the map contracts on a ball around the fixed point that holds the state; or, for one neuron,
    it is monotone and contracts all the way; or the state is within a relative 1e-3 of it, and no other fixed point
    lies between. Only the last is looked for under multiplicative noise, so that paths are followed longer. A path
    whose velocity changes little from step to step is followed by an implicit integrator, as a solution of the
    differential equation of which the map is a time step, to the second order in γ; a path that alternates is followed
    through every other state. A path that leads to no fixed point, or whose end is not sure after 1000 strides of the
    integrator (100 tries for N = 1000) or 10000 steps of the map, is reported not to settle.

    Parameters
    ----------
    step
        The map h' = (1-Γ) h + Γ (B F(U h + c) + d).
    start
        Start state (N,).
    taken
        Number of steps that the path has taken before.

    Raises
    ------
    Divergence
        If the state grows beyond 1e12.
    """
    h = np.array(start, dtype=np.float64)
    destination = Destination(step)
    chunk, steps, trail = 0, taken, deque([h], maxlen=5)
    while True:
        total = np.zeros_like(h)
        for _ in range(chunk):
            h = step(h)
            total += h
            trail.append(h)
        mean, steps = total / max(chunk, 1), steps + chunk
        if (end := destination(h)) is not None:
            return Settled(end[0], True, end[1], steps)
        if grows(step, h):
            raise Divergence(PASSED)
        if steps >= WALK and chunk and (period := slow_period(trail)):
            return _settle_in_strides(step, h, period, steps, destination)
        if steps >= MOST_STEPS:
            return Settled(mean, False, False, steps)
        chunk = max(FIRST_CHUNK, 2 * chunk) if chunk < LONGEST_CHUNK else LONGEST_CHUNK


def _settle_in_strides(step: Step, h: FloatArray, period: int, steps: int, destination: Destination) -> Settled:
    """Follow a path that is slow over `period` steps of the map from h (N,) to its end."""
    times, path, k = [0.0], [h], 0
    with np.errstate(all="ignore"):
        for span, y in integrate(interpolating_field(step, period), h):
            h, k = y, k + 1
            if not np.max(np.abs(h)) < BOUND:
                raise Divergence(PASSED)
            times.append(times[-1] + span)
            path.append(h)
            ended = step.leaves_in_place(h, period)
            if ended or k % max(LOOK, k // 10) == 0:
                if (end := destination(h)) is not None:
                    return Settled(end[0], True, end[1], steps + k)
                if grows(step, h):
                    raise Divergence(PASSED)
            if ended or k == MOST_STRIDES:
                break
    if step.leaves_in_place(h, 1):  # the point was approached ever more slowly
        return Settled(h, True, False, steps + k)
    mean = late_average(np.array(times), np.array(path))
    return Settled(mean if period == 1 else 0.5 * (mean + step(mean)), False, False, steps + k)
