"""Moments of what is remembered in time, from the Markov chain of the latent variables, for a constant input.

With P g(κ) = E[g(κ') | κ] the moments of κ after t steps from κ₀ are those of Pᵗ g(κ₀), g being κ_a and κ_a κ_b: a few
functions on a Chebyshev grid, for all start values at once. They are smooth where the law itself is as sharp as the
noise, and hold for any law, those with several peaks among them.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.interpolate import CubicSpline

from ctrnn_theory.analysis.memory.course import Course
from ctrnn_theory.analysis.memory.problem import Problem
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.noisy_activation import NoisyActivation
from ctrnn_theory.stationary.markov.latent.chain import LatentChain
from ctrnn_theory.stationary.markov.latent.solver import BOUND, WIDTHS
from ctrnn_theory.stationary.markov.latent.step import LatentStep, Rates
from ctrnn_theory.stationary.markov.latent.table import StepTable
from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.types import FloatArray

LADDERS = {1: (48, 72, 108, 162, 243, 364), 2: (12, 16, 24, 32, 40, 48, 56)}
"""Nodes along each axis that are tried in turn, by the number of latent variables."""
TOLERANCE = 1e-3
"""Part of the largest squared error by which the next grid may change it."""
PARTICLES = 64
"""Least number of trajectories of latent variables that show where they go."""
BEYOND = (0.25, 0.75, 1.5)
"""Parts of the range seen by which the box passes it, at least: one after the other, until no trial leaves it."""
SPLINE = 64
"""Knots of a spline in a standard deviation s of the noise; its error is 2e-10 of s⁴ times the fourth derivative."""
SAME = 1e-9
"""Largest part of a readout, relative to it, that latent variables do not give."""


class AtNodes(StepTable):
    """The same cumulants, with means and variances computed at the nodes: refining the grid then resolves them too."""

    def rates(self, grid: ChebyshevGrid) -> Rates:
        """Return mean and variance (Q, N) of the rates; of neurons that are alike, from splines of one variable."""
        step, a = self.step, self.step.preactivation(grid.points)
        std, gain, outside = np.asarray(step.noisy.std), step.noisy.gain, np.diag(step.outside)
        low, high = float(a.min()), float(a.max())
        count = SPLINE * (high - low) / max(float(np.min(std)), np.finfo(float).tiny)
        if np.any(gain) or np.ptp(std) > SAME * np.max(std) or not 4.0 < count < 0.1 * a.size:
            return step.rates(grid.points)
        x = np.linspace(low, high, math.ceil(count) + 1)
        alike = NoisyActivation(step.noisy.f, np.max(std))
        mean, variance = (CubicSpline(x, values)(a) for values in (alike.value(x), alike.variance(x)))
        return Rates(mean, np.maximum(variance, 0.0) + outside)


def reads_latent(problem: Problem) -> bool:
    """Return whether the values that are read are functions M κ of the latent variables, plus the offset."""
    M, weights = _map(problem), problem.weights
    return bool(np.all(np.abs(M @ problem.factors.D.T - weights) <= SAME * np.abs(weights).max()))


def _map(problem: Problem) -> FloatArray:
    """Return M (P, R), with which M κ is nearest to what is read."""
    M: FloatArray = np.asarray(np.linalg.lstsq(problem.factors.D, problem.weights.T, rcond=None)[0].T, np.float64)
    return M


def density_course(net: CTRNN, noise: Noise, problem: Problem, levels: FloatArray) -> Course:
    """Return the moments at levels above 0.

    Raises
    ------
    Divergence
        If noise carries the state away.
    """
    courses = [_at_level(net, noise.scaled(float(level)), problem) for level in levels]
    return Course(*(np.array(arrays) for arrays in zip(*courses, strict=True)))


def _at_level(net: CTRNN, noise: Noise, problem: Problem) -> tuple[FloatArray, FloatArray, FloatArray]:
    step = LatentStep.of(net, noise, problem.constant if net.W_in is not None else None, problem.factors)
    begin = problem.start @ step.D
    low, high, kick = _seen(step, begin, problem.steps)
    for beyond in BEYOND:
        reach = np.maximum(WIDTHS * kick, beyond * (high - low))
        chain, moments, error, change = _refined(AtNodes(step, low - reach, high + reach), problem, begin)
        cut = _cut_off(chain, problem, begin)
        if np.all(cut <= TOLERANCE * np.max(np.abs(error))):
            break
    normal = _moments(LatentChain(chain.table, chain.grid, skewed=False), problem, begin)
    uncertainty = change + cut + np.abs(error - _squared_error(normal, problem))
    return *moments, uncertainty


def _refined(
    table: StepTable, problem: Problem, begin: FloatArray
) -> tuple[LatentChain, tuple[FloatArray, FloatArray], FloatArray, FloatArray]:
    """Return the first chain that a finer grid changes little, moments, squared error (T,) and its last change."""
    before = None
    for count in LADDERS[table.step.rank]:
        chain = LatentChain(table, ChebyshevGrid(table.low, table.high, (count,) * table.step.rank))
        moments = _moments(chain, problem, begin)
        error = _squared_error(moments, problem)
        change = np.full(len(error), np.inf) if before is None else np.abs(error - before)
        if np.all(change <= TOLERANCE * np.max(np.abs(error))):
            break
        before = error
    return chain, moments, error, change


def _seen(step: LatentStep, begin: FloatArray, steps: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the range (R,) and (R,) of a few trials from start values (C, R), and the deviation (R,) of a step."""
    rng = np.random.default_rng(0)
    latent = np.repeat(begin, -(-PARTICLES // len(begin)), axis=0)
    low, high = latent.min(axis=0), latent.max(axis=0)
    for _ in range(steps):
        latent = step.sample(latent, rng)
        if not np.all(np.abs(latent) < BOUND):
            raise Divergence(f"noise carries the latent variables beyond {BOUND:g}")
        low, high = np.minimum(low, latent.min(axis=0)), np.maximum(high, latent.max(axis=0))
    kick = np.sqrt(np.diagonal(step.covariance(step.variance(latent)), axis1=1, axis2=2).max(axis=0))
    return low, high, kick


def _moments(chain: LatentChain, problem: Problem, begin: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean (T, C, P) and covariance (T, C, P, P) of the values that are read."""
    grid, R, M = chain.grid, problem.rank, _map(problem)
    middle = 0.5 * (grid.low + grid.high)
    away = grid.points - middle
    g = np.concatenate([away, (away[:, :, None] * away[:, None, :]).reshape(len(away), -1)], axis=1)
    at, P, found = grid.interpolation(begin), chain.matrix, []
    for _ in range(len(problem.target)):
        for _ in range(problem.every):
            g = P @ g
        found.append(at.apply(g))
    moments = np.array(found)
    mean, square = moments[..., :R], moments[..., R:].reshape(*moments.shape[:-1], R, R)
    covariance = square - mean[..., :, None] * mean[..., None, :]
    return (middle + mean) @ M.T + problem.offset, M @ covariance @ M.T


def _squared_error(moments: tuple[FloatArray, FloatArray], problem: Problem) -> FloatArray:
    """Return the mean squared error (T,)."""
    mean, covariance = moments
    each = np.sum((mean - problem.target) ** 2, axis=-1) + np.trace(covariance, axis1=-2, axis2=-1)
    found: FloatArray = each.mean(axis=1)
    return found


def _cut_off(chain: LatentChain, problem: Problem, begin: FloatArray) -> FloatArray:
    """Return the error (T,) by steps that end at the border of the box instead of beyond it.

    A step that oversteps it by s half widths changes a squared error by 2 s at most, in units of their squares.
    """
    at, over = chain.grid.interpolation(begin), chain.oversteps.reshape(chain.grid.size, -1)
    g, found = np.zeros_like(over), []
    for _ in range(len(problem.target)):
        for _ in range(problem.every):
            g = over + chain.matrix @ g
        found.append(np.abs(at.apply(g)).mean(axis=0))
    widths = 0.5 * (chain.grid.high - chain.grid.low)
    size = np.repeat(widths**2 * np.sum(_map(problem) ** 2, axis=0), 2)
    cut: FloatArray = 2.0 * np.array(found) @ size
    return cut
