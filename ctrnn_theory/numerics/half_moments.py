"""Moments of normal variables over one sign: E[|A|^p; A > 0] and E[log A; A > 0] for A = m + s ξ.

With A = c e^t the integrand |A|^p φ is log-concave and analytic in t, also where A vanishes. Gauss–Legendre panels that
widen from its peak integrate it to rounding, for any p ≥ 0, with the peak taken out so that nothing overflows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ctrnn_theory.numerics.gauss_legendre import gauss_legendre, nodes_between
from ctrnn_theory.support.types import FloatArray

STEPS = np.concatenate([np.ones(5), 1.4 ** np.arange(1, 18)])  # widths of the panels, in widths of the peak
AWAY = np.concatenate([[0.0], np.cumsum(STEPS)])  # to 1000 widths, since on the left the integrand falls as e^((p+1) t)
EDGES = np.concatenate([-AWAY[:0:-1], AWAY[AWAY < 60.0]])
NODES, WEIGHTS = gauss_legendre(16)
NARROW = 1e-100  # relative width below which a normal variable is a number
SMALL = 0.1  # below which e^t - 1 - t is summed as a series
SERIES = tuple(1.0 / math.factorial(k) for k in range(12, 1, -1))


@dataclass(frozen=True)
class Piece:
    """A = mean + std ξ with ξ standard normal, where A lies in (lower, upper), and `weight` times its probability.

    With std = 0 it is an atom at the mean.
    """

    mean: float
    """Mean m of the normal variable."""
    std: float = 0.0
    """Standard deviation s; 0 for an atom."""
    weight: float = 1.0
    """Factor of the probability."""
    lower: float = -math.inf
    """Lower end of the values that count."""
    upper: float = math.inf
    """Upper end of the values that count."""

    def mirrored(self) -> Piece:
        """Return the piece of -A."""
        return Piece(-self.mean, self.std, self.weight, -self.upper, -self.lower)


def nodes(piece: Piece, p: float) -> tuple[float, FloatArray, FloatArray]:
    """Return a rule for E[g(log A); A > 0] that is accurate for g(x) = e^(q x) with q near p.

    Returns
    -------
    tuple
        A logarithm, weights (Q,) and values of log A (Q,), such that E[e^(p log A) r(log A); A > 0] is the exponential
        of the logarithm times the weighted sum of r. There are no nodes if A > 0 is impossible.

    Examples
    --------
    >>> scale, weights, values = nodes(Piece(0.0, 1.0), 2.0)       # E[A²; A > 0] = 1/2 for a standard normal A
    >>> float(np.exp(scale) * weights.sum())
    0.5
    """
    m, s, low, high = piece.mean, piece.std, max(piece.lower, 0.0), piece.upper
    none = np.zeros(0)
    if piece.weight == 0.0 or high <= low:
        return 0.0, none, none
    if s <= NARROW * abs(m):
        if not low < m < high:
            return 0.0, none, none
        return p * math.log(m) + math.log(piece.weight), np.ones(1), np.array([math.log(m)])
    q = p + 1.0
    root = math.hypot(m, 2.0 * math.sqrt(q) * s)
    c = 0.5 * (m + root) if m >= 0.0 else 2.0 * q * s * (s / (root - m))  # c (c - m) = q s², the peak in log A
    k = (c / s) ** 2
    ends = (
        math.log(low) - math.log(c) if low > 0.0 else -math.inf,
        math.log(high / c) if high < math.inf else math.inf,
    )
    at = min(max(0.0, ends[0]), ends[1])
    grown = math.exp(min(at, 300.0))
    slope = abs((q + k * grown) * (1.0 - grown))
    width = 1.0 / max(math.sqrt(q + k), slope)
    edges = np.clip(at + width * EDGES, *ends)
    t, half = nodes_between(edges[:-1], edges[1:], NODES)
    exponents = _exponent(t, q, k)
    top = float(_exponent(np.array([at]), q, k)[0])
    scale = q * math.log(c) - 0.5 * (q * s / c) ** 2 - math.log(s) - 0.5 * math.log(2.0 * math.pi)
    weights = half * WEIGHTS * np.exp(exponents - top)
    return scale + top + math.log(piece.weight), weights.ravel(), math.log(c) + t.ravel()


def _exponent(t: FloatArray, q: float, k: float) -> FloatArray:
    """Return q (t - (e^t - 1)) - k (e^t - 1)²/2, which has its maximum, 0, at t = 0."""
    grown = np.expm1(np.minimum(t, 300.0))
    bend = np.where(np.abs(t) < SMALL, t**2 * np.polyval(SERIES, t), grown - t)
    exponent: FloatArray = -q * bend - 0.5 * k * grown**2
    return exponent


def log_moment(pieces: tuple[Piece, ...], p: float) -> float:
    """Return log E[|A|^p; A > 0], summed over pieces; -inf if A > 0 is impossible.

    Examples
    --------
    >>> log_moment((Piece(0.0, 1.0),), 4.0)                           # 3/2
    0.405465
    """
    found = [
        scale + math.log(total)
        for scale, weights, _ in (nodes(piece, p) for piece in pieces)
        if (total := float(np.sum(weights))) > 0.0
    ]
    return float(np.logaddexp.reduce(found)) if found else -math.inf


def excess(pieces: tuple[Piece, ...], p: float) -> tuple[float, float]:
    """Return P(A > 0) and E[|A|^p - 1; A > 0] for p below one half, the latter without cancellation as p → 0.

    Examples
    --------
    >>> excess((Piece(2.0),), 1e-20)                                  # log 2 times p
    (1.0, 6.93147e-21)
    """
    probability = change = 0.0
    for scale, weights, logarithm in (nodes(piece, 0.0) for piece in pieces):
        weights = math.exp(scale) * weights
        probability += float(np.sum(weights))
        change += float(np.sum(weights * np.expm1(p * logarithm)))
    return probability, change


def mean_log(pieces: tuple[Piece, ...]) -> float:
    """Return E[log A; A > 0], summed over pieces.

    Examples
    --------
    >>> mean_log((Piece(1.0), Piece(2.0, weight=0.5)))
    0.346574
    """
    return sum(
        math.exp(scale) * float(np.sum(weights * logarithm))
        for scale, weights, logarithm in (nodes(piece, 0.0) for piece in pieces)
    )
