"""Gaussian smoothing in closed form: piecewise polynomials, elu, gelu, erf, probit, sin.

The functions ``smoothed_...`` take flat arrays a and s > 0 and return d^n/da^n E f(a + s ξ), ξ standard normal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import hermite_e, polynomial
from scipy.special import erf, erfcx, ndtr

from ctrnn_theory.support.types import FloatArray

VANISHES = 39.0  # φ(39) is 0 in double precision: clipping z there changes no value and keeps z^k φ(z) finite
SQRT_2PI = math.sqrt(2.0 * math.pi)
FEW = np.polynomial.legendre.leggauss(6)  # nodes and weights; (h/2)^12 of h = 1/100 standard deviations is 1e-28


def density_derivative(z: FloatArray, order: int) -> FloatArray:
    """Return φ^(n)(z) = (-1)^n He_n(z) φ(z)."""
    z = np.clip(z, -VANISHES, VANISHES)
    value = np.exp(-0.5 * z * z) / SQRT_2PI
    if order:
        value *= hermite_e.hermeval(z, [0.0] * order + [(-1.0) ** order])
    return value


def cdf_derivative(z: FloatArray, order: int) -> FloatArray:
    """Return Φ^(n)(z)."""
    return ndtr(z) if order == 0 else density_derivative(z, order - 1)


# Piecewise polynomials -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PiecewisePolynomial:
    """The sum of the leftmost polynomial and of truncated powers, f = p + Σ_k Σ_j jumps[k][j] (x - k)_+^j / j!."""

    coefficients: tuple[FloatArray, ...]
    """Coefficients of each piece, ascending in x."""
    breaks: tuple[float, ...]
    """Points where the pieces meet."""
    jumps: tuple[tuple[float, ...], ...]
    """Jumps of the value, the slope, the second derivative, ... at each break."""

    @classmethod
    def of(cls, act: Any) -> PiecewisePolynomial | None:
        """Return the structure of an activation, or None where there is no closed form or it would cancel.

        Truncated powers of degree two and more grow from break to break while f may not. Several of them are therefore
        left to quadrature.
        """
        if any(piece.polynomial is None for piece in act.pieces):
            return None
        degree = max(1, *(len(piece.polynomial) for piece in act.pieces)) - 1
        pieces = tuple(np.pad(p.polynomial, (0, degree + 1 - len(p.polynomial))) for p in act.pieces)
        if degree > 1 and len(pieces) > 2:
            return None
        breaks = tuple(float(p.lower) for p in act.pieces[1:])
        exact = {kink.location: (kink.value_jump, kink.slope_jump) for kink in act.kinks}
        jumps: list[tuple[float, ...]] = []
        for i, k in enumerate(breaks):
            jump: FloatArray = polynomial.polysub(pieces[i + 1], pieces[i])
            row = [float(polynomial.polyval(k, polynomial.polyder(jump, j))) for j in range(degree + 1)]
            row[:2] = exact.get(k, (0.0, 0.0))[: degree + 1]
            jumps.append(tuple(row))
        return cls(pieces, breaks, tuple(jumps))

    def smoothed(self, a: FloatArray, s: FloatArray, order: int) -> FloatArray:
        """Return the Taylor expansion of E p^(n)(a + s ξ), plus the truncated powers E ((a + s ξ - k)_+)^j."""
        base = polynomial.polyder(self.coefficients[0], order)
        total = np.zeros_like(a)
        for j, moment in enumerate(full_moments(len(base))):
            if moment:
                total += polynomial.polyval(a, polynomial.polyder(base, j)) * s**j * (moment / math.factorial(j))
        for k, row in zip(self.breaks, self.jumps, strict=True):
            powers = smoothed_powers(a - k, s, range(-order, len(row) - order))
            for j, jump in enumerate(row):
                if jump:
                    total += jump * powers[j - order]
        return total

    def smoothed_far(self, a: FloatArray, s: FloatArray, order: int) -> FloatArray:
        """Return the same for degree one at most, where s is so large that truncated powers would cancel.

        Only the slopes relative to that of the leftmost piece enter: between two breaks by a few nodes y, since
        Φ((a - y)/s) hardly varies there, and beyond the last break by one truncated power.
        """
        slopes = np.array([piece[1] if len(piece) > 1 else 0.0 for piece in self.coefficients])
        total = polynomial.polyval(a, polynomial.polyder(self.coefficients[0], order)) + np.zeros_like(a)
        slopes -= slopes[0]
        for k, row in zip(self.breaks, self.jumps, strict=True):
            if row[0]:
                total += row[0] * cdf_derivative((a - k) / s, order) / s**order
        for left, right, slope in zip(self.breaks[:-1], self.breaks[1:], slopes[1:-1], strict=True):
            for node, weight in zip(*FEW, strict=True) if slope else ():
                z = (a - 0.5 * (left + right) - 0.5 * (right - left) * node) / s
                total += (0.5 * slope * (right - left) * weight) * cdf_derivative(z, order) / s**order
        if slopes[-1]:
            total += slopes[-1] * smoothed_powers(a - self.breaks[-1], s, range(1 - order, 2 - order))[1 - order]
        return total

    def variance(self, a: FloatArray, s: FloatArray) -> FloatArray:
        """Return Var f(a + s ξ) from the Gaussian moments of the pieces, of which there are at most two.

        The piece that holds a is expanded around a, the other one differs from it by the jumps at the break, and the
        square of f minus its mean is integrated. This takes no difference of large numbers at any s.
        """
        k = self.breaks[0] if self.breaks else -np.inf
        right = a >= k
        sign = np.where(right, 1.0, -1.0)
        own, other = taylor(self.coefficients[-1], a, sign * s), taylor(self.coefficients[0], a, sign * s)
        if self.breaks and not right.all():
            own, other = np.where(right, own, other), np.where(right, other, own)
        own[0] = 0.0
        n = 2 * len(own) - 1
        full = np.array(full_moments(n))[:, None]
        if not self.breaks:
            mean = np.sum(own * full[: len(own)], axis=0)
            own[0] -= mean
            return square(own, np.broadcast_to(full, (n, a.size)))
        step = polynomial.polyval(a - k, [c / math.factorial(j) for j, c in enumerate(self.jumps[0])])
        other[0] = -sign * step
        tail = tail_moments(np.abs(a - k) / s, n) * ((-1.0) ** np.arange(n))[:, None]
        mean = np.sum(own * (full - tail)[: len(own)] + other * tail[: len(own)], axis=0)
        own[0] -= mean
        other[0] -= mean
        return square(own, full - tail) + square(other, tail)


def full_moments(count: int) -> list[float]:
    """Return E ξ^j for j = 0 .. count - 1."""
    return [0.0 if j % 2 else float(math.prod(range(1, j, 2))) for j in range(count)]


def tail_moments(u: FloatArray, count: int) -> FloatArray:
    """Return E ξ^j 1{ξ > u} for u ≥ 0, (count, size): m_j = (j-1) m_{j-2} + u^{j-1} φ(u)."""
    u = np.minimum(u, VANISHES)
    moments = np.empty((max(count, 2), u.size))
    power = density_derivative(u, 0)
    moments[0], moments[1] = ndtr(-u), power
    for j in range(2, count):
        power = power * u
        moments[j] = (j - 1) * moments[j - 2] + power
    return moments[:count]


def taylor(coefficients: FloatArray, a: FloatArray, step: FloatArray) -> FloatArray:
    """Return the coefficients in η of p(a + step η), (degree + 1, size)."""
    rows = [polynomial.polyval(a, coefficients)]
    for j in range(1, len(coefficients)):
        rows.append(polynomial.polyval(a, polynomial.polyder(coefficients, j)) * step**j / math.factorial(j))
    return np.array(rows)


def square(q: FloatArray, moments: FloatArray) -> FloatArray:
    """Return Σ_jk q_j q_k M_{j+k}, which is never negative."""
    total = np.zeros_like(q[0])
    for j in range(len(q)):
        for k in range(len(q)):
            total += q[j] * q[k] * moments[j + k]
    return np.maximum(total, 0.0)


def smoothed_powers(d: FloatArray, s: FloatArray, orders: range) -> dict[int, FloatArray]:
    """Return E ((d + s ξ)_+)^j / j! for the orders j; negative orders are derivatives in d.

    P_0 = Φ(d/s), P_1 = d P_0 + s φ(d/s), j P_j = d P_{j-1} + s² P_{j-2}, P_{-m} = φ^(m-1)(d/s) / s^m.
    """
    z = d / s
    powers = {j: density_derivative(z, -j - 1) * s ** float(j) for j in orders if j < 0}
    if orders.stop > 0:
        powers[0] = ndtr(z)
    if orders.stop > 1:
        powers[1] = d * powers[0] + s * density_derivative(z, 0)
    for j in range(2, orders.stop):
        powers[j] = (d * powers[j - 1] + s * s * powers[j - 2]) / j
    return powers


# Single functions ------------------------------------------------------------------------------------------------


def smoothed_erf(a: FloatArray, s: FloatArray, order: int) -> FloatArray:
    """Return the derivative of F = erf(a/t), t = √(1 + 2 s²)."""
    t = np.sqrt(1.0 + 2.0 * s * s)
    if order == 0:
        return np.asarray(erf(a / t))
    return 2.0 * (math.sqrt(2.0) / t) ** order * density_derivative(math.sqrt(2.0) * a / t, order - 1)


def smoothed_probit(a: FloatArray, s: FloatArray, order: int) -> FloatArray:
    """Return the derivative of F = Φ(a/t), t = √(1 + s²)."""
    t = np.sqrt(1.0 + s * s)
    return cdf_derivative(a / t, order) / t**order


PROBIT = {"probit": (1.0, 1.0), "erf": (2.0, math.sqrt(2.0))}
"""Amplitude and gain of activations that are amplitude Φ(gain x) plus a constant."""


def probit_terms(name: str, a: FloatArray, s: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Return the amplitude of a function in PROBIT, gain a/t and gain/t, t = √(1 + gain² s²).

    Φ(gain x) = E 1{gain x + ξ' > 0} is a step of x with noise of its own, whose variance in all is t².
    """
    amplitude, gain = PROBIT[name]
    scale = gain / np.sqrt(1.0 + (gain * s) ** 2)
    return amplitude, a * scale, scale


