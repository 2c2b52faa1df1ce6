"""Fixed points of many closures near states that are known, by chord steps taken for all of them at once."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.stationary.closure.closure_map import ClosureMap
from ctrnn_theory.stationary.closure.gaussian_step import GaussianClosure
from ctrnn_theory.stationary.closure.moments import Moments, relative, scales, semidefinite
from ctrnn_theory.stationary.closure.settle import settle
from ctrnn_theory.stationary.closure.strides import powers, total
from ctrnn_theory.support.types import BoolArray, FloatArray

STEPS = 40  # chord steps, after which the map is followed instead
LONGER = 2.0  # factor by which a step may be longer than the one before
TOLERANCE = 1e-10  # relative length of the last step
MOST_DOUBLINGS = 60


def continued(closures: GaussianClosure, start: Moments, follow: bool = True) -> tuple[Moments, BoolArray]:
    """Return stable fixed points (B, N), (B, N, N) of closures near states, and where there are some, (B,).

    A step inverts the linear response A exactly, and leaves out what the covariance does to A; it converges where the
    fluctuations of the state are small beside the noise. Where it does not, the closure is followed from its start, or
    given up.
    """
    with np.errstate(all="ignore"):
        state, good = _chords(closures, start)
    left = np.flatnonzero(~good)
    if left.size and follow:
        end, found = followed(closures[left], start[left])
        state.put(left, end)
        good[left] = found
    return state, good


def followed(closures: GaussianClosure, start: Moments) -> tuple[Moments, BoolArray]:
    """Return the stable fixed points to which closures settle from states, and where there are some, (B,)."""
    end = settle(closures, start)
    good = end.settled & end.stable
    good[list(end.growing)] = False
    return end.state, good


def _chords(closures: GaussianClosure, start: Moments) -> tuple[Moments, BoolArray]:
    state, good = start.copy(), np.zeros(len(start.mean), bool)
    going, before = np.arange(len(good)), np.full(len(good), np.inf)
    for _ in range(STEPS):
        if not going.size:
            break
        some, at = closures[going], state[going]
        rate = some.rate(at)
        move, Move = _step(some, rate.mean, rate.covariance, some.bend(rate), rate.slope)
        length = relative(move, Move, scales(Moments(at.mean + move, at.covariance + Move)))
        usable = np.isfinite(length) & (length < LONGER * before[going])
        new = Moments((at.mean + move)[usable], semidefinite((at.covariance + Move)[usable]))
        state.put(going[usable], new)
        before[going] = length
        ended = usable & (length <= TOLERANCE)
        if ended.any():
            good[going[ended]] = some[ended].stable(rate.slope[ended])
        going = going[usable & ~ended]
    state.put(np.flatnonzero(~good), start[~good])
    return state, good


def _step(
    closures: ClosureMap, mean: FloatArray, V: FloatArray, bend: FloatArray, slope: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the chord step for residual rates of mean (B, N) and covariance (B, N, N)."""
    squares = powers(closures.response(slope), MOST_DOUBLINGS)
    level = np.full(len(mean), min(len(squares), MOST_DOUBLINGS))
    _, Move = total(squares, level, np.zeros_like(mean), closures.gamma[:, None, None] * V)
    spread = np.sum((closures.read @ Move) * closures.read, axis=2)
    move: FloatArray = np.linalg.solve(closures.jacobian(slope), (mean + bend * spread)[..., None])[..., 0]
    return move, Move
