"""The compiled sums over the states of a group of blocks: moments, and what control variates need.

Arrays of states are (N, lanes), see :mod:`~ctrnn_theory.integrators.kernels`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.support.jit import jit
from ctrnn_theory.support.types import FloatArray

DEGREE = 7
"""Degree of the polynomials that represent the smoothed activation on panels."""


class TablePanels(NamedTuple):
    """Smoothed activation F(a; σ_in,i) as polynomials on panels: several tables, one after the other."""

    which: NDArray[np.int64]
    """Table of each neuron (N,); -1 for F = f."""
    low: FloatArray
    """Left end of each table."""
    density: FloatArray
    """Number of uniform cells per unit of a, for each table; the search for a panel starts from a cell."""
    first: NDArray[np.int64]
    """First cell of each table, and the end of the last table."""
    panel: NDArray[np.int64]
    """Panel at the left end of each cell."""
    hops: NDArray[np.int64]
    """Largest number of panels that end within a cell, for each table; -1 if each cell is a panel."""
    right: FloatArray
    """Right end of each panel; infinite for the last panel of a table."""
    pieces: FloatArray
    """Centre, 1 / half width, and coefficients in powers of the distance to the centre in half widths."""
    variance: FloatArray
    """Coefficients of the variance v(a; σ_in,i), likewise; without rows if it is not wanted."""


class Sums(NamedTuple):
    """Sums of a measurement, with d = h - centre; for each trajectory, (N, K), unless another shape is given."""

    centre: FloatArray
    """Point near the mean, (N,), so that small variances do not cancel beside a large mean; (0,) to measure nothing."""
    first: FloatArray
    """Σ d."""
    second: FloatArray
    """Σ d²."""
    cross: FloatArray
    """Σ d_i d_j, also over the trajectories of each block, (blocks, N, N), up to the diagonal."""
    residual: FloatArray
    """Σ r with r = F(W h + drive) - h; (N, 0) to leave out this and all that follows."""
    low: FloatArray
    """Smallest W h + drive of each block, (blocks, N)."""
    high: FloatArray
    """Largest W h + drive of each block, (blocks, N)."""
    ahead: FloatArray
    """Σ y_i y_j with y = d + γ r, and γ² v on the diagonal besides: `cross` one step later, given h; (0, N, N) to leave
    it out."""


f8_1, f8_2, f8_3 = types.float64[::1], types.float64[:, ::1], types.float64[:, :, ::1]
i8_1 = types.int64[::1]
SUMS = types.NamedTuple([f8_1, f8_2, f8_2, f8_3, f8_2, f8_2, f8_2, f8_3], Sums)
PANELS = types.NamedTuple([i8_1, f8_1, f8_1, i8_1, i8_1, i8_1, f8_1, f8_2, f8_2], TablePanels)

inline = jit(fastmath={"contract"}, forceinline=True)  # multiply-add; nothing that would hide a NaN
reduction = jit(fastmath={"contract", "reassoc"}, forceinline=True)  # sums over lanes, in any order


@inline
def find(panels, table, x, p):  # type: ignore[no-untyped-def]
    """Replace x (lanes,) by its distance to the centre of its panel in half widths, and set p (lanes,) to the panel.

    There are no branches: a cell is computed, and then a few comparisons find the panel.
    """
    low, density, first = panels.low[table], panels.density[table], panels.first[table]
    last = float(panels.first[table + 1] - first - 1)
    if panels.hops[table] < 0:
        first = panels.panel[first]
        for k in range(x.size):
            place = (x[k] - low) * density
            cell = place if place > 0.0 else 0.0  # also for NaN
            cell = np.floor(cell if cell < last else last)
            x[k] = 2.0 * (place - cell) - 1.0
            p[k] = first + np.int32(cell)
        return
    panel, right, pieces = panels.panel, panels.right, panels.pieces
    for k in range(x.size):
        cell = (x[k] - low) * density
        cell = cell if cell > 0.0 else 0.0
        cell = cell if cell < last else last
        p[k] = panel[first + np.int32(cell)]
    for _ in range(panels.hops[table]):
        for k in range(x.size):
            p[k] += np.int64(x[k] >= right[p[k]])
    for k in range(x.size):
        x[k] = (x[k] - pieces[p[k], 0]) * pieces[p[k], 1]


@inline
def evaluate(coefficients, begin, x, p, out):  # type: ignore[no-untyped-def]
    """Set out to the polynomials of the panels p at x; their coefficients begin in column `begin`."""
    for k in range(x.size):
        c, t = p[k], x[k]
        t2 = t * t
        lower = (coefficients[c, begin] + t * coefficients[c, begin + 1]) + t2 * (
            coefficients[c, begin + 2] + t * coefficients[c, begin + 3]
        )
        upper = (coefficients[c, begin + 4] + t * coefficients[c, begin + 5]) + t2 * (
            coefficients[c, begin + 6] + t * coefficients[c, begin + 7]
        )
        out[k] = lower + (t2 * t2) * upper


@reduction
def add_cross(d, out):  # type: ignore[no-untyped-def]
    """Add Σ_lanes d_i d_j to out[block, i, j], in tiles of two by two up to the diagonal; d is (N, blocks, LANES)."""
    n = d.shape[0]
    even = n - n % 2
    for block in range(d.shape[1]):
        for i in range(0, even, 2):
            for j in range(0, i + 1, 2):
                aa, ab, ba, bb = 0.0, 0.0, 0.0, 0.0
                for k in range(LANES):
                    a0, a1, b0, b1 = d[i, block, k], d[i + 1, block, k], d[j, block, k], d[j + 1, block, k]
                    aa += a0 * b0
                    ab += a0 * b1
                    ba += a1 * b0
                    bb += a1 * b1
                out[block, i, j] += aa
                out[block, i, j + 1] += ab
                out[block, i + 1, j] += ba
                out[block, i + 1, j + 1] += bb
        for i in range(even, n):
            for j in range(n):
                total = 0.0
                for k in range(LANES):
                    total += d[i, block, k] * d[j, block, k]
                out[block, i, j] += total


@reduction
def add_lanes(x, weight, i, out):  # type: ignore[no-untyped-def]
    """Add weight Σ_lanes x to out[block, i, i]; x is (blocks, LANES)."""
    for block in range(x.shape[0]):
        total = 0.0
        for k in range(LANES):
            total += x[block, k]
        out[block, i, i] += weight * total


@inline
def add_moments(h, centre, d, first, second, cross):  # type: ignore[no-untyped-def]
    """Set d = h - centre, and add the moments of d to first, second and cross."""
    n, lanes = h.shape
    for i in range(n):
        c = centre[i]
        for k in range(lanes):
            d[i, k] = h[i, k] - c
        for k in range(lanes):
            first[i, k] += d[i, k]
        for k in range(lanes):
            second[i, k] += d[i, k] * d[i, k]
    add_cross(d.reshape(n, lanes // LANES, LANES), cross)


@inline
def add_residual(f, panels, gamma, h, a, d, x, p, residual, low, high, ahead):  # type: ignore[no-untyped-def]
    """Add F(a) - h to residual, and its terms to `ahead`; a = W h + drive and d = h - centre are overwritten.

    x and p are work arrays (lanes,) of float64 and int64.
    """
    n, lanes = h.shape
    for i in range(n):
        for k in range(lanes):
            low[i, k] = min(low[i, k], a[i, k])
        for k in range(lanes):
            high[i, k] = max(high[i, k], a[i, k])
        table = panels.which[i]
        if table < 0:
            f(a[i])
        else:
            for k in range(lanes):
                x[k] = a[i, k]
            find(panels, table, x, p)
            evaluate(panels.pieces, np.int64(2), x, p, a[i])
            if ahead.size > 0:
                evaluate(panels.variance, np.int64(0), x, p, x)
                add_lanes(x.reshape(lanes // LANES, LANES), gamma * gamma, i, ahead)
        for k in range(lanes):
            a[i, k] -= h[i, k]
        for k in range(lanes):
            residual[i, k] += a[i, k]
    if ahead.size > 0:
        for i in range(n):
            for k in range(lanes):
                d[i, k] += gamma * a[i, k]
        add_cross(d.reshape(n, lanes // LANES, LANES), ahead)
