"""The compiled sums of the general kernel: moments of states and sources, and what their control variates need.

Arrays of states are (M, lanes): N neurons, and then the sources of coloured noise, see
:class:`~ctrnn_theory.model.augmented.Augmented`.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import types

from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.integrators.sums import f8_2, f8_3, find, inline, reduction
from ctrnn_theory.support.types import FloatArray

f8_1 = types.float64[::1]


class Sums(NamedTuple):
    """Sums of a measurement, with d = g - centre; for each trajectory, (M, K), unless another shape is given."""

    centre: FloatArray
    """Point near the mean, (M,); (0,) to measure nothing."""
    first: FloatArray
    """Σ d."""
    second: FloatArray
    """Σ d²."""
    cross: FloatArray
    """Σ d_i d_j, also over the trajectories of each block, (blocks, M, M), up to the diagonal."""
    residual: FloatArray
    """Σ r of the neurons (N, K), with r = (E[h' | g] - h) / γ; (N, 0) to leave out this and all that follows."""
    low: FloatArray
    """Smallest mean argument of the activation in each block, (blocks, N)."""
    high: FloatArray
    """Largest one of each block, (blocks, N)."""
    ahead: FloatArray
    """Σ y_i y_j with y = E[g' | g] - centre, (blocks, M, M), up to the diagonal; (0, M, M) to leave out this and all
    that follows."""
    variance: FloatArray
    """Σ Var f given g, (blocks, N)."""
    slope: FloatArray
    """Σ E f' given g, (blocks, N); (0, N) if no noise inside is coloured."""
    products: FloatArray
    """Σ F_i F_j, (blocks, N, N), up to the diagonal; (0, N, N) without multiplicative noise outside."""
    rate: FloatArray
    """Σ f(v) of a network in voltage form (N, K), else (N, 0)."""


SUMS = types.NamedTuple([f8_1, f8_2, f8_2, f8_3, f8_2, f8_2, f8_2, f8_3, f8_2, f8_2, f8_3, f8_2], Sums)


@inline
def evaluate_slope(pieces, x, p, out):  # type: ignore[no-untyped-def]
    """Set out to the derivatives of the polynomials of the panels p at x; `find` explains both."""
    for k in range(x.size):
        c, t = p[k], x[k]
        t2 = t * t
        lower = (pieces[c, 3] + t * (2.0 * pieces[c, 4])) + t2 * (3.0 * pieces[c, 5] + t * (4.0 * pieces[c, 6]))
        upper = (5.0 * pieces[c, 7] + t * (6.0 * pieces[c, 8])) + t2 * (7.0 * pieces[c, 9])
        out[k] = pieces[c, 1] * (lower + (t2 * t2) * upper)


@reduction
def add_blocks(x, i, out):  # type: ignore[no-untyped-def]
    """Add Σ_lanes x to out[block, i]; x is (blocks, LANES)."""
    for block in range(x.shape[0]):
        total = 0.0
        for k in range(LANES):
            total += x[block, k]
        out[block, i] += total


@inline
def widen(a, low, high):  # type: ignore[no-untyped-def]
    """Widen low and high, per lane, so that they hold a."""
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            low[i, k] = min(low[i, k], a[i, k])
        for k in range(a.shape[1]):
            high[i, k] = max(high[i, k], a[i, k])


@inline
def ends(low, high, block, blocks, lows, highs):  # type: ignore[no-untyped-def]
    """Widen the ranges (blocks, N) of some blocks by those of their lanes."""
    for j in range(blocks):
        for i in range(low.shape[0]):
            for k in range(LANES):
                lows[block + j, i] = min(lows[block + j, i], low[i, j * LANES + k])
                highs[block + j, i] = max(highs[block + j, i], high[i, j * LANES + k])


@inline
def lookup(panels, table, a, x, p):  # type: ignore[no-untyped-def]
    """Find the panels p of arguments a (lanes,), and their places x in them."""
    for k in range(a.size):
        x[k] = a[k]
    find(panels, table, x, p)
