"""The compiled loops for every kind of noise and network.

    α = U h + c,   y = f(α ∘ (1 + G_in ξ) + x_in) ∘ (1 + G_out ξ'') ∘ (1 + g ζ) ∘ mask / keep
    h' = (1-Γ) h + Γ (B y + d + x_out)

They are those of :mod:`~ctrnn_theory.integrators.kernels`, with more to do in a step. Each step takes its rows of
variates in the order: additive inside, additive outside, gain inside, gain outside, common gain, dropout, probe. A row
whose source is coloured is replaced by the source, x' = ρ x + √(1-ρ²) ξ; then it is used as a white one is.
"""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from ctrnn_theory.integrators.first_class import TUPLES
from ctrnn_theory.integrators.general_sums import (
    SUMS,
    add_blocks,
    ends,
    evaluate_slope,
    lookup,
    widen,
)
from ctrnn_theory.integrators.kernels import FUNCTION, VARIATES, add_product, copy_lanes
from ctrnn_theory.integrators.normals import EPOCH, LANES, fill, seed
from ctrnn_theory.integrators.sums import PANELS, add_cross, add_moments, evaluate, f8_1, f8_2, f8_3, i8_1, inline
from ctrnn_theory.support.jit import jit
from ctrnn_theory.support.types import FloatArray


class Gain(NamedTuple):
    """Noise at a site: standard deviations (N,) if neurons have their own, or a factor (N, R); both empty for none."""

    sigma: FloatArray
    factor: FloatArray
    row: int
    """First row of its variates."""


class Dynamics(NamedTuple):
    """What decides a step. An empty array stands for what a network or its noise does not have."""

    U: FloatArray
    """Weights from states to pre-activations, (N, N); (0, 0) is the identity."""
    c: FloatArray
    """Constant part of the pre-activations, (1, N), or (steps, N) if it varies in time."""
    B: FloatArray
    """Weights from values of the activation to states, (N, N); (0, 0) is the identity."""
    d: FloatArray
    """Constant that is added to them, like c."""
    gamma: FloatArray
    """Δt/τ of each neuron, (N,)."""
    runs: NDArray[np.int64]
    """First neuron of each run of neurons with the same activation, and N at the end."""
    which: NDArray[np.int64]
    """Number of the activation of each run."""
    inside: Gain
    """Additive noise inside."""
    outside: Gain
    """Additive noise outside."""
    gain_inside: Gain
    """Multiplicative noise inside."""
    gain_outside: Gain
    """Multiplicative noise outside."""
    common: Gain
    """Multiplicative noise outside of all neurons in common, with one row, in `sigma`."""
    dropout: Gain
    """Dropout: `sigma` holds the variate below which a neuron's value is kept, and `factor` (1, N) 1 / keep."""
    probe: Gain
    """A second copy of the gain inside, of variates that no step uses: what is expected of a step is averaged over it
    where no table does so, with multiplicative and coloured noise inside the same neuron."""
    source: NDArray[np.int64]
    """Row of each coloured source, (S,)."""
    rho: FloatArray
    """Its correlation between steps, (S,)."""
    fresh: FloatArray
    """√(1-ρ²), (S,)."""
    reads: FloatArray
    """Factor (N, S) by which the sources inside, as they were, act on the next argument; (N, 0) if there are none."""
    feeds: FloatArray
    """Factor (N, S) by which the sources outside do so on the next state; (N, 0) if there are none."""
    rows: int
    """Rows of variates in a step."""
    sign: float
    """Factor of all variates: -1 for the mirror images of trajectories."""
    key: NDArray[np.uint64]
    """Two words that key the variates, (2,)."""
    constants: FloatArray
    """Constants of the variates, see :mod:`ctrnn_theory.integrators.normals`."""
    bits: NDArray[np.uint64]
    """Bit masks of the variates, likewise."""


f8, i8, u8_1, u8_2 = types.float64, types.int64, types.uint64[::1], types.uint64[:, ::1]
GAIN = types.NamedTuple([f8_1, f8_2, i8], Gain)
DYNAMICS = types.NamedTuple(
    [f8_2, f8_2, f8_2, f8_2, f8_1, i8_1, i8_1] + 7 * [GAIN] + [i8_1, f8_1, f8_1, f8_2, f8_2, i8, f8, u8_1, f8_1, u8_1],
    Dynamics,
)


@inline
def draw_sources(dynamics, z, at, x):  # type: ignore[no-untyped-def]
    """Take one step of the sources x (S, lanes), and put them into their rows of variates, from row `at` on."""
    for j in range(dynamics.source.size):
        row, rho, fresh = at + dynamics.source[j], dynamics.rho[j], dynamics.fresh[j]
        for k in range(z.shape[1]):
            x[j, k] = rho * x[j, k] + fresh * z[row, k]
        for k in range(z.shape[1]):
            z[row, k] = x[j, k]


