"""Stability and covariance of a large linear step by a few matrix products.

The Möbius transform A_α = (A - α I) (I - α A)⁻¹, -1 < α < 1, maps the unit circle onto itself, so that A_α is stable if
and only if A is. With a good α its powers vanish after a few squarings, where those of A would take many: the
eigenvalues of A = (1-γ) I + γ D W crowd together near 1-γ. With G = (I - α A)⁻¹,

    X = A X Aᵀ + Q    is    X = A_α X A_αᵀ + (1 - α²) G Q Gᵀ,

which Smith's doubling solves: X += P X Pᵀ for P = A_α, A_α², A_α⁴, ... (R. A. Smith, SIAM J. Appl. Math. 16, 1968).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ctrnn_theory.support.types import FloatArray

MOST_SQUARINGS = 12
HOPELESS = 1e8  # norm of a power beyond which the squarings are given up
LEFT_OUT = 1e-9  # Frobenius norm of a power P at which X + P X Pᵀ is X to rounding
POWERS = 16  # products with a vector that estimate the radius of the eigenvalues about their centre
MARGIN = 0.98  # share of the way from their centre to the unit circle that the eigenvalues are taken to fill at most


def discrete_lyapunov(A: FloatArray, Q: FloatArray) -> FloatArray | None:
    """Solve X = A X Aᵀ + Q, symmetric, for a stable A (N, N) and a symmetric Q (N, N).

    Returns None if the powers of A do not vanish soon enough: A is not stable, or nearly so.

    Examples
    --------
    >>> discrete_lyapunov(np.array([[0.5]]), np.array([[3.0]])).round(12)
    array([[4.]])
    """
    if not (np.all(np.isfinite(A)) and np.all(np.isfinite(Q))):
        return None
    alpha = _shift(A)
    G = _resolvent(A, alpha)
    if G is None:
        return None
    X = (1.0 - alpha**2) * (G @ Q @ G.T)
    for P, size in _powers(A, G, alpha):
        if size <= LEFT_OUT:
            return 0.5 * (X + X.T)
        X = X + P @ X @ P.T
    return None


def powers_vanish(A: FloatArray) -> bool:
    """Return whether a norm below 1 of a power of A_α shows that A (N, N) is stable; False proves nothing.

    Examples
    --------
    >>> powers_vanish(np.diag([0.9, -0.9])), powers_vanish(np.diag([0.9, 1.1]))
    (True, False)
    """
    if not np.all(np.isfinite(A)):
        return False
    alpha = _shift(A)
    G = _resolvent(A, alpha)
    return G is not None and any(size < 1.0 for _, size in _powers(A, G, alpha))


def _powers(A: FloatArray, G: FloatArray, alpha: float) -> Iterator[tuple[FloatArray, float]]:
    """Yield A_α, A_α², A_α⁴, ..., each with its Frobenius norm, until they grow too much or are too many."""
    P = A @ G - alpha * G
    for _ in range(MOST_SQUARINGS + 1):
        size = float(np.linalg.norm(P))
        if not size < HOPELESS:
            return
        yield P, size
        P = P @ P


def _resolvent(A: FloatArray, alpha: float) -> FloatArray | None:
    """Return (I - α A)⁻¹, or None if there is none."""
    try:
        found: FloatArray = np.linalg.inv(np.eye(len(A)) - alpha * A).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        return None
    return found


def _shift(A: FloatArray) -> float:
    """Return the α that maps the disc of the eigenvalues of A, whose radius r is estimated, to a disc about 0.

    For a disc about c it solves α + 1/α = (1 + c² - r²)/c. A bad estimate costs squarings, and no accuracy.
    """
    n = len(A)
    c = float(np.clip(np.trace(A) / n, -MARGIN, MARGIN))
    x, sizes = np.random.default_rng(0).standard_normal(n), []
    for _ in range(POWERS):
        x = A @ x - c * x
        sizes.append(float(np.linalg.norm(x)))
        if not 0.0 < sizes[-1] < math.inf:
            break
        x = x / sizes[-1]
    late = sizes[len(sizes) // 2 :]
    r = math.exp(math.fsum(map(math.log, late)) / len(late)) if all(0.0 < s < math.inf for s in late) else 0.0
    r = min(r, MARGIN * (1.0 - abs(c)))
    if abs(c) <= r**2 or c == 0.0:  # the disc lies about 0 already
        return 0.0
    b = (1.0 + c**2 - r**2) / (2.0 * abs(c))
    return math.copysign(b - math.sqrt(b**2 - 1.0), c)
