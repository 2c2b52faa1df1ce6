"""The discrete Lyapunov equation of a large network, and a proof that it is stable, in a few products of matrices.

The Möbius map of a stable A = (1-γ) I + γ B to A_α = (A - α I)(I - α A)⁻¹, 0 < α < 1, keeps the solution of
X = A X Aᵀ + Q:

    X = A_α X A_αᵀ + (1 - α²) G Q Gᵀ,   G = (I - α A)⁻¹,   A_α = (1/α - α) G - I/α.

Smith's doubling X ← X + P X Pᵀ, P ← P², begun with P = A_α, then takes two to four steps where A itself would take
log₂(1/γ) more (R. A. Smith, SIAM J. Appl. Math. 16, 1968). A_α is stable if and only if A is, and it is if the
Frobenius norm of one of its powers is below 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import sgetrf, sgetri

from ctrnn_theory.stationary.closure.moments import symmetric_product
from ctrnn_theory.support.types import FloatArray

PROVEN = 0.3  # Frobenius norm of a power of A_α that proves stability whatever single precision rounds
LEFT_OUT = 0.3  # spectral norm of a power of A_α whose square adds about a digit less than the solution has
MOST_SQUARES = 9  # squarings after which A is so near instability that single precision might not do
HUGE = 1e4  # norm of a power of A_α from which its square loses its digits
PROBES = 24  # products with a vector from which the size of B is estimated; it only chooses α
BLOCK = 64  # columns that an inversion treats at once
TURNS = 3  # products with a matrix and its transpose from which its spectral norm is estimated


@dataclass(frozen=True, eq=False)
class Shifted:
    """The shifted response A_α of one network, in single precision, with as many powers as a solution needs."""

    weight: float
    """(1 - α²)/(αγ)²."""
    inverse: NDArray[np.float32]
    """αγ G (N, N)."""
    powers: tuple[NDArray[np.float32], ...]
    """A_α, A_α², A_α⁴, ..., (N, N) each."""

    @classmethod
    def of(cls, B: FloatArray, gamma: float) -> Shifted | None:
        """Make it from B = D W (N, N), or return None if A is not stable, or so hardly that digits are lost."""
        alpha, scale = _shift(B, gamma)
        G, P = _shifted(B, gamma, alpha, scale)
        powers: list[NDArray[np.float32]] = []
        while spectral_norm(P) > LEFT_OUT:
            if len(powers) == MOST_SQUARES or not np.linalg.norm(P) < HUGE:
                return None
            powers.append(P)
            P = P @ P
        return cls((1.0 - alpha * alpha) * scale * scale, G, tuple(powers))

    def solve(self, Q: FloatArray) -> NDArray[np.float32]:
        """Return X with X = A X Aᵀ + Q, to about one digit; symmetric if Q (N, N) is."""
        scale = float(np.max(np.abs(Q)))
        if not 0.0 < scale < np.inf:
            return Q.astype(np.float32)
        X = symmetric_product(self.inverse @ (Q / scale).astype(np.float32), self.inverse)
        for P in self.powers:
            X = X + symmetric_product(P @ X, P)
        return (X + X.T) * np.float32(0.5 * self.weight) * np.float32(scale)


def proven_stable(B: FloatArray, gamma: float) -> bool:
    """Return whether the norm of a power of A_α proves that A = (1-γ) I + γ B (N, N) is stable."""
    P = _shifted(B, gamma, *_shift(B, gamma))[1]
    for _ in range(MOST_SQUARES):
        norm = float(np.linalg.norm(P))
        if not PROVEN < norm < HUGE:
            return norm <= PROVEN
        P = P @ P
    return False


def _shift(B: FloatArray, gamma: float) -> tuple[float, float]:
    """Return α, near the best one for a spectrum that fills a circle, and 1/(αγ)."""
    alpha = max(1.0 - gamma * np.sqrt(1.0 - min(_size(B), 0.98) ** 2), 0.5)
    return alpha, 1.0 / (alpha * gamma)


def _shifted(
    B: FloatArray, gamma: float, alpha: float, scale: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return G/scale and A_α, which are NaN where I - αA is singular."""
    n = len(B)
    G = _inverse((scale * (1.0 - alpha * (1.0 - gamma)) * np.eye(n) - B).astype(np.float32))
    P: NDArray[np.float32] = np.float32(scale * (1.0 / alpha - alpha)) * G
    P[np.arange(n), np.arange(n)] -= np.float32(1.0 / alpha)
    return G, P


def _inverse(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the inverse of a matrix (N, N), or NaN; it takes a third of the time of NumPy's, and does not warn."""
    factors, pivots, failed = sgetrf(matrix.T)
    inverse, failed = (factors, failed) if failed else sgetri(factors, pivots, lwork=BLOCK * len(matrix))
    return np.full_like(matrix, np.nan) if failed else np.asarray(inverse.T, dtype=np.float32)


def _size(B: FloatArray) -> float:
    """Return a rough spectral radius of B (N, N), from the growth of a vector."""
    x = np.cos(np.arange(1.0, len(B) + 1.0))
    growth = []
    for _ in range(PROBES):
        y = B @ x
        size = np.linalg.norm(y)
        if not 0.0 < size < np.inf:
            return 0.0
        growth.append(size / np.linalg.norm(x))
        x = y / size
    return float(np.exp(np.mean(np.log(growth[PROBES // 2 :]))))


def spectral_norm(P: NDArray[np.float32]) -> float:
    """Return a rough spectral norm of P (N, N), from below; infinite if it is not finite."""
    x = np.cos(np.arange(1.0, len(P) + 1.0)).astype(np.float32)
    norm = 0.0
    for _ in range(TURNS):
        x /= np.linalg.norm(x)
        x = P.T @ (P @ x)
        norm = float(np.linalg.norm(x))
        if norm == 0.0:
            return 0.0
    return np.sqrt(norm) if np.isfinite(norm) else np.inf
