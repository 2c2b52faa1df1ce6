"""The compiled loops that run many networks on many trials, which are the lanes, with the same noise for each network.

    h' = (1-γ) h + γ (f(W h + W_in u + b + e_in) + e_out),   z = W_out h' + b_out

A block is `LANES` trials. A call takes some steps of a block: it draws their noise once, and then runs each network
through these steps with it. The networks thus have common random numbers, and drawing them costs next to nothing. Costs
and states do not depend on how the steps are cut into calls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from ctrnn_theory.integrators.kernels import (
    FUNCTION,
    add_product,
    copy_lanes,
    f8,
    f8_1,
    f8_2,
    f8_3,
    i8,
    inline,
    relax,
)
from ctrnn_theory.integrators.normals import EPOCH, LANES, fill, seed, seek
from ctrnn_theory.support.jit import jit
from ctrnn_theory.support.types import FloatArray


class Weights(NamedTuple):
    """Parameters of S networks."""

    W: FloatArray
    """Recurrent weights, (S, N, N)."""
    b: FloatArray
    """Bias vectors, (S, N)."""
    W_in: FloatArray
    """Input weights, (S, N, K)."""
    W_out: FloatArray
    """Readout weights, (S, P, N)."""
    b_out: FloatArray
    """Constants of the readouts, (S, P)."""


class Sources(NamedTuple):
    """The noise."""

    inside: FloatArray
    """Factor of the noise inside, (N, R), or (N, 0) for none."""
    outside: FloatArray
    """Factor of the noise outside, likewise."""
    key: NDArray[np.uint64]
    """Two words that key the variates, (2,)."""
    constants: FloatArray
    """Constants of the variates, see :mod:`ctrnn_theory.integrators.normals`."""
    bits: NDArray[np.uint64]
    """Bit masks of the variates, likewise."""


class Given(NamedTuple):
    """An open-loop task on L trials."""

    u: FloatArray
    """Inputs, (T, K, L), or (1, K, L) if they are constant."""
    y: FloatArray
    """Targets, (T, P, L), or (1, P, L) if they are constant."""
    w: FloatArray
    """Weight of each step in the loss, (T,)."""


WEIGHTS = types.NamedTuple([f8_3, f8_2, f8_3, f8_3, f8_2], Weights)
SOURCES = types.NamedTuple([f8_2, f8_2, types.uint64[::1], f8_1, types.uint64[::1]], Sources)
GIVEN = types.NamedTuple([f8_3, f8_3, f8_1], Given)
f8_4 = types.float64[:, :, :, ::1]
SENSE = types.FunctionType(types.void(f8_2, f8_2, f8_1))
MOVE = types.FunctionType(types.void(i8, f8_2, f8_2, f8_1, f8_1))


@inline
def draw(sources, block, first, e_in, e_out):  # type: ignore[no-untyped-def]
    """Set e_in and e_out (T, N or 0, LANES) to the noise of a block from step `first` on: factors times variates."""
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
            add_product(sources.inside, z[:rows_in], e_in[t])
        if rows > rows_in:
            add_product(sources.outside, z[rows_in:], e_out[t])


@inline
def affine(A, x, constant, out):  # type: ignore[no-untyped-def]
    """Set out = A x + constant."""
    for i in range(out.shape[0]):
        for k in range(LANES):
            out[i, k] = constant[i]
    add_product(A, x, out)


@inline
def step(f, W, gamma, drive, e_in, e_out, t, h, a):  # type: ignore[no-untyped-def]
    """Take one step of h; `a` is a work array of its shape."""
    n = h.shape[0]
    if e_in.shape[1] > 0:
        for i in range(n):
            for k in range(LANES):
                a[i, k] = drive[i, k] + e_in[t, i, k]
    else:
        for i in range(n):
            for k in range(LANES):
                a[i, k] = drive[i, k]
    add_product(W, h, a)
    f(a.reshape(a.size))
    if e_out.shape[1] > 0:
        for i in range(n):
            for k in range(LANES):
                a[i, k] += e_out[t, i, k]
    relax(gamma, a, h)


@jit(
    types.void(FUNCTION, WEIGHTS, f8, GIVEN, SOURCES, i8, i8, i8, i8, i8, f8_3, f8_2, f8_4),
    cache=True,
    fastmath={"contract"},
)
def open_loop(f, weights, gamma, given, sources, block, begin, end, first, last, states, cost, out):  # type: ignore[no-untyped-def]
    """Add Σ_t w_t |z_t - y_t|² over steps first..last to cost (S, L), for networks begin..end on a block of trials.

    The states (S, N, L) of the networks are advanced. Outputs are recorded in `out` (S', T, P, L) if it is not empty.
    """
    n, (outputs, lane) = weights.W.shape[1], (weights.W_out.shape[1], block * LANES)
    e_in = np.zeros((last - first, n if sources.inside.shape[1] > 0 else 0, LANES))
    e_out = np.zeros((last - first, n if sources.outside.shape[1] > 0 else 0, LANES))
    draw(sources, block, first, e_in, e_out)
    h, a, drive = np.empty((n, LANES)), np.empty((n, LANES)), np.empty((n, LANES))
    u, y, z = np.empty((given.u.shape[1], LANES)), np.empty((outputs, LANES)), np.empty((outputs, LANES))
    total = np.empty(LANES)
    for s in range(begin, end):
        copy_lanes(states[s], lane, np.int64(LANES), h, np.int64(0))
        for k in range(LANES):
            total[k] = cost[s, lane + k]
        for t in range(first, last):
            if t == first or t < given.u.shape[0]:
                copy_lanes(given.u[min(t, given.u.shape[0] - 1)], lane, np.int64(LANES), u, np.int64(0))
                affine(weights.W_in[s], u, weights.b[s], drive)
            step(f, weights.W[s], gamma, drive, e_in, e_out, t - first, h, a)
            w, recorded = given.w[t], s < out.shape[0]
            if w == 0.0 and not recorded:
                continue
            affine(weights.W_out[s], h, weights.b_out[s], z)
            copy_lanes(given.y[min(t, given.y.shape[0] - 1)], lane, np.int64(LANES), y, np.int64(0))
            for p in range(outputs):
                for k in range(LANES):
                    total[k] += w * (z[p, k] - y[p, k]) ** 2
                if recorded:
                    for k in range(LANES):
                        out[s, t, p, lane + k] = z[p, k]
        copy_lanes(h, np.int64(0), np.int64(LANES), states[s], lane)
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
    """Add to cost (S, L) what `move` adds in steps first..last, for networks begin..end on a block of trials.

    The states (S, N, L) of the networks and those of their worlds (S, D, L) are advanced. In each step
    sense(world, u, constants) sets the input, the network takes a step, and move(t, z, world, cost, constants) lets the
    world take one. The worlds after each step are recorded in `out` (S', T + 1, D, L) if it is not empty.
    """
    n, (outputs, lane), inputs = weights.W.shape[1], (weights.W_out.shape[1], block * LANES), weights.W_in.shape[2]
    e_in = np.zeros((last - first, n if sources.inside.shape[1] > 0 else 0, LANES))
    e_out = np.zeros((last - first, n if sources.outside.shape[1] > 0 else 0, LANES))
    draw(sources, block, first, e_in, e_out)
    h, a, drive = np.empty((n, LANES)), np.empty((n, LANES)), np.empty((n, LANES))
    u, z, world = np.empty((inputs, LANES)), np.empty((outputs, LANES)), np.empty((worlds.shape[1], LANES))
    total = np.empty(LANES)
    for s in range(begin, end):
        copy_lanes(states[s], lane, np.int64(LANES), h, np.int64(0))
        copy_lanes(worlds[s], lane, np.int64(LANES), world, np.int64(0))
        for k in range(LANES):
            total[k] = cost[s, lane + k]
        for t in range(first, last):
            sense(world, u, constants)
            affine(weights.W_in[s], u, weights.b[s], drive)
            step(f, weights.W[s], gamma, drive, e_in, e_out, t - first, h, a)
            affine(weights.W_out[s], h, weights.b_out[s], z)
            move(t, z, world, total, constants)
            if s < out.shape[0]:
                for d in range(world.shape[0]):
                    for k in range(LANES):
                        out[s, t + 1, d, lane + k] = world[d, k]
        copy_lanes(h, np.int64(0), np.int64(LANES), states[s], lane)
        copy_lanes(world, np.int64(0), np.int64(LANES), worlds[s], lane)
        for k in range(LANES):
            cost[s, lane + k] = total[k]
