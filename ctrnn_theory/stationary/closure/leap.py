"""The fixed points of large Gaussian closures, by chord steps after a few steps of their maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.stationary.closure.closure_map import ClosureMap, Rate
from ctrnn_theory.stationary.closure.guard import NEAR, ends_at, shift, walk
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.stationary.closure.newton import Root, chord_ends
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

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
    begin where that ends. What they find is good if the map leads there from the state itself, as `walks_to` asks, for
    which it is followed for a few more steps where the covariance is too far away.
    """
    state, rate, steps = state.copy(), _copy(rate), np.zeros(len(state.mean), dtype=np.intp)
    good, going, walked = np.ones(len(steps), dtype=bool), np.arange(len(steps)), state.mean.copy()
    for k in range(MOST):
        going = going if k < LEAST else going[~closures[going].stable(rate.slope[going])]
        if not going.size:
            break
        _follow(closures, state, rate, steps, going)
    good[going] = False
    _walk(closures, state, rate, walked, good, good)
    root, at, _ = chord_ends(closures, Moments(walked, state.covariance), _copy(rate), tolerance, good)
    good = root.good
    good[good] = closures[good].stable(at.slope[good])
    share, before, far = np.full(len(steps), np.inf), steps.copy(), np.flatnonzero(good)
    for _ in range(MOST):
        share[far] = shift(closures[far], rate.spread[far], root.state[far], at[far], good[far])
        far = far[~(share[far] <= NEAR)]
        if not far.size:
            break
        _follow(closures, state, rate, steps, far)
    good &= share <= NEAR
    _walk(closures, state, rate, walked, good, good & (steps > before))
    some = np.flatnonzero(good)
    if some.size:
        good[some] = ends_at(closures[some], state.mean[some], walked[some], root.state[some], at[some], share[some])
    return Leap(root, state, rate, steps)


def _walk(
    closures: ClosureMap, state: Moments, rate: Rate, walked: FloatArray, good: BoolArray, which: BoolArray
) -> None:
    """Put where the mean alone leads, in some of the closures, and whether it does so surely, in place."""
    some = np.flatnonzero(which)
    if some.size:
        walked[some], good[some] = walk(closures[some], state.mean[some], rate.spread[some], 0.0)


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
