"""Mean and covariance in time from the Markov chain of the latent variables of a network of low rank.

Given the latent variables κ, the rates y of a step do not depend on the state h otherwise. So three things are enough,
weights π for averages over κ, weights M for E h φ(κ), and the covariance C of h:

    E h' = (1-γ) E h + γ E F(κ),
    C' = (1-γ)² C + γ (1-γ) (X + Xᵀ) + γ² Cov y,        X = Cov(h, F(κ)), from M.

No state needs to lie in the span of the decoders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.analysis.evolution.course import Course, start_moments
from ctrnn_theory.fokker_planck.density import Density
from ctrnn_theory.integrators.trajectory import drive_rows
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.stationary.latent import SKEW, TOLERANCES
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.markov.latent.chain import LatentChain, gauss_hermite
from ctrnn_theory.stationary.markov.latent.solver import (
    BEYOND,
    BOUND,
    LADDERS,
    LEAK,
    MOST_STEPS,
    PARTICLES,
    WIDENINGS,
    WIDER,
    WIDTHS,
)
from ctrnn_theory.stationary.markov.latent.step import LatentStep
from ctrnn_theory.stationary.markov.latent.table import StepTable
from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid
from ctrnn_theory.support.arguments import positive_number
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.progress import Progress
from ctrnn_theory.support.types import FloatArray

MOST_INPUTS = {1: 200, 2: 4, 3: 1}  # different inputs, each of which has a chain, by the number of latent variables
MASS = 1e-3  # by which the mass of a density may differ from one
CELLS = {1: 400, 2: 64, 3: 24}  # along each axis of a density, by the number of latent variables


class Start(NamedTuple):
    """Points that stand for the law at the start."""

    latent: FloatArray
    """Latent variables (K, R)."""
    weight: FloatArray
    """Weights (K,)."""
    state: FloatArray
    """Mean state given the latent variables, (K, N)."""


def latent(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None,
    steps: int,
    every: int,
    start: ArrayLike | StationaryLaw | None,
    progress: Progress,
    *,
    tolerance: float | None = None,
) -> Course:
    """Follow the law of the latent variables on a grid that is refined until their mean and deviation stay."""
    step, law = LatentStep.of(net, noise), start_moments(net, start)
    if not step.rank:
        raise NotApplicable("neurons without weights have no latent variables, whose law could be followed")
    if noise.is_zero:
        raise NotApplicable("the law of latent variables is for a network with noise; without noise it is a point")
    goal = TOLERANCES[step.rank] if tolerance is None else positive_number("tolerance", tolerance)
    rows = np.broadcast_to(drive_rows(net, u, steps), (steps // every * every, net.n))
    path, error = _solved(step, rows, _start(step, law), goal)
    mean, covariance = path.moments(law, every, progress)
    deviation, left = path.deviation.max(axis=0), path.neglected()
    messages = []
    if not all(chain.table.resolved for chain in path.chains):
        messages.append("the smoothed activation bends too sharply to be resolved: there is too little noise inside")
    if not np.all(error <= goal * deviation):
        messages.append(f"estimated error of the latent mean by the grid {np.max(error):.1e}")
    if not np.all(left <= SKEW * deviation):
        messages.append(f"estimated error of the latent mean by fourth cumulants {np.max(left):.1e}: too few neurons")
    latent_mean, latent_covariance = (values[::every] for values in path.latent_moments)
    details = {
        "latent_mean": latent_mean,
        "latent_covariance": latent_covariance,
        "decoders": step.D,
        "densities": Densities(path, every),
        "error": error,
        "cumulant_error": left,
        "nodes": path.chains[0].grid.size,
    }
    return Course(mean, covariance, None, not messages, "; ".join(messages), details)


def _start(step: LatentStep, law: Moments) -> Start:
    """Return the points of a Gauss–Hermite rule for a Gaussian state, or the one point where there is no variance."""
    D, mean = step.D, law.mean @ step.D
    values, vectors = np.linalg.eigh(D.T @ law.covariance @ D)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    if not root.any():
        return Start(mean[None], np.ones(1), law.mean[None])
    xi, weight = gauss_hermite(step.rank)
    away = xi @ root.T
    return Start(mean + away, weight, law.mean + away @ np.linalg.pinv(root @ root.T) @ (D.T @ law.covariance))


@dataclass(frozen=True, eq=False)
class Path:
    """The latent variables on one grid, along inputs."""

    chains: list[LatentChain]
    """One chain for each different input."""
    of_step: list[int]
    """Which of them takes each step."""
    start: Start
    """The law at the start."""

    @cached_property
    def at_start(self) -> FloatArray:
        """Values (K, Q) of the Lagrange polynomials at the points of the start."""
        return self.chains[0].grid.interpolation(self.start.latent).dense()

    @cached_property
    def weights(self) -> FloatArray:
        """Weights (T, Q) of averages over the latent variables at all times."""
        return self._along([chain.matrix for chain in self.chains])

    def _along(self, operators: list[FloatArray]) -> FloatArray:
        found = [self.start.weight @ self.at_start]
        for k in self.of_step:
            found.append(found[-1] @ operators[k])
        return np.array(found)

    @property
    def lost(self) -> FloatArray:
        """Mean overstep of the box, added up over all steps, (R, 2), in half widths."""
        found = np.zeros((self.chains[0].grid.n, 2))
        for k, chain in enumerate(self.chains):
            of_chain = self.weights[:-1][np.array(self.of_step) == k]
            found += np.abs(np.einsum("tq,qrs->trs", of_chain, chain.oversteps)).sum(axis=0)
        return found

    @cached_property
    def latent_moments(self) -> tuple[FloatArray, FloatArray]:
        """Mean (T, R) and covariance (T, R, R) of the latent variables at all times."""
        points = self.chains[0].grid.points
        middle = points.mean(axis=0)
        mean = middle + self.weights @ (points - middle)
        away = points[None] - mean[:, None]
        covariance = np.einsum("tq,tqi,tqj->tij", self.weights, away, away, optimize=True)
        mean[0] = self.start.weight @ self.start.latent  # a point has no variance, not even by rounding
        away = self.start.latent - mean[0]
        covariance[0] = (self.start.weight[:, None] * away).T @ away
        return mean, covariance

    @property
    def deviation(self) -> FloatArray:
        """Standard deviation of the latent variables at all times, (T, R)."""
        return np.sqrt(np.maximum(np.diagonal(self.latent_moments[1], axis1=1, axis2=2), 0.0))

    def neglected(self) -> FloatArray:
        """Return the largest change (R,) of the mean by the next term of Edgeworth's expansion."""
        other = self._along([chain.matrix + chain.neglected for chain in self.chains])
        moved: FloatArray = np.max(np.abs((other - self.weights) @ self.chains[0].grid.points), axis=0)
        return moved

    def moments(self, law: Moments, every: int, progress: Progress) -> tuple[FloatArray, FloatArray]:
        """Return mean (T, N) and covariance (T, N, N) of the state at recorded times."""
        mean, V, pi = law.mean, law.covariance, self.weights
        M = (self.at_start * self.start.weight[:, None]).T @ (self.start.state - mean)  # of h - E h
        gamma, means, covariances = self.chains[0].step.gamma, [mean], [V]
        for t, k in enumerate(self.of_step):
            chain, w = self.chains[k], pi[t][:, None]
            of_rates = pi[t] @ chain.rates.mean
            away = chain.rates.mean - of_rates
            X = M.T @ away
            scatter = (w * away).T @ away + np.diag(pi[t] @ chain.own) + chain.step.outside
            V = (1.0 - gamma) ** 2 * V + gamma * (1.0 - gamma) * (X + X.T) + gamma**2 * scatter
            mean = (1.0 - gamma) * mean + gamma * of_rates
            M = chain.matrix.T @ ((1.0 - gamma) * M + gamma * w * away)
            for beta, tilted in zip(chain.toward, chain.tilted, strict=True):
                M += gamma * tilted.T @ (w * beta)
            if (t + 1) % every == 0:
                means.append(mean)
                covariances.append(V)
                progress(t + 1, len(self.of_step), "")
        return np.array(means), np.array(covariances)


