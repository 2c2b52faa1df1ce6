"""The linear system of a Markov chain on a grid: it is factored up to some thousand nodes, and iterated beyond."""

from __future__ import annotations

from functools import cached_property, reduce
from typing import Any

import numpy as np
from scipy.linalg import lu_factor, lu_solve

from ctrnn_theory.numerics.gmres import Operator, gmres
from ctrnn_theory.stationary.markov.several.chebyshev_grid import Array, ChebyshevGrid, Product, Rows, transformed
from ctrnn_theory.support.types import FloatArray

ACCURACY = 1e-13  # relative residual of the iteration, where rounding allows it
ROUNDING = 4.0  # rounding errors of the largest value of a solution that its residual has
STEPS, CYCLES = 40, 5  # steps between the restarts of GMRES, and number of restarts


class System:
    """The matrix A = I - P + 1 uᵀ, u·1 = 1: regular, with πᵀ A = uᵀ.

    Without a coarser system it is factored. With one on the same box, its equations are solved by GMRES. The coarser
    system is the preconditioner for what its grid resolves, and for the rest it is the inverse of the operator of
    neurons that do not see each other, see :class:`Uncoupled`. For γ near 1, P makes the rest vanish; for a small γ it
    changes little in a step, and most of the time would be spent on it.

    The iteration ends where rounding allows no more, or where averages over the law are as accurate as `tolerance`,
    relative to the functions.
    """

    def __init__(self, rows: Rows, grid: ChebyshevGrid, coarse: System | None, tolerance: float = 0.0) -> None:
        self.rows, self.grid, self.coarse, self.tolerance = rows, grid, coarse, tolerance
        if coarse is not None:
            self.down = grid.resampling(coarse.grid)
            self.up = coarse.grid.resampling(grid)
            assert isinstance(rows, Product)  # others are for two neurons, and are factored
            self.rest = Uncoupled.of(rows, grid, self.down.adjoint(coarse.law()))

    @cached_property
    def factors(self) -> Any:
        """LU factors of A."""
        n = self.grid.size
        matrix = np.eye(n) - self.rows.dense()
        matrix += 1.0 / n
        return lu_factor(matrix, overwrite_a=True, check_finite=False)

    @cached_property
    def range(self) -> float:
        """Largest range of the solutions of the Poisson equations of the states, which is that of the memory."""
        return float(np.max(np.ptp(self.poisson(self.grid.reference(self.grid.points)), axis=0)))

    @property
    def accuracy(self) -> float:
        """Relative residual that is reached whatever the rounding of solutions."""
        return max(ACCURACY, ROUNDING * np.finfo(float).eps * self.range)

    def law(self) -> FloatArray:
        """Return the stationary weights π (M,)."""
        n = self.grid.size
        if self.coarse is None:
            return lu_solve(self.factors, np.full(n, 1.0 / n), trans=1, check_finite=False)
        first = self.down.adjoint(self.coarse.law())
        change = self.rows.adjoint(first) - first
        if not change.any():
            return first
        # An average changes by the residual of the law times a solution, which is as large as the memory.
        accuracy = max(self.coarse.accuracy, self.tolerance / self.coarse.range)
        accuracy *= float(np.linalg.norm(first) / np.linalg.norm(change))
        return first + self._iterate(
            lambda w: w - self.rows.adjoint(w) + np.sum(w) / n, self._precondition_law, change, accuracy
        )

    def poisson(self, phi: FloatArray) -> FloatArray:
        """Solve A g = φ for functions φ (M, K): (M, K)."""
        if self.coarse is None:
            return lu_solve(self.factors, phi, check_finite=False)
        accuracy = max(self.coarse.accuracy, self.tolerance)  # an average changes by that of the residual
        return self._iterate(lambda g: g - self.rows.apply(g) + np.mean(g, axis=0), self._precondition, phi, accuracy)

    def _precondition(self, r: FloatArray) -> FloatArray:
        assert self.coarse is not None
        low = self.down.apply(r)
        return self.rest.solve(r - self.up.apply(low)) + self.up.apply(self.coarse.poisson(low))

    def _precondition_law(self, r: FloatArray) -> FloatArray:
        assert self.coarse is not None
        rest, low = self.rest.solve_adjoint(r), self.up.adjoint(r)
        low = lu_solve(self.coarse.factors, low, trans=1, check_finite=False) - self.up.adjoint(rest)
        result: FloatArray = rest + self.down.adjoint(low)
        return result

    def _iterate(
        self,
        apply: Operator,
        precondition: Operator,
        b: FloatArray,
        accuracy: float,
    ) -> FloatArray:
        """Solve A x = b, (M,) or (M, K), with a preconditioner."""
        shape = b.T.shape

        def on_rows(function: Operator) -> Operator:
            return lambda rows: np.atleast_2d(function(rows.reshape(shape).T).T)

        x = gmres(on_rows(apply), np.atleast_2d(b.T), accuracy, STEPS, CYCLES, on_rows(precondition))
        return x.reshape(shape).T


class Uncoupled:
    """The inverse of I - P₁ ⊗ P₂ ⊗ P₃, with P_i the operator of neuron i averaged over the states of the others.

    The eigenvalue 1 of the constant function is replaced by 0.
    """

    def __init__(self, operators: list[FloatArray]) -> None:
        pairs = [np.linalg.eig(P) for P in operators]
        values = reduce(np.multiply.outer, [value for value, _ in pairs])
        values = np.where(np.abs(values - 1.0) < np.finfo(float).eps ** 0.5, 0.0, values)
        self.factor = 1.0 / (1.0 - values)
        self.vectors = [vectors for _, vectors in pairs]
        self.inverses = [np.linalg.inv(vectors) for vectors in self.vectors]

    @classmethod
    def of(cls, rows: Product, grid: ChebyshevGrid, weights: FloatArray) -> Uncoupled:
        """Make it from the rows of P on a grid, and the stationary weights of its nodes (M,)."""
        mass, axes = weights.reshape(grid.counts), range(grid.n)
        share = [mass.sum(axis=tuple(other for other in axes if other != axis)) for axis in axes]
        operators = []
        for axis in axes:
            P = rows.factors[axis].reshape(*grid.counts, -1)
            for other in reversed([other for other in axes if other != axis]):
                P = np.tensordot(share[other], P, (0, other))
            operators.append(P)
        return cls(operators)

    def solve(self, r: FloatArray) -> FloatArray:
        """Apply the inverse to functions at the nodes, (M, K)."""
        return self._apply(self.inverses, self.vectors, r)

    def solve_adjoint(self, weights: FloatArray) -> FloatArray:
        """Apply its transpose to weights of the nodes, (M,)."""
        return self._apply([V.T for V in self.vectors], [V.T for V in self.inverses], weights)

    def _apply(self, there: list[Array], back: list[Array], r: FloatArray) -> FloatArray:
        tensor = transformed(there, r.reshape(*self.factor.shape, -1)) * self.factor[..., None]
        result: FloatArray = transformed(back, tensor).real.reshape(r.shape)
        return result
