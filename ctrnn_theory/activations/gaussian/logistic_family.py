"""Gaussian smoothing of sigmoid, tanh, softplus and silu, and of their derivatives, to rounding.

All four are functions with poles of e^x = -1 at x = ±iπ, ±3iπ, ... (tanh after x → 2x), and all four approach
a piecewise linear function as e^{-|x|}. Two fixed rules cover every width s.

Narrow (s ≤ 1.25): the trapezoidal rule in ξ, step h = 0.32, on f^(n)(a + s ξ) φ(ξ). Its error is 2 e^{-2πd/h} times
the size of the integrand on the line Im ξ = d, which grows as e^{d²/2}. The line can be moved to the pole at
d = π/s ≥ 2.5: 2 e^{-2πd/h + d²/2} = 2e-20, times at most (2π/h)^n from the order of the pole, 1.5e5 for n = 4.
Cutting at |ξ| = 9.28 leaves out 2e-20.

Wide (s > 1.25): F = base + ∫ r(x) φ((x-a)/s)/s dx with the remainder r = f - base, integrated on fixed nodes in x:
Gauss–Legendre in √x, since r fades as e^{-x}. Derivatives fall on φ as Hermite polynomials over s^n, without
cancellation. The Gaussian is entire and at least 1.25 wide: 72 nodes on a half line leave below 1e-14 for
n ≤ 4 (64 leave 2e-12, 80 leave 2e-16).

The sigmoid solves σ' = σ - σ², so that E σ² = F - F' and Var σ = F - F' - F², and tanh(x/2) = 2 σ(x) - 1 has four times
this variance. The variance is the same at -a; at a ≤ 0 the three terms are small where it is. What is left of them is
taken from 1/8192 on, where their rounding costs less than the rule for F does: 3e-14 of the variance, both together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import hermite_e, polynomial
from scipy.special import expit

from ctrnn_theory.activations.gaussian.closed_forms import SQRT_2PI, smoothed_powers
from ctrnn_theory.numerics.gauss_legendre import gauss_legendre
from ctrnn_theory.support.types import FloatArray

NARROW = 1.25  # largest s of the trapezoidal rule
STEP = 0.32  # step of the trapezoidal rule, in ξ
NODES = STEP * np.arange(-29, 30)
WEIGHTS = np.exp(-0.5 * NODES**2)
WEIGHTS /= WEIGHTS.sum()

CUT = 40.0  # end of the half line in x: e^{-40} = 4e-18
T, W = gauss_legendre(72)
HALF_LINE = CUT * (0.5 + 0.5 * T) ** 2  # dense towards 0, where r is largest
HALF_WEIGHTS = CUT * W * (0.5 + 0.5 * T)

LEAST = 2.0**-13  # variance of the sigmoid down to which the cancellation in the identity costs two digits at most
SIGMOIDS = {"sigmoid": 1.0, "tanh": 4.0}  # functions with a variance that is a multiple of the sigmoid's

BLOCK = 1024  # points that are treated at once, so that the table of points and nodes stays in cache


@lru_cache
def _polynomial(order: int) -> FloatArray:
    """Return R_n with sigmoid^(n) = q R_n(τ), q = sigmoid', τ = tanh(x/2): R_{n+1} = -τ R_n + (1 - τ²)/2 R_n'."""
    r = np.array([1.0])
    for _ in range(order - 1):
        turn = polynomial.polymul([0.5, 0.0, -0.5], polynomial.polyder(r))
        r = polynomial.polysub(turn, polynomial.polymulx(r))
    return r


def sigmoid(x: FloatArray, order: int) -> FloatArray:
    """Return the n-th derivative of 1/(1 + e^{-x}), accurate in both tails."""
    if order == 0:
        return np.asarray(expit(x))
    e = np.exp(-np.abs(x))
    q = e / np.square(1.0 + e)
    return q if order == 1 else q * polynomial.polyval(np.tanh(0.5 * x), _polynomial(order))


def half_tanh(x: FloatArray, order: int) -> FloatArray:
    """Return the n-th derivative of tanh(x/2)."""
    return np.tanh(0.5 * x) if order == 0 else 2.0 * sigmoid(x, order)


def softplus(x: FloatArray, order: int) -> FloatArray:
    """Return the n-th derivative of log(1 + e^x)."""
    if order:
        return sigmoid(x, order - 1)
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def silu(x: FloatArray, order: int) -> FloatArray:
    """Return the n-th derivative of x sigmoid(x)."""
    value = x * sigmoid(x, order)
    return value + order * sigmoid(x, order - 1) if order else value


@dataclass(frozen=True)
class Family:
    """A function f(x) = g(c x), and the piecewise linear base that g tends to: a constant plus a step or relu."""

    g: Callable[[FloatArray, int], FloatArray]
    """Function that returns g or a derivative of it; the poles of g are at odd multiples of iπ."""
    constant: float
    """Limit g(-∞)."""
    jump: float
    """Jump of the base at 0; if it is zero, the base is relu, whose slope jumps by 1."""
    c: float = 1.0
    """Scale of the argument."""

    @property
    def remainder(self) -> FloatArray:
        """Weighted g - base at the nodes of the left half line; it is even in x where the base is relu, else odd."""
        return HALF_WEIGHTS * (self.g(-HALF_LINE, 0) - self.constant)


FAMILIES = {
    "sigmoid": Family(sigmoid, 0.0, 1.0),
    "tanh": Family(half_tanh, -1.0, 2.0, 2.0),
    "softplus": Family(softplus, 0.0, 0.0),
    "silu": Family(silu, 0.0, 0.0),
}


def narrow(g: Callable[[FloatArray, int], FloatArray], a: FloatArray, s: FloatArray, order: int) -> FloatArray:
    """Return Σ_i w_i g^(n)(a + s ξ_i), for s ≤ 1.25."""
    return g(a[:, None] + s[:, None] * NODES, order) @ WEIGHTS


def wide(family: Family, a: FloatArray, s: FloatArray, order: int) -> FloatArray:
    """Return the smoothed base plus the smoothed remainder, for s > 1.25."""
    odd, remainder = family.jump != 0.0, family.remainder
    if odd:
        total = family.jump * smoothed_powers(a, s, range(-order, 1))[-order]
    else:
        total = smoothed_powers(a, s, range(-order, 2))[1 - order]
    if order == 0:
        total = total + family.constant
    for side in (1.0, -1.0):
        xi = (side * HALF_LINE - a[:, None]) / s[:, None]
        weight = np.exp(-0.5 * xi * xi)
        if order:
            weight *= hermite_e.hermeval(xi, [0.0] * order + [1.0])
        part = weight @ remainder / (SQRT_2PI * s ** (order + 1))
        total = total - part if odd and side > 0 else total + part
    return total


def smoothed(name: str, a: FloatArray, s: FloatArray, order: int) -> FloatArray:
    """Return d^n/da^n E f(a + s ξ) for flat arrays a and s > 0."""
    family = FAMILIES[name]
    a, s = family.c * a, family.c * s
    out = np.empty_like(a)
    for start in range(0, a.size, BLOCK):
        block = slice(start, start + BLOCK)
        small = s[block] <= NARROW
        if small.all():
            out[block] = narrow(family.g, a[block], s[block], order)
        elif not small.any():
            out[block] = wide(family, a[block], s[block], order)
        else:
            part = out[block]
            part[small] = narrow(family.g, a[block][small], s[block][small], order)
            part[~small] = wide(family, a[block][~small], s[block][~small], order)
    return out * family.c**order if order and family.c != 1.0 else out


def identity_variance(name: str, a: FloatArray, s: FloatArray) -> FloatArray:
    """Return Var f(a + s ξ) of one of the SIGMOIDS, in the wide case and from LEAST on, and else NaN."""
    c, value = FAMILIES[name].c, np.full(a.shape, np.nan)
    at = np.flatnonzero(c * s > NARROW)
    F, slope = (smoothed("sigmoid", -c * np.abs(a[at]), c * s[at], order) for order in (0, 1))
    variance = F - slope - F * F
    value[at] = np.where(variance >= LEAST, SIGMOIDS[name] * variance, np.nan)
    return value
