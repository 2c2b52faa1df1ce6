"""Compiled averages over two Gaussian variates at once, broken wherever one of two neurons passes a kink.

All points of one row lie near each other. They are averaged over polynomials on their small part of the box, and the
averages are converted to polynomials on the whole box once a row.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import types

from ctrnn_theory.numerics.gauss_legendre import gauss_legendre
from ctrnn_theory.support.jit import jit
from ctrnn_theory.support.types import FloatArray

LEAST = 8  # fewest points between two cuts
MARGIN = 10  # degrees of a polynomial on a part of the box, beyond its share of the oscillations
BLOCK = 512  # points that are multiplied out at once
f8, f8_1, f8_2, f8_3, i8 = (
    types.float64,
    types.float64[::1],
    types.float64[:, ::1],
    types.float64[:, :, ::1],
    types.int64,
)
FUNCTION = types.FunctionType(types.void(f8_1))


@lru_cache(maxsize=8)
def rules_for(reach: float, density: float) -> FloatArray:
    """Return the Gauss–Legendre rules of 0, 1, ... points that a range may need, (rules, nodes and weights, points)."""
    most = LEAST + int(density * reach) + 1
    rules = np.zeros((most, 2, most))
    for count in range(LEAST, most):
        rules[count, :, :count] = gauss_legendre(count)
    return rules


@jit(cache=True, forceinline=True)
def most_points(cuts, reach, density):  # type: ignore[no-untyped-def]
    """Return the most points that a variate with so many cuts takes."""
    return (cuts + 1) * LEAST + int(density * reach) + 1


@jit(cache=True, forceinline=True)
def variate(cuts, rules, reach, density, x, weights):  # type: ignore[no-untyped-def]
    """Write a quadrature of one standard normal variate, broken at cuts, into x and weights; return its length.

    Rule q of `rules` has q points, in the rows 0 (nodes) and 1 (weights).
    """
    edges = np.empty(len(cuts) + 2)
    edges[0], edges[1] = -reach, reach
    for k in range(len(cuts)):
        edges[2 + k] = min(max(cuts[k], -reach), reach)
    edges.sort()
    count, total = 0, 0.0
    for k in range(len(edges) - 1):
        half = 0.5 * (edges[k + 1] - edges[k])
        if half <= 1e-14 * reach:
            continue
        order = LEAST + int(density * half)
        for q in range(order):
            x[count] = edges[k] + half * (1.0 + rules[order, 0, q])
            weights[count] = half * rules[order, 1, q] * np.exp(-0.5 * x[count] ** 2)
            total += weights[count]
            count += 1
    weights[:count] /= total
    return count


@jit(cache=True)
def scatter(outer, lines, used, rules, reach, density, z, weight):  # type: ignore[no-untyped-def]
    """Write points ζ of the disc |ζ| < reach and their weights into z (2, points) and weight; return their number.

    ζ₁ is broken at `outer`, ζ₂ where it is line₀ + line₁ ζ₁.
    """
    most = most_points(len(outer), reach, density)
    x, x_weight = np.zeros(most), np.ones(most)
    cuts = np.empty(len(lines))
    total = 0
    for p in range(variate(outer, rules, reach, density, x, x_weight) if used[0] else 1):
        for k in range(len(lines)):
            cuts[k] = lines[k, 0] + lines[k, 1] * x[p]
        count = 1
        z[1, total], weight[total] = 0.0, 1.0
        if used[1]:
            height = np.sqrt(max(reach**2 - x[p] ** 2, 1.0))
            count = variate(cuts, rules, height, density, z[1, total:], weight[total:])
        z[0, total : total + count] = x[p]
        weight[total : total + count] *= x_weight[p]
        total += count
    return total


@jit(cache=True, forceinline=True)
def chebyshev(t, start, table):  # type: ignore[no-untyped-def]
    """Set table to start · T_k(t), (K, points)."""
    table[0] = start
    if len(table) > 1:
        table[1] = start * t
    for k in range(2, len(table)):
        for q in range(len(t)):
            table[k, q] = 2.0 * t[q] * table[k - 1, q] - table[k - 2, q]


@jit(cache=True, forceinline=True)
def part(t, degree):  # type: ignore[no-untyped-def]
    """Return the middle and the half width of an interval that holds the points t of [-1, 1], and T_k there.

    Row k of the matrix (degree, m) holds the coefficients of T_k, interpolated at m nodes of the interval.
    """
    low, high = np.min(t), np.max(t)
    m = int(0.5 * degree * (np.arccos(low) - np.arccos(high))) + MARGIN
    if m >= degree:
        low, high, m = -1.0, 1.0, degree
    middle, half = 0.5 * (low + high), max(0.5 * (high - low), 1e-12)
    nodes = np.cos(np.pi * (np.arange(m) + 0.5) / m)
    values, back = np.empty((degree, m)), np.empty((m, m))
    chebyshev(np.minimum(np.maximum(middle + half * nodes, -1.0), 1.0), np.ones(m), values)
    chebyshev(nodes, np.full(m, 2.0 / m), back)
    back[0] *= 0.5
    return middle, half, np.dot(values, back.T)


@jit(cache=True)
def average_row(t, weight, first, second):  # type: ignore[no-untyped-def]
    """Return Σ weight T_k(t₁) T_l(t₂) over points t (2, points) of [-1, 1]², (first, second)."""
    middle, half, left = part(t[0], first)
    other_middle, other_half, right = part(t[1], second)
    local = np.zeros((left.shape[1], right.shape[1]))
    for begin in range(0, len(weight), BLOCK):
        s, r, w = t[0, begin : begin + BLOCK], t[1, begin : begin + BLOCK], weight[begin : begin + BLOCK]
        one, two = np.empty((len(local), len(w))), np.empty((local.shape[1], len(w)))
        chebyshev((s - middle) / half, w, one)
        chebyshev((r - other_middle) / other_half, np.ones(len(w)), two)
        local += np.dot(one, two.T)
    return np.dot(np.dot(left, local), right.T)


@jit(
    types.Tuple((f8_3, f8_3))(FUNCTION, f8, f8_3, f8_3, f8_2, f8_3, f8_3, f8, f8, f8_2, i8, i8),
    cache=True,
)
def average_pairs(  # type: ignore[no-untyped-def]
    f, gamma, origins, maps, outer, lines, rules, reach, density, box, first, second
):
    """Return E T_k(t₁) T_l(t₂) of the step from h = point + M ζ with pre-activation a + C ζ, (rows, K, L).

    `origins` (rows, 2, 2) are point and a, `maps` are M and C. t is the state after the step in the coordinates of the
    box, moved into [-1, 1]; the mean overstep is the second result, (rows, 2, 2). For the cuts see `scatter`. With
    γ = 0 the state does not step, h' = h.
    """
    rows = len(origins)
    M, C = maps[0], maps[1]
    used = np.array([np.any(maps[:, :, 0] != 0.0), np.any(maps[:, :, 1] != 0.0)])
    most = most_points(outer.shape[1], reach, density) * most_points(lines.shape[1], reach, density)
    z, weight, t = np.empty((2, most)), np.empty(most), np.empty((2, most))
    moments, over = np.zeros((rows, first, second)), np.zeros((rows, 2, 2))
    for row in range(rows):
        count = scatter(outer[row], lines[row], used, rules, reach, density, z, weight)
        for i in range(2):
            at = t[i, :count]
            at[:] = origins[row, 1, i] + C[i, 0] * z[0, :count] + C[i, 1] * z[1, :count]
            if gamma > 0.0:
                f(at)
            for q in range(count):
                h = origins[row, 0, i] + M[i, 0] * z[0, q] + M[i, 1] * z[1, q]
                h += gamma * (at[q] - h)
                s = (2.0 * h - box[0, i] - box[1, i]) / (box[1, i] - box[0, i])
                over[row, i, 0] += weight[q] * max(-1.0 - s, 0.0)
                over[row, i, 1] += weight[q] * max(s - 1.0, 0.0)
                at[q] = min(max(s, -1.0), 1.0)
        moments[row] = average_row(t[:, :count], weight[:count], first, second)
    return moments, over
