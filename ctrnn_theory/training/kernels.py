"""Many networks on many trials, compiled: the same step, trials as lanes, and the same noise for every network.

    h' = (1-γ) h + γ (f(W h + W_in u + b + e_in) + e_out),   z = W_out h' + b_out

A block is `LANES` trials. Its noise is drawn once, for all steps, and each network then runs through them with it: that
is what common random numbers are, and it makes the variates nearly free.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from ctrnn_theory.integrators.kernels import FUNCTION, add_product, add_tiles, f8, f8_1, f8_2, f8_3, i8, inline
from ctrnn_theory.integrators.normals import EPOCH, LANES, fill, seed
from ctrnn_theory.jit import jit

FloatArray = NDArray[np.float64]


class Weights(NamedTuple):
    """Parameters of S networks."""

    W: FloatArray
    """(S, N, N)."""
    b: FloatArray
    """(S, N)."""
    W_in: FloatArray
    """(S, N, K)."""
    W_out: FloatArray
    """(S, P, N)."""
    b_out: FloatArray
    """(S, P)."""


class Sources(NamedTuple):
    """The noise: factors (N, R), or (N, 0) for none, and what the variates need."""

    inside: FloatArray
    outside: FloatArray
    key: NDArray[np.uint64]
    constants: FloatArray
    bits: NDArray[np.uint64]


class Given(NamedTuple):
    """An open-loop task on L trials: input, target, and the weight of each step in the loss."""

    u: FloatArray
    """(T, K, L), or (1, K, L) where it is constant."""
    y: FloatArray
    """(T, P, L), or (1, P, L)."""
    w: FloatArray
    """(T,)."""


WEIGHTS = types.NamedTuple([f8_3, f8_2, f8_3, f8_3, f8_2], Weights)
SOURCES = types.NamedTuple([f8_2, f8_2, types.uint64[::1], f8_1, types.uint64[::1]], Sources)
GIVEN = types.NamedTuple([f8_3, f8_3, f8_1], Given)
f8_4 = types.float64[:, :, :, ::1]
SENSE = types.FunctionType(types.void(f8_2, f8_2, f8_1))
MOVE = types.FunctionType(types.void(i8, f8_2, f8_2, f8_1, f8_1))


@inline
def draw(sources, block, steps, e_in, e_out):  # type: ignore[no-untyped-def]
    """Set e_in, e_out (T, N or 0, LANES) to a block's noise: factor times variates of (seed, block, step)."""
    rows_in = sources.inside.shape[1]
    rows = rows_in + sources.outside.shape[1]
    z3 = np.empty((rows, 1, LANES))
    z = z3.reshape(rows, LANES)
    state = np.empty(2 * LANES, np.uint64)
    for t in range(steps):
        if t % EPOCH == 0:
            seed(sources.key, block, t // EPOCH, state)
        fill(state, z3, rows, np.int64(0), sources.constants, sources.bits)
        if rows_in > 0:
            add_product(sources.inside, np.int64(0), z, np.int64(0), e_in[t])
        if rows > rows_in:
            add_product(sources.outside, np.int64(0), z, rows_in, e_out[t])


@inline
def set_drive(b, W_in, u, drive):  # type: ignore[no-untyped-def]
    """Set drive = b + W_in u."""
    for i in range(drive.shape[0]):
        for k in range(LANES):
            drive[i, k] = b[i]
    add_product(W_in, np.int64(0), u, np.int64(0), drive)


@inline
def step(f, W, gamma, drive, e_in, e_out, t, h, a):  # type: ignore[no-untyped-def]
    """One step of h; a: room of its shape."""
    n = h.shape[0]
    if e_in.shape[1] > 0:
        for i in range(n):
            for k in range(LANES):
                a[i, k] = drive[i, k] + e_in[t, i, k]
    else:
        for i in range(n):
            for k in range(LANES):
                a[i, k] = drive[i, k]
    add_product(W, add_tiles(W, h, a), h, np.int64(0), a)
    f(a.reshape(a.size))
    if e_out.shape[1] > 0:
        for i in range(n):
            for k in range(LANES):
                a[i, k] += e_out[t, i, k]
    for i in range(n):
        for k in range(LANES):
            h[i, k] += gamma * (a[i, k] - h[i, k])


@inline
def read_out(W_out, b_out, h, z):  # type: ignore[no-untyped-def]
    """Set z = W_out h + b_out."""
    for p in range(z.shape[0]):
        for k in range(LANES):
            z[p, k] = b_out[p]
    add_product(W_out, np.int64(0), h, np.int64(0), z)


@inline
def clear(x):  # type: ignore[no-untyped-def]
    """Set x (rows, lanes) to zero."""
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            x[i, k] = 0.0


@inline
def copy_rows(source, at, target):  # type: ignore[no-untyped-def]
    """Set target (rows, LANES) to the columns of source from `at` on."""
    for i in range(target.shape[0]):
        for k in range(LANES):
            target[i, k] = source[i, at + k]


@jit(types.void(FUNCTION, WEIGHTS, f8, GIVEN, SOURCES, i8, i8, i8, f8_2, f8_4), cache=True, fastmath={"contract"})
def open_loop(f, weights, gamma, given, sources, block, begin, end, cost, out):  # type: ignore[no-untyped-def]
    """Set cost (S, L) to Σ_t w_t |z_t - y_t|² for networks begin..end on a block of trials.

    If `out` (S', T, P, L) is not empty, record the outputs there.
    """
    steps, n, (outputs, lane) = given.w.size, weights.W.shape[1], (weights.W_out.shape[1], block * LANES)
    e_in = np.zeros((steps, n if sources.inside.shape[1] > 0 else 0, LANES))
    e_out = np.zeros((steps, n if sources.outside.shape[1] > 0 else 0, LANES))
    draw(sources, block, steps, e_in, e_out)
    h, a, drive = np.empty((n, LANES)), np.empty((n, LANES)), np.empty((n, LANES))
    u, y, z = np.empty((given.u.shape[1], LANES)), np.empty((outputs, LANES)), np.empty((outputs, LANES))
    total = np.empty(LANES)
    for s in range(begin, end):
        clear(h)
        for k in range(LANES):
            total[k] = 0.0
        for t in range(steps):
            if t < given.u.shape[0]:
                copy_rows(given.u[t], lane, u)
                set_drive(weights.b[s], weights.W_in[s], u, drive)
            step(f, weights.W[s], gamma, drive, e_in, e_out, t, h, a)
            w, recorded = given.w[t], s < out.shape[0]
            if w == 0.0 and not recorded:
                continue
            read_out(weights.W_out[s], weights.b_out[s], h, z)
            copy_rows(given.y[min(t, given.y.shape[0] - 1)], lane, y)
            for p in range(outputs):
                for k in range(LANES):
                    total[k] += w * (z[p, k] - y[p, k]) ** 2
                if recorded:
                    for k in range(LANES):
                        out[s, t, p, lane + k] = z[p, k]
        for k in range(LANES):
            cost[s, lane + k] = total[k]


@jit(
    types.void(FUNCTION, SENSE, MOVE, f8_1, WEIGHTS, f8, f8_2, i8, SOURCES, i8, i8, i8, f8_2, f8_4),
    cache=True,
    fastmath={"contract"},
)
def closed_loop(f, sense, move, constants, weights, gamma, start, steps, sources, block, begin, end, cost, out):  # type: ignore[no-untyped-def]
    """Set cost (S, L) to what `move` adds to it in so many steps, from states start (D, L) of the world.

    Each step: sense(state, u, constants) sets the input, the network takes a step, and move(t, z, state, cost,
    constants) lets the world take one. If `out` (S', T + 1, D, L) is not empty, record the world's states there.
    """
    n, (outputs, lane), inputs = weights.W.shape[1], (weights.W_out.shape[1], block * LANES), weights.W_in.shape[2]
    e_in = np.zeros((steps, n if sources.inside.shape[1] > 0 else 0, LANES))
    e_out = np.zeros((steps, n if sources.outside.shape[1] > 0 else 0, LANES))
    draw(sources, block, steps, e_in, e_out)
    h, a, drive = np.empty((n, LANES)), np.empty((n, LANES)), np.empty((n, LANES))
    u, z, state = np.empty((inputs, LANES)), np.empty((outputs, LANES)), np.empty((start.shape[0], LANES))
    total = np.empty(LANES)
    for s in range(begin, end):
        clear(h)
        copy_rows(start, lane, state)
        for k in range(LANES):
            total[k] = 0.0
        for t in range(steps + 1):
            if s < out.shape[0]:
                for d in range(state.shape[0]):
                    for k in range(LANES):
                        out[s, t, d, lane + k] = state[d, k]
            if t == steps:
                break
            sense(state, u, constants)
            set_drive(weights.b[s], weights.W_in[s], u, drive)
            step(f, weights.W[s], gamma, drive, e_in, e_out, t, h, a)
            read_out(weights.W_out[s], weights.b_out[s], h, z)
            move(t, z, state, total, constants)
        for k in range(LANES):
            cost[s, lane + k] = total[k]
