"""Averages of rectified powers, E (d + s ξ)₊ⁿ = sⁿ M_n(d/s) with ξ standard normal, for any real n > 0.

M_n(z) = E (z + ξ)₊ⁿ = Γ(n+1)/√(2π) e^{-z²/4} D_{-n-1}(-z) is a parabolic cylinder function (DLMF 12.5.1), with
M_n' = n M_{n-1} and M_n = z M_{n-1} + (n-1) M_{n-2}, which cancels for z ≪ 0. Here the integral of uⁿ φ(u - z) over
u > 0 is taken by the trapezoidal rule in v, u = exp(v - e^{-v}) (H. Takahasi and M. Mori, Publ. RIMS 9, 1974). The same
nodes serve every z up to FAR. All terms are positive, so that the sum keeps its relative accuracy in the tail z ≪ 0.
Beyond FAR the threshold is out of reach, and up to φ(z)

    M_n(z) = zⁿ Σ_i n (n-1) ... (n-2i+1) / (i! (2 z²)^i),

where the sum ends before its terms grow (DLMF 12.9.3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev, hermite_e
from numpy.polynomial.polynomial import polyvander
from scipy.special import ndtr

from ctrnn_theory.activations.gaussian.closed_forms import SQRT_2PI, density_derivative
from ctrnn_theory.support.types import FloatArray

FAR = 9.0  # φ(9) = 1e-18: what the threshold adds beyond is below rounding
STEP = 0.5  # step of the rule over the width of the narrowest peak of the integrand in v, which leaves 1e-15
START = -3.7  # v at which u is 1e-19
REACH = 9.0  # standard deviations beyond the peak of an integrand after which what is left of it is below rounding
TERMS = 48  # terms of the series: at z = FAR they grow from the fortieth on
LARGEST = 1e15  # z above which uⁿ is straight over the Gaussian to rounding
LEAST = 1e-16 - 1.0  # the threshold, at which the logarithm of a ratio is still finite
LOWEST, WIDTH, DEGREE = -10.0, 0.25, 13  # start, width and degree of the panels of a table, good to rounding
CHUNK = 512  # points that are treated at once, so that the matrix of points and nodes stays in cache


class Rule(NamedTuple):
    """A rule for integrals over u > 0."""

    u: FloatArray
    """Nodes (Q,)."""
    weight: FloatArray
    """Weights (Q,) over √(2π), by which exp(-(u - z)²/2) is multiplied."""


def peak(n: float, z: float) -> float:
    """Return where uⁿ φ(u - z) is largest: u² - z u - n = 0."""
    return 0.5 * (z + math.sqrt(z * z + 4.0 * n))


@lru_cache(maxsize=64)
def rule(n: float) -> Rule:
    """Return the rule for uⁿ and lower powers against φ(u - z) with z up to FAR.

    In v the narrowest peak, that of the largest z, has the width 1/√(u² + n).
    """
    top = peak(n, FAR)
    h = STEP / math.sqrt(top * top + n)
    v = h * np.arange(math.floor(START / h), math.ceil(math.log(top + REACH) / h) + 1)
    u = np.exp(v - np.exp(-v))
    return Rule(u, h * u * (1.0 + np.exp(-v)) / SQRT_2PI)


def falling(n: float, order: int) -> float:
    """Return n (n-1) ... (n-order+1)."""
    return math.prod((n - k for k in range(order)), start=1.0)


def rectified(n: float, d: FloatArray, s: FloatArray, order: int = 0) -> FloatArray:
    """Return the m-th derivative in d of E (d + s ξ)₊ⁿ for d, s > 0 (M,).

    The relative error is below 1e-12 for d/s from -37, where φ underflows, to infinity. Derivatives of an order above n
    are small beside sⁿ⁻ᵐ M_n where 1 ≪ d/s < FAR, and good to 1e-15 of that.

    Examples
    --------
    >>> rectified(2.0, np.array([0.0, 1.0]), np.ones(2)).round(6)      # 1/2, 2 Φ(1) + φ(1)
    array([0.5    , 1.92466])
    """
    z, value = d / s, np.empty_like(d)
    far = z >= FAR
    if far.any():
        value[far] = falling(n, order) * d[far] ** (n - order) * _series(n - order, z[far])
    near = np.flatnonzero(~far)
    if not near.size:
        return value
    lower = min(order, math.floor(n))  # derivatives that the power takes; φ takes those that are left
    left = order - lower
    if left and n == lower:  # of a step
        average = math.factorial(lower) * density_derivative(z[near], left - 1)
    else:
        nodes = rule(n + 3.0 * left)
        weight = nodes.weight * nodes.u ** (n - lower) * falling(n, lower)
        average = np.empty(near.size)
        for at in _chunks(near.size):
            xi = nodes.u - z[near[at], None]
            kernel = np.exp(-0.5 * xi * xi)
            average[at] = (kernel * hermite_e.hermeval(xi, [0.0] * left + [1.0]) if left else kernel) @ weight
    value[near] = s[near] ** (n - order) * average
    return value


def tabulated(n: float, d: FloatArray, s: FloatArray) -> FloatArray:
    """Return E (d + s ξ)₊ⁿ for very many points d, s > 0 (M,), by a table of M_n for d/s between LOWEST and FAR."""
    from ctrnn_theory.activations.gaussian.power_kernel import panel_values  # which imports Numba

    z, value = d / s, np.empty_like(d)
    middle = (z >= LOWEST) & (z < FAR)
    at = z[middle]
    moments = np.empty_like(at)
    panel_values(at, LOWEST, WIDTH, _table(n), moments)
    value[middle], value[~middle] = s[middle] ** n * moments, rectified(n, d[~middle], s[~middle])
    return value


@lru_cache(maxsize=16)
def _table(n: float) -> FloatArray:
    """Return coefficients (P, DEGREE + 1) of polynomials on panels of z that interpolate M_n at Chebyshev points."""
    nodes = chebyshev.chebpts1(DEGREE + 1)
    centres = np.arange(LOWEST + 0.5 * WIDTH, FAR, WIDTH)
    z = (centres[:, None] + 0.5 * WIDTH * nodes).ravel()
    moments = rectified(n, z, np.ones_like(z)).reshape(centres.size, -1)
    return np.ascontiguousarray(np.linalg.solve(polyvander(nodes, DEGREE), moments.T).T)


def _chunks(count: int) -> Iterator[slice]:
    return (slice(first, first + CHUNK) for first in range(0, count, CHUNK))


def _series(n: float, z: FloatArray) -> FloatArray:
    """Return M_n(z)/zⁿ for z ≥ FAR by the series in 1/z², up to its smallest term; n may be negative."""
    small = 0.5 / np.square(z)
    total = term = size = np.ones_like(z)
    for i in range(TERMS):
        term = term * ((n - 2 * i) * (n - 2 * i - 1) / (i + 1)) * small
        if 2 * i > n:
            term = np.where(np.abs(term) < size, term, 0.0)
        if not np.any(np.abs(term) > 1e-18 * total):
            break
        total, size = total + term, np.abs(term)
    return total


def variance(n: float, d: FloatArray, s: FloatArray) -> FloatArray:
    """Return Var (d + s ξ)₊ⁿ for d, s > 0 (M,), by sums of positive terms at any d/s.

    Examples
    --------
    >>> variance(1.0, np.array([0.0, 50.0]), np.ones(2)).round(6)      # 1/2 - 1/(2π), 1
    array([0.340845, 1.      ])
    """
    z, value = d / s, np.empty_like(d)
    far = z >= FAR
    near, beyond = np.flatnonzero(~far), np.flatnonzero(far)
    nodes = rule(2.0 * n)
    g = nodes.u**n
    for part in _chunks(near.size):
        at = near[part]
        weight = nodes.weight * np.exp(-0.5 * np.square(nodes.u - z[at, None]))
        mean = weight @ g
        spread = np.sum(weight * np.square(g - mean[:, None]), axis=1)
        value[at] = s[at] ** (2.0 * n) * (spread + ndtr(-z[at]) * mean**2)
    for part in _chunks(beyond.size):
        at = beyond[part]
        _, weight, Z = _far_deviation(n, z[at], 2.0 * n)
        value[at] = np.square(s[at] * d[at] ** (n - 1.0)) * (np.square(Z) @ weight)
    return value


def third_moments(n: float, left: float, d: FloatArray, s: FloatArray) -> FloatArray:
    """Return E ξ Z², E (ξ² - 1) Z² and E Z³ (3, M) for Z = f - E f, f(x) = x₊ⁿ + left (-x)₊ⁿ at x = d + s ξ.

    It is for any d, and any s > 0, if `left` is 0, and otherwise for d ≥ 0.
    """
    z, value = d / s, np.empty((3, d.size))
    far = z >= FAR
    near, beyond = np.flatnonzero(~far), np.flatnonzero(far)
    nodes = rule(3.0 * n)
    height = nodes.u**n
    g, weights = np.concatenate([height, left * height]), np.tile(nodes.weight, 2)
    for part in _chunks(near.size):
        at = near[part]
        xi = np.concatenate([nodes.u, -nodes.u]) - z[at, None]
        weight = weights * np.exp(-0.5 * xi * xi)
        value[:, at] = _moments(xi, weight, g - (weight @ g)[:, None], s[at] ** n)
    for part in _chunks(beyond.size):
        at = beyond[part]
        xi, weight, Z = _far_deviation(n, z[at], 3.0 * n)
        value[:, at] = _moments(xi, weight, Z, s[at] * d[at] ** (n - 1.0))
    return value


def _moments(xi: FloatArray, weight: FloatArray, Z: FloatArray, scale: FloatArray) -> FloatArray:
    square, axis = weight * Z * Z, 1
    slope, bend = np.sum(xi * square, axis), np.sum((xi * xi - 1.0) * square, axis)
    return np.stack([slope * scale**2, bend * scale**2, np.sum(square * Z, axis) * scale**3])


def _far_deviation(n: float, z: FloatArray, power: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return ξ and weights (Q,), and Z = [(z + ξ)₊ⁿ - M_n]/z^(n-1) (M, Q) for z ≥ FAR, by a rule for (z + ξ)^power."""
    step = 0.5
    count = math.ceil((peak(power, FAR) - FAR + 2.0 * REACH) / step)
    xi = step * np.arange(count + 1.0) - REACH
    weight = step * np.exp(-0.5 * xi * xi) / SQRT_2PI
    centre = np.minimum(z, LARGEST)[:, None]
    g = centre * np.expm1(n * np.log1p(np.maximum(xi / centre, LEAST)))
    return xi, weight, g - (g @ weight)[:, None]
