"""The operator (P g)(h) = E g(h') of two or three noisy neurons, on functions on a Chebyshev grid.

Where the noise of the neurons is independent, so are the components of h' given h, and a row of P is an outer product
of averages over one Gaussian variate each. Otherwise the average of two neurons is a nested integral over two variates,
each of which is broken where a neuron passes a kink of f.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.stationary.markov.operator import gaussian_nodes
from ctrnn_theory.stationary.markov.several.chebyshev_grid import (
    ChebyshevGrid,
    Matrix,
    Product,
    Rows,
    from_coefficients,
)
from ctrnn_theory.stationary.markov.several.smooth_rows import along_lines
from ctrnn_theory.stationary.markov.state_range import LAYER
from ctrnn_theory.support.read_only import ReadOnly
from ctrnn_theory.support.types import FloatArray

EXTRA = 16  # nodes more along an axis for what noise outside makes of a function than for the function
PANELS = 4  # panels of a Gaussian's range, with 3 + order / 4 points each, of a quadrature over two variates
NARROW = 0.5  # standard deviations: a layer that is narrower gets panels of its own
NEGLIGIBLE = 1e-12  # relative size below which an entry or eigenvalue is zero


@dataclass(frozen=True, eq=False)
class NetworkStep(ReadOnly):
    """One step of the map of N neurons."""

    f: Activation
    """Activation function, applied elementwise."""
    W: FloatArray
    """Recurrent weights (N, N)."""
    drive: FloatArray
    """Input drive d = W_in u + b (N,)."""
    gamma: float
    """Time step over time constant, Δt/τ in (0, 1]."""
    inside: FloatArray
    """Covariance of the noise inside (N, N)."""
    outside: FloatArray
    """Covariance of the noise outside (N, N)."""
    breaks: tuple[FloatArray, ...] = ()
    """For each neuron, pre-activations where f is not smooth, or one panel does not resolve it."""
    reach: float = 8.5
    """Largest standard normal variate that the quadrature reaches."""

    @property
    def early(self) -> bool:
        """Whether the grid is of states y before the noise outside is added, h = y + γ L η.

        Functions of h would bend where f does, but their averages over the noise outside do not.
        """
        correlated = not _diagonal(self.outside)
        return len(self.drive) == 2 and not self.inside.any() and (correlated or bool(self.f.breakpoints))

    @property
    def separable(self) -> bool:
        """Whether the rows are outer products."""
        return not self.early and _diagonal(self.inside) and _diagonal(self.outside)

    def order(self, grid: ChebyshevGrid) -> int:
        """Return the points that a quadrature panel needs for the fastest function on the grid."""
        return 16 + max(grid.counts) // 3

    def rows(self, grid: ChebyshevGrid, points: FloatArray, order: int, extra: int = EXTRA) -> Rows:
        """Return rows of P at the points (M, N).

        Parameters
        ----------
        grid
            Grid that the functions live on.
        points
            States (M, N), before the noise outside is added if the step is `early`.
        order
            Number of points in a quadrature panel.
        extra
            Additional nodes along each axis for the functions averaged over noise outside.
        """
        if self.early:
            return self._pairs(grid, points, *_turned(self.W, self.gamma * _root(self.outside)), order)
        if not self.outside.any():
            return self._inside(grid, points, order)
        finer = ChebyshevGrid(grid.low, grid.high, tuple(count + extra for count in grid.counts))
        before = self._inside(finer, points, order)
        return self._then_diffuse(before, grid, finer, order)

    def _inside(self, grid: ChebyshevGrid, points: FloatArray, order: int) -> Rows:
        """Average over the noise inside."""
        if not _diagonal(self.inside):
            return self._pairs(grid, points, _turned(np.eye(2), _root(self.inside))[0], np.zeros((2, 2)), order)
        a = points @ self.W.T + self.drive
        factors, over = [], np.empty((len(points), grid.n, 2))
        for i, s in enumerate(np.sqrt(np.diag(self.inside))):
            average = partial(self._average, grid, order, i, float(s))
            h = points[:, i]
            found = along_lines(average, h, a[:, i], float(s)) if s > 0.0 else average(h, a[:, i])
            factors.append(found[:, :-2])
            over[:, i] = found[:, -2:]
        return Product(tuple(factors), over)

    def _average(self, grid: ChebyshevGrid, order: int, i: int, s: float, h: FloatArray, a: FloatArray) -> FloatArray:
        """Return rows of neuron i for its states and pre-activations (M,), and in two more columns the oversteps."""
        rows, xi, weights = np.arange(len(a)), np.zeros(len(a)), np.ones(len(a))
        if s > 0.0:
            rows, xi, weights = gaussian_nodes((self.breaks[i] - a[:, None]) / s, self.reach, order)
        moved = (1.0 - self.gamma) * h[rows] + self.gamma * self.f(a[rows] + s * xi)
        return np.concatenate(grid.average(i, rows, moved, weights, len(a)), axis=1)

    def _then_diffuse(self, before: Rows, grid: ChebyshevGrid, finer: ChebyshevGrid, order: int) -> Rows:
        """Average over the noise outside, then `before`, which takes functions on the finer grid."""
        if _diagonal(self.outside):
            return before.after(*self.diffusion(grid, finer, order))
        after = self.diffuse(grid, finer, order)
        matrix = before.dense()
        over = np.einsum("mj,jis->mis", matrix, after.over)
        return Matrix(matrix @ after.dense(), before.over + over)

    def diffusion(
        self, grid: ChebyshevGrid, finer: ChebyshevGrid, order: int
    ) -> tuple[list[FloatArray], list[FloatArray]]:
        """Average over independent noise outside along each axis, from the nodes of a grid to those of a finer one."""
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

    def diffuse(self, grid: ChebyshevGrid, other: ChebyshevGrid, order: int) -> Rows:
        """Average over the noise outside of two neurons at the nodes of another grid."""
        if _diagonal(self.outside):
            factors, steps = self.diffusion(grid, other, order)
            i, j = (index.ravel() for index in np.indices(other.counts))
            return Product((factors[0][i], factors[1][j]), np.stack([steps[0][i], steps[1][j]], axis=1))
        root = self.gamma * _root(self.outside)
        return self._pairs(grid, other.points, np.zeros((2, 2)), root, order, moving=False)

    def target(self, h: FloatArray) -> FloatArray:
        """Return (1-γ) h + γ f(W h + d) for states (M, N)."""
        moved: FloatArray = (1.0 - self.gamma) * h + self.gamma * self.f(h @ self.W.T + self.drive)
        return moved

    def _pairs(
        self, grid: ChebyshevGrid, points: FloatArray, C: FloatArray, M: FloatArray, order: int, moving: bool = True
    ) -> Rows:
        """Average over two variates ζ of the step from h = point + M ζ with the pre-activation W point + d + C ζ.

        C is lower triangular. With `moving` False the state does not step, and the average is over h itself.
        """
        from ctrnn_theory.stationary.markov.several.shared_noise import (  # compiled when imported
            average_pairs,
            rules_for,
        )

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
    """Return whether the noise of different neurons is independent."""
    return not (covariance - np.diag(np.diag(covariance))).any()


def _root(covariance: FloatArray) -> FloatArray:
    """Return a factor L (N, N) of a covariance L Lᵀ that may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    values[values < NEGLIGIBLE * values[-1]] = 0.0
    root: FloatArray = vectors * np.sqrt(values)
    return root


def _turned(W: FloatArray, L: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Turn the variates so that W L becomes lower triangular; return W L and L after the turn."""
    Q, R = np.linalg.qr((W @ L).T)
    C, M = R.T.copy(), L @ Q
    C[np.abs(C) < NEGLIGIBLE * np.abs(C).max(initial=0.0)] = 0.0
    M[np.abs(M) < NEGLIGIBLE * np.abs(M).max(initial=0.0)] = 0.0
    return C, M
