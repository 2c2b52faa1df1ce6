"""Where the Gaussian closure settles: its map is followed in strides of many steps, and ended by Newton's method.

Everything here is for B networks of one activation at once, with leading axis B, and no network depends on another.

A stride of k steps is that of an exponential integrator for maps. The map x' = x + γ g(x) is split into its linear
response A about the present state, with which k steps are summed exactly, and what is left of g, which is taken to grow
in proportion to the steps taken. The correction by what is left is also the estimate of the error, and sets k. So the
cost of following a path depends on how much the path bends, and not on how slowly the map moves along it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.dynamics.settle import BOUND
from ctrnn_theory.stationary.closure.gaussian_step import Closures, Moments, Rate, semidefinite
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

PATH_ERROR = 1e-2  # largest correction in a stride, relative to the state
BEND = 0.3  # and relative to the stride
REACH = 16.0  # times its size that a state may grow in a stride
LONGEST = 100  # a stride has 2^100 steps at most
VANISHED = 1e-9  # a power of A that has faded to this adds no more than rounding to the sum of all


def times(A: FloatArray, mean: FloatArray) -> FloatArray:
    """A m of each."""
    product: FloatArray = (A @ mean[..., None])[..., 0]
    return product


def spread(A: FloatArray, covariance: FloatArray) -> FloatArray:
    """A X Aᵀ of each."""
    product: FloatArray = A @ covariance @ np.swapaxes(A, -1, -2)
    return product


def scales(state: Moments) -> tuple[FloatArray, FloatArray]:
    """Sizes that changes of the means and of the covariances are compared to, (B,); infinite where all is zero."""
    variance = np.max(np.diagonal(state.covariance, axis1=1, axis2=2), axis=1)
    size = np.max(np.abs(state.mean), axis=1) + np.sqrt(np.maximum(variance, 0.0))
    return np.where(size > 0.0, size, np.inf), np.where(variance > 0.0, variance, np.inf)


def relative(mean: FloatArray, covariance: FloatArray, scale: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Size of changes of mean (B, N) and covariance (B, N, N), relative to states of these scales, (B,)."""
    total: FloatArray = np.max(np.abs(mean), axis=1) / scale[0] + np.max(np.abs(covariance), axis=(1, 2)) / scale[1]
    return total


def powers(A: FloatArray, count: int) -> list[FloatArray]:
    """A, A², A⁴, ... up to the `count`-th square, or as far as they have not vanished."""
    found = [A]
    while len(found) <= count and not np.max(np.abs(found[-1])) <= VANISHED:
        found.append(found[-1] @ found[-1])
    return found


def total(squares: list[FloatArray], level: IntArray, x: FloatArray, X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Σ Aʲ x and Σ Aʲ X Aʲᵀ over j < 2^level, by doubling."""
    for i, P in enumerate(squares[: int(level.max())]):
        on = (level > i)[:, None]
        x, X = x + np.where(on, times(P, x), 0.0), X + np.where(on[..., None], spread(P, X), 0.0)
    return x, X


def ramp(squares: list[FloatArray], level: IntArray, x: FloatArray, X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Σ (j/k) A^(k-1-j) x over j < k = 2^level, and the same for X, by doubling."""
    later, Later = np.zeros_like(x), np.zeros_like(X)
    for i in range(int(level.max())):
        P = squares[min(i, len(squares) - 1)]
        on = (level > i)[:, None]
        later = np.where(on, 0.5 * (times(P, later) + later + x), later)  # (later, x) hold sums over j < 2^i, the
        Later = np.where(on[..., None], 0.5 * (spread(P, Later) + Later + X), Later)  # first with weights j/2^i
        x, X = x + np.where(on, times(P, x), 0.0), X + np.where(on[..., None], spread(P, X), 0.0)
    return later, Later


@dataclass(frozen=True, eq=False)
class Stride:
    """States after a stride, and how good it is."""

    state: Moments
    """Where it leads."""
    rate: Rate
    """The rate there."""
    good: BoolArray
    """Whether it is accurate, (B,); always, if it is of one step."""
    easy: BoolArray
    """Whether one of twice as many steps will be as well, (B,)."""
    passed: BoolArray
    """Whether a single step leads beyond all bounds, (B,)."""


def stride(closures: Closures, state: Moments, rate: Rate, level: IntArray) -> Stride:
    """Take 2^level steps (B,) of the map from states (B, N), (B, N, N) at their rates."""
    g = closures.gamma[:, None]
    squares = powers(closures.response(rate.slope), int(level.max()))
    last = np.array([squares[min(p, len(squares) - 1)][i] for i, p in enumerate(level.tolist())])
    m0, V0 = g * rate.mean, g[..., None] * rate.covariance
    move, Move = total(squares, level, m0, V0)
    old = scales(state)
    single = level == 0
    size = np.where(np.isfinite(old[0]), old[0], 0.0)
    reached = np.max(np.abs(state.mean + move), axis=1) + np.sqrt(
        np.max(np.abs(np.diagonal(state.covariance + Move, axis1=1, axis2=2)), axis=1)
    )
    passed = single & ~(reached < BOUND)
    within = np.where(single, ~passed, reached < REACH * (size + np.max(np.abs(m0), axis=1)) + 1e-300)
    keep = within[:, None]
    ahead = Moments(
        np.where(keep, state.mean + move, state.mean),
        semidefinite(np.where(keep[..., None], state.covariance + Move, state.covariance)),
    )
    there = closures.rate(ahead)
    left = g * there.mean - times(last, m0), g[..., None] * there.covariance - spread(last, V0)
    fix, Fix = ramp(squares, np.maximum(level, 1), *left)  # of a stride of one step, what it would be of two
    scale = scales(ahead)
    bend, length = relative(fix, Fix, scale), relative(move, Move, scale)
    error = relative(fix, Fix, (scale[0], scale[0] * np.sqrt(scale[1])))  # of the mean and of the standard deviation
    excess = np.maximum(error / PATH_ERROR, bend / np.where(length > 0.0, BEND * length, 1.0))
    good = within & (single | (excess <= 1.0))
    mended = np.flatnonzero(good & ~single)
    if mended.size:
        mean, V = ahead.mean[mended] + fix[mended], semidefinite(ahead.covariance[mended] + Fix[mended])
        ahead.mean[mended], ahead.covariance[mended] = mean, V
        there.put(mended, closures[mended].rate(Moments(mean, V)))
    easy = np.where(single, 2.0, 5.0) * excess <= 1.0  # the correction grows as the square of the steps
    return Stride(ahead, there, good, good & easy, passed)
