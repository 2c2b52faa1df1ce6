"""Tensor Chebyshev interpolation of functions on a box, and operators that average them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.support.jit import jit
from ctrnn_theory.support.types import FloatArray, IntArray

Array = NDArray[Any]
CHUNK = 4_000_000  # numbers in a block of rows that are multiplied out at once, which bounds the memory


def from_coefficients(count: int) -> FloatArray:
    """Return D with Σ_k T_k(t) D[k, j] = ℓ_j(t), the j-th Lagrange polynomial of `count` Chebyshev nodes."""
    k, j = np.arange(count)[:, None], np.arange(count)
    matrix: FloatArray = (2.0 - (k == 0)) / count * np.cos(np.pi * k * (j + 0.5) / count)
    return matrix


@dataclass(frozen=True, eq=False)
class ChebyshevGrid:
    """A box with Chebyshev nodes along each axis, none of them at its ends."""

    low: FloatArray
    """Lower corner (N,)."""
    high: FloatArray
    """Upper corner (N,)."""
    counts: tuple[int, ...]
    """Number of nodes along each axis."""

    @property
    def n(self) -> int:
        """Number of axes N."""
        return len(self.counts)

    @property
    def size(self) -> int:
        """Number of nodes."""
        return int(np.prod(self.counts))

    @cached_property
    def points(self) -> FloatArray:
        """All nodes (size, N), the last axis running fastest."""
        return self.product([np.cos(np.pi * (np.arange(count) + 0.5) / count) for count in self.counts])

    def product(self, reference: list[FloatArray]) -> FloatArray:
        """Map the tensor product of points of [-1, 1] along each axis to the box, (M, N)."""
        t = np.stack([axis.ravel() for axis in np.meshgrid(*reference, indexing="ij")], axis=1)
        points: FloatArray = 0.5 * ((1.0 - t) * self.low + (1.0 + t) * self.high)
        return points

    def reference(self, points: FloatArray) -> FloatArray:
        """Map points (M, N) to coordinates in which the box is [-1, 1]ᴺ."""
        t: FloatArray = (2.0 * points - self.low - self.high) / (self.high - self.low)
        return t

    def finer(self) -> ChebyshevGrid:
        """Return a grid on the same box with a quarter more nodes along each axis, and at least 8 more."""
        return ChebyshevGrid(self.low, self.high, tuple(count + max(8, count // 4) for count in self.counts))

    def unresolved(self, axis: int, coarse: int, g: FloatArray) -> FloatArray:
        """Return the part of functions g (size, K) that `coarse` nodes along an axis do not resolve, (size, K)."""
        count = self.counts[axis]
        k = np.arange(coarse, count)
        high = np.cos(np.pi * (np.arange(count)[:, None] + 0.5) * k / count) @ from_coefficients(count)[coarse:]
        tensor = np.moveaxis(np.tensordot(high, g.reshape(*self.counts, -1), (1, axis)), 0, axis)
        return tensor.reshape(g.shape)

    def average(
        self, axis: int, rows: IntArray, points: FloatArray, weights: FloatArray, count: int
    ) -> tuple[FloatArray, FloatArray]:
        """Return the matrix (count, nodes of the axis) from g at the nodes to Σ weight · g(point) over a row's points.

        Points outside the box are moved to its nearer end. The second result is their mean distance below and above
        it, (count, 2), in units of its half width.
        """
        t = (2.0 * points - self.low[axis] - self.high[axis]) / (self.high[axis] - self.low[axis])
        moments, over = average_chebyshev(rows, t, weights, count, self.counts[axis])
        return moments @ from_coefficients(self.counts[axis]), over

    def resampling(self, other: ChebyshevGrid) -> Resampling:
        """Return the operator that takes functions to another grid on the same box."""
        matrices = []
        for count, more in zip(self.counts, other.counts, strict=True):
            angles = np.pi * (np.arange(more)[:, None] + 0.5) / more
            matrices.append(np.cos(angles * np.arange(count)) @ from_coefficients(count))
        return Resampling(tuple(matrices))

    def interpolation(self, points: FloatArray) -> Product:
        """Return the operator that takes functions at the nodes to their values at other points (M, N)."""
        rows, ones = np.arange(len(points)), np.ones(len(points))
        found = [self.average(i, rows, points[:, i], ones, len(points)) for i in range(self.n)]
        return Product(tuple(factor for factor, _ in found), np.stack([over for _, over in found], axis=1))


@jit(cache=True)
def average_chebyshev(rows, t, weights, count, degree):  # type: ignore[no-untyped-def]
    """Sum weight · T_k(t) over a row's points, t moved into [-1, 1], (count, degree); also the overstep, (count, 2)."""
    moments = np.zeros((count, degree))
    over = np.zeros((count, 2))
    for i in range(len(t)):
        x, weight, row = t[i], weights[i], rows[i]
        if x < -1.0:
            over[row, 0] += weight * (-1.0 - x)
            x = -1.0
        elif x > 1.0:
            over[row, 1] += weight * (x - 1.0)
            x = 1.0
        before, now = weight, weight * x
        for k in range(degree):
            moments[row, k] += before
            before, now = now, 2.0 * x * now - before
    return moments, over


