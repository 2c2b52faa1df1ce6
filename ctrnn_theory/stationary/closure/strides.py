"""Strides of many steps of the Gaussian closure at once, for a batch of networks.

Arrays have a leading axis B, with one entry for each network, and no network depends on another.

A stride of k steps is that of an exponential integrator for maps. The map x' = x + γ g(x) is split into its linear
response A about the present state, with which k steps are summed exactly, and the remainder of g, which is taken to
grow in proportion to the steps taken. The correction by the remainder is also the estimate of the error, and sets k. So
the cost of following a path depends on how much the path bends, and not on how slowly the map moves along it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.dynamics.step import BOUND
from ctrnn_theory.stationary.closure.closure_map import ClosureMap, Rate
from ctrnn_theory.stationary.closure.moments import Moments, relative, scales, semidefinite, times, transform
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

PATH_ERROR = 1e-2  # largest correction in a stride, relative to the state
BEND = 0.3  # largest correction in a stride, relative to the stride
REACH = 16.0  # factor by which a state may grow in a stride
MOST_LEVEL = 100  # a stride has 2^100 steps at most
TINY = 1e-300  # reach of a state that is zero and stays so
VANISHED = 1e-9  # size of a power of A below which it adds no more than rounding to the sum of all powers


def powers(A: FloatArray, count: int) -> list[FloatArray]:
    """Return A, A², A⁴, ... up to the `count`-th square, or as far as they have not vanished."""
    found = [A]
    while len(found) <= count and not np.max(np.abs(found[-1])) <= VANISHED:
        found.append(found[-1] @ found[-1])
    return found


def total(squares: list[FloatArray], level: IntArray, x: FloatArray, X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Σ Aʲ x and Σ Aʲ X Aʲᵀ over j < 2^level, by doubling."""
    for i, P in enumerate(squares[: int(level.max())]):
        on = (level > i)[:, None]
        x, X = x + np.where(on, times(P, x), 0.0), X + np.where(on[..., None], transform(P, X), 0.0)
    return x, X


def ramp(squares: list[FloatArray], level: IntArray, x: FloatArray, X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Σ (j/k) A^(k-1-j) x over j < k = 2^level, and the same for X, by doubling."""
    later, Later = np.zeros_like(x), np.zeros_like(X)
    for i in range(int(level.max())):
        P = squares[min(i, len(squares) - 1)]
        on = (level > i)[:, None]
        # `later` and x hold sums over j < 2^i, `later` with the weights j/2^i
        later = np.where(on, 0.5 * (times(P, later) + later + x), later)
        Later = np.where(on[..., None], 0.5 * (transform(P, Later) + Later + X), Later)
        x, X = x + np.where(on, times(P, x), 0.0), X + np.where(on[..., None], transform(P, X), 0.0)
    return later, Later


@dataclass(frozen=True, eq=False)
class Stride:
    """The states after a stride, and how accurate it is."""

    state: Moments
    """State that it leads to."""
    rate: Rate
    """Rate of change there."""
    good: BoolArray
    """Whether it is accurate, (B,); a stride of one step always is."""
    easy: BoolArray
    """Whether a stride of twice as many steps will be accurate as well, (B,)."""
    passed: BoolArray
    """Whether a single step leads beyond all bounds, (B,)."""


def stride(closures: ClosureMap, state: Moments, rate: Rate, level: IntArray) -> Stride:
    """Take 2^level steps (B,) of the map from states (B, N), (B, N, N) at their rates."""
    g, single = closures.gamma[:, None], level == 0
    squares = powers(closures.response(rate.slope), int(level.max()))
    last = np.array([squares[min(p, len(squares) - 1)][i] for i, p in enumerate(level.tolist())])
    m0, V0 = g * rate.mean, g[..., None] * rate.covariance
    move, Move = total(squares, level, m0, V0)
    passed, within = _bounded(state, move, Move, np.max(np.abs(m0), axis=1), single)
    keep = within[:, None]
    ahead = Moments(
        np.where(keep, state.mean + move, state.mean),
        semidefinite(np.where(keep[..., None], state.covariance + Move, state.covariance)),
    )
    there = closures.rate(ahead)
    remainder = g * there.mean - times(last, m0), g[..., None] * there.covariance - transform(last, V0)
    # for a stride of one step, the correction is that of a stride of two
    fix, Fix = ramp(squares, np.maximum(level, 1), *remainder)
    scale = scales(ahead)
    bend, length = relative(fix, Fix, scale), relative(move, Move, scale)
    # the errors of the mean and of the standard deviation
    error = relative(fix, Fix, (scale[0], scale[0] * np.sqrt(scale[1])))
    excess = np.maximum(error / PATH_ERROR, bend / np.where(length > 0.0, BEND * length, 1.0))
    good = within & (single | (excess <= 1.0))
    mended = np.flatnonzero(good & ~single)
    if mended.size:
        mean, V = ahead.mean[mended] + fix[mended], semidefinite(ahead.covariance[mended] + Fix[mended])
        ahead.put(mended, Moments(mean, V))
        there.put(mended, closures[mended].rate(Moments(mean, V)))
    easy = np.where(single, 2.0, 5.0) * excess <= 1.0  # the correction grows as the square of the steps
    return Stride(ahead, there, good, good & easy, passed)


def _bounded(
    state: Moments, move: FloatArray, Move: FloatArray, first: FloatArray, single: BoolArray
) -> tuple[BoolArray, BoolArray]:
    """Return whether a single step leads beyond all bounds, and whether a stride stays within its reach, (B,) each.

    The reach is a multiple of the size of the state and of the first step's change of the mean, `first` (B,).
    """
    size = scales(state)[0]
    size = np.where(np.isfinite(size), size, 0.0)
    reached = np.max(np.abs(state.mean + move), axis=1) + np.sqrt(
        np.max(np.abs(np.diagonal(state.covariance + Move, axis1=1, axis2=2)), axis=1)
    )
    passed = single & ~(reached < BOUND)
    return passed, np.where(single, ~passed, reached < REACH * (size + first) + TINY)
