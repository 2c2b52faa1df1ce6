"""The compiled loops of :mod:`ctrnn_theory.training.kernels` for one network of low rank, W = E Dᵀ, in rate form.

    X' = (1-γ) X + γ D̂ᵀ (f((E x + W_in u + b) ∘ m_in + e_in) ∘ m_out + e_out),   z = W_out h' + b_out

where X = D̂ᵀ h, D̂ = [D, W_outᵀ], holds the latent variables x and the outputs, so that the states h are not needed. A
step takes the neurons in tiles, which stay in the cache from their variates to what they add to X.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types

from ctrnn_theory.integrators.kernels import FUNCTION, copy_lanes, f8, f8_1, f8_2, f8_3, i8, inline
from ctrnn_theory.integrators.normals import EPOCH, LANES, fill, seed, seek
from ctrnn_theory.support.jit import jit
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.kernels import GIVEN, MOVE, SENSE, SOURCES, draw, room

TILE = 16
"""Neurons of a tile."""


class Latent(NamedTuple):
    """A network of low rank."""

    encoders: FloatArray
    """[E, W_in] (N, R + K), and columns of zeros up to a multiple of four, of which there is one at least."""
    b: FloatArray
    """Bias vector (N,)."""
    decoders: FloatArray
    """D̂ᵀ (Q, N), R + P rows."""
    b_out: FloatArray
    """Constants of the readout (P,)."""
    gamma: float
    """Δt/τ."""
    rank: int
    """Number R of latent variables."""
    inputs: int
    """Number K of inputs."""

    @property
    def products(self) -> int:
        """Products of a step for each neuron."""
        return self.encoders.shape[1] + len(self.decoders)


LATENT = types.NamedTuple([f8_2, f8_1, f8_2, f8_1, f8, i8, i8], Latent)


@inline
def alone(sources):  # type: ignore[no-untyped-def]
    """Return the site of the noise, 1 inside or 2 outside, if all of it is additive and private at one site, else 0."""
    multiplied = sources.gain_inside.size + sources.gain_outside.size + sources.common.size + sources.threshold.size
    inside, outside = sources.inside.size > 0, sources.outside.size > 0
    if multiplied > 0 or sources.rho.size > 0 or inside == outside:
        return 0
    if inside:
        return 1 if sources.private[0] else 0
    return 2 if sources.private[1] else 0


@inline
def encode(encoders, first, rows, x, a):  # type: ignore[no-untyped-def]
    """Add [E, W_in] x to a (rows LANES,) for so many neurons from `first` on, with four columns at a time.

    Arrays are flat here and in `decode`: the compiler then sees that rows do not overlap, and vectorises the loops.
    """
    for j in range(encoders.shape[1] // 4):
        for i in range(rows):
            n = first + i
            c0, c1, c2, c3 = encoders[n, 4 * j], encoders[n, 4 * j + 1], encoders[n, 4 * j + 2], encoders[n, 4 * j + 3]
            for k in range(LANES):
                low = c0 * x[4 * j * LANES + k] + c1 * x[(4 * j + 1) * LANES + k]
                high = c2 * x[(4 * j + 2) * LANES + k] + c3 * x[(4 * j + 3) * LANES + k]
                a[i * LANES + k] += low + high


@inline
def decode(decoders, first, rows, a, added):  # type: ignore[no-untyped-def]
    """Add to `added` (Q LANES,) what so many neurons of values a (rows LANES,) contribute to D̂ᵀ a, eight at a time."""
    whole, Q = rows - rows % 8, decoders.shape[0]
    for i in range(0, whole, 8):
        n, at = first + i, i * LANES
        for q in range(Q):
            c0, c1, c2, c3 = decoders[q, n], decoders[q, n + 1], decoders[q, n + 2], decoders[q, n + 3]
            c4, c5, c6, c7 = decoders[q, n + 4], decoders[q, n + 5], decoders[q, n + 6], decoders[q, n + 7]
            row = q * LANES
            for k in range(LANES):
                low = c0 * a[at + k] + c1 * a[at + LANES + k]
                low = (low + c2 * a[at + 2 * LANES + k]) + c3 * a[at + 3 * LANES + k]
                high = c4 * a[at + 4 * LANES + k] + c5 * a[at + 5 * LANES + k]
                high = (high + c6 * a[at + 6 * LANES + k]) + c7 * a[at + 7 * LANES + k]
                added[row + k] += low + high
    for i in range(whole, rows):
        for q in range(Q):
            c0 = decoders[q, first + i]
            for k in range(LANES):
                added[q * LANES + k] += c0 * a[i * LANES + k]


@inline
def latent_step(f, net, sources, site, state, block, t, at, x, noise, z3, a, y):  # type: ignore[no-untyped-def]
    """Take step t of X, with [x, u] in `x` (R + K or more, LANES) and X in the last rows of `y` (2 Q, LANES).

    The noise is that of step `at` of what was drawn before, or else of one site, by the generator `state`.
    """
    n, Q = net.b.size, net.decoders.shape[0]
    e_in, e_out, m_in, m_out = noise
    z, added, X = z3.reshape(TILE, LANES), y[:Q], y[Q:]
    sigma = sources.inside if site == 1 else sources.outside
    if site > 0 and t % EPOCH == 0:
        seed(sources.key, block, t // EPOCH, state)
    added[:] = 0.0
    for first in range(0, n, TILE):
        rows = min(TILE, n - first)
        if site > 0:
            fill(state, z3, rows, np.int64(0), sources.constants, sources.bits)
        for i in range(rows):
            constant, s = net.b[first + i], sigma[first + i, 0] if site > 0 else 0.0
            if site == 1:
                for k in range(LANES):
                    a[i, k] = constant + s * z[i, k]
            else:
                for k in range(LANES):
                    a[i, k] = constant
        encode(net.encoders, first, rows, x.reshape(x.size), a.reshape(a.size))
        if m_in.shape[1] > 0:
            for i in range(rows):
                for k in range(LANES):
                    a[i, k] *= m_in[at, first + i, k]
        if site == 0 and e_in.shape[1] > 0:
            for i in range(rows):
                for k in range(LANES):
                    a[i, k] += e_in[at, first + i, k]
        f(a[:rows].reshape(rows * LANES))
        if m_out.shape[1] > 0:
            for i in range(rows):
                for k in range(LANES):
                    a[i, k] *= m_out[at, first + i, k]
        if site == 2:
            for i in range(rows):
                for k in range(LANES):
                    a[i, k] += sigma[first + i, 0] * z[i, k]
        if site == 0 and e_out.shape[1] > 0:
            for i in range(rows):
                for k in range(LANES):
                    a[i, k] += e_out[at, first + i, k]
        decode(net.decoders, first, rows, a.reshape(a.size), y.reshape(y.size))
    for q in range(Q):
        for k in range(LANES):
            X[q, k] += net.gamma * (added[q, k] - X[q, k])


@inline
def begin(net, sources, memory, block, first, last, states, y):  # type: ignore[no-untyped-def]
    """Return work arrays and the generator at step `first`, with the states of a block copied."""
    Q, lane, site = net.decoders.shape[0], block * LANES, alone(sources)
    copy_lanes(states, lane, np.int64(LANES), y[Q:], np.int64(0))
    state = np.empty(2 * LANES, np.uint64)
    if site > 0:
        seek(sources.key, block, first, net.b.size, state)
    noise = room(sources, last - first if site == 0 else 0, net.b.size)
    if site == 0:
        draw(sources, memory, block, first, *noise)
    return site, state, noise, np.empty((TILE, 1, LANES)), np.empty((TILE, LANES))


@inline
def latent_read_out(net, y, z):  # type: ignore[no-untyped-def]
    """Set z (P, LANES) to the outputs."""
    first = net.decoders.shape[0] + net.rank
    for p in range(z.shape[0]):
        for k in range(LANES):
            z[p, k] = y[first + p, k] + net.b_out[p]


@jit(
    types.void(FUNCTION, LATENT, GIVEN, SOURCES, f8_2, i8, i8, i8, f8_2, f8_1, f8_3),
    cache=True,
    fastmath={"contract"},
)
def latent_open_loop(f, net, given, sources, memory, block, first, last, states, cost, out):  # type: ignore[no-untyped-def]
    """Add Σ_t w_t |z_t - y_t|² over steps first..last to cost (L,), on a block of trials.

    The states X (Q, L) are advanced. Outputs are recorded in `out` (T, P, L) if it is not empty.
    """
    R, Q, lane, outputs = net.rank, net.decoders.shape[0], block * LANES, net.b_out.size
    y, x, z = np.empty((2 * Q, LANES)), np.zeros((net.encoders.shape[1], LANES)), np.empty((outputs, LANES))
    site, state, noise, z3, a = begin(net, sources, memory, block, first, last, states, y)
    target = np.empty((outputs, LANES))
    for t in range(first, last):
        for r in range(R):
            for k in range(LANES):
                x[r, k] = y[Q + r, k]
        if t == first or t < given.u.shape[0]:
            copy_lanes(given.u[min(t, given.u.shape[0] - 1)], lane, np.int64(LANES), x[R:], np.int64(0))
        latent_step(f, net, sources, site, state, block, t, t - first, x, noise, z3, a, y)
        w, recorded = given.w[t], out.shape[0] > 0
        if w == 0.0 and not recorded:
            continue
        latent_read_out(net, y, z)
        copy_lanes(given.y[min(t, given.y.shape[0] - 1)], lane, np.int64(LANES), target, np.int64(0))
        for p in range(outputs):
            for k in range(LANES):
                cost[lane + k] += w * (z[p, k] - target[p, k]) ** 2
            if recorded:
                for k in range(LANES):
                    out[t, p, lane + k] = z[p, k]
    copy_lanes(y[Q:], np.int64(0), np.int64(LANES), states, lane)


@jit(
    types.void(FUNCTION, SENSE, MOVE, f8_1, LATENT, SOURCES, f8_2, i8, i8, i8, f8_2, f8_2, f8_1, f8_3),
    cache=True,
    fastmath={"contract"},
)
def latent_closed_loop(  # type: ignore[no-untyped-def]
    f, sense, move, constants, net, sources, memory, block, first, last, states, worlds, cost, out
):
    """Add to cost (L,) what `move` adds in steps first..last, on a block of trials.

    The states X (Q, L) and those of the worlds (D, L) are advanced; the worlds after each step are recorded in `out`
    (T + 1, D, L) if it is not empty. See :func:`ctrnn_theory.training.kernels.closed_loop`.
    """
    R, Q, lane, inputs = net.rank, net.decoders.shape[0], block * LANES, net.inputs
    y, x, z = np.empty((2 * Q, LANES)), np.zeros((net.encoders.shape[1], LANES)), np.empty((net.b_out.size, LANES))
    site, state, noise, z3, a = begin(net, sources, memory, block, first, last, states, y)
    u, world, total = np.empty((inputs, LANES)), np.empty((worlds.shape[0], LANES)), np.empty(LANES)
    copy_lanes(worlds, lane, np.int64(LANES), world, np.int64(0))
    for k in range(LANES):
        total[k] = cost[lane + k]
    for t in range(first, last):
        sense(world, u, constants)
        for r in range(R):
            for k in range(LANES):
                x[r, k] = y[Q + r, k]
        copy_lanes(u, np.int64(0), np.int64(LANES), x[R:], np.int64(0))
        latent_step(f, net, sources, site, state, block, t, t - first, x, noise, z3, a, y)
        latent_read_out(net, y, z)
        move(t, z, world, total, constants)
        if out.shape[0] > 0:
            for d in range(world.shape[0]):
                for k in range(LANES):
                    out[t + 1, d, lane + k] = world[d, k]
    copy_lanes(y[Q:], np.int64(0), np.int64(LANES), states, lane)
    copy_lanes(world, np.int64(0), np.int64(LANES), worlds, lane)
    for k in range(LANES):
        cost[lane + k] = total[k]