@dataclass(frozen=True, eq=False)
class Resampling:
    """Interpolation from one grid to another on the same box, axis by axis."""

    factors: tuple[FloatArray, ...]
    """One matrix (other nodes, nodes) for each axis."""

    def apply(self, g: FloatArray) -> FloatArray:
        """Apply it to functions g (size, K): (other size, K)."""
        tensor = transformed(self.factors, g.reshape(*(factor.shape[1] for factor in self.factors), -1))
        return tensor.reshape(-1, g.shape[1])

    def adjoint(self, weights: FloatArray) -> FloatArray:
        """Apply its transpose to weights (other size,): (size,)."""
        tensor = weights.reshape([len(factor) for factor in self.factors])
        return transformed([factor.T for factor in self.factors], tensor).ravel()


def transformed(matrices: Sequence[Array], tensor: Array) -> Array:
    """Apply a matrix to each of the first axes of a tensor."""
    for axis, matrix in enumerate(matrices):
        tensor = np.moveaxis(np.tensordot(matrix, tensor, (1, axis)), 0, axis)
    return tensor


@dataclass(frozen=True, eq=False)
class Product:
    """Rows of an operator on a grid, each of them an outer product of rows along the axes."""

    factors: tuple[FloatArray, ...]
    """One matrix (M, nodes) for each axis."""
    over: FloatArray
    """Mean overstep of the box, (M, N, 2), in half widths."""

    def _blocks(self) -> list[slice]:
        width = int(np.prod([factor.shape[1] for factor in self.factors[:-1]]))
        length = max(1, CHUNK // width)
        return [slice(i, i + length) for i in range(0, len(self.factors[0]), length)]

    def _leading(self, block: slice) -> FloatArray:
        """Return the outer products along all axes but the last, (rows, nodes)."""
        if len(self.factors) == 1:
            return np.ones_like(self.factors[0][block, :1])
        left = self.factors[0][block]
        for factor in self.factors[1:-1]:
            left = (left[:, :, None] * factor[block][:, None, :]).reshape(len(left), -1)
        return left

    def apply(self, g: FloatArray) -> FloatArray:
        """Apply the operator to functions g (size, K): (M, K)."""
        last = self.factors[-1]
        inner = g.reshape(-1, last.shape[1] * g.shape[1])
        result = np.empty((len(last), g.shape[1]))
        for block in self._blocks():
            partial = (self._leading(block) @ inner).reshape(-1, last.shape[1], g.shape[1])
            result[block] = np.einsum("mj,mjk->mk", last[block], partial)
        return result

    def after(self, factors: Sequence[FloatArray], over: Sequence[FloatArray]) -> Product:
        """Return this operator after one with `factors` and oversteps `over` along the axes, (nodes, other nodes)."""
        added = np.stack([own @ o for own, o in zip(self.factors, over, strict=True)], axis=1)
        return Product(tuple(own @ f for own, f in zip(self.factors, factors, strict=True)), self.over + added)

    def adjoint(self, weights: FloatArray) -> FloatArray:
        """Apply the transpose of the operator to weights (M,): (size,)."""
        blocks = self._blocks()
        total = sum(self._leading(b).T @ (weights[b, None] * self.factors[-1][b]) for b in blocks)
        return np.asarray(total).ravel()

    def dense(self) -> FloatArray:
        """Return the matrix (M, size)."""
        matrix: FloatArray = self._leading(slice(None))[:, :, None] * self.factors[-1][:, None, :]
        return matrix.reshape(len(matrix), -1)


@dataclass(frozen=True, eq=False)
class Matrix:
    """Rows of an operator on a grid, written out as a matrix."""

    matrix: FloatArray
    """Matrix (M, size)."""
    over: FloatArray
    """Mean overstep of the box, (M, N, 2), in half widths."""

    def apply(self, g: FloatArray) -> FloatArray:
        """Apply the operator to functions g (size, K): (M, K)."""
        return self.matrix @ g

    def after(self, factors: Sequence[FloatArray], over: Sequence[FloatArray]) -> Matrix:
        """Return this operator after one with `factors` and oversteps `over` along two axes, (nodes, other nodes)."""
        tensor = self.matrix.reshape(-1, *(len(factor) for factor in factors))
        added = np.stack([tensor.sum(axis=2) @ over[0], tensor.sum(axis=1) @ over[1]], axis=1)
        moved = np.matmul(factors[0].T, tensor @ factors[1])
        return Matrix(moved.reshape(len(moved), -1), self.over + added)

    def adjoint(self, weights: FloatArray) -> FloatArray:
        """Apply the transpose of the operator to weights (M,): (size,)."""
        return weights @ self.matrix

    def dense(self) -> FloatArray:
        """Return the matrix (M, size)."""
        return self.matrix


Rows = Product | Matrix
