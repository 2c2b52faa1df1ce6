"""Covariances of rectified powers of two correlated normals where Mehler's series is slow, that is for |r| near 1."""

from __future__ import annotations

import math

import numpy as np

from ctrnn_theory.activations.gaussian.closed_forms import SQRT_2PI
from ctrnn_theory.activations.gaussian.power_law import PowerLaw
from ctrnn_theory.activations.gaussian.rectified_power import rectified, tabulated
from ctrnn_theory.activations.gaussian.steps_and_ramps import power_power
from ctrnn_theory.numerics.gauss_legendre import gauss_legendre, nodes_between
from ctrnn_theory.support.types import FloatArray, IntArray

WIDTH = 2.0  # panels in ξ that resolve φ with 16 nodes
TAIL = 9.5  # standard deviations beyond the peak of both powers, after which the rest is below rounding
FINEST = 1e-4  # width at a threshold of the panels that are not divided any more: uⁿ⁺¹ is below rounding
GROWTH = 4.0  # ratio of neighbouring panels towards a threshold
CHUNK = 256  # pairs that are treated at once
NODES, WEIGHTS = gauss_legendre(16)


def power_covariance(
    law: PowerLaw, m: FloatArray, s: FloatArray, i: IntArray, j: IntArray, r: FloatArray
) -> FloatArray:
    """Return Cov(f(xᵢ), f(xⱼ)) for pairs i, j of correlation r (P,) among inputs of mean m and deviation s > 0 (M,).

    It is exact for an integer n, by :func:`whole_powers`, and integrated otherwise.
    """
    total, rule = np.zeros_like(r), whole_powers if law.whole else conditioned_powers
    for first in law.sides(m):
        for second in law.sides(m):
            part = rule(law.exponent, first.d[i], s[i], second.d[j], s[j], first.sign * second.sign * r)
            total += first.height * second.height * part
    return total


def whole_powers(n: float, d: FloatArray, s: FloatArray, e: FloatArray, t: FloatArray, r: FloatArray) -> FloatArray:
    """Return Cov((d + s ξ)₊ⁿ, (e + t η)₊ⁿ) for an integer n and ξ, η of correlation r, all (P,).

    This is Taylor's formula in r, since each derivative by r differentiates both factors (R. Price, IRE Trans. Inf.
    Theory 4, 1958): Σ_{m≤n} rᵐ cₘ(1) cₘ(2) + n! (s t)ⁿ ∫₀^r (r-τ)ⁿ φ₂(d/s, e/t; τ) dτ.
    """
    total = math.factorial(int(n)) ** 2 * (s * t) ** n * power_power(d / s, e / t, r, int(n))
    for m in range(1, int(n) + 1):
        total += (r * s * t) ** m * rectified(n, d, s, m) * rectified(n, e, t, m) / math.factorial(m)
    return np.asarray(total)


def conditioned_powers(
    n: float, d: FloatArray, s: FloatArray, e: FloatArray, t: FloatArray, r: FloatArray
) -> FloatArray:
    """Return the same for any n, as E[(d + s ξ)₊ⁿ (G(ξ) - E G)], G(ξ) = E[(e + t η)₊ⁿ | ξ].

    G bends within q = √(1 - r²) of the threshold. Panels grow from there, and from the threshold of the first factor.
    """
    result = np.empty_like(r)
    for first in range(0, r.size, CHUNK):
        at = slice(first, first + CHUNK)
        result[at] = _conditioned(n, *(x[at, None] for x in (d, s, e, t, r)))
    return result


def _conditioned(n: float, d: FloatArray, s: FloatArray, e: FloatArray, t: FloatArray, r: FloatArray) -> FloatArray:
    q = np.maximum(np.sqrt((1.0 - r) * (1.0 + r)), FINEST**2)
    end = TAIL + 2.0 * math.sqrt(n)
    ladder = GROWTH ** np.arange(math.ceil(math.log(1.0 / max(float(np.min(q)), FINEST)) / math.log(GROWTH)) + 1)
    grades = FINEST * GROWTH ** np.arange(math.ceil(math.log(1.0 / FINEST) / math.log(GROWTH)))
    with np.errstate(all="ignore"):  # r may be 0, and s tiny
        bend, start = -e / t / r, np.clip(-d / s, -end, end)
    narrow = np.maximum(q, FINEST) * ladder
    ends = [start + grades, np.nan_to_num(bend) + np.concatenate([-narrow, 0.0 * q, narrow], axis=1)]
    even = np.broadcast_to(np.arange(-end, end + WIDTH, WIDTH), (r.size, math.ceil(2.0 * end / WIDTH + 1.0)))
    edges = np.sort(np.clip(np.concatenate([start, *ends, even], axis=1), start, end), axis=1)
    xi, half = nodes_between(edges[:, :-1], edges[:, 1:], NODES)
    weight = (half * WEIGHTS).reshape(r.size, -1) / SQRT_2PI
    xi = xi.reshape(r.size, -1)
    live = np.flatnonzero(weight > 0.0)
    G = np.zeros(xi.size)
    row = live // xi.shape[1]
    G[live] = tabulated(n, (e + t * r * xi).ravel()[live], (t * q)[row, 0])
    G = G.reshape(xi.shape) - rectified(n, e[:, 0], t[:, 0])[:, None]
    f = np.maximum(d + s * xi, 0.0) ** n
    f -= np.where(d > s * end, rectified(n, d[:, 0], s[:, 0])[:, None], 0.0)  # out of reach of the threshold
    return np.asarray(np.sum(weight * np.exp(-0.5 * xi * xi) * f * G, axis=1))