def smoothed_gelu(a: FloatArray, s: FloatArray, order: int) -> FloatArray:
    """Return F^(n) = a G^(n) + n G^(n-1) + s² G^(n+1), by Stein's identity F = a G + s² G' with the G of probit."""
    t = np.sqrt(1.0 + s * s)
    z = a / t
    value = a * cdf_derivative(z, order) + (s * s / t) * cdf_derivative(z, order + 1)
    if order:
        value += order * t * cdf_derivative(z, order - 1)
    return value / t**order


def smoothed_sin(a: FloatArray, s: FloatArray, order: int) -> FloatArray:
    """Return the derivative of F = exp(-s²/2) sin a."""
    wave = (np.sin, np.cos, np.sin, np.cos)[order % 4](a)
    return np.exp(-0.5 * s * s) * (wave if order % 4 < 2 else -wave)


def sin_variance(a: FloatArray, s: FloatArray) -> FloatArray:
    """Return ½ (1 - e^{-s²}) (1 + e^{-s²} cos 2a), written so that it keeps its digits where cos a = 0."""
    gap = -np.expm1(-s * s)
    return 0.5 * gap * (gap + 2.0 * (1.0 - gap) * np.cos(a) ** 2)


def sin_cumulants(a: FloatArray, s: FloatArray) -> FloatArray:
    """Return E Z f', E (Z²)'' and E Z³ for f = sin and Z = f - F, (3, N).

    With q = e^{-s²/2} and S = sin a they are -½ sin 2a q² (1 - q²), 2 cos 2a q⁴ + 2 S² q², and
    S³ q³ (1 - q²)² (2 + q²) - ¾ S q (1 - q⁴)², in which no digits are lost for a small s.
    """
    S, q, gap, wide = np.sin(a), np.exp(-0.5 * s * s), -np.expm1(-s * s), -np.expm1(-2.0 * s * s)
    slope = -0.5 * np.sin(2.0 * a) * q**2 * gap
    bend = 2.0 * np.cos(2.0 * a) * q**4 + 2.0 * S**2 * q**2
    third = S**3 * q**3 * gap**2 * (2.0 + q**2) - 0.75 * S * q * wide**2
    return np.stack([slope, bend, third])


