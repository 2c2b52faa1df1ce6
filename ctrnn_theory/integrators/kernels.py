"""The compiled loops that step a group of blocks of `LANES` trajectories at a time, with lanes innermost.

    h' = (1-γ) h + γ (f(W h + drive + L_in ξ) + L_out η)

Arrays of states are (N, lanes). The activation is passed as a first-class function that works in place on a whole
buffer, so that the kernel is compiled once for all activations and cached on disk. Each loop body is short and runs
over the lanes, so that it vectorises. The blocks of a group share what it costs to begin a loop; for small networks a
group has several blocks. Variates are drawn in the order (step, site, row).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from ctrnn_theory.integrators.normals import EPOCH, LANES, fill, seed
from ctrnn_theory.integrators.sums import PANELS, SUMS, add_moments, add_residual
from ctrnn_theory.support.jit import jit
from ctrnn_theory.support.types import FloatArray

VARIATES = 8
"""Rows of variates that are drawn at a time if a step needs fewer: few enough to stay in the cache."""


class Dynamics(NamedTuple):
    """What decides a step. The noise at a site is given by `sigma` if it is independent, else by `factor`."""

    W: FloatArray
    """Recurrent weights, (N, N), or (N, 0) if they are zero or given by factors."""
    encoders: FloatArray
    """Factor E of weights of low rank, W = E Dᵀ, (N, R), or (N, 0)."""
    decoders: FloatArray
    """Factor Dᵀ, (R, N)."""
    drive: FloatArray
    """W_in u + b, (1, N), or (steps, N) if it varies in time; after its last row it stays as it is."""
    gamma: float
    """Step over time constant, Δt/τ."""
    sigma_in: FloatArray
    """Standard deviations of the noise inside, (N,) or (0,)."""
    factor_in: FloatArray
    """Factor of the noise inside, (N, R) or (N, 0)."""
    sigma_out: FloatArray
    """Standard deviations of the noise outside, (N,) or (0,)."""
    factor_out: FloatArray
    """Factor of the noise outside, (N, R) or (N, 0)."""
    key: NDArray[np.uint64]
    """Two words that key the variates, (2,)."""
    constants: FloatArray
    """Constants of the variates, see :mod:`ctrnn_theory.integrators.normals`."""
    bits: NDArray[np.uint64]
    """Bit masks of the variates, likewise."""


f8, f8_1, f8_2, f8_3 = types.float64, types.float64[::1], types.float64[:, ::1], types.float64[:, :, ::1]
i8, u8_1, u8_2 = types.int64, types.uint64[::1], types.uint64[:, ::1]
FUNCTION = types.FunctionType(types.void(f8_1))
DYNAMICS = types.NamedTuple([*[f8_2] * 4, f8, f8_1, f8_2, f8_1, f8_2, u8_1, f8_1, u8_1], Dynamics)

inline = jit(fastmath={"contract"}, forceinline=True)  # multiply-add; nothing that would hide a NaN


@inline
def add_tiles(A, x, out):  # type: ignore[no-untyped-def]
    """Add A x to out in groups of four whole rows, and return their number; a state is loaded once for four rows."""
    rows, columns, lanes = A.shape[0] - A.shape[0] % 4, A.shape[1], x.shape[1]
    whole = columns - columns % 4
    for i in range(0, rows, 4):
        for j in range(0, whole, 4):
            a0, a1, a2, a3 = A[i, j], A[i, j + 1], A[i, j + 2], A[i, j + 3]
            b0, b1, b2, b3 = A[i + 1, j], A[i + 1, j + 1], A[i + 1, j + 2], A[i + 1, j + 3]
            c0, c1, c2, c3 = A[i + 2, j], A[i + 2, j + 1], A[i + 2, j + 2], A[i + 2, j + 3]
            d0, d1, d2, d3 = A[i + 3, j], A[i + 3, j + 1], A[i + 3, j + 2], A[i + 3, j + 3]
            for k in range(lanes):
                x0, x1, x2, x3 = x[j, k], x[j + 1, k], x[j + 2, k], x[j + 3, k]
                out[i, k] = (((out[i, k] + a0 * x0) + a1 * x1) + a2 * x2) + a3 * x3  # four multiply-adds, no more
                out[i + 1, k] = (((out[i + 1, k] + b0 * x0) + b1 * x1) + b2 * x2) + b3 * x3
                out[i + 2, k] = (((out[i + 2, k] + c0 * x0) + c1 * x1) + c2 * x2) + c3 * x3
                out[i + 3, k] = (((out[i + 3, k] + d0 * x0) + d1 * x1) + d2 * x2) + d3 * x3
        for j in range(whole, columns):
            a0, b0, c0, d0 = A[i, j], A[i + 1, j], A[i + 2, j], A[i + 3, j]
            for k in range(lanes):
                x0 = x[j, k]
                out[i, k] += a0 * x0
                out[i + 1, k] += b0 * x0
                out[i + 2, k] += c0 * x0
                out[i + 3, k] += d0 * x0
    return rows


@inline
def add_rows(A, first, x, out):  # type: ignore[no-untyped-def]
    """Add A x to out for the rows of A from `first` on, with four columns at a time."""
    columns, lanes = A.shape[1], x.shape[1]
    whole = columns - columns % 4
    for i in range(first, A.shape[0]):
        for j in range(0, whole, 4):
            c0, c1, c2, c3 = A[i, j], A[i, j + 1], A[i, j + 2], A[i, j + 3]
            for k in range(lanes):
                out[i, k] = (((out[i, k] + c0 * x[j, k]) + c1 * x[j + 1, k]) + c2 * x[j + 2, k]) + c3 * x[j + 3, k]
        for j in range(whole, columns):
            c0 = A[i, j]
            for k in range(lanes):
                out[i, k] += c0 * x[j, k]


@inline
def add_product(A, x, out):  # type: ignore[no-untyped-def]
    """Add A x to out."""
    add_rows(A, add_tiles(A, x, out), x, out)


@inline
def preactivation(dynamics, step, h, sigma, z, at, a):  # type: ignore[no-untyped-def]
    """Set a = W h + drive + sigma z, with z from row `at` on, or without noise if sigma is empty."""
    drive, lanes = dynamics.drive, h.shape[1]
    row = min(step, drive.shape[0] - 1)
    for i in range(h.shape[0]):
        constant = drive[row, i]
        if sigma.size > 0:
            s = sigma[i]
            for k in range(lanes):
                a[i, k] = constant + s * z[at + i, k]
        else:
            for k in range(lanes):
                a[i, k] = constant
    add_product(dynamics.W, h, a)
    if dynamics.decoders.shape[0] > 0:
        x = np.zeros((dynamics.decoders.shape[0], lanes))
        add_product(dynamics.decoders, h, x)
        add_product(dynamics.encoders, x, a)


@inline
def relax(gamma, f, h):  # type: ignore[no-untyped-def]
    """Add γ (f - h) to h."""
    for i in range(h.shape[0]):
        for k in range(h.shape[1]):
            h[i, k] += gamma * (f[i, k] - h[i, k])


@inline
def advance(f, dynamics, step, z, at, h, a):  # type: ignore[no-untyped-def]
    """Take one step of h with variates z from row `at` on; `a` is a work array of h's shape."""
    sigma, lanes = dynamics.sigma_out, h.shape[1]
    preactivation(dynamics, step, h, dynamics.sigma_in, z, at, a)
    columns = dynamics.factor_in.shape[1]
    add_product(dynamics.factor_in, z[at : at + columns], a)
    f(a.reshape(a.size))
    at += dynamics.sigma_in.size + columns
    for i in range(sigma.size):
        s = sigma[i]
        for k in range(lanes):
            a[i, k] += s * z[at + i, k]
    add_product(dynamics.factor_out, z[at : at + dynamics.factor_out.shape[1]], a)
    relax(dynamics.gamma, a, h)