@dataclass(frozen=True, eq=False)
class Densities(Sequence[Density]):
    """Densities of the latent variables at the recorded times, each computed when it is read."""

    path: Path
    every: int
    """Steps between recorded times."""

    def __len__(self) -> int:
        return len(self.path.of_step) // self.every + 1

    @overload
    def __getitem__(self, index: int) -> Density: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Density]: ...

    def __getitem__(self, index: int | slice) -> Density | Sequence[Density]:
        """Return the density that the steps before make, which is smooth; at the start, the points' shares of cells.

        NotApplicable is raised where the grid does not resolve the density of a step.
        """
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        t = range(len(self))[index] * self.every
        first = self.path.chains[0]
        edges = [
            np.linspace(a, b, CELLS[first.grid.n] + 1) for a, b in zip(first.grid.low, first.grid.high, strict=True)
        ]
        axes, widths = tuple(0.5 * (e[1:] + e[:-1]) for e in edges), tuple(np.diff(e) for e in edges)
        if t == 0:
            shares, _ = np.histogramdd(self.path.start.latent, edges, weights=self.path.start.weight, density=True)
            return Density(axes, widths, shares)
        at = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        chain = self.path.chains[self.path.of_step[t - 1]]
        values = chain.density(self.path.weights[t - 1], at.reshape(-1, len(axes))).reshape(at.shape[:-1])
        found = Density(axes, widths, values)
        if abs(found.mass - 1.0) > MASS:
            raise NotApplicable(
                f"{first.grid.size} nodes resolve averages over the latent variables, but not the density of a step:"
                f" its mass is {found.mass:.3g}; lower tolerance"
            )
        return found


