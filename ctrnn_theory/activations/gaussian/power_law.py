"""Power laws f = o + k₊ (x - c)₊ⁿ + k₋ (c - x)₊ⁿ, n > 1 real: their Gaussian averages and Hermite coefficients."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy.special import roots_jacobi

from ctrnn_theory.activations.gaussian.closed_forms import SQRT_2PI
from ctrnn_theory.activations.gaussian.mehler import HermiteTable
from ctrnn_theory.activations.gaussian.rectified_power import rectified, third_moments, variance
from ctrnn_theory.numerics.gauss_legendre import gauss_legendre
from ctrnn_theory.support.types import BoolArray, FloatArray

MOST = 16.0  # largest exponent that the rules are made for
SAME = 4e-16  # relative distance of two thresholds that is rounding
BEYOND = 40.0  # distances to the threshold in standard deviations, beyond which φ is 0
REACH = 12.5  # standard deviations: φ^(1/2) is 1e-17 there, and hₙ φ^(1/2) is below 1
POINTS = 16  # nodes of a panel of unit width, which resolve the Hermite polynomials of all orders in use


class Side(NamedTuple):
    """One side of a power law at points of mean m and deviation s: height (d + s ξ)₊ⁿ of sign ξ."""

    height: float
    """k."""
    sign: float
    """1 for the right side, -1 for the left one, on which ξ is reflected."""
    d: FloatArray
    """Distances above the threshold, sign (m - c), (M,)."""


@dataclass(frozen=True)
class PowerLaw:
    """The power law f = offset + right (x - threshold)₊ⁿ + left (threshold - x)₊ⁿ."""

    exponent: float
    """n, above 1 and at most MOST."""
    threshold: float
    """c."""
    offset: float
    """Value at the threshold."""
    right: float
    """k₊."""
    left: float
    """k₋."""

    @property
    def whole(self) -> bool:
        """Whether n is an integer."""
        return self.exponent == math.floor(self.exponent)

    def sides(self, a: FloatArray) -> Iterator[Side]:
        """Return the sides that are not flat."""
        for height, sign in ((self.right, 1.0), (self.left, -1.0)):
            if height:
                yield Side(height, sign, sign * (a - self.threshold))

    def on_flat_side(self, a: FloatArray) -> BoolArray:
        """Return which points lie where f is constant."""
        return (self.right == 0.0) & (a > self.threshold) | (self.left == 0.0) & (a < self.threshold)

    def smoothed(self, a: FloatArray, s: FloatArray, order: int) -> FloatArray:
        """Return d^m/da^m E f(a + s ξ) for a and s > 0 (M,)."""
        value = np.full(a.shape, 0.0 if order else self.offset)
        for side in self.sides(a):
            value += side.height * side.sign**order * rectified(self.exponent, side.d, s, order)
        return value

    def variance(self, a: FloatArray, s: FloatArray) -> FloatArray:
        """Return Var f(a + s ξ); both sides have the product 0, and so a covariance of minus that of their means."""
        value, product = np.zeros_like(a), np.full(a.shape, -2.0)
        for side in self.sides(a):
            value += side.height**2 * variance(self.exponent, side.d, s)
            product *= side.height * rectified(self.exponent, side.d, s)
        return value + product if self.left and self.right else value

    def own_cumulants(self, a: FloatArray, s: FloatArray) -> FloatArray:
        """Return E Z f', E (Z²)'' and E Z³ for Z = f - E f, (3, M); see ``closure.own_cumulants``."""
        value, d = np.zeros((3, a.size)), a - self.threshold
        mirrored = (self.right == 0.0) | ((self.left != 0.0) & (d < 0.0))
        for side, which in ((1.0, ~mirrored), (-1.0, mirrored)):
            main, other = (self.right, self.left)[:: int(side)]
            at = np.flatnonzero(which)
            slope, bend, third = third_moments(self.exponent, other / main if at.size else 0.0, side * d[at], s[at])
            value[:, at] = side * main**2 * slope / (2.0 * s[at]), main**2 * bend / s[at] ** 2, main**3 * third
        return value

    def table(self, m: FloatArray, s: FloatArray, orders: int) -> HermiteTable:
        """Return the Hermite coefficients cₙ = E f(m + s ξ) hₙ(ξ) for s > 0 (M,), of `orders` orders at most.

        Their energy s² E f'² is k² n² s² E (d + s ξ)₊^(2n-2).
        """
        n, energy = self.exponent, np.zeros_like(m)
        for side in self.sides(m):
            energy += np.square(side.height * n * s) * rectified(2.0 * n - 2.0, side.d, s)

        def coefficients(count: int) -> FloatArray:
            c = np.zeros((count, m.size))
            signs = (-1.0) ** np.arange(1, count + 1)[:, None]
            for side in self.sides(m):
                one = _coefficients(n, side.d, s, count)
                c += side.height * (one if side.sign > 0.0 else signs * one)
            return c

        return HermiteTable.grown(coefficients, energy, orders)


