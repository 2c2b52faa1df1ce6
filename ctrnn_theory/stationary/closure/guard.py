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
LOOKS = (16, 32, 64, 128)  # steps after which it is looked at
LEFT = 0.07  # part of the drift that a Newton step leaves, up to which the path ahead is linear to within NEAR


def leads_to(closures: ClosureMap, start: Moments, end: Moments) -> BoolArray:
    """Return whether the map, if it were linear, would go from `start` to `end` on a path where it nearly is linear.

    At points of that path, end + Aᵗ (start - end), what F adds to its linear part must be small beside that part. So
    must be, in units of s, the shift of the fixed point that the covariance has still to bring about.
    """
    at = closures.rate(end)
    stable = closures.stable(at.slope)
    near = shift(closures, closures.spread(start), end, at, stable) <= NEAR
    return stable & near & _straight(closures, start.mean, end, at)


def walks_to(closures: ClosureMap, start: Moments, end: Moments, at: Rate) -> BoolArray:
    """Return whether the map goes from the start to the end, with `at` the rate at its end, (B,).

    This is :func:`leads_to` at the end of a path of the mean alone, which takes products with vectors. After a few time
    constants its linear response must be stable, since a covariance that grows on and on may take the map elsewhere. If
    the covariance has more than a little left to bring about, paths at the spreads of both ends must lead there.
    """
    spread, good = closures.spread(start), closures.stable(at.slope)
    share = shift(closures, spread, end, at, good)
    good &= share <= NEAR
    if not good.any():
        return good
    walked, contracting = walk(closures, start.mean, spread, LINEAR_TIMES)
    return good & contracting & ends_at(closures, start.mean, walked, end, at, share)


def ends_at(
    closures: ClosureMap, mean: FloatArray, walked: FloatArray, end: Moments, at: Rate, share: FloatArray
) -> BoolArray:
    """Return whether the map goes on to the end from where it has walked from a mean, as :func:`walks_to` asks, (B,).

    `share` is what :func:`shift` says of the start.
    """
    good = _straight(closures, walked, end, at)
    far = np.flatnonzero(good & ~(share <= WALK_NEAR))
    if far.size:
        other, contracting = walk(closures[far], mean[far], at[far].spread, LINEAR_TIMES)
        good[far] = contracting & _straight(closures[far], other, end[far], at[far])
    return good


def walk(closures: ClosureMap, mean: FloatArray, spread: FloatArray, free: float) -> tuple[FloatArray, BoolArray]:
    """Follow means (B, M) at these spreads until the map is nearly linear ahead, or for WALK_TIMES and WALK_STEPS.

    Return where they end, and whether the linear response was stable at all looks after the `free` first time constants
    up to there; paths of which no one is so are not followed to the end.
    """
    gamma, last = closures.gamma[:, None], 0
    contracting, bent = np.ones(len(mean), dtype=bool), np.ones(len(mean), dtype=bool)
    most = int(min(WALK_TIMES / gamma.min(), WALK_STEPS))
    for look in (0, *(look for look in LOOKS if look < most), most):
        for _ in range(last, look):
            mean = mean + gamma * closures.drift(mean, spread)
        slope = closures.drift_slope(mean, spread)
        due = np.flatnonzero(contracting & bent)
        near, late = _nearly_linear(closures[due], mean[due], spread[due], slope[due]), look * gamma[due, 0] > free
        asked = near | late
        due, near, late = due[asked], near[asked], late[asked]
        if due.size:
            stable = closures[due].stable(slope[due])
            contracting[due], bent[due] = stable | ~late, ~(stable & near)
        if not np.any(contracting & bent):
            break
        last = look
    return mean, contracting


def _nearly_linear(closures: ClosureMap, mean: FloatArray, spread: FloatArray, slope: FloatArray) -> BoolArray:
    """Return whether Newton's step in the mean leaves but a small part of the drift, (B,)."""
    drift = closures.drift(mean, spread)
    after = mean + np.linalg.solve(closures.jacobian(slope), drift[..., None])[..., 0]
    left = np.max(np.abs(closures.drift(after, spread)), axis=1)
    floor = ROUNDING * np.max(np.abs(after), axis=1)
    return np.asarray(left <= LEFT * np.max(np.abs(drift), axis=1) + floor)


def shift(closures: ClosureMap, spread: FloatArray, end: Moments, at: Rate, stable: BoolArray) -> FloatArray:
    """Return how far the covariance shifts the fixed point on the way from a spread to the end, as a share of s, (B,).

    `at` is the rate at the end. The share says nothing where that is not stable.
    """
    J = np.where(stable[:, None, None], closures.jacobian(at.slope), np.eye(end.mean.shape[-1]))
    kick = closures.drift(end.mean, spread) - at.mean
    moved = times(closures.read, np.asarray(np.linalg.solve(J, kick[..., None])[..., 0], dtype=np.float64))
    beyond = np.abs(moved) - ROUNDING * np.abs(at.a)
    share = np.divide(beyond, at.s, out=np.where(beyond > 0.0, np.inf, 0.0), where=at.s > 0.0)
    largest: FloatArray = np.max(share, axis=1)
    return largest


def _straight(closures: ClosureMap, mean: FloatArray, end: Moments, at: Rate) -> BoolArray:
    """Return whether the path of the linear response from a mean to the end is one where the map is nearly linear."""
    A, J = closures.response(at.slope), closures.jacobian(at.slope)
    largest, error = np.zeros(len(A)), np.zeros(len(A))
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
