"""Hermite coefficients cₙ = E f(m + s ξ) hₙ(ξ) = sⁿ F⁽ⁿ⁾(m; s)/√n!, hₙ = Heₙ/√n!, by closed forms or a fixed rule.

For a ramp and a step at k, with z = (m-k)/s, they are s φ(z) hₙ₋₂(-z)/√(n(n-1)) and φ(z) hₙ₋₁(-z)/√n. For functions of
the logistic family, Stein's identity cₙ = s/√n E f'(m + s ξ) hₙ₋₁(ξ) is integrated by the trapezoidal rule of step h.
With the poles of f at a distance d in ξ, cₙ falls as e^{-d√n}; the rule's error is that of the next period of its
spectrum, e^{-d(2π/h - √n)}, since hₙφ has its frequencies near √n. Both are below 1e-15 for h = πd/34.5 and every n up
to (34.5/d)², or up to 400 where d is small.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ctrnn_theory.activations.gaussian.closed_forms import SQRT_2PI
from ctrnn_theory.activations.gaussian.logistic_family import FAMILIES, NARROW
from ctrnn_theory.activations.gaussian.mehler import FIRST, FLOOR, HermiteTable
from ctrnn_theory.support.types import BoolArray, FloatArray

REACH = 12.5  # standard deviations: φ^(1/2) is 1e-17 there, and hₙ φ^(1/2) is below 1
STEPS = (0.22, 0.12, 0.08)  # steps in ξ for s up to 1, 2 and 4 times NARROW, in units of the family's scale
VARIANCE_ORDERS = 250  # orders after which squares of coefficients add nothing for s up to 2 NARROW


def kink_coefficients(
    first: FloatArray, z: FloatArray, bends: FloatArray, jumps: FloatArray, orders: int
) -> FloatArray:
    """Return cₙ (K, M) of a piecewise-linear f.

    Parameters
    ----------
    first
        c₁ = s F' (M,).
    z
        Distances (m-k)/s from the kinks, (kinks, M).
    bends
        Jumps of the slope times s, (kinks, M).
    jumps
        Jumps of the value, (kinks,).
    orders
        K.
    """
    from ctrnn_theory.activations.gaussian.hermite_kernels import add_kink  # which imports Numba

    c = np.zeros((orders, first.size))
    c[0] = first
    density = np.exp(-0.25 * z * z) / np.sqrt(SQRT_2PI)  # √φ, by which no Hermite polynomial overflows
    for k in range(len(z)):
        add_kink(c, z[k], density[k], bends[k], jumps[k])
    return c


def projected(xi: FloatArray, g: FloatArray, orders: int) -> FloatArray:
    """Return Σ g hₙ₋₁(ξ)/√n (K, M), n = 1 ... K, over nodes ξ (M, Q) at which g (M, Q) is s f' φ times a weight."""
    from ctrnn_theory.activations.gaussian.hermite_kernels import project  # which imports Numba

    c = np.empty((orders, len(xi)))
    project(np.ascontiguousarray(xi), np.ascontiguousarray(g), c)
    return c


@lru_cache
def _rule(level: int) -> tuple[FloatArray, FloatArray]:
    """Return the nodes ξ and the weights (Q,) of the rule with a step in STEPS."""
    half = int(np.ceil(REACH / STEPS[level]))
    xi = STEPS[level] * np.arange(-half, half + 1.0)
    weight = np.exp(-0.5 * xi * xi)
    weight /= weight.sum()
    return xi, weight


@lru_cache
def _projection(level: int, orders: int) -> FloatArray:
    """Return the matrix (Q, K) from s f' at the nodes to cₙ."""
    xi, weight = _rule(level)
    root = np.sqrt(weight)
    matrix, before, h = np.empty((xi.size, orders)), np.zeros_like(xi), root
    for n in range(1, orders + 1):  # h holds √weight hₙ₋₁
        matrix[:, n - 1] = root * h / np.sqrt(n)
        before, h = h, (xi * h - np.sqrt(n - 1.0) * before) / np.sqrt(n)
    return matrix


def has_rule(name: str, s: FloatArray) -> BoolArray:
    """Return where the trapezoidal rule holds for an activation, (M,)."""
    if name not in FAMILIES:
        return np.zeros(s.shape, dtype=bool)
    return np.asarray(FAMILIES[name].c * s <= NARROW * 2.0 ** (len(STEPS) - 1))


def rule_table(name: str, m: FloatArray, s: FloatArray, orders: int) -> HermiteTable:
    """Return the table of a function of the logistic family, with `orders` orders at most, where `has_rule` holds."""
    coefficients, energy = _rule_coefficients(name, m, s)
    return HermiteTable.grown(coefficients, energy, orders)


def rule_variance(name: str, m: FloatArray, s: FloatArray) -> FloatArray:
    """Return Var f = Σ cₙ² (M,), a sum without cancellation, for s up to 2 NARROW in the family's scale.

    There d is at least 1.2, so that 250 squares, which fall as e^{-2d√n}, leave out less than rounding.
    """
    coefficients, energy = _rule_coefficients(name, m, s)
    count = FIRST
    while True:
        squares = coefficients(count) ** 2
        left = energy - np.arange(1.0, count + 1) @ squares
        if count > VARIANCE_ORDERS or np.all(left <= FLOOR * energy):
            return np.asarray(np.sum(squares, axis=0))
        count *= 2


def has_variance_rule(name: str, s: FloatArray) -> BoolArray:
    """Return where `rule_variance` holds for an activation, (M,)."""
    return has_rule(name, 0.5 * 2.0 ** (len(STEPS) - 1) * s)


def _rule_coefficients(name: str, m: FloatArray, s: FloatArray) -> tuple[Callable[[int], FloatArray], FloatArray]:
    """Return a function from K to cₙ (K, M), and the energy s² E f'² (M,)."""
    family = FAMILIES[name]
    m, s = family.c * m, family.c * s
    level = np.searchsorted(NARROW * 2.0 ** np.arange(len(STEPS)), s)
    slopes, energy = [], np.empty(m.size)
    for k in np.unique(level).tolist():
        at, (xi, weight) = np.flatnonzero(level == k), _rule(k)
        slopes.append((k, at, s[at, None] * family.g(m[at, None] + s[at, None] * xi, 1)))
        energy[at] = np.square(slopes[-1][2]) @ weight

    def coefficients(count: int) -> FloatArray:
        c = np.empty((count, m.size))
        for k, at, slope in slopes:
            c[:, at] = (slope @ _projection(k, count)).T
        return c

    return coefficients, energy
