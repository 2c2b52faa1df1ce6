"""The Markov operator of latent variables on a Chebyshev grid, its stationary law, and that of the neurons."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from scipy.linalg import lu_factor, lu_solve

from ctrnn_theory.stationary.markov.latent.step import LatentStep, Rates
from ctrnn_theory.stationary.markov.latent.table import StepTable
from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid, from_coefficients
from ctrnn_theory.support.types import FloatArray

NODES = {1: 16, 2: 9, 3: 6}
"""Points of the Gauss–Hermite rule along each axis, which averages functions that one step resolves."""
NARROW = 1e-60
"""Deviation of a step that counts as none in its standardised cumulants, which divide by its fourth power."""
CHUNK = 4_000_000
"""Numbers in the tables of a block of rows."""


@dataclass(frozen=True, eq=False)
class LatentChain:
    """The stationary law of R latent variables on one grid of Q nodes."""

    table: StepTable
    """Cumulants of a step anywhere in the box."""
    grid: ChebyshevGrid
    """Grid of latent variables."""
    skewed: bool = True
    """Whether a step has its third cumulant (Edgeworth), or is normal."""

    def on(self, counts: tuple[int, ...]) -> LatentChain:
        """Return the chain on another grid on the same box."""
        return LatentChain(self.table, ChebyshevGrid(self.grid.low, self.grid.high, counts), self.skewed)

    @property
    def step(self) -> LatentStep:
        """The map."""
        return self.table.step

    @cached_property
    def rates(self) -> Rates:
        """Mean and variance (Q, N) of the rates at the nodes."""
        return self.table.rates(self.grid)

    @cached_property
    def after(self) -> FloatArray:
        """Mean (Q, R) of the latent variables after a step from each node."""
        return self.step.mean(self.grid.points, self.rates.mean)

    @cached_property
    def spread(self) -> FloatArray:
        """Factor L (Q, R, R) of the covariance L Lᵀ of a step from each node."""
        values, vectors = np.linalg.eigh(self.step.covariance(self.rates.variance))
        root: FloatArray = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        return root

    def cumulant(self, order: int) -> FloatArray:
        """Return a cumulant (Q, R, ...) of the standardised steps L⁻¹ (κ' - E κ') from each node."""
        found = self.table.cumulant(order, self.grid)
        old, new = "abcd"[:order], "ijkl"[:order]
        factors = ",".join(f"q{i}{a}" for i, a in zip(new, old, strict=True))
        inverse = [np.linalg.pinv(np.where(np.abs(self.spread) < NARROW, 0.0, self.spread))] * order
        standard: FloatArray = np.einsum(f"q{old},{factors}->q{new}", found, *inverse, optimize=True)
        return standard

    @cached_property
    def rule(self) -> tuple[FloatArray, FloatArray]:
        """Nodes ξ (K, R) and weights (Q, K) of an average over the standardised steps from each node."""
        xi, weight = gauss_hermite(self.step.rank)
        weights = np.broadcast_to(weight, (self.grid.size, len(weight)))
        if self.skewed:
            weights = weights * (1.0 + np.einsum("qabc,kabc->qk", self.cumulant(3), _third_hermite(xi)) / 6.0)
        return xi, weights

    @cached_property
    def _averages(self) -> tuple[FloatArray, FloatArray]:
        return self._rows(self.rule[1])

    @property
    def matrix(self) -> FloatArray:
        """Matrix P (Q, Q) of E g(κ') from values of g at the nodes."""
        return self._averages[0]

    @property
    def oversteps(self) -> FloatArray:
        """Mean overstep of the box in a step from each node, (Q, R, 2), in half widths."""
        return self._averages[1]

    @cached_property
    def leak(self) -> FloatArray:
        """Mean overstep of the box in a step, (R, 2), in half widths."""
        leak: FloatArray = np.einsum("q,qrs->rs", np.abs(self.weights), self.oversteps)
        return leak

    @cached_property
    def own(self) -> FloatArray:
        """Variance (Q, N) of the rates that the neurons' own noise inside makes."""
        own: FloatArray = self.rates.variance - np.diag(self.step.outside)
        return own

    @cached_property
    def toward(self) -> list[FloatArray]:
        """Covariance of the rates with each of the R standardised steps from the nodes, (Q, N) each."""
        step = self.step
        toward = step.gamma * (self.own[:, :, None] * step.D + step.outside @ step.D)  # with κ' itself (Q, N, R)
        beta = toward @ np.swapaxes(np.linalg.pinv(self.spread), 1, 2)
        return list(np.moveaxis(beta, 2, 0))

    @cached_property
    def tilted(self) -> list[FloatArray]:
        """Matrices (Q, Q) of E ξ g(κ'), for each of the R standardised steps ξ from the nodes."""
        xi, weights = self.rule
        return [self._rows(weights * xi[:, axis])[0] for axis in range(self.step.rank)]

    def _rows(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the matrix (Q, Q) of sums of weights (Q, K) times g over the steps from each node, and oversteps."""
        length = max(1, CHUNK // (weights.shape[1] * max(self.grid.size, 1)))
        blocks = [slice(i, i + length) for i in range(0, self.grid.size, length)]
        parts = [self._block(weights[block], block) for block in blocks]
        return np.concatenate([part for part, _ in parts]), np.concatenate([over for _, over in parts])

    def _block(self, weights: FloatArray, block: slice) -> tuple[FloatArray, FloatArray]:
        xi, grid = self.rule[0], self.grid
        points = self.after[block, None, :] + xi @ np.swapaxes(self.spread[block], 1, 2)
        t = grid.reference(points)
        beyond = np.stack([np.maximum(-1.0 - t, 0.0), np.maximum(t - 1.0, 0.0)], axis=-1)
        t = np.clip(t, -1.0, 1.0)
        over: FloatArray = np.einsum("qk,qkrs->qrs", np.abs(weights), beyond)
        matrix = weights[:, :, None]
        for axis, count in enumerate(grid.counts):
            lagrange = np.cos(np.arccos(t[:, :, axis, None]) * np.arange(count)) @ from_coefficients(count)
            if axis < grid.n - 1:
                matrix = (matrix[:, :, :, None] * lagrange[:, :, None, :]).reshape(*lagrange.shape[:2], -1)
        return (np.swapaxes(matrix, 1, 2) @ lagrange).reshape(len(matrix), -1), over

    def density(self, weights: FloatArray, points: FloatArray) -> FloatArray:
        """Return the density (M,) at points (M, R) after a step from a law with weights (Q,) at the nodes.

        It is the average of the steps' densities, each of which is normal, with Edgeworth's correction.
        """
        values = np.zeros(len(points))
        third = self.cumulant(3) if self.skewed else None
        for q in np.flatnonzero(weights):
            xi = np.linalg.solve(self.spread[q], (points - self.after[q]).T).T
            normal = np.exp(-0.5 * np.sum(xi**2, axis=1)) / abs(np.linalg.det(np.sqrt(2.0 * np.pi) * self.spread[q]))
            if third is not None:
                near = normal > 0.0
                normal[near] *= 1.0 + np.einsum("abc,kabc->k", third[q], _third_hermite(xi[near])) / 6.0
            values += weights[q] * normal
        return values

    @cached_property
    def factors(self) -> Any:
        """LU factors of I - P + 1 uᵀ, u·1 = 1."""
        size = self.grid.size
        return lu_factor(np.eye(size) - self.matrix + 1.0 / size, overwrite_a=True, check_finite=False)

    @cached_property
    def weights(self) -> FloatArray:
        """Weights π with E φ(κ) = Σ π_q φ(node q) for smooth φ, (Q,)."""
        size = self.grid.size
        return lu_solve(self.factors, np.full(size, 1.0 / size), trans=1, check_finite=False)

    @cached_property
    def latent_mean(self) -> FloatArray:
        """Mean E κ (R,)."""
        middle = 0.5 * (self.grid.low + self.grid.high)
        mean: FloatArray = middle + self.weights @ (self.grid.points - middle)
        return mean

    @cached_property
    def latent_covariance(self) -> FloatArray:
        """Covariance of κ (R, R)."""
        away = self.grid.points - self.latent_mean
        V: FloatArray = (away * self.weights[:, None]).T @ away
        return V

    @cached_property
    def forgotten(self) -> FloatArray:
        """Solutions g of g - P g = κ - E κ at the nodes, (Q, R)."""
        return lu_solve(self.factors, self.grid.points - self.latent_mean, check_finite=False)

    @property
    def memory(self) -> float:
        """Steps over which the latent variables are forgotten: the largest range of g over that of κ."""
        return float(np.max(np.ptp(self.forgotten, axis=0) / (self.grid.high - self.grid.low)))

    @cached_property
    def neglected(self) -> FloatArray:
        """Matrix (Q, Q) of what the cumulants that a step is taken not to have would add to the operator.

        It is the next term of Edgeworth's expansion, λ₄ He₄/24 + λ₃² He₆/72, along each principal axis of a step.
        """
        xi, weight = gauss_hermite(self.step.rank)
        total = np.zeros((self.grid.size, len(weight)))
        third = self.cumulant(3)
        if not self.skewed:
            total += np.einsum("qabc,kabc->qk", third, _third_hermite(xi)) / 6.0
        fourth = self.cumulant(4)
        for a in range(self.step.rank):
            x = xi[:, a]
            total += np.outer(fourth[:, a, a, a, a], x**4 - 6.0 * x**2 + 3.0) / 24.0
            total += np.outer(third[:, a, a, a] ** 2, x**6 - 15.0 * x**4 + 45.0 * x**2 - 15.0) / 72.0
        return self._rows(total * weight)[0]

    @cached_property
    def next_cumulant(self) -> FloatArray:
        """Estimated error of E κ (R,) by the cumulants that a step is taken not to have.

        An operator that is wrong by Q moves a mean by E (Q g), where g solves the Poisson equation (`forgotten`).
        """
        moved: FloatArray = np.abs(self.weights @ (self.neglected @ self.forgotten))
        return moved

    @cached_property
    def mean(self) -> FloatArray:
        """Mean E h (N,) of the neurons, which is that of their rates."""
        mean: FloatArray = self.weights @ self.rates.mean
        return mean

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance of h (N, N), from h = γ Σ_k (1-γ)^k y_{-1-k} and the chain between two rates.

        The covariance of h with the rate F(κ) of the same step is X = γ E (y - E y) Φ(κ')ᵀ, where κ' are the latent
        variables that follow y, and Φ = Σ_k (1-γ)^k Pᵏ (F - E y). Given κ, a rate has a part that is linear in κ'.
        """
        step, gamma, pi = self.step, self.step.gamma, self.weights[:, None]
        away = self.rates.mean - self.mean
        Phi = np.linalg.solve(np.eye(self.grid.size) - (1.0 - gamma) * self.matrix, away)
        X = (pi * away).T @ (self.matrix @ Phi)
        for beta, tilted in zip(self.toward, self.tilted, strict=True):
            X += (pi * beta).T @ (tilted @ Phi)
        X *= gamma
        of_rates = (pi * away).T @ away + np.diag(self.weights @ self.own) + step.outside
        V: FloatArray = (gamma * (1.0 - gamma) * (X + X.T) + gamma**2 * of_rates) / (gamma * (2.0 - gamma))
        return V


def gauss_hermite(rank: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes (K, R) and weights (K,) for the average over R standard normal variates."""
    x, w = np.polynomial.hermite_e.hermegauss(NODES[rank])
    nodes = np.array(list(product(x, repeat=rank)))
    weights = np.array([np.prod(each) for each in product(w / w.sum(), repeat=rank)])
    return nodes, weights


def _third_hermite(xi: FloatArray) -> FloatArray:
    """Return the Hermite tensors ξ_a ξ_b ξ_c - δ_ab ξ_c - δ_ac ξ_b - δ_bc ξ_a, (K, R, R, R)."""
    one = np.eye(xi.shape[1])
    cubes = np.einsum("ka,kb,kc->kabc", xi, xi, xi)
    lower = np.einsum("ab,kc->kabc", one, xi)
    found: FloatArray = cubes - lower - np.swapaxes(lower, 2, 3) - np.swapaxes(lower, 1, 3)
    return found
