"""What a Markov operator on a mesh has missed, as the analytic smoothing of f sees it.

The estimates of the exact method compare it with itself on other nodes, and what all of them step over they cannot
see. The mean and the variance of one step from a state, however, are known without its quadrature:

    E[h'|h] = (1-γ) h + γ F(a; s),   Var(h'|h) = γ² (v(a; s) + Σ_out),   a = W h + d.

The law of a wrong operator P̂ is wrong by π̂ (P̂ - P) g, with g the solution of the Poisson equation, so that the
differences, weighted by the law and by how far g ranges, say how wrong it is.
"""

from __future__ import annotations

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

ACCURACY = 1e-14  # of the smoothing and of the sums, relative to what is added up


def moments_after(
    f: Activation,
    W: FloatArray,
    drive: FloatArray,
    gamma: float,
    inside: FloatArray,
    outside: FloatArray,
    points: FloatArray,
    before: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance (M, N) of each neuron after a step from normal states of means `points` (M, N).

    Parameters
    ----------
    f, W, drive, gamma
        The map.
    inside, outside
        Covariances (N, N) of the noise of this step.
    points
        Means of the states.
    before
        Covariance (N, N) of the states; None if they are points.

    Raises
    ------
    NotApplicable
        If f grows too fast to have moments.
    """
    V = np.zeros_like(W) if before is None else before
    a, s = points @ W.T + drive, np.sqrt(np.diag(inside + W @ V @ W.T))
    try:
        mean = (1.0 - gamma) * points + gamma * f.smoothed(a, s)
        own = gamma**2 * f.smoothed_variance(a, s)
        if before is not None:
            own = own + 2.0 * gamma * (1.0 - gamma) * np.diag(W @ V) * f.smoothed(a, s, 1)
    except ValueError as error:
        raise NotApplicable(f"the moments of one step cannot be had: {error}") from None
    variance: FloatArray = own + (1.0 - gamma) ** 2 * np.diag(V) + gamma**2 * np.diag(outside)
    return mean, variance


def missed(weights: FloatArray, found: FloatArray, true: FloatArray, slack: FloatArray) -> float:
    """Largest Σ_j |π_j| |P̂φ - Pφ|_j over functions φ, beyond a slack; all arrays (M, K), weights (M,)."""
    return float(np.max(np.abs(weights) @ np.maximum(np.abs(found - true) - slack, 0.0)))


def slack(
    mean: FloatArray, points: FloatArray, center: FloatArray | float, half: FloatArray | float, over: FloatArray
) -> FloatArray:
    """What rounding and the ends of the domain may do to means, and to mean squares about a centre, (M, 2 N).

    The mean distance `over` (M, N) by which a step leaves the domain is taken for the leak already; here it stands
    for its square, up to a half width.
    """
    own = ACCURACY * (1.0 + (np.abs(mean) + np.abs(points)) / half)
    away = np.abs(mean - center) / half
    return np.concatenate([own, (1.0 + away) * own + ACCURACY * away**2 + over], axis=1)
