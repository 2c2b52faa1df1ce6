"""The linear response about a state: the Jacobian of the step, its spectral radius and the covariance that follows."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.activations.symbolic.bounds import slope_bounds
from ctrnn_theory.dynamics.doubling import discrete_lyapunov, powers_vanish
from ctrnn_theory.support.types import FloatArray

LARGE = 64  # neurons from which a few matrix products are taken instead of eigenvalues or determinants


def jacobian(W: FloatArray, slope: FloatArray, gamma: float) -> FloatArray:
    """Return A = (1-γ) I + γ D W with D = diag(slope); slopes (..., N) give A (..., N, N)."""
    return (1.0 - gamma) * np.eye(W.shape[0]) + gamma * slope[..., :, None] * W


def largest_gain(f: Activation | ActivationGroup, W: FloatArray) -> float:
    """Return a bound of the norm of D W for all slopes of f, infinite for a jump; without weights it is 0."""
    norm = float(np.linalg.norm(W, 2))
    return max(map(abs, slope_bounds(f))) * norm if norm else 0.0


def spectral_radius(A: FloatArray) -> float:
    """Return the largest modulus of the eigenvalues of A (N, N)."""
    return float(np.max(np.abs(np.linalg.eigvals(A))))


def is_stable(A: FloatArray) -> bool:
    """Return whether all eigenvalues of A (N, N) lie inside the unit circle; powers of a large A may show it."""
    return (len(A) >= LARGE and powers_vanish(A)) or spectral_radius(A) < 1.0


def linear_covariance(W: FloatArray, slope: FloatArray, gamma: float, innovation: FloatArray) -> FloatArray | None:
    """Solve the discrete Lyapunov equation V = A V Aᵀ + γ² Q, with A the Jacobian and Q (N, N) the innovation.

    Returns V (N, N), symmetric positive semi-definite, or None if A is not stable.
    """
    return lyapunov(jacobian(W, slope, gamma), gamma**2 * innovation)


def lyapunov(A: FloatArray, Q: FloatArray) -> FloatArray | None:
    """Solve the discrete Lyapunov equation V = A V Aᵀ + Q (M, M); None if A is not stable.

    Examples
    --------
    >>> lyapunov(np.array([[0.5]]), np.array([[3.0]])).round(12), lyapunov(np.array([[1.5]]), np.array([[3.0]]))
    (array([[4.]]), None)
    """
    if len(A) >= LARGE and (doubled := discrete_lyapunov(A, Q)) is not None:
        return doubled
    if spectral_radius(A) >= 1.0:
        return None
    V = solve_discrete_lyapunov(A, Q)
    symmetric: FloatArray = 0.5 * (V + np.asarray(V).T)
    return symmetric