@inline
def add_noise(noise, z, at, a):  # type: ignore[no-untyped-def]
    """Add the noise of a site to a."""
    row = at + noise.row
    for i in range(noise.sigma.size):
        s = noise.sigma[i]
        for k in range(a.shape[1]):
            a[i, k] += s * z[row + i, k]
    add_product(noise.factor, z[row : row + noise.factor.shape[1]], a)


@inline
def multiply(gain, z, at, work, a):  # type: ignore[no-untyped-def]
    """Multiply a by 1 + G ξ."""
    row = at + gain.row
    for i in range(gain.sigma.size):
        s = gain.sigma[i]
        for k in range(a.shape[1]):
            a[i, k] *= 1.0 + s * z[row + i, k]
    if gain.factor.shape[1] > 0:
        work[:] = 1.0
        add_product(gain.factor, z[row : row + gain.factor.shape[1]], work)
        for i in range(a.shape[0]):
            for k in range(a.shape[1]):
                a[i, k] *= work[i, k]


@inline
def multiply_in_common(dynamics, z, at, a):  # type: ignore[no-untyped-def]
    """Multiply a by 1 + g ζ with one ζ for all neurons, and by the mask of dropout over its mean."""
    common, dropout = dynamics.common, dynamics.dropout
    row = at + common.row
    for i in range(common.sigma.size):
        s = common.sigma[i]
        for k in range(a.shape[1]):
            a[i, k] *= 1.0 + s * z[row, k]
    row = at + dropout.row
    for i in range(dropout.sigma.size):
        below, scale = dropout.sigma[i], dropout.factor[0, i]
        for k in range(a.shape[1]):
            a[i, k] = a[i, k] * scale if z[row + i, k] < below else a[i, k] * 0.0


@inline
def preactivation(dynamics, step, h, a):  # type: ignore[no-untyped-def]
    """Set a = U h + c."""
    row = min(step, dynamics.c.shape[0] - 1)
    for i in range(h.shape[0]):
        constant = dynamics.c[row, i]
        if dynamics.U.size > 0:
            for k in range(h.shape[1]):
                a[i, k] = constant
        else:
            for k in range(h.shape[1]):
                a[i, k] = constant + h[i, k]
    if dynamics.U.size > 0:
        add_product(dynamics.U, h, a)


@inline
def activate(fs, dynamics, a):  # type: ignore[no-untyped-def]
    """Apply the activations to a, a run of neurons at a time."""
    lanes, flat = a.shape[1], a.reshape(a.size)
    for j in range(dynamics.which.size):
        fs[dynamics.which[j]](flat[dynamics.runs[j] * lanes : dynamics.runs[j + 1] * lanes])


@inline
def write(dynamics, step, a, work):  # type: ignore[no-untyped-def]
    """Replace a by B a + d."""
    row = min(step, dynamics.d.shape[0] - 1)
    if dynamics.B.size > 0:
        for i in range(a.shape[0]):
            for k in range(a.shape[1]):
                work[i, k] = a[i, k]
            a[i] = dynamics.d[row, i]
        add_product(dynamics.B, work, a)


@inline
def advance(fs, dynamics, step, z, at, h, x, a, work):  # type: ignore[no-untyped-def]
    """Take one step of states h and sources x with variates z from row `at` on; a and work have h's shape."""
    draw_sources(dynamics, z, at, x)
    preactivation(dynamics, step, h, a)
    multiply(dynamics.gain_inside, z, at, work, a)
    add_noise(dynamics.inside, z, at, a)
    activate(fs, dynamics, a)
    multiply(dynamics.gain_outside, z, at, work, a)
    multiply_in_common(dynamics, z, at, a)
    write(dynamics, step, a, work)
    add_noise(dynamics.outside, z, at, a)
    for i in range(h.shape[0]):
        gamma = dynamics.gamma[i]
        for k in range(h.shape[1]):
            h[i, k] += gamma * (a[i, k] - h[i, k])


