"""Newton's method for the fixed points of a batch of Gaussian closures, and whether the maps lead there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.stationary.closure.gaussian_step import ROUNDING, GaussianClosure, Rate
from ctrnn_theory.stationary.closure.moments import Moments, relative, scales, times, transform
from ctrnn_theory.stationary.closure.strides import powers, total
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

NEWTON_STEPS = 20
NEAR = 0.1  # largest part of what the linear response keeps that it may neglect
MOST_DOUBLINGS = 60  # doublings of the number of steps over which the covariance's linear response is summed
MOST_DIMENSIONS = 12  # dimensions of the Krylov space in which what the linear response neglects is solved for
FORCING = 1e-3  # relative residual at which a linear solution is accurate enough
DIFFERENCE = 1e-6  # relative difference of states in the quotient for a derivative
LINEAR_TIMES = 8.0  # time constants over which the path to the end must be nearly linear


@dataclass(frozen=True, eq=False)
class Root:
    """The roots that Newton's method finds, one from each state."""

    state: Moments
    """State that the method ends at."""
    good: BoolArray
    """Whether that is a stable fixed point that the map surely leads to, (B,)."""
    residual: FloatArray
    """Relative length of the last step (B,)."""
    steps: IntArray
    """Newton's steps taken (B,)."""


def newton(closures: GaussianClosure, start: Moments, tolerance: float) -> Root:
    """Solve for the fixed points by Newton's method, from states (B, N), (B, N, N).

    The linear response A leaves out what the covariance does to itself and to the mean; it is inverted exactly, and
    GMRES makes up for what it leaves out. An end is good only if the second step is much shorter than the first, and
    the map is nearly linear on the way to it (:func:`leads_to`).
    """
    count = len(start.mean)
    end = start.copy()
    good, positive = np.zeros(count, bool), np.ones(count, bool)
    residual, steps, first = np.full(count, np.inf), np.zeros(count, dtype=np.intp), np.full(count, np.inf)
    going = np.arange(count)
    for n in range(1, NEWTON_STEPS + 1):
        some, state = closures[going], end[going]
        rate = some.rate(state)
        stable = some.radius(rate.slope) < 1.0
        if not stable.all():
            going, some, rate, state = going[stable], some[stable], rate[stable], state[stable]
        if not going.size:
            break
        move, Move, signs = _newton_step(some, state, rate)
        new = Moments(state.mean + move, state.covariance + Move)
        length = relative(move, Move, scales(new))
        variance = np.diagonal(new.covariance, axis1=1, axis2=2)
        usable = np.isfinite(length) & np.all(variance >= -ROUNDING * np.max(np.abs(new.covariance)), axis=1)
        first[going] = length if n == 1 else first[going]
        usable &= ~((n == 2) & (length > NEAR * first[going]) & (length > tolerance))
        last, residual[going], steps[going] = residual[going], length, n
        positive[going] = np.where(length > ROUNDING, signs, positive[going])
        ended = usable & ((length <= tolerance) | ((length <= ROUNDING) & (length >= last)))
        end.put(going[usable], new[usable])
        good[going[ended]] = True
        going = going[usable & ~ended]
    good &= positive
    found = np.flatnonzero(good)
    if found.size:
        good[found] = leads_to(closures[found], start[found], end[found])
    return Root(end, good, residual, steps)


