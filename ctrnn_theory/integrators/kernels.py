"""The stepping loops, compiled: one block of `LANES` trajectories at a time, lanes innermost.

    h' = (1-γ) h + γ (f(W h + drive + L_in ξ) + L_out η)

Arrays of state are (N, LANES). The activation comes as a first-class function that works in place on a whole
buffer, so that the kernel is compiled once, for every activation, and cached on disk. Each loop body is short
and runs over the lanes, whose number is known to the compiler: it vectorises. Variates are drawn in the order
(step, site, row).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from ctrnn_theory.integrators.normals import LANES, fill
from ctrnn_theory.jit import jit

FloatArray = NDArray[np.float64]
DEGREE = 7
"""Degree of the pieces that represent the smoothed activation."""
VARIATES = 16
"""Rows of variates that are drawn at a time, where a step needs fewer."""


class Model(NamedTuple):
    """What a step needs to know. Noise at a site is diagonal (sigma) or a factor; the other one is empty."""

    W: FloatArray
    """(N, N)."""
    drive: FloatArray
    """W_in u + b: (1, N), or (steps, N) where it varies in time; the last row holds on."""
    gamma: float
    """Δt/τ."""
    sigma_in: FloatArray
    """(N,) or (0,)."""
    factor_in: FloatArray
    """(N, R) or (N, 0)."""
    sigma_out: FloatArray
    """(N,) or (0,)."""
    factor_out: FloatArray
    """(N, R) or (N, 0)."""
    constants: FloatArray
    """Of the variates."""
    bits: NDArray[np.uint64]
    """Of the variates."""


class Panels(NamedTuple):
    """Smoothed activation F(a; σ_in,i) in pieces: some tables, laid one after the other."""

    which: NDArray[np.int64]
    """Table of each neuron (N,); -1 for F = f."""
    low: FloatArray
    """Where each table begins."""
    density: FloatArray
    """Uniform cells to a unit of each table; the search for a panel starts from a cell."""
    first: NDArray[np.int64]
    """First cell of each table, and the end of the last."""
    panel: NDArray[np.int64]
    """Panel at the left end of each cell."""
    hops: NDArray[np.int64]
    """Most panels that may end within a cell of each table."""
    right: FloatArray
    """Right end of each panel; infinite for the last one of a table."""
    pieces: FloatArray
    """Centre, 1 / half width, and coefficients in powers of the distance to the centre in half widths."""


class Sums(NamedTuple):
    """What `measure` adds up, by trajectory (N, LANES) except where said; d = h - centre."""

    centre: FloatArray
    """(N,), near the mean: small variances beside a large mean do not cancel."""
    first: FloatArray
    """Σ d."""
    second: FloatArray
    """Σ d²."""
    residual: FloatArray
    """Σ F(W h + drive) - h."""
    low: FloatArray
    """Smallest W h + drive."""
    high: FloatArray
    """Largest W h + drive."""
    cross: FloatArray
    """Σ d_i d_j over trajectories too, (N, N), below the diagonal."""


f8, f8_1, f8_2 = types.float64, types.float64[::1], types.float64[:, ::1]
f8_3 = types.float64[:, :, ::1]
i8, i8_1 = types.int64, types.int64[::1]
FUNCTION = types.FunctionType(types.void(f8_1))
MODEL = types.NamedTuple([f8_2, f8_2, f8, f8_1, f8_2, f8_1, f8_2, f8_1, types.uint64[::1]], Model)
SUMS = types.NamedTuple([f8_1, f8_2, f8_2, f8_2, f8_2, f8_2, f8_2], Sums)
PANELS = types.NamedTuple([i8_1, f8_1, f8_1, i8_1, i8_1, i8_1, f8_1, f8_2], Panels)

inline = jit(fastmath={"contract"})  # multiply-add; nothing that would hide a NaN
reduction = jit(fastmath={"contract", "reassoc"})  # sums over lanes, in any order


@inline
def add_tiles(A, x, out):  # type: ignore[no-untyped-def]
    """Add whole fours of rows of A x to out, and return how many: a state is loaded once for four rows."""
    rows, columns = A.shape[0] - A.shape[0] % 4, A.shape[1]
    whole = columns - columns % 4
    for i in range(0, rows, 4):
        for j in range(0, whole, 4):
            a0, a1, a2, a3 = A[i, j], A[i, j + 1], A[i, j + 2], A[i, j + 3]
            b0, b1, b2, b3 = A[i + 1, j], A[i + 1, j + 1], A[i + 1, j + 2], A[i + 1, j + 3]
            c0, c1, c2, c3 = A[i + 2, j], A[i + 2, j + 1], A[i + 2, j + 2], A[i + 2, j + 3]
            d0, d1, d2, d3 = A[i + 3, j], A[i + 3, j + 1], A[i + 3, j + 2], A[i + 3, j + 3]
            for k in range(LANES):
                x0, x1, x2, x3 = x[j, k], x[j + 1, k], x[j + 2, k], x[j + 3, k]
                out[i, k] += (a0 * x0 + a1 * x1) + (a2 * x2 + a3 * x3)
                out[i + 1, k] += (b0 * x0 + b1 * x1) + (b2 * x2 + b3 * x3)
                out[i + 2, k] += (c0 * x0 + c1 * x1) + (c2 * x2 + c3 * x3)
                out[i + 3, k] += (d0 * x0 + d1 * x1) + (d2 * x2 + d3 * x3)
        for j in range(whole, columns):
            a0, b0, c0, d0 = A[i, j], A[i + 1, j], A[i + 2, j], A[i + 3, j]
            for k in range(LANES):
                x0 = x[j, k]
                out[i, k] += a0 * x0
                out[i + 1, k] += b0 * x0
                out[i + 2, k] += c0 * x0
                out[i + 3, k] += d0 * x0
    return rows


@inline
def add_product(A, first, x, at, out):  # type: ignore[no-untyped-def]
    """Add A x to out, rows from `first` on; x from row `at` on.

    Four columns at a time: a sum is loaded and stored once for four products.
    """
    columns = A.shape[1]
    whole = columns - columns % 4
    for i in range(first, A.shape[0]):
        for j in range(0, whole, 4):
            c0, c1, c2, c3 = A[i, j], A[i, j + 1], A[i, j + 2], A[i, j + 3]
            for k in range(LANES):
                out[i, k] += (c0 * x[at + j, k] + c1 * x[at + j + 1, k]) + (
                    c2 * x[at + j + 2, k] + c3 * x[at + j + 3, k]
                )
        for j in range(whole, columns):
            c0 = A[i, j]
            for k in range(LANES):
                out[i, k] += c0 * x[at + j, k]


@inline
def preactivation(W, drive, step, h, a):  # type: ignore[no-untyped-def]
    """Set a = W h + drive."""
    row = min(step, drive.shape[0] - 1)
    for i in range(W.shape[0]):
        constant = drive[row, i]
        for k in range(LANES):
            a[i, k] = constant
    add_product(W, add_tiles(W, h, a), h, np.int64(0), a)  # typed: a literal would compile the callee once more


@inline
def add_noise(sigma, factor, z, at, out):  # type: ignore[no-untyped-def]
    """Add L z to out, z from row `at` on, for a diagonal L or a factor."""
    for i in range(sigma.size):
        s = sigma[i]
        for k in range(LANES):
            out[i, k] += s * z[at + i, k]
    if factor.shape[1] > 0:
        add_product(factor, np.int64(0), z, at, out)


@inline
def look_up(panels, table, x, p):  # type: ignore[no-untyped-def]
    """Replace x (LANES,) by F(x); p: (LANES,) to work in. No branches: a cell, then a few comparisons."""
    low, density, first = panels.low[table], panels.density[table], panels.first[table]
    last = float(panels.first[table + 1] - first - 1)
    panel, right, pieces = panels.panel, panels.right, panels.pieces
    for k in range(LANES):
        cell = (x[k] - low) * density
        cell = cell if cell > 0.0 else 0.0  # also for NaN
        cell = cell if cell < last else last
        p[k] = panel[first + int(cell)]
    for _ in range(panels.hops[table]):
        for k in range(LANES):
            p[k] += np.int64(x[k] >= right[p[k]])
    for k in range(LANES):
        c = p[k]
        t = (x[k] - pieces[c, 0]) * pieces[c, 1]
        t2 = t * t
        lower = (pieces[c, 2] + t * pieces[c, 3]) + t2 * (pieces[c, 4] + t * pieces[c, 5])
        upper = (pieces[c, 6] + t * pieces[c, 7]) + t2 * (pieces[c, 8] + t * pieces[c, 9])
        x[k] = lower + (t2 * t2) * upper


@reduction
def add_cross(d, cross):  # type: ignore[no-untyped-def]
    """cross_ij += Σ_lanes d_i d_j, below the diagonal."""
    for i in range(d.shape[0]):
        for j in range(i):
            total = 0.0
            for k in range(LANES):
                total += d[i, k] * d[j, k]
            cross[i, j] += total


@inline
def observe(f, panels, h, a, d, p, sums):  # type: ignore[no-untyped-def]
    """Add a state to the sums. a: (N, LANES) W h + drive; d: (N, LANES) and p: (LANES,) to work in."""
    centre, first, second, residual, low, high, cross = sums
    for i in range(centre.size):
        c = centre[i]
        for k in range(LANES):
            d[i, k] = h[i, k] - c
        for k in range(LANES):
            first[i, k] += d[i, k]
        for k in range(LANES):
            second[i, k] += d[i, k] * d[i, k]
        for k in range(LANES):
            low[i, k] = min(low[i, k], a[i, k])
        for k in range(LANES):
            high[i, k] = max(high[i, k], a[i, k])
    add_cross(d, cross)
    for i in range(centre.size):
        table = panels.which[i]
        if table < 0:
            f(a[i])
        else:
            look_up(panels, table, a[i], p)
        for k in range(LANES):
            residual[i, k] += a[i, k] - h[i, k]


@jit(
    types.void(FUNCTION, MODEL, PANELS, f8_3, types.uint64[::1], i8, i8, i8, SUMS, f8_3),
    cache=True,
    fastmath={"contract"},
)
def run(f, model, panels, work, state, first, times, every, sums, out):  # type: ignore[no-untyped-def]
    """Advance a block by times × every steps, the first one numbered `first`, and look at it after each `every`.

    work: h, and room for two more (N, LANES). If `sums` are not empty, add the state to them; if `out` (times, N,
    lanes) is not, record the first lanes there. One kernel for all, since it is compiling that takes time.
    """
    W, drive, gamma, sigma_in, factor_in, sigma_out, factor_out, constants, bits = model
    h, a, d, p = work[0], work[1], work[2], np.empty(LANES, np.int64)
    flat = a.reshape(a.size)
    inside = sigma_in.size + factor_in.shape[1]
    rows = inside + sigma_out.size + factor_out.shape[1]
    together = max(1, VARIATES // max(rows, 1))
    z = np.empty((together * rows, LANES))
    at, drawn, due, time = np.int64(0), np.int64(0), every, 0
    end = first + times * every
    for step in range(first, end):
        if at == drawn:
            at, drawn = np.int64(0), rows * min(together, end - step)
            fill(state, z[:drawn], constants, bits)
        preactivation(W, drive, step, h, a)
        add_noise(sigma_in, factor_in, z, at, a)
        f(flat)
        add_noise(sigma_out, factor_out, z, at + inside, a)
        at += rows
        for i in range(W.shape[0]):
            for k in range(LANES):
                h[i, k] += gamma * (a[i, k] - h[i, k])
        due -= 1
        if due == 0:
            due = every
            if sums.centre.size > 0:
                preactivation(W, drive, step + 1, h, a)
                observe(f, panels, h, a, d, p, sums)
            if out.size > 0:
                for i in range(W.shape[0]):
                    for k in range(out.shape[2]):
                        out[time, i, k] = h[i, k]
            time += 1
