"""The linear response about a state: the Jacobian of the step, its spectral radius and the covariance that follows."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from ctrnn_theory.support.types import FloatArray


def jacobian(W: FloatArray, slope: FloatArray, gamma: float) -> FloatArray:
    """Return A = (1-γ) I + γ D W with D = diag(slope); slopes (..., N) give A (..., N, N)."""
    return (1.0 - gamma) * np.eye(W.shape[0]) + gamma * slope[..., :, None] * W


def spectral_radius(A: FloatArray) -> float:
    """Return the largest modulus of the eigenvalues of A (N, N)."""
    return float(np.max(np.abs(np.linalg.eigvals(A))))


def linear_covariance(W: FloatArray, slope: FloatArray, gamma: float, innovation: FloatArray) -> FloatArray | None:
    """Solve the discrete Lyapunov equation V = A V Aᵀ + γ² Q, with A the Jacobian and Q (N, N) the innovation.

    Returns V (N, N), symmetric positive semi-definite, or None if A is not stable.
    """
    A = jacobian(W, slope, gamma)
    if spectral_radius(A) >= 1.0:
        return None
    V = solve_discrete_lyapunov(A, gamma**2 * innovation)
    symmetric: FloatArray = 0.5 * (V + np.asarray(V).T)
    return symmetric