def _newton_step(closures: GaussianClosure, state: Moments, rate: Rate) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return Newton's step, (B, N) and (B, N, N), and whether the point, stable to linear response, is so exactly.

    It is not if an eigenvalue of the exact derivative, relative to the linear response's, has changed its sign.
    """
    B, n = state.mean.shape
    squares = powers(closures.response(rate.slope), MOST_DOUBLINGS)
    level = np.full(B, min(len(squares), MOST_DOUBLINGS))
    J = np.eye(n) - rate.slope[:, :, None] * closures.W  # regular, since A is stable
    units = [np.where(np.isfinite(scale), scale, 1.0)[:, None] for scale in scales(state)]

    def respond(rate: Rate) -> FloatArray:
        """Return Newton's step with the linear response alone, in units of the state, (B, N + N²)."""
        move = np.asarray(np.linalg.solve(J, rate.mean[..., None])[..., 0], dtype=np.float64)
        _, Move = total(squares, level, move, closures.gamma[:, None, None] * rate.covariance)
        return np.concatenate([move / units[0], Move.reshape(B, -1) / units[1]], axis=1)

    def apart(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        return x[:, :n] * units[0], (x[:, n:] * units[1]).reshape(B, n, n)

    base = respond(rate)

    def derivative(x: FloatArray) -> FloatArray:
        move, Move = apart(DIFFERENCE * x)
        there = closures.rate(Moments(state.mean + move, state.covariance + Move))
        return (base - respond(there)) / DIFFERENCE

    x, ritz = gmres(derivative, base, min(n + n * (n + 1) // 2, MOST_DIMENSIONS))
    move, Move = apart(x)
    return move, Move, np.all(ritz.real > -DIFFERENCE, axis=1)


def gmres(
    apply: Callable[[FloatArray], FloatArray], b: FloatArray, most: int
) -> tuple[FloatArray, NDArray[np.complex128]]:
    """Solve A x = b (B, M) in Krylov spaces of at most so many dimensions; return x and the Ritz values of A.

    The method is GMRES (Y. Saad and M. H. Schultz, SIAM Journal on Scientific and Statistical Computing 7, 1986).
    """
    beta = np.linalg.norm(b, axis=1)
    basis = [b / np.where(beta > 0.0, beta, 1.0)[:, None]]
    H = np.zeros((len(b), most + 1, most))
    for j in range(most):
        w = apply(basis[j])
        size = np.linalg.norm(w, axis=1)
        for i, q in enumerate(basis):
            H[:, i, j] = np.einsum("bm,bm->b", q, w)
            w = w - H[:, i, j, None] * q
        norm = np.linalg.norm(w, axis=1)
        norm = np.where(norm > ROUNDING * size, norm, 0.0)  # else the space is exhausted
        H[:, j + 1, j] = norm
        basis.append(np.where(norm > 0.0, 1.0 / np.where(norm > 0.0, norm, 1.0), 0.0)[:, None] * w)
        small, right = H[:, : j + 2, : j + 1], np.zeros((len(b), j + 2))
        right[:, 0] = beta
        y = (np.linalg.pinv(small) @ right[..., None])[..., 0]
        left = np.linalg.norm(right - (small @ y[..., None])[..., 0], axis=1)
        if np.all(left <= FORCING * beta):
            break
    x: FloatArray = np.einsum("jbm,bj->bm", np.array(basis[: y.shape[1]]), y)
    return x, np.linalg.eigvals(H[:, : y.shape[1], : y.shape[1]]).astype(np.complex128)


def leads_to(closures: GaussianClosure, start: Moments, end: Moments) -> BoolArray:
    """Return whether the map, if it were linear, would go from `start` to `end` on a path where it nearly is linear.

    At points of that path, end + Aᵗ (start - end), what F adds to its linear part must be small beside that part. So
    must be, in units of s, the shift of the fixed point that the covariance has still to bring about.
    """
    f, W = closures.f, closures.W
    at = closures.rate(end)
    A = closures.response(at.slope)
    stable = closures.radius(at.slope) < 1.0
    variance = np.diagonal(closures.inside + transform(W, start.covariance), axis1=1, axis2=2)
    linear = at.slope[:, :, None] * W - np.eye(W.shape[-1])
    kick = f.smoothed(at.a, np.sqrt(np.maximum(variance, 0.0))) - (at.mean + end.mean)
    shift = np.linalg.solve(np.where(stable[:, None, None], linear, -np.eye(W.shape[-1])), kick[..., None])[..., 0]
    near = np.all(np.abs(times(W, shift)) <= NEAR * at.s + ROUNDING * np.abs(at.a), axis=1)
    largest, error = np.zeros(len(W)), np.zeros(len(W))
    for point in _linear_path(A, start.mean - end.mean, closures.gamma):
        away = end.mean + point
        speed, part = f.smoothed(times(W, away) + closures.drive, at.s) - away, times(linear, point)
        largest = np.maximum(largest, np.max(np.abs(part), axis=1))
        error = np.maximum(error, np.max(np.abs(speed - part), axis=1))
    floor = ROUNDING * (np.max(np.abs(end.mean), axis=1) + np.max(at.s, axis=1))
    return stable & near & (error <= NEAR * largest + floor)


def _linear_path(A: FloatArray, gap: FloatArray, gamma: FloatArray) -> list[FloatArray]:
    """Return Aᵗ gap (B, N) at t = 0, 1, 2, 3, 4, 6, 8, 12, ... up to some time constants, and 0 later."""
    doublings = np.ceil(np.log2(LINEAR_TIMES / gamma))
    points, power = [gap, times(A, gap)], A
    for i in range(int(doublings.max())):
        on, double = (i < doublings)[:, None], power @ power
        points += [np.where(on, times(double, x), 0.0) for x in (gap, times(power, gap))]
        power = double
    return points
