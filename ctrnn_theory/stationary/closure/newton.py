"""Newton's method for the fixed points of a batch of Gaussian closures, and whether the maps lead there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from ctrnn_theory.numerics.gmres import krylov
from ctrnn_theory.stationary.closure.chords import chords
from ctrnn_theory.stationary.closure.closure_map import MANY, ROUNDING, ClosureMap, Rate
from ctrnn_theory.stationary.closure.guard import NEAR, leads_to, walks_to
from ctrnn_theory.stationary.closure.moments import Moments, relative, scales
from ctrnn_theory.stationary.closure.strides import powers, total
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

NEWTON_STEPS = 20
MOST_DOUBLINGS = 60  # doublings of the number of steps over which the covariance's linear response is summed
MOST_DIMENSIONS = 12  # dimensions of the Krylov space in which what the linear response neglects is solved for
FORCING = 1e-3  # relative residual at which a linear solution is accurate enough
DIFFERENCE = 1e-6  # relative difference of states in the quotient for a derivative


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


def newton(closures: ClosureMap, start: Moments, tolerance: float) -> Root:
    """Solve for the fixed points by Newton's method, from states (B, N), (B, N, N).

    The linear response A leaves out what the covariance does to itself and to the mean; it is inverted exactly, and
    GMRES makes up for what it leaves out. An end is good only if the second step is much shorter than the first, and
    the map is nearly linear on the way to it (:func:`leads_to`). For large networks, chord steps are tried first.
    """
    if start.mean.shape[1] < MANY:
        return _newton(closures, start, tolerance)
    root, failed = _by_chords(closures, start, tolerance)
    if failed.size:
        rest = _newton(closures[failed], start[failed], tolerance)
        root.state.put(failed, rest.state)
        root.good[failed], root.residual[failed], root.steps[failed] = rest.good, rest.residual, rest.steps
    return root


def _by_chords(closures: ClosureMap, start: Moments, tolerance: float) -> tuple[Root, IntArray]:
    """Solve for fixed points by chord steps; return also where they do not converge."""
    every = np.ones(len(start.mean), dtype=bool)
    root, at, failed = chord_ends(closures, start, closures.rate(start), tolerance, every)
    for i in np.flatnonzero(root.good):
        one = np.array([i])
        root.good[i] = False
        with suppress(ValueError):  # a path may come to where f has no moments
            root.good[i] = walks_to(closures[one], start[one], root.state[one], at[one])[0]
    return root, failed


def chord_ends(
    closures: ClosureMap, start: Moments, at: Rate, tolerance: float, which: BoolArray
) -> tuple[Root, Rate, IntArray]:
    """Return where chord steps end, for some networks, the rates there, and for which networks there is no end.

    Of the rates `at`, which are overwritten, those of the start need to have its spread alone.

    An end is good if it is a stable fixed point, whether or not the map leads there.
    """
    count = len(start.mean)
    failed = np.ones(count, dtype=bool)
    root = Root(start.copy(), np.zeros(count, bool), np.full(count, np.inf), np.zeros(count, dtype=np.intp))
    for i in np.flatnonzero(which):
        one = np.array([i])
        with suppress(ValueError):  # a trial may lie where f has no moments, or where a matrix is singular
            found = chords(closures[one], start[one], at.spread[one], tolerance)
            failed[i], root.residual[i], root.steps[i] = not found.converged, found.residual, found.steps
            if found.converged and found.positive and no_negative_variance(found.state)[0]:
                root.good[i] = True
                root.state.put(one, found.state)
                at.put(one, found.rate)
    return root, at, np.flatnonzero(failed)


def no_negative_variance(state: Moments) -> BoolArray:
    """Return whether no variance is below zero by more than rounding, (B,)."""
    variance = np.diagonal(state.covariance, axis1=1, axis2=2)
    return np.asarray(np.all(variance >= -ROUNDING * np.max(np.abs(state.covariance)), axis=1))


def _newton(closures: ClosureMap, start: Moments, tolerance: float) -> Root:
    """Solve for fixed points by Newton's method, see :func:`newton`."""
    count = len(start.mean)
    end = start.copy()
    good, positive = np.zeros(count, bool), np.ones(count, bool)
    residual, steps, first = np.full(count, np.inf), np.zeros(count, dtype=np.intp), np.full(count, np.inf)
    going = np.arange(count)
    for n in range(1, NEWTON_STEPS + 1):
        if not going.size:
            break
        some, state = closures[going], end[going]
        rate = some.rate(state)
        stable = some.stable(rate.slope)
        if not stable.all():
            going, some, rate, state = going[stable], some[stable], rate[stable], state[stable]
        if not going.size:
            break
        move, Move, signs = _newton_step(some, state, rate)
        new = Moments(state.mean + move, state.covariance + Move)
        length = relative(move, Move, scales(new))
        usable = np.isfinite(length) & no_negative_variance(new)
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


def _newton_step(closures: ClosureMap, state: Moments, rate: Rate) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return Newton's step, (B, N) and (B, N, N), and whether the point, stable to linear response, is so exactly.

    It is not if an eigenvalue of the exact derivative, relative to the linear response's, has changed its sign.
    """
    B, n = state.mean.shape
    squares = powers(closures.response(rate.slope), MOST_DOUBLINGS)
    level = np.full(B, min(len(squares), MOST_DOUBLINGS))
    J = closures.jacobian(rate.slope)  # regular, since A is stable
    units = [np.where(np.isfinite(scale), scale, 1.0)[:, None] for scale in scales(state)]

    def respond(rate: Rate) -> FloatArray:
        """Return Newton's step with the linear response alone, in units of the state, (B, N + N²)."""
        move = np.asarray(np.linalg.solve(J, rate.mean[..., None])[..., 0], dtype=np.float64)
        _, Move = total(squares, level, move, closures.gamma[:, None, None] * rate.covariance)
        Move = 0.5 * (Move + np.swapaxes(Move, -1, -2))  # the rate does not see what is antisymmetric, and is rounding
        return np.concatenate([move / units[0], Move.reshape(B, -1) / units[1]], axis=1)

    def apart(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        return x[:, :n] * units[0], (x[:, n:] * units[1]).reshape(B, n, n)

    base = respond(rate)

    def derivative(x: FloatArray) -> FloatArray:
        move, Move = apart(DIFFERENCE * x)
        there = closures.rate(Moments(state.mean + move, state.covariance + Move))
        return (base - respond(there)) / DIFFERENCE

    goal, most = FORCING * np.linalg.norm(base, axis=1), min(n + n * (n + 1) // 2, MOST_DIMENSIONS)
    x, projected = krylov(derivative, base, goal, most, ROUNDING)
    move, Move = apart(x)
    return move, Move, np.all(np.linalg.eigvals(projected).real > -DIFFERENCE, axis=1)
