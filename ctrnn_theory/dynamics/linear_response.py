"""Fluctuations to linear order: the discrete Lyapunov equation."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from ctrnn_theory.dynamics.settle import jacobian, spectral_radius
from ctrnn_theory.support.types import FloatArray


def linear_covariance(W: FloatArray, slope: FloatArray, gamma: float, innovation: FloatArray) -> FloatArray | None:
    """Solve V = A V Aᵀ + γ² Q, with A = (1-γ) I + γ D W, D = diag(slope) and Q the innovation's covariance (N, N).

    Returns V (N, N), symmetric positive semi-definite, or None if A is not stable.
    """
    A = jacobian(W, slope, gamma)
    if spectral_radius(A) >= 1.0:
        return None
    V = solve_discrete_lyapunov(A, gamma**2 * innovation)
    symmetric: FloatArray = 0.5 * (V + np.asarray(V).T)
    return symmetric
