"""Whether the map of a Gaussian closure leads from a state to a fixed point, and not to another attractor."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.stationary.closure.closure_map import ROUNDING, ClosureMap, Rate
from ctrnn_theory.stationary.closure.moments import Moments, times
from ctrnn_theory.support.types import BoolArray, FloatArray

NEAR = 0.1  # largest part of what the linear response keeps that it may neglect
LINEAR_TIMES = 8.0  # time constants over which the path to the end must be nearly linear
WALK_NEAR = 0.01  # shift of the fixed point by the covariance, in units of s, that a path of the mean alone may neglect
WALK_TIMES, WALK_STEPS = 32.0, 256  # time constants of such a path, and the largest number of its steps
LOOKS = (8, 16, 32, 64, 128)  # steps after which it is looked at
CALM = 1e-2  # relative change between two looks after which it need not be followed further


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


def walks_to(
    closures: ClosureMap, start: Moments, end: Moments, at: Rate, walked: FloatArray | None = None
) -> BoolArray:
    """Return whether the map goes from the start to the end, with `at` the rate at its end, (B,).

    This is :func:`leads_to` at the end of a path of the mean alone, which takes products with vectors. After a few time
    constants its linear response must be stable, since a covariance that grows on and on may take the map elsewhere. If
    the covariance has more than a little left to bring about, paths at the spreads of both ends must lead there.
    `walked` is where that at the spread of the start ends, if it is known.
    """
    stable = closures.stable(at.slope)
    good = stable & _settled(closures, start, end, at, stable, NEAR)
    if not good.any():
        return good
    if walked is None:
        walked, contracting = walk(closures, start.mean, closures.spread(start), LINEAR_TIMES)
        good &= contracting
    A = closures.response(at.slope)
    good &= _straight(closures, walked, end, at, A)
    far = np.flatnonzero(good & ~_settled(closures, start, end, at, good, WALK_NEAR))
    if far.size:
        other, contracting = walk(closures[far], start.mean[far], at[far].spread, LINEAR_TIMES)
        good[far] = contracting & _straight(closures[far], other, end[far], at[far], A[far])
    return good


def walk(closures: ClosureMap, mean: FloatArray, spread: FloatArray, free: float) -> tuple[FloatArray, BoolArray]:
    """Follow means (B, M) at these spreads until they are calm, or for WALK_TIMES and WALK_STEPS.

    Return where they end, and whether the linear response was stable at all looks but those in the `free` first time
    constants; paths of which no one is so are not followed to the end.
    """
    before, gamma, last = mean, closures.gamma[:, None], 0
    contracting = np.ones(len(mean), dtype=bool)
    most = int(min(WALK_TIMES / gamma.min(), WALK_STEPS))
    for look in (0, *(look for look in LOOKS if look < most), most):
        for _ in range(last, look):
            mean = mean + gamma * closures.drift(mean, spread)
        due = np.flatnonzero(contracting & (look * gamma[:, 0] >= free))
        if due.size:
            contracting[due] = closures[due].stable(closures.drift_slope(mean, spread)[due])
        calm = np.max(np.abs(mean - before), axis=1) <= CALM * np.max(np.abs(mean), axis=1)
        if not contracting.any() or (look and np.all(calm)):
            break
        before, last = mean, look
    return mean, contracting


def settled(closures: ClosureMap, start: Moments, end: Moments, at: Rate) -> BoolArray:
    """Return whether the covariance shifts the fixed points by less than a linear response may neglect, (B,)."""
    return _settled(closures, start, end, at, np.ones(len(at.a), dtype=bool), NEAR)


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
