"""Whether the map of a Gaussian closure leads from a state to a fixed point, and not to another attractor."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.stationary.closure.closure_map import ROUNDING, ClosureMap, Rate
from ctrnn_theory.stationary.closure.moments import Moments, times
from ctrnn_theory.support.types import BoolArray, FloatArray

NEAR = 0.1  # largest part of what the linear response keeps that it may neglect
LINEAR_TIMES = 8.0  # time constants over which the path to the end must be nearly linear
WALK_NEAR = 0.01  # shift of the fixed point by the covariance, in units of s, that a path of the mean alone may neglect
WALK_STEPS = 256  # largest number of steps of such a path
TESTED = (0, 8, 16, 32, 64, 128, 256)  # steps after which it may be nearly linear from there on


def leads_to(closures: ClosureMap, start: Moments, end: Moments) -> BoolArray:
    """Return whether the map, if it were linear, would go from `start` to `end` on a path where it nearly is linear.

    At points of that path, end + Aᵗ (start - end), what F adds to its linear part must be small beside that part. So
    must be, in units of s, the shift of the fixed point that the covariance has still to bring about.
    """
    at = closures.rate(end)
    stable = closures.stable(at.slope)
    A = closures.response(at.slope)
    near = _settled(closures, start, end, at, stable, NEAR)
    return stable & near & _straight(closures, start.mean, end, at, A)


def walks_to(closure: ClosureMap, start: Moments, end: Moments, at: Rate) -> bool:
    """Return whether the map goes from the start to the end, for one network, with `at` the rate at its end.

    This is :func:`leads_to` at some point of a path of the mean alone, which takes products with vectors. If the
    covariance has more than a little left to bring about, paths at the spreads of both ends must lead there.
    """
    stable = closure.stable(at.slope)
    if not stable[0] or not settled(closure, start, end, at, NEAR):
        return False
    spreads = [at.spread]
    if not settled(closure, start, end, at, WALK_NEAR):
        spreads.append(closure.spread(start))
    A = closure.response(at.slope)
    return all(_arrives(closure, start.mean, end, at, A, spread) for spread in spreads)


def settled(closure: ClosureMap, start: Moments, end: Moments, at: Rate, share: float) -> bool:
    """Return whether the covariance shifts the fixed point of one network by no more than this share of s."""
    return bool(_settled(closure, start, end, at, np.ones(1, dtype=bool), share)[0])


def _arrives(closure: ClosureMap, mean: FloatArray, end: Moments, at: Rate, A: FloatArray, spread: FloatArray) -> bool:
    """Return whether the mean, at this spread, comes to a point from which the map is nearly linear up to the end."""
    for k in range(int(min(LINEAR_TIMES / closure.gamma[0], WALK_STEPS)) + 1):
        if k in TESTED and _straight(closure, mean, end, at, A)[0]:
            return True
        mean = mean + closure.gamma[:, None] * closure.drift(mean, spread)
    return False


def _settled(
    closures: ClosureMap, start: Moments, end: Moments, at: Rate, stable: BoolArray, share: float
) -> BoolArray:
    """Return whether the covariance shifts the fixed point by no more than this share of s on the way, (B,)."""
    J = closures.jacobian(at.slope)
    kick = closures.drift(end.mean, closures.spread(start)) - at.mean
    J = np.where(stable[:, None, None], J, np.eye(J.shape[-1]))
    shift: FloatArray = np.asarray(np.linalg.solve(J, kick[..., None])[..., 0], dtype=np.float64)
    small: BoolArray = np.all(np.abs(times(closures.read, shift)) <= share * at.s + ROUNDING * np.abs(at.a), axis=1)
    return small


def _straight(closures: ClosureMap, mean: FloatArray, end: Moments, at: Rate, A: FloatArray) -> BoolArray:
    """Return whether the path of the linear response A from a mean to the end is one where the map is nearly linear."""
    largest, error, J = np.zeros(len(A)), np.zeros(len(A)), closures.jacobian(at.slope)
    for point in _linear_path(A, mean - end.mean, closures.gamma):
        speed, part = closures.drift(end.mean + point, at.spread), -times(J, point)
        largest = np.maximum(largest, np.max(np.abs(part), axis=1))
        error = np.maximum(error, np.max(np.abs(speed - part), axis=1))
    floor = ROUNDING * (np.max(np.abs(end.mean), axis=1) + np.max(at.s, axis=1))
    return np.asarray(error <= NEAR * largest + floor)


def _linear_path(A: FloatArray, gap: FloatArray, gamma: FloatArray) -> list[FloatArray]:
    """Return Aᵗ gap (B, N) at t = 0, 1, 2, 3, 4, 6, 8, 12, ... up to some time constants, and 0 later."""
    doublings = np.ceil(np.log2(LINEAR_TIMES / gamma))
    if len(A) == 1 and 2.0 ** doublings[0] <= A.shape[-1]:  # products with a vector are cheaper than squares of A
        return _stepped_path(A, gap, int(doublings[0]))
    points, power = [gap, times(A, gap)], A
    for i in range(int(doublings.max())):
        on, double = (i < doublings)[:, None], power @ power
        points += [np.where(on, times(double, x), 0.0) for x in (gap, times(power, gap))]
        power = double
    return points


def _stepped_path(A: FloatArray, gap: FloatArray, doublings: int) -> list[FloatArray]:
    """Return the same points by one step after the other."""
    wanted = {0, 1} | {(2 + j) << i for i in range(doublings) for j in (0, 1)}
    points = []
    for t in range(max(wanted) + 1):
        if t in wanted:
            points.append(gap)
        gap = times(A, gap)
    return points
