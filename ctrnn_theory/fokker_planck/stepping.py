"""Implicit steps in time that conserve mass and keep a density positive."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy  # which imports its parts when they are first used

from ctrnn_theory.fokker_planck.generator import Generator
from ctrnn_theory.fokker_planck.null_vector import DROP, FILL, factors
from ctrnn_theory.support.types import FloatArray

Solve = Callable[[FloatArray], FloatArray]

SEQUENCE = (1, 2, 3)  # numbers of Euler steps that a step is cut into, before extrapolation
EASY = 1 / 12  # error relative to the tolerance below which the step doubles, which makes the error 8 times larger
KEPT = 9  # factors that are kept: those of three step sizes
ITERATED = 1e-12  # residual of the iterative solver, which is used in three dimensions
SHORTEST = 1e-12  # step relative to the time: the tolerance of a shorter one is out of reach


class Stepper:
    """A solver of dp/dt = L p for one generator.

    A step of length Δ is taken by 1, 2 and 3 implicit Euler steps, (1 - Δ/j L) p' = p, which keep p positive at any
    Δ, and extrapolated (Aitken and Neville) to third order; the difference to the second order estimates the error (P.
    Deuflhard, SIAM Review 27, 1985). No linear scheme of more than first order is positive at every Δ (C. Bolley and
    M. Crouzeix, RAIRO 12, 1978). What extrapolation adds to the three Euler steps is therefore treated as a flux
    through each face, and fluxes that leave a cell are cut to what it holds (S. T. Zalesak, J. Comput. Phys. 31, 1979).
    """

    def __init__(self, scheme: Generator) -> None:
        self.scheme = scheme
        self.matrix = scheme.matrix
        self.solvers: dict[float, Solve] = {}

    def advance(self, p: FloatArray, duration: float, step: float, tolerance: float) -> tuple[FloatArray, float]:
        """Follow p over a time, by steps of at most `step` whose error in total variation is below the tolerance.

        Returns p at the end, and the step to continue with. Raises a ValueError if rounding exceeds the tolerance.
        """
        left = duration
        while left > 1e-12 * duration:
            count = np.ceil(left / step * (1.0 - 1e-9))
            size = left / count
            new, error = self.step(p, size)
            if not error <= tolerance:  # also for NaN
                step = 0.5 * size
                if step < SHORTEST * duration:
                    raise ValueError(f"tolerance must be within reach of a step in time; got {tolerance:g}")
                continue
            p, left = new, left - size
            if error < EASY * tolerance and (count >= 2 or left <= 1e-12 * duration):
                step = 2.0 * size
        return p, step

    def step(self, p: FloatArray, size: float) -> tuple[FloatArray, float]:
        """Take one step; return p and its error in total variation."""
        table: list[list[FloatArray]] = []
        times: list[list[FloatArray]] = []  # ∫ p dt, of which the flux is linear
        for j in SEQUENCE:
            solve, q, spent = self._solver(size / j), p, np.zeros_like(p)
            for _ in range(j):
                q = solve(q)
                spent = spent + (size / j) * q
            row, row_time = [q], [spent]
            for k in range(1, j):
                share = 1.0 / (SEQUENCE[j - 1] / SEQUENCE[j - 1 - k] - 1.0)
                row.append(row[-1] + share * (row[-1] - table[-1][k - 1]))
                row_time.append(row_time[-1] + share * (row_time[-1] - times[-1][k - 1]))
            table.append(row)
            times.append(row_time)
        low, best, second = table[-1][0], table[-1][-1], table[-1][-2]
        error = float(np.abs(best - second).sum())
        if not self.scheme.monotone:
            return best, error
        return self._limited(low, self.scheme.flux @ (times[-1][-1] - times[-1][0])), error

    def _limited(self, low: FloatArray, through: FloatArray) -> FloatArray:
        """Add fluxes `through` the faces to probabilities, cut so that all of these stay positive."""
        into = self.scheme.divergence
        leaving = -(into.minimum(0.0) @ np.maximum(through, 0.0)) + into.maximum(0.0) @ np.maximum(-through, 0.0)
        share = np.minimum(1.0, np.divide(low, leaving, out=np.ones_like(low), where=leaving > low))
        source, target = self.scheme.source, self.scheme.target
        cut = through * np.where(through > 0.0, share[source], share[target])
        return np.maximum(low + into @ cut, 0.0)

    def _solver(self, size: float) -> Solve:
        """Return a solver of (1 - size L) q = p."""
        key = float(f"{size:.9e}")
        if key not in self.solvers:
            while len(self.solvers) >= KEPT:
                self.solvers.pop(next(iter(self.solvers)))
            M = (scipy.sparse.eye(self.matrix.shape[0], format="csc") - key * self.matrix).tocsc()
            self.solvers[key] = _iterative(M) if self.scheme.grid.n == 3 else factors(M, self.scheme.monotone).solve
        return self.solvers[key]


def _iterative(M: scipy.sparse.csc_matrix) -> Solve:
    """Return a solver by GMRES with incomplete factors that conserves the sum, and gives NaN if it fails.

    Small negative entries, which come from rounding, are made positive.
    """
    incomplete = scipy.sparse.linalg.spilu(
        M, drop_tol=DROP, fill_factor=FILL, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0
    )
    precondition = scipy.sparse.linalg.LinearOperator(M.shape, incomplete.solve)

    def solve(p: FloatArray) -> FloatArray:
        q, failed = scipy.sparse.linalg.gmres(M, p, x0=p, M=precondition, rtol=ITERATED, restart=30, maxiter=10)
        if failed:
            return np.full_like(p, np.nan)
        q = np.where(np.abs(q) < 1e-12 * np.abs(q).max(), np.abs(q), q)
        return np.asarray(q * (p.sum() / q.sum()))

    return solve
