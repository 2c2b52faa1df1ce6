"""The linear response about a state: the Jacobian of the step, its spectral radius and the covariance that follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.activations.symbolic.bounds import slope_bounds
from ctrnn_theory.dynamics.doubling import discrete_lyapunov, powers_vanish
from ctrnn_theory.model.augmented import Augmented
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


@dataclass(frozen=True, eq=False)
class LinearLaw:
    """The fluctuations of a network and of its coloured sources about a fixed point, as far as they are linear."""

    whole: Augmented
    """The network with its sources."""
    covariance: FloatArray
    """Covariance (M, M) of the state and the sources."""

    @classmethod
    def of(cls, whole: Augmented, slope: FloatArray, felt: FloatArray, scatter: FloatArray) -> LinearLaw | None:
        """Solve V = A V Aᵀ + Q; None if A is not stable.

        The values of the activation are linear in the pre-activations, with `slope` (N,), and in the additive noise
        inside, with the slopes `felt` (N,). `scatter` (N, N) is the covariance of what else is new in them in a step.
        With E, H and T of :class:`~ctrnn_theory.model.augmented.Augmented`, A = T + E D H and
        Q = E (D Σ D + scatter) Eᵀ + outer + Sym[E D shared].
        """
        n, wiring, E = len(slope), whole.wiring, whole.write
        A, Q = whole.transition.copy(), whole.outer.copy()
        A[:n, :n] = wiring.jacobian(slope)
        Q[:n, :n] += wiring.spread(felt[:, None] * whole.inner * felt + scatter)
        if whole.size > n:
            A[:, n:] += E @ (felt[:, None] * whole.read[:, n:])
            both = E @ (felt[:, None] * whole.shared)
            Q += both + both.T
        V = lyapunov(A, Q)
        return None if V is None else cls(whole, V)

    @property
    def states(self) -> FloatArray:
        """Covariance (N, N) of the state."""
        n = self.whole.wiring.n
        return self.covariance[:n, :n]

    @property
    def preactivation(self) -> FloatArray:
        """Variance (N,) of the argument of f, without the multiplicative noise inside."""
        H = self.whole.read
        variance: FloatArray = np.sum((H @ self.covariance) * H, axis=1) + np.diag(self.whole.inner)
        return variance


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