@inline
def smooth(fs, dynamics, panels, a, q, p, variance, slope):  # type: ignore[no-untyped-def]
    """Replace a (N, lanes) by E[f | a], and add Var f and E f' given a to their sums unless these are empty.

    q and p are work arrays (2, lanes) of float64 and (lanes,) of int64.
    """
    lanes, run = a.shape[1], 0
    for i in range(a.shape[0]):
        if i == dynamics.runs[run + 1]:
            run += 1
        table = panels.which[i]
        if table < 0:
            fs[dynamics.which[run]](a[i])
            continue
        lookup(panels, table, a[i], q[0], p)
        evaluate(panels.pieces, np.int64(2), q[0], p, a[i])
        if variance.size > 0:
            evaluate(panels.variance, np.int64(0), q[0], p, q[1])
            add_blocks(q[1].reshape(lanes // LANES, LANES), i, variance)
        if slope.size > 0:
            evaluate_slope(panels.pieces, q[0], p, q[1])
            add_blocks(q[1].reshape(lanes // LANES, LANES), i, slope)


@inline
def look_ahead(dynamics, r, x, d):  # type: ignore[no-untyped-def]
    """Turn d = g - centre into E[g' | g] - centre, with r = (E[h' | g] - h) / γ."""
    n = r.shape[0]
    for i in range(n):
        gamma = dynamics.gamma[i]
        for k in range(r.shape[1]):
            d[i, k] += gamma * r[i, k]
    for j in range(x.shape[0]):
        decay = dynamics.rho[j] - 1.0
        for k in range(r.shape[1]):
            d[n + j, k] += decay * x[j, k]


def run(fs, dynamics, panels, states, streams, block, blocks, shift, first, times, every, sums, out):  # type: ignore[no-untyped-def]
    """Advance blocks by times × every steps, of which `first` is the first, and observe them after each `every` steps.

    The arguments are those of :func:`ctrnn_theory.integrators.kernels.run`, but for `fs`, a tuple of activations, and
    states (M, K) that hold the sources too.
    """
    n, m, lanes, lane = dynamics.gamma.size, states.shape[0], blocks * LANES, block * LANES
    g, d, a, work = np.empty((m, lanes)), np.empty((m, lanes)), np.empty((n, lanes)), np.empty((n, lanes))
    copy_lanes(states, lane, lanes, g, np.int64(0))
    h, x = g[:n], g[n:]
    measured, controlled = sums.centre.size > 0, sums.residual.size > 0
    moments, more = np.zeros((2, m if measured else 0, lanes)), np.zeros((2, n if controlled else 0, lanes))
    rates = np.zeros((n if sums.rate.size > 0 else 0, lanes))
    low, high = np.full((n, lanes), np.inf), np.full((n, lanes), -np.inf)
    if measured:  # sums go on from where the last call ended, so that the order of additions is that of one call
        copy_lanes(sums.first, lane, lanes, moments[0], np.int64(0))
        copy_lanes(sums.second, lane, lanes, moments[1], np.int64(0))
    if controlled:
        copy_lanes(sums.residual, lane, lanes, more[0], np.int64(0))
    if sums.rate.size > 0:
        copy_lanes(sums.rate, lane, lanes, rates, np.int64(0))
    q, p = np.empty((2, lanes)), np.empty(lanes, np.int64)
    rows = dynamics.rows
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
            if dynamics.sign < 0.0:
                for i in range(drawn):
                    for k in range(lanes):
                        z[i, k] = -z[i, k]
        advance(fs, dynamics, step, z, at, h, x, a, work)
        at += rows
        due -= 1
        if due == 0:
            due = every
            if measured:
                add_moments(g, sums.centre, d, moments[0], moments[1], sums.cross[block : block + blocks])
            if sums.rate.size > 0:
                preactivation(dynamics, step + 1, h, a)
                activate(fs, dynamics, a)
                for i in range(n):
                    for k in range(lanes):
                        rates[i, k] += a[i, k]
            if controlled:
                preactivation(dynamics, step + 1, h, a)
                multiply(dynamics.probe, z, at - rows, work, a)
                if dynamics.reads.size > 0:
                    add_product(dynamics.reads, x, a)
                widen(a, low, high)
                variance, slope = sums.variance[block : block + blocks], sums.slope[block : block + blocks]
                smooth(fs, dynamics, panels, a, q, p, variance, slope)
                if sums.products.size > 0:
                    add_cross(a.reshape(n, blocks, LANES), sums.products[block : block + blocks])
                write(dynamics, step + 1, a, work)
                if dynamics.feeds.size > 0:
                    add_product(dynamics.feeds, x, a)
                for i in range(n):
                    for k in range(lanes):
                        a[i, k] -= h[i, k]
                    for k in range(lanes):
                        more[0, i, k] += a[i, k]
                if sums.ahead.size > 0:
                    look_ahead(dynamics, a, x, d)
                    add_cross(d.reshape(m, blocks, LANES), sums.ahead[block : block + blocks])
            for i in range(n):
                for k in range(recorded):
                    out[time, lane + k, i] = h[i, k]
            time += 1
    copy_lanes(g, np.int64(0), lanes, states, lane)
    if measured:
        copy_lanes(moments[0], np.int64(0), lanes, sums.first, lane)
        copy_lanes(moments[1], np.int64(0), lanes, sums.second, lane)
    if sums.rate.size > 0:
        copy_lanes(rates, np.int64(0), lanes, sums.rate, lane)
    if controlled:
        copy_lanes(more[0], np.int64(0), lanes, sums.residual, lane)
        ends(low, high, block, blocks, sums.low, sums.high)


_lock = Lock()


def kernel(length: int) -> Any:
    """Return `run`, compiled for a tuple of so many activations and kept on disk, by one thread at a time."""
    with _lock:
        return _kernel(length)


@cache
def _kernel(length: int) -> Any:
    functions = types.NamedUniTuple(FUNCTION, length, TUPLES[length])
    signature = types.void(functions, DYNAMICS, PANELS, f8_2, u8_2, i8, i8, i8, i8, i8, i8, SUMS, f8_3)
    return jit(signature, cache=True, fastmath={"contract"})(run)
