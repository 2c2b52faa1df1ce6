"""Paths that change little from step to step, followed in long strides as solutions of a differential equation.

If the velocity of a path hardly changes from one step of the map to the next, the states lie on a solution of a smooth
differential equation of which the map is one time step. An implicit integrator follows that solution in strides that
grow as the path slows down. A path that alternates is followed in the same way through every other state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ctrnn_theory.dynamics.step import ROUNDING, Step
from ctrnn_theory.support.types import FloatArray

SLOW = 0.1  # relative change of the velocity from step to step up to which a path counts as slow
MOST_STRIDES = 1000  # strides that the integrator accepts, at most
MOST_TRIES = 4000  # strides that it tries, at most, including those that it rejects and repeats
ACCURACY = 1e-3  # error of a stride, relative to the distance that it covers
FIRST_STRIDE = 0.1  # length of the first stride, in units of the fastest time constant
TINY = float(np.finfo(float).tiny)  # error that is allowed where nothing moves

OPERATIONS = 3e11  # multiplications of strides, at most: fewer strides for more than some 300 neurons

Field = Callable[[FloatArray], tuple[FloatArray, Callable[[], FloatArray]]]
"""A vector field (N,) at a state (N,), and a function that gives its Jacobian (N, N) there, about."""


def slow_period(trail: Sequence[FloatArray]) -> int:
    """Return 1 if the last five states (N,) of a path change slowly, 2 if every other one does, else 0."""
    states = np.array(trail)
    for period in (1, 2):
        moves = np.diff(states[::-period][:3], axis=0)
        if np.max(np.abs(moves[1] - moves[0])) <= SLOW * np.max(np.abs(moves[1])):
            return period
    return 0


def interpolating_field(step: Step, period: int) -> Field:
    """Return the vector field of the differential equation whose time step is `period` steps of the map.

    Its unit of time is the shortest τ of the neurons.

    With 1 + M the Jacobian of the steps, log(1 + M)/M = 1 - M/2 + M²/3 to the second order, which is never 0.
    """

    def field(h: FloatArray) -> tuple[FloatArray, Callable[[], FloatArray]]:
        n, gamma = len(h), step.wiring.gamma
        move, M, span = np.zeros(n), np.zeros((n, n)), period * gamma.max()
        for k in range(period):
            a = step.preactivation(h + move)
            try:
                velocity, slope = step.wiring.target(step.value(a)) - (h + move), step.slope(a)
            except ValueError:  # a is out of range
                return np.full(n, np.nan), lambda: np.zeros((n, n))
            change = gamma[:, None] * (step.wiring.loop(slope) - np.eye(n))
            move, M = move + gamma * velocity, M + change + change @ M if k else change
        turned = M @ move
        return (move - turned / 2.0 + M @ turned / 3.0) / span, lambda: (M - 0.5 * M @ M) / span

    return field


def integrate(field: Field, y: FloatArray) -> Iterator[tuple[float, FloatArray]]:
    """Integrate y' = v(y) from y (N,); yield the time that each stride covers and the state (N,) after it.

    The method is linearly implicit, of order 2 with an error estimate of order 3, and stable for strides of any length
    on what decays (L. F. Shampine and M. W. Reichelt, The MATLAB ODE suite, SIAM J. Sci. Comput. 18, 1997). The error
    is held below a part of the move itself, so that a path that has only begun to leave an unstable point is not lost.
    """
    eye, d, e = np.eye(len(y)), 1.0 / (2.0 + math.sqrt(2.0)), 6.0 + math.sqrt(2.0)
    v, jacobian = field(y)
    J = jacobian()
    span = FIRST_STRIDE / (1.0 + float(np.abs(J).sum(axis=1).max()))
    for _ in range(min(MOST_TRIES, math.ceil(OPERATIONS / (3.0 * len(y) ** 3)))):
        inverse = np.linalg.inv(eye - span * d * J)
        k1 = inverse @ v
        middle, _ = field(y + 0.5 * span * k1)
        k2 = inverse @ (middle - k1) + k1
        new = y + span * k2
        after, jacobian = field(new)
        k3 = inverse @ (after - e * (k2 - middle) - 2.0 * (k1 - v))
        allowed = ACCURACY * np.abs(new - y).max() + ROUNDING * np.abs(new).max() + TINY
        error = float(np.abs(span / 6.0 * (k1 - 2.0 * k2 + k3)).max() / allowed)
        if error <= 1.0:
            y, v, J = new, after, jacobian()
            yield span, y
        # the usual control of the stride: aim at 0.8 of the allowed error, and change by a factor of 0.1 to 5 at most
        span *= min(5.0, max(0.1, 0.8 * (error + 1e-30) ** -0.5)) if math.isfinite(error) else 0.1


def late_average(times: FloatArray, path: FloatArray) -> FloatArray:
    """Return the mean (N,) of a path (T, N) over the last half of its times (T,)."""
    late = times >= 0.5 * times[-1]
    if np.sum(late) < 2:
        return np.asarray(path[-1])
    mean: FloatArray = np.trapezoid(path[late], times[late], axis=0) / np.ptp(times[late])
    return mean
