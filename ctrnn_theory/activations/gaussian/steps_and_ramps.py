"""Covariances of steps and ramps of two correlated standard normals, of which every piecewise-linear f is made.

With ξ₁, ξ₂ standard normal of correlation r, differentiating an expectation by r differentiates each factor (R. Price,
IRE Trans. Inf. Theory 4, 1958; R. L. Plackett, Biometrika 41, 1954, for steps), so that a covariance is an integral
over the correlation t from 0 to r, in which nothing cancels. In t = sin θ = cos ψ the bivariate normal density is

    φ₂(a, b; t) dt = exp( -(a-b)² / (8 sin²(ψ/2)) - (a+b)² / (8 cos²(ψ/2)) ) dθ / 2π ,

which has a layer of width |a-b| at ψ = 0, that is at r = 1. Panels that halve towards ψ = 0 resolve it for every
|a-b|, since the layer has the same shape on every scale. A negative r is turned into a positive one by ξ₂ -> -ξ₂.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from ctrnn_theory.support.types import FloatArray

Integrand = Callable[[FloatArray, FloatArray, FloatArray, FloatArray], FloatArray]

LEVELS = 52  # halvings of ψ: the integral below is smaller than rounding
LARGEST_THRESHOLD = 1e4  # larger ones give the same as infinite ones, and squares would overflow


def step_step(a: ArrayLike, b: ArrayLike, r: ArrayLike) -> FloatArray:
    """Return Cov(1{ξ₁ > -a}, 1{ξ₂ > -b}) = Φ₂(a, b; r) - Φ(a) Φ(b) = ∫₀^r φ₂(a, b; t) dt (Plackett's identity).

    Parameters
    ----------
    a, b
        Thresholds; arrays are broadcast.
    r
        Correlation in [-1, 1].

    Examples
    --------
    >>> round(float(step_step(0.0, 0.0, 1.0)), 12)      # the variance of a fair coin
    0.25
    """
    a, b, r, sign = _positive(a, b, r)
    return sign * _integrate(a, b, r, lambda a, b, psi, gap: _density(a, b, psi), ramp=False)


def ramp_ramp(a: ArrayLike, b: ArrayLike, r: ArrayLike) -> FloatArray:
    """Return Cov((ξ₁+a)₊, (ξ₂+b)₊) - r Φ(a) Φ(b) = ∫₀^r (r-t) φ₂(a, b; t) dt, which is never negative.

    The product r Φ(a) Φ(b) of the mean slopes is left to the caller, whose ramps may add up to a slope that is small.

    Parameters
    ----------
    a, b
        Distances above the kinks, in standard deviations; arrays are broadcast.
    r
        Correlation in [-1, 1].

    Examples
    --------
    >>> round(float(ramp_ramp(0.0, 0.0, 1.0)) + 0.25, 6)      # Var ξ₊ = 1/2 - 1/(2π)
    0.340845
    """
    a, b, r, _ = _positive(a, b, r)

    def integrand(a: FloatArray, b: FloatArray, psi: FloatArray, gap: FloatArray) -> FloatArray:
        # r - t = cos(psi - gap) - cos(psi), gap being the angle left to r
        return 2.0 * np.sin(psi - 0.5 * gap) * np.sin(0.5 * gap) * _density(a, b, psi)

    return _integrate(a, b, r, integrand, ramp=True)


def ramp_step(a: ArrayLike, b: ArrayLike, r: ArrayLike) -> FloatArray:
    """Return Cov((ξ₁+a)₊, 1{ξ₂ > -b}) = φ(b) ∫₀^r Φ((a - t b)/√(1-t²)) dt.

    Parameters
    ----------
    a
        Distance above the ramp's kink, in standard deviations; arrays are broadcast.
    b
        Distance above the step.
    r
        Correlation in [-1, 1].

    Examples
    --------
    >>> round(float(ramp_step(0.0, 0.0, 1.0)), 6)      # E[ξ₊] / 2 = 1/√(8π)
    0.199471
    """
    a, b, r, sign = _positive(a, b, r)

    def integrand(a: FloatArray, b: FloatArray, psi: FloatArray, gap: FloatArray) -> FloatArray:
        return ndtr((a - b) / np.sin(psi) + b * np.tan(0.5 * psi)) * np.sin(psi)

    # the step of -ξ₂ is one minus the step of ξ₂: b and the sign of the whole change
    return sign * np.exp(-0.5 * b * b) / np.sqrt(2.0 * np.pi) * _integrate(a, b, r, integrand)


def power_power(a: ArrayLike, b: ArrayLike, r: ArrayLike, n: int) -> FloatArray:
    """Return ∫₀^r (r-t)ⁿ/n! φ₂(a, b; t) dt, by which the thresholds of (ξ₁+a)₊ⁿ and (ξ₂+b)₊ⁿ enter their covariance.

    Parameters
    ----------
    a, b
        Distances above the thresholds, in standard deviations; arrays are broadcast.
    r
        Correlation in [-1, 1].
    n
        Power, at least 0.

    Examples
    --------
    >>> print(float(power_power(0.3, 0.1, 0.5, 1) - ramp_ramp(0.3, 0.1, 0.5)))
    0.0
    """
    a, b, r, sign = _positive(a, b, r)

    def integrand(a: FloatArray, b: FloatArray, psi: FloatArray, gap: FloatArray) -> FloatArray:
        # r - t = cos(psi - gap) - cos(psi), gap being the angle left to r
        distance: FloatArray = 2.0 * np.sin(psi - 0.5 * gap) * np.sin(0.5 * gap)
        return distance**n * _density(a, b, psi) / math.factorial(n)

    return sign ** (n + 1) * _integrate(a, b, r, integrand)


def _positive(a: ArrayLike, b: ArrayLike, r: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the arguments broadcast, thresholds clipped, and r made positive by reflecting ξ₂; and the sign of r."""
    a, b, r = np.broadcast_arrays(
        np.clip(np.asarray(a, float), -LARGEST_THRESHOLD, LARGEST_THRESHOLD),
        np.clip(np.asarray(b, float), -LARGEST_THRESHOLD, LARGEST_THRESHOLD),
        np.asarray(r, float),
    )
    sign = np.where(r < 0.0, -1.0, 1.0)
    return a, sign * b, np.abs(r), sign


def _density(a: FloatArray, b: FloatArray, psi: FloatArray) -> FloatArray:
    """Return φ₂(a, b; cos ψ) sin ψ."""
    half = 0.5 * psi
    exponent = ((a - b) / np.sin(half)) ** 2 + ((a + b) / np.cos(half)) ** 2
    return np.exp(-0.125 * exponent) / (2.0 * np.pi)


def _integrate(
    a: FloatArray, b: FloatArray, r: FloatArray, integrand: Integrand, ramp: bool | None = None
) -> FloatArray:
    """Return ∫ integrand(a, b, ψ, gap) dθ over θ in [0, arcsin r], ψ = π/2 - θ, gap = arcsin r - θ.

    The first panel is θ in [0, π/4], each further one half as wide in ψ. Widths are taken in θ first, so that a tiny
    r keeps its relative accuracy. `ramp` says which of two integrands it is whose first panel is compiled.
    """
    from ctrnn_theory.activations.gaussian.steps_and_ramps_kernel import (  # here, since it imports Numba
        END,
        HALF,
        SINE,
        UNIT,
        first_panel,
    )

    shape, total = r.shape, np.empty(r.size)
    if ramp is not None:
        first_panel(*(np.ascontiguousarray(x).ravel() for x in (a, b, r)), ramp, UNIT, HALF, SINE, total)
    a, b = a.reshape(-1, 1), b.reshape(-1, 1)
    reach = np.arcsin(r).reshape(-1, 1)
    end = 2.0 * np.arcsin(np.sqrt(0.5 * (1.0 - r))).reshape(-1, 1)  # π/2 - arcsin r, accurate at r = 1
    if ramp is None:
        width = np.minimum(reach, END)
        theta = width * UNIT
        total = width[:, 0] * (integrand(a, b, 0.5 * np.pi - theta, reach - theta) @ HALF)
    top = END
    for _ in range(LEVELS):
        left = np.flatnonzero(end < top)
        if left.size == 0:
            break
        stop = end[left]
        width = top - np.maximum(0.5 * top, stop)
        psi = top - width * UNIT
        total[left] += width[:, 0] * (integrand(a[left], b[left], psi, psi - stop) @ HALF)
        top *= 0.5
    return total.reshape(shape)
