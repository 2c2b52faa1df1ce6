"""Running many networks on many trials, on all cores."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from ctrnn_theory.integrators import normals
from ctrnn_theory.integrators.first_class import known
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.model.noise import SITES, STRENGTHS, Noise
from ctrnn_theory.support.pace import Pace
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.support.workers import Workers, longest, threads
from ctrnn_theory.training.kernels import MOVE, SENSE, Given, Sources, closed_loop, open_loop
from ctrnn_theory.training.latent_kernels import Latent, latent_closed_loop, latent_open_loop
from ctrnn_theory.training.model import Model

Key = NDArray[np.uint64]


INITIAL = 1
"""Number of the random stream of the first states of coloured sources."""


def sources(noise: Noise, n: int, key: Key) -> Sources:
    """Return the noise as the kernels take it."""
    none, common, keep = np.zeros(0), noise.common_gain(n), noise.kept(n)
    private = np.array([np.ndim(getattr(noise, name)) < 2 for name in STRENGTHS])
    inside, outside, gain_inside, gain_outside = (_factor(getattr(noise, name), n) for name in STRENGTHS)
    dropped, rho = np.any(keep < 1.0), none
    if not noise.is_white:
        both = zip(SITES, (inside, outside), strict=True)
        rho = np.concatenate([noise.rho(site, n)[: None if L.size else 0] for site, L in both])
    return Sources(
        inside,
        outside,
        gain_inside,
        gain_outside,
        common if common.any() else none,
        ndtri(keep) if dropped else none,
        keep if dropped else none,
        rho if rho.any() else none,
        key,
        normals.CONSTANTS,
        normals.BITS,
        private,
    )


def _factor(strength: ArrayLike, n: int) -> FloatArray:
    """Return a factor (N, R) as the kernels take it: one column of noise that is private, and none of no noise."""
    array = np.asarray(strength, dtype=np.float64)
    factor = array if array.ndim == 2 else np.broadcast_to(array, (n,))[:, None]
    return np.array(factor if factor.any() else factor[:, :0], order="C")


def memories(found: Sources, blocks: int) -> FloatArray:
    """Return the first states (blocks, R, LANES) of the coloured sources, which are drawn from their stationary law."""
    words = normals.seed_words(np.random.SeedSequence([int(word) for word in found.key], spawn_key=(INITIAL,)))
    rows = found.rho.size
    if not rows:
        return np.zeros((blocks, 0, LANES))
    return np.array([normals.standard_normals(words, block, 1, rows)[0] for block in range(blocks)])


def run_open(
    model: Model,
    given: Given,
    key: Key,
    workers: Workers = None,
    record: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Run an open-loop task, and return the cost (S, L) of each trial and, if `record`, the outputs (S, T, P, L).

    L is a multiple of LANES. The cost of a trial whose state grows without bound is infinite. The noise of a trial is
    keyed by `key` and its number alone, so that it is the same for each network.
    """
    weights, dynamics = model.weights, model.dynamics
    (S, N), P, L = weights.b.shape, weights.W_out.shape[1], given.u.shape[2]
    cost, out = np.zeros((S, L)), np.empty((S if record else 0, given.w.size, P, L))
    noise, f, latent = sources(model.noise, N, key), known(model.f.block), _latent(model)
    states = np.zeros((S, N if latent is None else len(latent.decoders), L))

    def part(memory: FloatArray, block: int, begin: int, end: int, first: int, last: int) -> None:
        if latent is not None:
            each = states[0], cost[0], out[0] if record else out.reshape(0, P, L)
            latent_open_loop(f, latent, given, noise, memory, block, first, last, *each)
            return
        open_loop(f, weights, dynamics, given, noise, memory, block, begin, end, first, last, states, cost, out)

    _share(part, noise, (S, N, L), given.w.size, workers, None if latent is None else latent.products)
    cost[np.isnan(cost)] = np.inf
    return cost, out


def run_closed(
    model: Model,
    world: tuple[Callable[..., Any], Callable[..., Any], FloatArray],
    start: FloatArray,
    steps: int,
    key: Key,
    workers: Workers = None,
    record: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Run a closed-loop task, and return the cost (S, L) of each trial and, if `record`, the worlds (S, T + 1, D, L).

    `world` is (sense, move, constants) and `start` is (D, L), see :func:`ctrnn_theory.training.kernels.closed_loop`.
    """
    weights, dynamics = model.weights, model.dynamics
    (S, N), (D, L) = weights.b.shape, start.shape
    cost, out = np.zeros((S, L)), np.empty((S if record else 0, steps + 1, D, L))
    noise, worlds, latent = sources(model.noise, N, key), np.tile(start, (S, 1, 1)), _latent(model)
    states = np.zeros((S, N if latent is None else len(latent.decoders), L))
    out[:, 0], f = start, known(model.f.block)
    sense, move = (known(each, kind.signature) for each, kind in zip(world[:2], (SENSE, MOVE), strict=True))
    world = sense, move, world[2]

    def part(memory: FloatArray, block: int, begin: int, end: int, first: int, last: int) -> None:
        if latent is not None:
            each = states[0], worlds[0], cost[0], out[0] if record else out.reshape(0, D, L)
            latent_closed_loop(f, *world, latent, noise, memory, block, first, last, *each)
            return
        at = block, begin, end, first, last
        closed_loop(f, *world, weights, dynamics, noise, memory, *at, states, worlds, cost, out)

    _share(part, noise, (S, N, L), steps, workers, None if latent is None else latent.products)
    cost[np.isnan(cost)] = np.inf
    return cost, out


def _latent(model: Model) -> Latent | None:
    """Return the network as the kernels for low rank take it, or None for other networks and for W = 0."""
    factors = model.factors()
    if factors is None or factors.E.shape[1] == 0:
        return None
    weights = model.weights
    (N, R), K = factors.E.shape, weights.W_in.shape[2]
    encoders, decoders = np.zeros((N, R + K + -(R + K) % 4)), np.empty((R + weights.W_out.shape[1], N))
    encoders[:, :R], encoders[:, R : R + K] = factors.E, weights.W_in[0]
    decoders[:R], decoders[R:] = factors.D.T, weights.W_out[0]
    return Latent(encoders, weights.b[0], decoders, weights.b_out[0], float(model.dynamics.gamma[0]), R, K)


def _share(
    part: Callable[..., None],
    noise: Sources,
    shape: tuple[int, ...],
    steps: int,
    workers: Workers,
    products: int | None,
) -> None:
    """Call part(memory, block, begin, end, first, last) for all blocks, ranges of networks and ranges of steps.

    Each range of networks has the states of coloured sources for itself. There are as many ranges of networks as
    threads need, and as many ranges of steps as make a call short. The shape is (S, N, L) for L trials; `products` is
    the number of products of a step for each neuron, N for None.
    """
    networks, n, blocks = *shape[:2], shape[2] // LANES
    ranges = min(-(-threads(workers) // blocks), networks)
    edges = [networks * i // ranges for i in range(ranges + 1)]
    begun = memories(noise, blocks)
    items = [(begun[block].copy(), block, a, b) for block in range(blocks) for a, b in itertools.pairwise(edges)]
    pace, first = Pace(n, LANES * -(-networks // ranges), products), 0
    while first < steps:
        last = min(first + pace.steps, steps)
        calls = [(*item, first, last) for item in items]
        pace.lasted(last - first, longest(lambda call: part(*call), calls, workers))
        first = last


def whole_blocks(trials: int) -> int:
    """Return a number of trials rounded up to whole blocks.

    Examples
    --------
    >>> whole_blocks(100)
    128
    """
    return -(-trials // LANES) * LANES
