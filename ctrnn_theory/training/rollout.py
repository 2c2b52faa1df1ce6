"""Running many networks on many trials, on all cores."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.activations import Activation
from ctrnn_theory.integrators import normals
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.pace import Pace
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.support.workers import Workers, longest, threads
from ctrnn_theory.training.kernels import Given, Sources, Weights, closed_loop, open_loop

Key = NDArray[np.uint64]


def sources(noise: Noise, n: int, key: Key) -> Sources:
    """Return the noise as the kernels take it."""
    factors = [noise.factor("inside", n), noise.factor("outside", n)]
    inside, outside = (np.array(factor if factor.any() else factor[:, :0], order="C") for factor in factors)
    return Sources(inside, outside, key, normals.CONSTANTS, normals.BITS)


def run_open(
    f: Activation,
    gamma: float,
    weights: Weights,
    noise: Noise,
    given: Given,
    key: Key,
    workers: Workers = None,
    record: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Run an open-loop task, and return the cost (S, L) of each trial and, if `record`, the outputs (S, T, P, L).

    L is a multiple of LANES. The cost of a trial whose state grows without bound is infinite. The noise of a trial is
    keyed by `key` and its number alone, so that it is the same for each network.
    """
    (S, N), P, L = weights.b.shape, weights.W_out.shape[1], given.u.shape[2]
    cost, out = np.zeros((S, L)), np.empty((S if record else 0, given.w.size, P, L))
    from_noise, states = sources(noise, N, key), np.zeros((S, N, L))

    def part(block: int, begin: int, end: int, first: int, last: int) -> None:
        open_loop(f.block, weights, gamma, given, from_noise, block, begin, end, first, last, states, cost, out)

    _share(part, states.shape, given.w.size, workers)
    cost[np.isnan(cost)] = np.inf
    return cost, out


def run_closed(
    f: Activation,
    gamma: float,
    weights: Weights,
    noise: Noise,
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
    (S, N), (D, L) = weights.b.shape, start.shape
    cost, out = np.zeros((S, L)), np.empty((S if record else 0, steps + 1, D, L))
    from_noise, states, worlds = sources(noise, N, key), np.zeros((S, N, L)), np.tile(start, (S, 1, 1))
    out[:, 0] = start

    def part(block: int, begin: int, end: int, first: int, last: int) -> None:
        at = block, begin, end, first, last
        closed_loop(f.block, *world, weights, gamma, from_noise, *at, states, worlds, cost, out)

    _share(part, states.shape, steps, workers)
    cost[np.isnan(cost)] = np.inf
    return cost, out


def _share(part: Callable[..., None], shape: tuple[int, ...], steps: int, workers: Workers) -> None:
    """Call part(block, begin, end, first, last) for all blocks, ranges of networks and ranges of steps.

    There are as many ranges of networks as threads need, and as many ranges of steps as make a call short. The shape of
    the states is (S, N, L).
    """
    networks, n, blocks = *shape[:2], shape[2] // LANES
    ranges = min(-(-threads(workers) // blocks), networks)
    edges = [networks * i // ranges for i in range(ranges + 1)]
    items = [(block, a, b) for block in range(blocks) for a, b in itertools.pairwise(edges)]
    pace, first = Pace(n, LANES * -(-networks // ranges)), 0
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
