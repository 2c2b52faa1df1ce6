"""The fixed points of large Gaussian closures, by chord steps after a few steps of their maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.stationary.closure.closure_map import ClosureMap, Rate
from ctrnn_theory.stationary.closure.guard import settled, walk, walks_to
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.stationary.closure.newton import Root, chord_ends
from ctrnn_theory.support.types import IntArray

LEAST, MOST = 4, 32  # steps of the map; at most so many until its response is stable, and until the covariance is near


@dataclass(frozen=True, eq=False)
class Leap:
    """Where the maps of B closures lead, and how it was found."""

    root: Root
    """The fixed points; those that are good are where the map surely leads."""
    state: Moments
    """States to which the steps of the map have led."""
    rate: Rate
    """Rates there."""
    steps: IntArray
    """Numbers of these steps, (B,)."""


def leap(closures: ClosureMap, state: Moments, rate: Rate, tolerance: float) -> Leap:
    """Return the fixed points to which maps lead from states (B, M), (B, M, M) at their rates.

    The map is followed until its linear response is stable, and the mean from there at a fixed spread. Chord steps
    begin where that ends. What they find is good if the map leads there from the state itself (`walks_to`), for which
    it is followed for a few more steps where the covariance is too far away.
    """
    state, rate, steps = state.copy(), _copy(rate), np.zeros(len(state.mean), dtype=np.intp)
    going = np.arange(len(steps))
    for k in range(MOST):
        going = going if k < LEAST else going[~closures[going].stable(rate.slope[going])]
        _follow(closures, state, rate, steps, going)
    walked, good = walk(closures, state.mean, rate.spread, 0.0)
    root, at, _ = chord_ends(closures, Moments(walked, state.covariance), tolerance, good)
    good, before = root.good.copy(), steps.copy()
    for _ in range(MOST):
        far = np.flatnonzero(good)
        far = far[~settled(closures[far], state[far], root.state[far], at[far])]
        _follow(closures, state, rate, steps, far)
    moved = np.flatnonzero(good & (steps > before))
    if moved.size:
        walked[moved], good[moved] = walk(closures[moved], state.mean[moved], rate[moved].spread, 0.0)
    root.good[:] = good
    some = np.flatnonzero(good)
    if some.size:
        root.good[some] = walks_to(closures[some], state[some], root.state[some], at[some], walked[some])
    return Leap(root, state, rate, steps)


def _copy(rate: Rate) -> Rate:
    return rate[np.arange(len(rate.mean))]


def _follow(closures: ClosureMap, state: Moments, rate: Rate, steps: IntArray, which: IntArray) -> None:
    """Take a step of the map in some of the closures, in place."""
    if which.size:
        g = closures.gamma[which, None]
        before, change = state[which], rate[which]
        after = Moments(before.mean + g * change.mean, before.covariance + g[..., None] * change.covariance)
        state.put(which, after)
        rate.put(which, closures[which].rate(after))
        steps[which] += 1
