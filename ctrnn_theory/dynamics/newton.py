"""Newton's method, damped, for the fixed points of a network from many states at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ctrnn_theory.dynamics.linear_response import LARGE
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.support.types import BoolArray, FloatArray

Curve = Callable[[FloatArray], FloatArray]
"""A function of the pre-activations (..., N), elementwise, such as f or F(·; σ)."""

MOST_STEPS = 60
MOST_HALVINGS = 12  # times that a step is halved if it does not bring its state closer
SINGULAR = 1e-14  # determinant below which the Jacobian is regularised
RIDGE = 1e-8  # number that is then added to its diagonal


def newton(f: Curve, slope: Curve, wiring: Wiring, states: FloatArray) -> tuple[FloatArray, FloatArray, int]:
    """Solve h = B f(U h + c) + d by damped Newton steps from each of many states (M, N).

    Returns the end states (M, N); their residuals, the largest |B f(U h + c) + d - h| relative to 1 + |h|, (M,); and
    the number of linear systems that were solved. Memory is that of a few matrices (N, N) for each state.
    """

    def residual(h: FloatArray) -> FloatArray:
        return wiring.target(f(wiring.preactivation(h))) - h

    def size(h: FloatArray, r: FloatArray) -> FloatArray:
        ratio: FloatArray = np.max(np.abs(r), axis=1) / (1.0 + np.max(np.abs(h), axis=1))
        return np.where(np.isfinite(ratio), ratio, np.inf)

    ends = np.array(states, dtype=np.float64)
    r = residual(ends)
    errors = size(ends, r)
    left, solved = np.arange(len(ends)), 0
    h, best = ends.copy(), errors.copy()
    for _ in range(MOST_STEPS):
        step = _step(wiring, slope(wiring.preactivation(h)), r, np.isfinite(best))
        solved += len(h)
        moved = np.zeros(len(h), dtype=bool)
        scale = 1.0
        for _ in range(MOST_HALVINGS):
            trial = np.where(moved[:, None], h, h + scale * step)
            trial_r = residual(trial)
            trial_size = size(trial, trial_r)
            better = ~moved & (trial_size < best)
            h[better], r[better], best[better] = trial[better], trial_r[better], trial_size[better]
            moved |= better
            scale *= 0.5
            if moved.all():
                break
        # a state that did not move is at its end, since it would only try the same step again
        ends[left], errors[left] = h, best
        left, h, r, best = left[moved], h[moved], r[moved], best[moved]
        if not left.size:
            break
    return ends, errors, solved


def _step(wiring: Wiring, slopes: FloatArray, r: FloatArray, known: BoolArray) -> FloatArray:
    """Return the Newton steps (M, N) for slopes (M, N) and residuals (M, N), and 0 for states that are out of range."""
    eye = np.eye(wiring.n)
    J = eye - wiring.loop(slopes)
    lost = ~np.all(np.isfinite(J), axis=(1, 2)) | ~known
    J[lost] = np.nan_to_num(np.inf) * eye  # states that are out of range stay where they are
    right = np.nan_to_num(r)[:, :, None]
    if wiring.n < LARGE:  # the determinant of a large matrix tells little
        with np.errstate(over="ignore"):
            flat = np.abs(np.linalg.det(J)) < SINGULAR
        J[flat] += RIDGE * eye
    try:
        return np.asarray(np.linalg.solve(J, right)[:, :, 0], dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.array([_regularised(*system) for system in zip(J, right[:, :, 0], strict=True)])


def _regularised(J: FloatArray, r: FloatArray) -> FloatArray:
    """Solve J x = r (N,), with a ridge if J (N, N) is singular; zero if it still is, as where its entries overflow."""
    for ridge in (0.0, RIDGE):
        try:
            return np.asarray(np.linalg.solve(J + ridge * np.eye(len(J)), r), dtype=np.float64)
        except np.linalg.LinAlgError:
            continue
    return np.zeros_like(r)