@inline
def copy_lanes(source, at, lanes, target, to):  # type: ignore[no-untyped-def]
    """Copy so many lanes of an array, from `at` on, to another array, from `to` on."""
    for i in range(source.shape[0]):
        for k in range(lanes):
            target[i, to + k] = source[i, at + k]


@jit(
    types.void(FUNCTION, DYNAMICS, PANELS, f8_2, u8_2, i8, i8, i8, i8, i8, i8, SUMS, f8_3),
    cache=True,
    fastmath={"contract"},
)
def run(f, dynamics, panels, states, streams, block, blocks, shift, first, times, every, sums, out):  # type: ignore[no-untyped-def]
    """Advance blocks by times × every steps, of which `first` is the first, and observe them after each `every` steps.

    The states (N, K) of `blocks` blocks from `block` on are advanced, and their generators in streams
    (K / LANES, 4 HALF), which are at step `first`. A block has the variates of the block `shift` before it. The states
    are added to `sums` if these are not empty; the trajectories below M are recorded in `out` (times, M, N) if that is
    not empty. States and sums do not depend on how a run is cut into calls. One kernel does all of this, since it is
    compiling that takes time.
    """
    n, lanes, lane = states.shape[0], blocks * LANES, block * LANES
    h, a, d = np.empty((n, lanes)), np.empty((n, lanes)), np.empty((n, lanes))
    copy_lanes(states, lane, lanes, h, np.int64(0))
    measured, controlled = sums.centre.size > 0, sums.residual.size > 0
    totals = np.zeros((5, n if measured else 0, lanes))
    totals[3], totals[4] = np.inf, -np.inf
    if measured:  # sums go on from where the last call ended, so that the order of additions is that of one call
        copy_lanes(sums.first, lane, lanes, totals[0], np.int64(0))
        copy_lanes(sums.second, lane, lanes, totals[1], np.int64(0))
    if controlled:
        copy_lanes(sums.residual, lane, lanes, totals[2], np.int64(0))
    x, p = np.empty(lanes), np.empty(lanes, np.int64)
    rows = dynamics.sigma_in.size + dynamics.factor_in.shape[1] + dynamics.sigma_out.size + dynamics.factor_out.shape[1]
    together = max(1, VARIATES // max(rows, 1))
    z3 = np.empty((together * rows, blocks, LANES))
    z = z3.reshape(together * rows, lanes)
    at, drawn, due, time = np.int64(0), np.int64(0), every, 0
    end = first + times * every
    recorded = min(lanes, out.shape[1] - lane)
    for step in range(first, end):
        if at == drawn:
            within = step % EPOCH
            at, drawn = np.int64(0), rows * min(together, end - step, EPOCH - within)
            for i in range(blocks):
                if within == 0:
                    seed(dynamics.key, block + i - shift, step // EPOCH, streams[block + i])
                fill(streams[block + i], z3, drawn, i, dynamics.constants, dynamics.bits)
        advance(f, dynamics, step, z, at, h, a)
        at += rows
        due -= 1
        if due == 0:
            due = every
            if measured:
                add_moments(h, sums.centre, d, totals[0], totals[1], sums.cross[block : block + blocks])
            if controlled:
                preactivation(dynamics, step + 1, h, dynamics.sigma_in[:0], z, at, a)
                ahead = sums.ahead[block : block + blocks]
                add_residual(f, panels, dynamics.gamma, h, a, d, x, p, totals[2], totals[3], totals[4], ahead)
            for i in range(n):
                for k in range(recorded):
                    out[time, lane + k, i] = h[i, k]
            time += 1
    copy_lanes(h, np.int64(0), lanes, states, lane)
    if measured:
        copy_lanes(totals[0], np.int64(0), lanes, sums.first, lane)
        copy_lanes(totals[1], np.int64(0), lanes, sums.second, lane)
    if controlled:
        copy_lanes(totals[2], np.int64(0), lanes, sums.residual, lane)
        for j in range(blocks):
            for i in range(n):
                for k in range(LANES):
                    sums.low[block + j, i] = min(sums.low[block + j, i], totals[3, i, j * LANES + k])
                    sums.high[block + j, i] = max(sums.high[block + j, i], totals[4, i, j * LANES + k])
