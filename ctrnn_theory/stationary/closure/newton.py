"""The fixed point of the Gaussian closure near a state, by Newton's method, and whether the map goes there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.stationary.closure.gaussian_step import ROUNDING, Closures, Moments, Rate
from ctrnn_theory.stationary.closure.strides import powers, relative, scales, times, total
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

NEWTON_STEPS = 20
NEAR = 0.1  # what the linear response may neglect, as a part of what it keeps
MOST_DOUBLINGS = 60  # of the steps that the covariance's linear response is summed over
KRYLOV = 12  # dimensions at most, in which what the linear response neglects is solved for
FORCING = 1e-3  # relative residual at which a linear solution will do
DIFFERENCE = 1e-6  # of the states, relative, in the quotient for a derivative


@dataclass(frozen=True, eq=False)
class Root:
    """What Newton's method finds from each state."""

    state: Moments
    """End (B, N), (B, N, N)."""
    good: BoolArray
    """Whether that is a stable fixed point which the map surely goes to, (B,)."""
    residual: FloatArray
    """Relative length of the last step (B,)."""
    steps: IntArray
    """Newton's steps taken (B,)."""


def newton(closures: Closures, start: Moments, tolerance: float) -> Root:
    """Solve for the fixed points by Newton's method, from states (B, N), (B, N, N).

    The linear response A leaves out what the covariance does to itself and to the mean; it is inverted exactly, and
    GMRES makes up for what it leaves out. Taken are only ends whose second step is much shorter than the first, and
    towards which the map is nearly linear (`leads_to`).
    """
    count = len(start.mean)
    end = Moments(start.mean.copy(), start.covariance.copy())
    good, positive = np.zeros(count, bool), np.ones(count, bool)
    residual, steps, first = np.full(count, np.inf), np.zeros(count, dtype=np.intp), np.full(count, np.inf)
    going = np.arange(count)
    for n in range(1, NEWTON_STEPS + 1):
        some, state = closures[going], Moments(end.mean[going], end.covariance[going])
        rate = some.rate(state)
        stable = some.radius(rate.slope) < 1.0
        if not stable.all():
            going, some, rate = going[stable], some[stable], rate[stable]
            state = Moments(state.mean[stable], state.covariance[stable])
        if not going.size:
            break
        move, Move, signs = _newton_step(some, state, rate)
        mean, V = state.mean + move, state.covariance + Move
        length = relative(move, Move, scales(Moments(mean, V)))
        usable = np.isfinite(length) & np.all(np.diagonal(V, axis1=1, axis2=2) >= -ROUNDING * np.max(np.abs(V)), axis=1)
        first[going] = length if n == 1 else first[going]
        usable &= ~((n == 2) & (length > NEAR * first[going]) & (length > tolerance))
        last, residual[going], steps[going] = residual[going], length, n
        positive[going] = np.where(length > ROUNDING, signs, positive[going])
        ended = usable & ((length <= tolerance) | ((length <= ROUNDING) & (length >= last)))
        end.mean[going[usable]], end.covariance[going[usable]] = mean[usable], V[usable]
        good[going[ended]] = True
        going = going[usable & ~ended]
    good &= positive
    found = np.flatnonzero(good)
    if found.size:
        origin, goal = (Moments(at.mean[found], at.covariance[found]) for at in (start, end))
        good[found] = leads_to(closures[found], origin, goal)
    return Root(end, good, residual, steps)


def _newton_step(closures: Closures, state: Moments, rate: Rate) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Newton's step, (B, N) and (B, N, N), and whether the point is stable if it is so to linear response.

    It is not if an eigenvalue of the exact derivative, relative to the linear response's, has changed its sign.
    """
    B, n = state.mean.shape
    squares = powers(closures.response(rate.slope), MOST_DOUBLINGS)
    level = np.full(B, min(len(squares), MOST_DOUBLINGS))
    J = np.eye(n) - rate.slope[:, :, None] * closures.W  # regular, since A is stable
    units = [np.where(np.isfinite(scale), scale, 1.0)[:, None] for scale in scales(state)]

    def respond(rate: Rate) -> FloatArray:
        """Newton's step with the linear response alone, in units of the state, (B, N + N²)."""
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

    x, ritz = gmres(derivative, base, min(n + n * (n + 1) // 2, KRYLOV))
    move, Move = apart(x)
    return move, Move, np.all(ritz.real > -DIFFERENCE, axis=1)


def gmres(
    apply: Callable[[FloatArray], FloatArray], b: FloatArray, most: int
) -> tuple[FloatArray, NDArray[np.complex128]]:
    """Solve A x = b (B, M) in Krylov spaces of at most so many dimensions; returns x and Ritz values of A.

    Y. Saad and M. H. Schultz, SIAM Journal on Scientific and Statistical Computing 7 (1986).
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


def leads_to(closures: Closures, start: Moments, end: Moments) -> BoolArray:
    """Whether the map, if it were linear, would go from `start` to `end` along a path on which it nearly is.

    Looked at are the points end + Aᵗ (start - end), t = 0, 1, 2, 3, 4, 6, 8, 12, ...; what F adds to its linear part
    there must be small beside that. So must be, in units of s, the shift of the fixed point that the covariance has
    still to bring about.
    """
    f, W, gamma = closures.f, closures.W, closures.gamma
    at = closures.rate(end)
    A = closures.response(at.slope)
    stable = closures.radius(at.slope) < 1.0
    variance = np.diagonal(closures.inside + W @ start.covariance @ np.swapaxes(W, 1, 2), axis1=1, axis2=2)
    linear = at.slope[:, :, None] * W - np.eye(W.shape[-1])
    kick = f.smoothed(at.a, np.sqrt(np.maximum(variance, 0.0))) - (at.mean + end.mean)
    shift = np.linalg.solve(np.where(stable[:, None, None], linear, -np.eye(W.shape[-1])), kick[..., None])[..., 0]
    near = np.all(np.abs(times(W, shift)) <= NEAR * at.s + ROUNDING * np.abs(at.a), axis=1)
    gap, power = start.mean - end.mean, A
    doublings = np.ceil(np.log2(8.0 / gamma))
    points = [gap, times(A, gap)]
    for i in range(int(doublings.max())):
        on, double = (i < doublings)[:, None], power @ power
        points += [np.where(on, times(double, x), 0.0) for x in (gap, times(power, gap))]
        power = double
    largest, error = np.zeros(len(gap)), np.zeros(len(gap))
    for point in points:
        away = end.mean + point
        speed, part = f.smoothed(times(W, away) + closures.drive, at.s) - away, times(linear, point)
        largest = np.maximum(largest, np.max(np.abs(part), axis=1))
        error = np.maximum(error, np.max(np.abs(speed - part), axis=1))
    floor = ROUNDING * (np.max(np.abs(end.mean), axis=1) + np.max(at.s, axis=1))
    return stable & near & (error <= NEAR * largest + floor)