def smoothed_elu(a: FloatArray, s: FloatArray, order: int) -> FloatArray:
    """Return the derivative of F = E x_+ + B - Φ(-z), z = a/s, with B = E e^x 1{x<0} = e^{a + s²/2} Φ(-z - s).

    B' = B - φ(z)/s, so that F' = Φ(z) + B, F'' = B, F''' = B - φ(z)/s, and so on. Neither factor of B is formed
    alone where it overflows: for z + s ≥ 0, B = e^{-z²/2} erfcx((z + s)/√2)/2; otherwise a + s²/2 < 0.
    """
    z = a / s
    tail = z + s
    inner = (
        0.5 * np.exp(-0.5 * np.square(np.clip(z, -VANISHES, VANISHES))) * erfcx(np.maximum(tail, 0.0) / math.sqrt(2.0))
    )
    outer = np.exp(np.minimum(a + 0.5 * s * s, 0.0)) * ndtr(-tail)
    value = np.where(tail >= 0.0, inner, outer)
    if order == 0:
        value += smoothed_powers(a, s, range(2))[1] - ndtr(-z)
    elif order == 1:
        value += ndtr(z)
    for j in range(order - 2):
        value -= density_derivative(z, j) / s ** (j + 1)
    return value


Rule = Callable[[FloatArray, FloatArray, int], FloatArray]
SMOOTHED: dict[str, Rule] = {
    "erf": smoothed_erf,
    "probit": smoothed_probit,
    "gelu": smoothed_gelu,
    "sin": smoothed_sin,
    "elu": smoothed_elu,
}
"""Smoothing by the name of the built-in activation."""
