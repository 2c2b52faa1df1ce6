"""Many networks on many trials, compiled: the same step, trials as lanes, and the same noise for every network.

    h' = (1-γ) h + γ (f(W h + W_in u + b + e_in) + e_out),   z = W_out h' + b_out

A block is `LANES` trials. A call takes some steps of it: it draws their noise once, and each network then runs through
them with it. That is what common random numbers are, and it makes the variates nearly free. Costs and states do not
depend on how the steps are cut into calls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from ctrnn_theory.integrators.kernels import FUNCTION, add_product, add_tiles, f8, f8_1, f8_2, f8_3, i8, inline
from ctrnn_theory.integrators.normals import EPOCH, LANES, fill, seed, seek
from ctrnn_theory.support.jit import jit
from ctrnn_theory.support.types import FloatArray


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
def draw(sources, block, first, e_in, e_out):  # type: ignore[no-untyped-def]
    """Set e_in, e_out (T, N or 0, LANES) to a block's noise from step `first` on: factors times variates."""
    rows_in = sources.inside.shape[1]
    rows = rows_in + sources.outside.shape[1]
    z3 = np.empty((rows, 1, LANES))
    z = z3.reshape(rows, LANES)
    state = np.empty(2 * LANES, np.uint64)
    seek(sources.key, block, first, rows, state)
    for t in range(e_in.shape[0]):
        if (first + t) % EPOCH == 0:
            seed(sources.key, block, (first + t) // EPOCH, state)
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
def copy_rows(source, at, target):  # type: ignore[no-untyped-def]
    """Set target (rows, LANES) to the columns of source from `at` on."""
    for i in range(target.shape[0]):
        for k in range(LANES):
            target[i, k] = source[i, at + k]


@inline
def keep_rows(source, target, at):  # type: ignore[no-untyped-def]
    """Set the columns of target from `at` on to source (rows, LANES)."""
    for i in range(source.shape[0]):
        for k in range(LANES):
            target[i, at + k] = source[i, k]


@jit(
    types.void(FUNCTION, WEIGHTS, f8, GIVEN, SOURCES, i8, i8, i8, i8, i8, f8_3, f8_2, f8_4),
    cache=True,
    fastmath={"contract"},
)
def open_loop(f, weights, gamma, given, sources, block, begin, end, first, last, states, cost, out):  # type: ignore[no-untyped-def]
    """Add Σ_t w_t |z_t - y_t|² over steps first..last to cost (S, L), for networks begin..end on a block of trials.

    states (S, N, L): where the networks are. If `out` (S', T, P, L) is not empty, record the outputs there.
    """
    n, (outputs, lane) = weights.W.shape[1], (weights.W_out.shape[1], block * LANES)
    e_in = np.zeros((last - first, n if sources.inside.shape[1] > 0 else 0, LANES))
    e_out = np.zeros((last - first, n if sources.outside.shape[1] > 0 else 0, LANES))
    draw(sources, block, first, e_in, e_out)
    h, a, drive = np.empty((n, LANES)), np.empty((n, LANES)), np.empty((n, LANES))
    u, y, z = np.empty((given.u.shape[1], LANES)), np.empty((outputs, LANES)), np.empty((outputs, LANES))
    total = np.empty(LANES)
    for s in range(begin, end):
        copy_rows(states[s], lane, h)
        for k in range(LANES):
            total[k] = cost[s, lane + k]
        for t in range(first, last):
            if t == first or t < given.u.shape[0]:
                copy_rows(given.u[min(t, given.u.shape[0] - 1)], lane, u)
                set_drive(weights.b[s], weights.W_in[s], u, drive)
            step(f, weights.W[s], gamma, drive, e_in, e_out, t - first, h, a)
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
        keep_rows(h, states[s], lane)
        for k in range(LANES):
            cost[s, lane + k] = total[k]


@jit(
    types.void(FUNCTION, SENSE, MOVE, f8_1, WEIGHTS, f8, SOURCES, i8, i8, i8, i8, i8, f8_3, f8_3, f8_2, f8_4),
    cache=True,
    fastmath={"contract"},
)
def closed_loop(  # type: ignore[no-untyped-def]
    f, sense, move, constants, weights, gamma, sources, block, begin, end, first, last, states, worlds, cost, out
):
    """Add to cost (S, L) what `move` adds in steps first..last, of networks begin..end on a block of trials.

    states (S, N, L), worlds (S, D, L): where the networks are, and their worlds. Each step: sense(world, u, constants)
    sets the input, the network takes a step, and move(t, z, world, cost, constants) lets the world take one. If `out`
    (S', T + 1, D, L) is not empty, record the worlds after each step there.
    """
    n, (outputs, lane), inputs = weights.W.shape[1], (weights.W_out.shape[1], block * LANES), weights.W_in.shape[2]
    e_in = np.zeros((last - first, n if sources.inside.shape[1] > 0 else 0, LANES))
    e_out = np.zeros((last - first, n if sources.outside.shape[1] > 0 else 0, LANES))
    draw(sources, block, first, e_in, e_out)
    h, a, drive = np.empty((n, LANES)), np.empty((n, LANES)), np.empty((n, LANES))
    u, z, world = np.empty((inputs, LANES)), np.empty((outputs, LANES)), np.empty((worlds.shape[1], LANES))
    total = np.empty(LANES)
    for s in range(begin, end):
        copy_rows(states[s], lane, h)
        copy_rows(worlds[s], lane, world)
        for k in range(LANES):
            total[k] = cost[s, lane + k]
        for t in range(first, last):
            sense(world, u, constants)
            set_drive(weights.b[s], weights.W_in[s], u, drive)
            step(f, weights.W[s], gamma, drive, e_in, e_out, t - first, h, a)
            read_out(weights.W_out[s], weights.b_out[s], h, z)
            move(t, z, world, total, constants)
            if s < out.shape[0]:
                for d in range(world.shape[0]):
                    for k in range(LANES):
                        out[s, t + 1, d, lane + k] = world[d, k]
        keep_rows(h, states[s], lane)
        keep_rows(world, worlds[s], lane)
        for k in range(LANES):
            cost[s, lane + k] = total[k]