@lru_cache(maxsize=256)
def power_law(act: Any) -> PowerLaw | None:
    """Return the power law that an activation is, or None if it is none.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> power_law(activation("0.8*Max(0, x - 0.3)**1.5 + 0.1"))
    PowerLaw(exponent=1.5, threshold=0.3, offset=0.1, right=0.8, left=0.0)
    """
    if len(act.pieces) != 2 or act.kinks or any(piece.power is None for piece in act.pieces):
        return None
    c = act.pieces[1].lower
    offsets, heights, centers, exponents = zip(*(piece.power for piece in act.pieces), strict=True)
    bent = [i for i in range(2) if heights[i]]
    if offsets[0] != offsets[1] or any(abs(centers[i] - c) > SAME * abs(c) for i in bent):
        return None
    n = exponents[bent[0]]
    if exponents[bent[-1]] != n or not 1.0 < n <= MOST:
        return None
    return PowerLaw(n, c, offsets[0], heights[1], heights[0])


def _coefficients(n: float, d: FloatArray, s: FloatArray, orders: int) -> FloatArray:
    """Return cₘ = E (d + s ξ)₊ⁿ hₘ(ξ), m = 1 ... K, (K, M).

    The recurrence of rectified powers, c_{m+2} = [(n-m) c_m/√(m+1) - z c_{m+1}]/√(m+2), follows them upwards without
    loss for z = d/s below 0, and above it if n is an integer. Otherwise Stein's identity is integrated on panels.
    """
    c, z = np.empty((orders, d.size)), np.clip(d / s, -BEYOND, BEYOND)
    stable = (d <= 0.0) | (n == math.floor(n))
    if not stable.all():
        c[:, ~stable] = _integrated(n, d[~stable], s[~stable], orders)
    at = np.flatnonzero(stable)
    first = math.floor(n) + 1  # at least two
    rows = [rectified(n, d[at], s[at], m) * s[at] ** m / math.sqrt(math.factorial(m)) for m in range(1, first + 1)]
    for m in range(first - 1, orders - 1):
        rows.append(((n - m) * rows[m - 1] / math.sqrt(m + 1.0) - z[at] * rows[m]) / math.sqrt(m + 2.0))
    c[:, at] = np.array(rows[:orders])
    return c


@lru_cache(maxsize=64)
def _panels(n: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return nodes (Q,) from 0 on, their weights, and those for integrands of which u^(n-1) is left out at first.

    These are nodes of Gauss and Jacobi on [0, 1], and of Gauss and Legendre on panels of unit width beyond.
    """
    t, w = roots_jacobi(POINTS, 0.0, n - 1.0)
    x, v = gauss_legendre(POINTS)
    count = math.ceil(2.0 * REACH + math.sqrt(2.0 * n))
    u = (np.arange(1.0, count)[:, None] + 0.5 * (1.0 + x)).ravel()
    beyond = np.tile(0.5 * v, count - 1)
    left = 0.5 * (1.0 + t)
    weights = np.concatenate([w * 0.5**n, beyond * u ** (n - 1.0)])
    return np.concatenate([left, u]), np.concatenate([w * 0.5**n / left ** (n - 1.0), beyond]), weights


def _integrated(n: float, d: FloatArray, s: FloatArray, orders: int) -> FloatArray:
    """Return cₘ = s/√m E[n (d + s ξ)₊^(n-1) hₘ₋₁(ξ)], (K, M), by panels from the threshold or from -REACH on."""
    from ctrnn_theory.activations.gaussian.hermite_coefficients import projected

    u, plain, weights = _panels(n)
    z = d / s
    start = np.maximum(-z, -REACH)[:, None]
    xi = start + u
    above = (start[:, 0] > -z)[:, None]
    with np.errstate(all="ignore"):
        slope = np.where(above, plain * (d[:, None] + s[:, None] * xi) ** (n - 1.0), weights * s[:, None] ** (n - 1.0))
    return projected(xi, n * s[:, None] * slope * np.exp(-0.5 * xi * xi) / SQRT_2PI, orders)
