"""The stationary law of latent variables: a box that holds it, and a grid that is refined until it stays."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.stationary.markov.acceptance import LONGEST_MEMORY
from ctrnn_theory.stationary.markov.latent.chain import LatentChain
from ctrnn_theory.stationary.markov.latent.step import LatentStep
from ctrnn_theory.stationary.markov.latent.table import StepTable
from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.types import FloatArray

LADDERS = {
    1: (48, 72, 108, 162, 243, 364, 546),
    2: (12, 16, 24, 32, 40, 48, 56, 64),
    3: (8, 10, 12, 14, 16),
}
"""Nodes along each axis that are tried in turn, by the number of latent variables."""
PARTICLES = 64  # of the pilot
TIME = 60.0  # time constants of the pilot
MOST_STEPS = 3000
BOUND = 1e9  # size of latent variables that have been carried away
WIDTHS = 7.5  # standard deviations on each side of the first box
BEYOND = 0.5  # part of the range seen, 7 standard deviations, by which the box passes it at least
WIDER = 0.25  # part of its width by which a box grows at a side that leaks
WIDENINGS = 8
LEAK = 1e-10  # overstep of the box, in half widths and times the memory, that is negligible


def first_box(step: LatentStep, starts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the lower and the upper corner (R,) of a box for the law, from a few steps of particles (M, R).

    Raises
    ------
    Divergence
        If a particle grows beyond 1e9.
    """
    rng, latent = np.random.default_rng(0), starts
    steps = int(min(MOST_STEPS, TIME / step.gamma + 50))
    low, high = np.full(step.rank, np.inf), np.full(step.rank, -np.inf)
    for k in range(steps):
        latent = step.sample(latent, rng)
        if not np.all(np.abs(latent) < BOUND):
            raise Divergence("noise carries the state beyond 1e9: no stationary law is found")
        if k >= steps // 2:
            low, high = np.minimum(low, latent.min(axis=0)), np.maximum(high, latent.max(axis=0))
    kick = np.sqrt(np.diagonal(step.covariance(step.variance(latent)), axis1=1, axis2=2).max(axis=0))
    reach = np.maximum(np.maximum(WIDTHS * kick, BEYOND * (high - low)), 1e-9 * (1.0 + np.abs(low) + np.abs(high)))
    return low - reach, high + reach


def solve_chain(
    step: LatentStep, start: FloatArray, tolerance: float, skewed: bool = True
) -> tuple[LatentChain, FloatArray]:
    """Return the law of latent variables from a start (R,) or some (K, R), and the error (R,) of their mean.

    The error is that by grid and box. The grid is refined until mean and standard deviation change by less than
    `tolerance` standard deviations, and the box is widened until no probability leaves it.

    Raises
    ------
    NotApplicable
        If attractors are connected too rarely for double precision.
    """
    low, high = first_box(step, np.resize(start, (PARTICLES, step.rank)))
    level = 0
    for _ in range(WIDENINGS):
        chain, error, level = _refined(StepTable(step, low, high), level, tolerance, skewed)
        lost = chain.leak * chain.memory
        if np.all(lost <= LEAK):
            break
        grow, level = WIDER * (high - low)[:, None] * (lost > LEAK), max(level - 1, 0)
        low, high = low - grow[:, 0], high + grow[:, 1]
    if not chain.memory <= LONGEST_MEMORY:
        raise NotApplicable(
            f"noise takes the state from one attractor to another only once in some {chain.memory:.0e} steps,"
            " too rarely for double precision to weigh them against each other"
        )
    return chain, error + lost.max() * 0.5 * (chain.grid.high - chain.grid.low)


def _refined(table: StepTable, level: int, tolerance: float, skewed: bool) -> tuple[LatentChain, FloatArray, int]:
    """Return the law on the first grid from a rung on whose refinement changes it little, its error, and its rung."""
    ladder, rank, before = LADDERS[table.step.rank], table.step.rank, None
    while True:
        grid = ChebyshevGrid(table.low, table.high, (ladder[level],) * rank)
        chain, error = LatentChain(table, grid, skewed), np.full(rank, np.inf)
        std = np.sqrt(np.maximum(np.diag(chain.latent_covariance), 0.0))
        if before is not None:
            change = std - np.sqrt(np.maximum(np.diag(before.latent_covariance), 0.0))
            error = np.maximum(np.abs(chain.latent_mean - before.latent_mean), np.abs(change))
        if np.all(error <= tolerance * std) or level == len(ladder) - 1:
            return chain, error, level
        level, before = level + 1, chain
