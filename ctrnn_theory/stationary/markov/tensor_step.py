"""The operator (P g)(h) = E g(h') of a few noisy neurons, on functions on a tensor grid.

Where the noise of the neurons is independent, so are the components of h' given h, and a row of P is an outer product
of averages over one Gaussian variate each. Otherwise two neurons are averaged over two variates, nested so that every
integral can be broken where a neuron passes a kink of f.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.stationary.markov.operator import gaussian_nodes
from ctrnn_theory.stationary.markov.state_range import LAYER
from ctrnn_theory.stationary.markov.tensor_mesh import Grid, Matrix, Product, Rows, from_coefficients
from ctrnn_theory.support.read_only import ReadOnly
from ctrnn_theory.support.types import FloatArray

EXTRA = 16  # nodes more along an axis for what noise outside makes of a function than for the function
PANELS = 4  # of a Gaussian's range, in which 3 + order / 4 points of a quadrature over two variates lie
NARROW = 0.5  # standard deviations; what is narrower gets panels of its own
NEGLIGIBLE = 1e-12


@dataclass(frozen=True, eq=False)
class NetworkStep(ReadOnly):
    """One step of the map of N neurons."""

    f: Activation
    """Activation, elementwise."""
    W: FloatArray
    """Recurrent weights (N, N)."""
    drive: FloatArray
    """d = W_in u + b (N,)."""
    gamma: float
    """Δt/τ in (0, 1]."""
    inside: FloatArray
    """Covariance of the noise inside (N, N)."""
    outside: FloatArray
    """Covariance of the noise outside (N, N)."""
    breaks: tuple[FloatArray, ...] = ()
    """For each neuron, pre-activations where f is not smooth, or one panel does not resolve it."""
    reach: float = 8.5
    """Largest standard normal variate that counts."""

    @property
    def early(self) -> bool:
        """Whether the chain is looked at before the noise is added: y, with h = y + γ L η.

        A function of h would bend where f does; its average over the noise outside does not.
        """
        correlated = not _diagonal(self.outside)
        return len(self.drive) == 2 and not self.inside.any() and (correlated or bool(self.f.breakpoints))

    @property
    def separable(self) -> bool:
        """Whether rows are outer products."""
        return not self.early and _diagonal(self.inside) and _diagonal(self.outside)

    def order(self, grid: Grid) -> int:
        """Points in a quadrature panel that a function on the grid asks for, as fast as T_k(t) at the most."""
        return 16 + max(grid.counts) // 3

    def rows(self, grid: Grid, points: FloatArray, order: int, extra: int = EXTRA) -> Rows:
        """Rows of P at the points (M, N).

        Parameters
        ----------
        grid
            Grid that the functions live on.
        points
            States (M, N); before the noise outside is added, if the chain is `early`.
        order
            Points in a quadrature panel.
        extra
            Nodes more along each axis for the functions averaged over noise outside.
        """
        if self.early:
            return self._pairs(grid, points, *_turned(self.W, self.gamma * _root(self.outside)), order)
        if not self.outside.any():
            return self._inside(grid, points, order)
        finer = Grid(grid.low, grid.high, tuple(count + extra for count in grid.counts))
        before = self._inside(finer, points, order)
        return self._then_diffuse(before, grid, finer, order)

    def _inside(self, grid: Grid, points: FloatArray, order: int) -> Rows:
        """Average over the noise inside."""
        if not _diagonal(self.inside):
            return self._pairs(grid, points, _turned(np.eye(2), _root(self.inside))[0], np.zeros((2, 2)), order)
        a = points @ self.W.T + self.drive
        factors, over = [], np.empty((len(points), grid.n, 2))
        for i, s in enumerate(np.sqrt(np.diag(self.inside))):
            if s == 0.0:
                rows, x, weights = np.arange(len(a)), a[:, i], np.ones(len(a))
            else:
                cuts = (self.breaks[i] - a[:, i, None]) / s
                rows, xi, weights = gaussian_nodes(cuts, self.reach, order)
                x = a[rows, i] + s * xi
            moved = (1.0 - self.gamma) * points[rows, i] + self.gamma * self.f(x)
            factor, over[:, i] = grid.average(i, rows, moved, weights, len(a))
            factors.append(factor)
        return Product(tuple(factors), over)

    def _then_diffuse(self, before: Rows, grid: Grid, finer: Grid, order: int) -> Rows:
        """Average over the noise outside, then `before`, which takes functions on the finer grid."""
        if _diagonal(self.outside):
            return before.after(*self.diffusion(grid, finer, order))
        after = self.diffuse(grid, finer, order)
        matrix = before.dense()
        over = np.einsum("mj,jis->mis", matrix, after.over)
        return Matrix(matrix @ after.dense(), before.over + over)

    def diffusion(self, grid: Grid, finer: Grid, order: int) -> tuple[list[FloatArray], list[FloatArray]]:
        """Average over independent noise outside, from the nodes of a grid to those of another, along each axis."""
        factors, steps = [], []
        for i, s in enumerate(self.gamma * np.sqrt(np.diag(self.outside))):
            t = np.cos(np.pi * (np.arange(finer.counts[i]) + 0.5) / finer.counts[i])
            y = 0.5 * ((1.0 - t) * finer.low[i] + (1.0 + t) * finer.high[i])
            if s == 0.0:
                rows, x, weights = np.arange(len(y)), y, np.ones(len(y))
            else:
                ends = np.array([grid.low[i], grid.high[i]])
                rows, eta, weights = gaussian_nodes((ends - y[:, None]) / s, self.reach, order)
                x = y[rows] + s * eta
            factor, over = grid.average(i, rows, x, weights, len(y))
            factors.append(factor)
            steps.append(over)
        return factors, steps

    def diffuse(self, grid: Grid, other: Grid, order: int) -> Rows:
        """Average over the noise outside of two neurons, at the nodes of another grid."""
        if _diagonal(self.outside):
            factors, steps = self.diffusion(grid, other, order)
            i, j = (index.ravel() for index in np.indices(other.counts))
            return Product((factors[0][i], factors[1][j]), np.stack([steps[0][i], steps[1][j]], axis=1))
        root = self.gamma * _root(self.outside)
        return self._pairs(grid, other.points, np.zeros((2, 2)), root, order, moving=False)

    def target(self, h: FloatArray) -> FloatArray:
        """(1-γ) h + γ f(W h + d) for states (M, N)."""
        moved: FloatArray = (1.0 - self.gamma) * h + self.gamma * self.f(h @ self.W.T + self.drive)
        return moved

    def _pairs(
        self, grid: Grid, points: FloatArray, C: FloatArray, M: FloatArray, order: int, moving: bool = True
    ) -> Rows:
        """Average over two variates ζ of the step from h = point + M ζ with the pre-activation W point + d + C ζ.

        C is lower triangular. With `moving` False the step is none, and h itself is what is averaged over.
        """
        from ctrnn_theory.stationary.markov.tensor_pairs import average_pairs, rules_for  # compiled when imported

        a = points @ self.W.T + self.drive
        outer, lines = [np.empty((len(a), 0))], [np.empty((len(a), 0, 2))]
        for i in range(2):
            if C[i, 1] != 0.0:
                offset = (self.breaks[i] - a[:, i, None]) / C[i, 1]
                lines.append(np.stack([offset, np.full_like(offset, -C[i, 0] / C[i, 1])], axis=2))
                if abs(C[i, 1]) < NARROW * abs(C[i, 0]):  # the inner average bends in a narrow layer
                    at = (np.array(self.f.breakpoints) - a[:, i, None])[:, :, None] + C[i, 1] * np.asarray(LAYER)
                    outer.append(at.reshape(len(a), -1) / C[i, 0])
            elif C[i, 0] != 0.0:
                outer.append((self.breaks[i] - a[:, i, None]) / C[i, 0])
        density = (3 + order // 4) * PANELS / self.reach
        moments, over = average_pairs(
            self.f.block,
            self.gamma if moving else 0.0,
            np.stack([points, a], axis=1),
            np.stack([M, C]),
            np.concatenate(outer, axis=1),
            np.concatenate(lines, axis=1),
            rules_for(self.reach, density),
            self.reach,
            density,
            np.stack([grid.low, grid.high]),
            *grid.counts,
        )
        matrix = np.matmul(from_coefficients(grid.counts[0]).T, moments @ from_coefficients(grid.counts[1]))
        return Matrix(matrix.reshape(len(a), -1), over)


def _diagonal(covariance: FloatArray) -> bool:
    """Whether the noise of different neurons is independent."""
    return not (covariance - np.diag(np.diag(covariance))).any()


def _root(covariance: FloatArray) -> FloatArray:
    """Factor L (N, N) with covariance L Lᵀ, which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    values[values < NEGLIGIBLE * values[-1]] = 0.0
    root: FloatArray = vectors * np.sqrt(values)
    return root


def _turned(W: FloatArray, L: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Orthogonal change of the variates that makes W L lower triangular; returns it and L, so changed."""
    Q, R = np.linalg.qr((W @ L).T)
    C, M = R.T.copy(), L @ Q
    C[np.abs(C) < NEGLIGIBLE * np.abs(C).max(initial=0.0)] = 0.0
    M[np.abs(M) < NEGLIGIBLE * np.abs(M).max(initial=0.0)] = 0.0
    return C, M