def _solved(step: LatentStep, rows: FloatArray, start: Start, tolerance: float) -> tuple[Path, FloatArray]:
    """Return the path on a grid that is fine enough, on a box that holds it, and the error (R,) of mean and deviation.

    The largest change at any time counts, relative to the largest deviation at any time.
    """
    drives, of_step = np.unique(rows, axis=0, return_inverse=True)
    if len(drives) > (most := MOST_INPUTS[step.rank]):
        raise NotApplicable(f"latent follows inputs of at most {most} different values; there are {len(drives)}")
    steps, level = [replace(step, c=drive) for drive in drives], 0
    along = [int(k) for k in np.ravel(of_step)]
    low, high = _box(steps, along, start)
    for _ in range(WIDENINGS):
        tables = [StepTable(each, low, high) for each in steps]
        path, error, level = _refined(tables, along, start, level, tolerance)
        lost = path.lost
        if np.all(lost <= LEAK):
            break
        grow, level = WIDER * (high - low)[:, None] * (lost > LEAK), max(level - 1, 0)
        low, high = low - grow[:, 0], high + grow[:, 1]
    return path, error + lost.max() * 0.5 * (path.chains[0].grid.high - path.chains[0].grid.low)


def _refined(
    tables: list[StepTable], along: list[int], start: Start, level: int, tolerance: float
) -> tuple[Path, FloatArray, int]:
    """Return the path on the first grid from a rung on whose refinement changes it little, its error, and its rung."""
    low, high, rank, before = tables[0].low, tables[0].high, len(tables[0].low), None
    ladder = LADDERS[rank]
    while True:
        grid = ChebyshevGrid(low, high, (ladder[level],) * rank)
        path, error = Path([LatentChain(table, grid) for table in tables], along, start), np.full(rank, np.inf)
        if before is not None:
            changes = [path.latent_moments[0] - before.latent_moments[0], path.deviation - before.deviation]
            error = np.max(np.abs(changes), axis=(0, 1))
        if np.all(error <= tolerance * path.deviation.max(axis=0)) or level == len(ladder) - 1:
            return path, error, level
        level, before = level + 1, path


def _box(steps: list[LatentStep], along: list[int], start: Start) -> tuple[FloatArray, FloatArray]:
    """Return the corners (R,) of a box in which particles stay on their way, with a margin.

    Raises
    ------
    Divergence
        If a particle grows beyond 1e9.
    """
    rng = np.random.default_rng(0)
    latent = start.latent[rng.choice(len(start.latent), PARTICLES, p=start.weight / start.weight.sum())]
    low, high = start.latent.min(axis=0), start.latent.max(axis=0)
    for k in along if len(steps) > 1 else along[:MOST_STEPS]:
        latent = steps[k].sample(latent, rng)
        if not np.all(np.abs(latent) < BOUND):
            raise Divergence("noise carries the state beyond 1e9: its law is not followed")
        low, high = np.minimum(low, latent.min(axis=0)), np.maximum(high, latent.max(axis=0))
    kicks = [each.covariance(each.variance(np.stack([low, 0.5 * (low + high), high]))) for each in steps]
    kick = np.sqrt(np.diagonal(kicks, axis1=2, axis2=3).max(axis=(0, 1)))
    reach = np.maximum(np.maximum(WIDTHS * kick, BEYOND * (high - low)), 1e-9 * (1.0 + np.abs(low) + np.abs(high)))
    return low - reach, high + reach
