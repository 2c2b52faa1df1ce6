"""The compiled loops that run many networks on many trials, which are the lanes, with the same noise for each network.

    h' = (1-γ) h + γ (f((W h + W_in u + b) ∘ m_in + e_in) ∘ m_out + e_out),   z = W_out h' + b_out

or, in voltage form,

    v' = (1-γ) v + γ (W (f(v ∘ m_in + e_in) ∘ m_out) + W_in u + b + e_out),   z = W_out f(v') + b_out

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
    f8_1,
    f8_2,
    f8_3,
    i8,
    inline,
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
    """The noise. An array without columns, or without entries, is noise that there is not.

    Of noise that is private to each neuron, the factor is one column of standard deviations, and N sources count.
    """

    inside: FloatArray
    """Factor of the additive noise inside, (N, R)."""
    outside: FloatArray
    """Factor of the additive noise outside, likewise."""
    gain_inside: FloatArray
    """Factor of the multiplicative noise inside, (N, R)."""
    gain_outside: FloatArray
    """Factor of the multiplicative noise outside, (N, R)."""
    common: FloatArray
    """Standard deviation of the multiplicative noise that neurons have in common, (N,)."""
    threshold: FloatArray
    """Variate (N,) below which dropout keeps a value, Φ⁻¹(keep)."""
    keep: FloatArray
    """Probability (N,) with which dropout keeps it."""
    rho: FloatArray
    """Correlation from step to step of the sources inside and outside, one after the other, (R,); none if all are 0."""
    key: NDArray[np.uint64]
    """Two words that key the variates, (2,)."""
    constants: FloatArray
    """Constants of the variates, see :mod:`ctrnn_theory.integrators.normals`."""
    bits: NDArray[np.uint64]
    """Bit masks of the variates, likewise."""
    private: NDArray[np.bool_]
    """Whether the noise of each of the four factors is private, (4,)."""


class Dynamics(NamedTuple):
    """What a step is made of besides weights and noise."""

    gamma: FloatArray
    """Δt/τ of each neuron, (N,)."""
    voltage: bool
    """Whether the networks are in voltage form."""
    recurrent: bool
    """Whether any of the weights W is not zero."""


class Given(NamedTuple):
    """An open-loop task on L trials."""

    u: FloatArray
    """Inputs, (T, K, L), or (1, K, L) if they are constant."""
    y: FloatArray
    """Targets, (T, P, L), or (1, P, L) if they are constant."""
    w: FloatArray
    """Weight of each step in the loss, (T,)."""


WEIGHTS = types.NamedTuple([f8_3, f8_2, f8_3, f8_3, f8_2], Weights)
SOURCES = types.NamedTuple(
    [*[f8_2] * 4, *[f8_1] * 4, types.uint64[::1], f8_1, types.uint64[::1], types.boolean[::1]], Sources
)
DYNAMICS = types.NamedTuple([f8_1, types.boolean, types.boolean], Dynamics)
GIVEN = types.NamedTuple([f8_3, f8_3, f8_1], Given)
f8_4 = types.float64[:, :, :, ::1]
SENSE = types.FunctionType(types.void(f8_2, f8_2, f8_1))
MOVE = types.FunctionType(types.void(i8, f8_2, f8_2, f8_1, f8_1))


@inline
def count(factor, private):  # type: ignore[no-untyped-def]
    """Return the number of sources of a factor."""
    return factor.shape[0] if private and factor.size > 0 else factor.shape[1]


@inline
def add_noise(factor, private, z, out):  # type: ignore[no-untyped-def]
    """Add the noise of a factor and of variates z to out."""
    if private:
        for i in range(factor.shape[0] if factor.size > 0 else 0):
            for k in range(LANES):
                out[i, k] += factor[i, 0] * z[i, k]
    else:
        add_product(factor, z, out)


@inline
def draw(sources, memory, block, first, e_in, e_out, m_in, m_out):  # type: ignore[no-untyped-def]
    """Set the noise of a block from step `first` on: added e_in, e_out, multiplied m_in, m_out, (T, N or 0, LANES).

    The states `memory` (R, LANES) of coloured sources are advanced. Each kind of noise takes its variates after those
    before it, so that noise without it has the same variates.
    """
    private = sources.private
    rows_in = count(sources.inside, private[0])
    white = rows_in + count(sources.outside, private[1])
    gain_in = white + count(sources.gain_inside, private[2])
    gain_out = gain_in + count(sources.gain_outside, private[3])
    mask = gain_out + (1 if sources.common.size > 0 else 0)
    rows = mask + sources.threshold.size
    z3 = np.empty((rows, 1, LANES))
    z = z3.reshape(rows, LANES)
    state = np.empty(2 * LANES, np.uint64)
    seek(sources.key, block, first, rows, state)
    for t in range(e_in.shape[0]):
        if (first + t) % EPOCH == 0:
            seed(sources.key, block, (first + t) // EPOCH, state)
        fill(state, z3, rows, np.int64(0), sources.constants, sources.bits)
        for r in range(sources.rho.size):
            rho = sources.rho[r]
            fresh = np.sqrt(1.0 - rho * rho)
            for k in range(LANES):
                memory[r, k] = rho * memory[r, k] + fresh * z[r, k]
                z[r, k] = memory[r, k]
        if rows_in > 0:
            add_noise(sources.inside, private[0], z[:rows_in], e_in[t])
        if white > rows_in:
            add_noise(sources.outside, private[1], z[rows_in:white], e_out[t])
        if m_in.shape[1] > 0:
            m_in[t] = 1.0
            add_noise(sources.gain_inside, private[2], z[white:gain_in], m_in[t])
        if m_out.shape[1] > 0:
            m_out[t] = 1.0
            add_noise(sources.gain_outside, private[3], z[gain_in:gain_out], m_out[t])
            for i in range(sources.common.size):
                for k in range(LANES):
                    m_out[t, i, k] *= 1.0 + sources.common[i] * z[gain_out, k]
            for i in range(sources.threshold.size):
                for k in range(LANES):
                    m_out[t, i, k] *= (1.0 if z[mask + i, k] < sources.threshold[i] else 0.0) / sources.keep[i]


@inline
def room(sources, steps, n):  # type: ignore[no-untyped-def]
    """Return arrays for the noise of so many steps, (T, N or 0, LANES): e_in, e_out, m_in, m_out."""
    multiplied = sources.gain_outside.shape[1] + sources.common.size + sources.threshold.size
    return (
        np.zeros((steps, n if sources.inside.shape[1] > 0 else 0, LANES)),
        np.zeros((steps, n if sources.outside.shape[1] > 0 else 0, LANES)),
        np.zeros((steps, n if sources.gain_inside.shape[1] > 0 else 0, LANES)),
        np.zeros((steps, n if multiplied > 0 else 0, LANES)),
    )


@inline
def affine(A, x, constant, out):  # type: ignore[no-untyped-def]
    """Set out = A x + constant."""
    for i in range(out.shape[0]):
        for k in range(LANES):
            out[i, k] = constant[i]
    add_product(A, x, out)


@inline
def step(f, W, dynamics, drive, noise, t, h, a, y):  # type: ignore[no-untyped-def]
    """Take one step of h; `a` and `y` are work arrays of its shape."""
    e_in, e_out, m_in, m_out = noise
    n, added = h.shape[0], e_in.shape[1] > 0
    if dynamics.voltage:
        for i in range(n):
            for k in range(LANES):
                a[i, k] = h[i, k]
    else:
        early = added and m_in.shape[1] == 0  # additive noise is the first term of the sum, if nothing multiplies it
        for i in range(n):
            for k in range(LANES):
                a[i, k] = drive[i, k] + e_in[t, i, k] if early else drive[i, k]
        if dynamics.recurrent:
            add_product(W, h, a)
        added = added and not early
    if m_in.shape[1] > 0:
        for i in range(n):
            for k in range(LANES):
                a[i, k] *= m_in[t, i, k]
    if added:
        for i in range(n):
            for k in range(LANES):
                a[i, k] += e_in[t, i, k]
    f(a.reshape(a.size))
    if m_out.shape[1] > 0:
        for i in range(n):
            for k in range(LANES):
                a[i, k] *= m_out[t, i, k]
    if dynamics.voltage:
        for i in range(n):
            for k in range(LANES):
                y[i, k] = drive[i, k]
        if dynamics.recurrent:
            add_product(W, a, y)
        a, y = y, a
    if e_out.shape[1] > 0:
        for i in range(n):
            for k in range(LANES):
                a[i, k] += e_out[t, i, k]
    for i in range(n):
        for k in range(LANES):
            h[i, k] += dynamics.gamma[i] * (a[i, k] - h[i, k])


@inline
def read_out(f, dynamics, W_out, b_out, h, a, z):  # type: ignore[no-untyped-def]
    """Set z to the output at states h; `a` is a work array of the shape of h."""
    if dynamics.voltage:
        for i in range(h.shape[0]):
            for k in range(LANES):
                a[i, k] = h[i, k]
        f(a.reshape(a.size))
        affine(W_out, a, b_out, z)
    else:
        affine(W_out, h, b_out, z)


@jit(
    types.void(FUNCTION, WEIGHTS, DYNAMICS, GIVEN, SOURCES, f8_2, i8, i8, i8, i8, i8, f8_3, f8_2, f8_4),
    cache=True,
    fastmath={"contract"},
)
def open_loop(  # type: ignore[no-untyped-def]
    f, weights, dynamics, given, sources, memory, block, begin, end, first, last, states, cost, out
):
    """Add Σ_t w_t |z_t - y_t|² over steps first..last to cost (S, L), for networks begin..end on a block of trials.

    The states (S, N, L) of the networks are advanced. Outputs are recorded in `out` (S', T, P, L) if it is not empty.
    """
    n, (outputs, lane) = weights.W.shape[1], (weights.W_out.shape[1], block * LANES)
    noise = room(sources, last - first, n)
    draw(sources, memory, block, first, *noise)
    h, a, drive, work = np.empty((n, LANES)), np.empty((n, LANES)), np.empty((n, LANES)), np.empty((n, LANES))
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
            step(f, weights.W[s], dynamics, drive, noise, t - first, h, a, work)
            w, recorded = given.w[t], s < out.shape[0]
            if w == 0.0 and not recorded:
                continue
            read_out(f, dynamics, weights.W_out[s], weights.b_out[s], h, a, z)
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
    types.void(FUNCTION, SENSE, MOVE, f8_1, WEIGHTS, DYNAMICS, SOURCES, f8_2, *[i8] * 5, f8_3, f8_3, f8_2, f8_4),
    cache=True,
    fastmath={"contract"},
)
def closed_loop(  # type: ignore[no-untyped-def]
    f,
    sense,
    move,
    constants,
    weights,
    dynamics,
    sources,
    memory,
    block,
    begin,
    end,
    first,
    last,
    states,
    worlds,
    cost,
    out,
):
    """Add to cost (S, L) what `move` adds in steps first..last, for networks begin..end on a block of trials.

    The states (S, N, L) of the networks and those of their worlds (S, D, L) are advanced. In each step
    sense(world, u, constants) sets the input, the network takes a step, and move(t, z, world, cost, constants) lets the
    world take one. The worlds after each step are recorded in `out` (S', T + 1, D, L) if it is not empty.
    """
    n, (outputs, lane), inputs = weights.W.shape[1], (weights.W_out.shape[1], block * LANES), weights.W_in.shape[2]
    noise = room(sources, last - first, n)
    draw(sources, memory, block, first, *noise)
    h, a, drive, work = np.empty((n, LANES)), np.empty((n, LANES)), np.empty((n, LANES)), np.empty((n, LANES))
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
            step(f, weights.W[s], dynamics, drive, noise, t - first, h, a, work)
            read_out(f, dynamics, weights.W_out[s], weights.b_out[s], h, a, z)
            move(t, z, world, total, constants)
            if s < out.shape[0]:
                for d in range(world.shape[0]):
                    for k in range(LANES):
                        out[s, t + 1, d, lane + k] = world[d, k]
        copy_lanes(h, np.int64(0), np.int64(LANES), states[s], lane)
        copy_lanes(world, np.int64(0), np.int64(LANES), worlds[s], lane)
        for k in range(LANES):
            cost[s, lane + k] = total[k]
