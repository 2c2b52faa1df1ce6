"""The linear system of a Markov chain on a grid: it is factored up to some thousand nodes, and iterated beyond."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse.linalg import LinearOperator, gmres

from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid, Rows
from ctrnn_theory.support.types import FloatArray

ACCURACY = 1e-13  # relative residual of the iteration
STEPS, CYCLES = 40, 5  # steps between the restarts of GMRES, and number of restarts


class System:
    """The matrix A = I - P + 1 uᵀ, u·1 = 1: regular, with πᵀ A = uᵀ.

    Without a coarser system it is factored. With one on the same box, its equations are solved by GMRES, and the
    coarser system is the preconditioner: P smooths, so that it hardly changes what the coarser grid does not resolve.
    """

    def __init__(self, rows: Rows, grid: ChebyshevGrid, coarse: System | None) -> None:
        self.rows, self.grid, self.coarse = rows, grid, coarse
        if coarse is not None:
            self.down = grid.interpolation(coarse.grid.points)
            self.up = coarse.grid.interpolation(grid.points)

    @cached_property
    def factors(self) -> Any:
        """LU factors of A."""
        n = self.grid.size
        matrix = np.eye(n) - self.rows.dense()
        matrix += 1.0 / n
        return lu_factor(matrix, overwrite_a=True, check_finite=False)

    def law(self) -> FloatArray:
        """Return the stationary weights π (M,)."""
        n = self.grid.size
        right = np.full(n, 1.0 / n)
        if self.coarse is None:
            return lu_solve(self.factors, right, trans=1, check_finite=False)
        return self._iterate(lambda w: w - self.rows.adjoint(w) + np.sum(w) / n, self._precondition_law, right)

    def poisson(self, phi: FloatArray) -> FloatArray:
        """Solve A g = φ for functions φ (M, K): (M, K)."""
        if self.coarse is None:
            return lu_solve(self.factors, phi, check_finite=False)
        columns = [self._iterate(self._apply, self._precondition, column) for column in phi.T]
        return np.stack(columns, axis=1)

    def _apply(self, g: FloatArray) -> FloatArray:
        result: FloatArray = g - self.rows.apply(g[:, None])[:, 0] + np.mean(g)
        return result

    def _precondition(self, r: FloatArray) -> FloatArray:
        assert self.coarse is not None
        low = self.down.apply(r[:, None])
        result: FloatArray = r + self.up.apply(self.coarse.poisson(low) - low)[:, 0]
        return result

    def _precondition_law(self, r: FloatArray) -> FloatArray:
        assert self.coarse is not None
        low = self.up.adjoint(r)
        result: FloatArray = r + self.down.adjoint(lu_solve(self.coarse.factors, low, trans=1) - low)
        return result

    def _iterate(
        self, apply: Callable[[FloatArray], FloatArray], precondition: Callable[[FloatArray], FloatArray], b: FloatArray
    ) -> FloatArray:
        shape = (len(b), len(b))
        A, M = LinearOperator(shape, matvec=apply), LinearOperator(shape, matvec=precondition)
        x, _ = gmres(A, b, rtol=ACCURACY, restart=STEPS, maxiter=CYCLES, M=M)
        result: FloatArray = x
        return result
