"""Newton's method, damped, for the fixed points of a network from many states at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ctrnn_theory.support.types import FloatArray

Curve = Callable[[FloatArray], FloatArray]
"""A function of the pre-activations (..., N), elementwise, such as f or F(·; σ)."""

MOST_STEPS = 60
MOST_HALVINGS = 12  # times that a step is halved if it does not bring its state closer
SINGULAR = 1e-14  # determinant below which the Jacobian is regularised
RIDGE = 1e-8  # number that is then added to its diagonal


def newton(
    f: Curve, slope: Curve, W: FloatArray, drive: FloatArray, states: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Solve h = f(W h + drive) by damped Newton steps from each of many states (M, N).

    Returns the end states (M, N) and their residuals, the largest |f(W h + drive) - h| relative to 1 + |h|, (M,).
    """
    eye = np.eye(W.shape[0])

    def residual(h: FloatArray) -> FloatArray:
        return f(h @ W.T + drive) - h

    def size(h: FloatArray, r: FloatArray) -> FloatArray:
        ratio: FloatArray = np.max(np.abs(r), axis=1) / (1.0 + np.max(np.abs(h), axis=1))
        return np.where(np.isfinite(ratio), ratio, np.inf)

    h = np.array(states, dtype=np.float64)
    r = residual(h)
    best = size(h, r)
    for _ in range(MOST_STEPS):
        J = eye - slope(h @ W.T + drive)[:, :, None] * W
        lost = ~np.all(np.isfinite(J), axis=(1, 2)) | ~np.isfinite(best)
        J[lost] = np.nan_to_num(np.inf) * eye  # states that are out of range stay where they are
        with np.errstate(over="ignore"):
            flat = np.abs(np.linalg.det(J)) < SINGULAR
        J[flat] += RIDGE * eye
        step = np.linalg.solve(J, np.nan_to_num(r)[:, :, None])[:, :, 0]
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
        if not moved.any():
            break
    return h, best
