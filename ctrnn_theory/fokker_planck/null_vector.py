"""The probabilities of cells that a generator leaves as they are, and the sparse solvers that find them."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy  # which imports its parts when they are first used

from ctrnn_theory.fokker_planck.cell_grid import require_memory
from ctrnn_theory.fokker_planck.generator import Generator
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

SHIFT = 1e-11  # shift of the resolvent that finds where the mass is, relative to the fastest rate
RESIDUAL = 1e-12  # relative residual of the iterative solver
NEGATIVE = 1e-12  # size, relative to the largest entry, of negative mass that is a rounding error
DROP, FILL = 1e-3, 6.0  # tolerance and fill of the incomplete factors
LEFT = 0.01  # relative rounding error of a rate of leaving at which a well is never left
DIRECT = 5000  # cells up to which factors are cheap in three dimensions too
FACTORS = 20_000.0  # bytes a cell that they take there


def null_vector(scheme: Generator, peak: int | None = None) -> tuple[FloatArray, float]:
    """Return the probabilities p of the cells with L p = 0, and the part of them that rounding may have moved.

    p is set to one in a cell with much of the mass, `peak`, and solved for in the others. There, if the scheme is
    monotone, -L is an M-matrix: its factors need no pivots and have no positive entries off the diagonal, so that p is
    negative only where rounding exceeds it, and is made positive there. Rounding of the rates moves at most
    Σ ε Tᵢ |Lᵢᵢ| pᵢ, where Tᵢ is the mean time from a cell to the peak; but if a well is left less than once in 1/ε of
    the fastest times, what it holds is unknown, and the part is 1. It is 0 for the iterative solver, which does not
    estimate it.
    """
    L, monotone = scheme.matrix, scheme.monotone
    if peak is None:
        peak = int(np.argmax(_resolvent(L, monotone)))
    others = np.delete(np.arange(L.shape[0]), peak)
    M, inflow = (-L[others][:, others]).tocsc(), L[others][:, [peak]].toarray().ravel()
    large = scheme.grid.n == 3 and scheme.grid.size > DIRECT
    held, doubt = _iterated(M, inflow) if large else None, 0.0
    if held is None:
        if large:
            require_memory(scheme.grid.cells, FACTORS * scheme.grid.size)
        solver = factors(M, monotone)
        held = solver.solve(inflow)
        times = solver.solve(np.ones(len(held)), "T")
        moved = np.finfo(float).eps * np.abs(times * M.diagonal())
        doubt = float(moved @ np.abs(held)) / (1.0 + float(np.abs(held).sum())) if moved.max() < LEFT else 1.0
    p = np.empty(L.shape[0])
    p[others], p[peak] = held, 1.0
    p /= p.sum()
    return _positive(p) if monotone else p, doubt


def factors(M: scipy.sparse.csc_matrix, monotone: bool) -> Any:
    """Return sparse LU factors, without pivoting for an M-matrix, which is diagonally dominant by columns."""
    try:
        if not monotone:
            return scipy.sparse.linalg.splu(M)
        # with few entries in a column, SuperLU is 1.6 times faster without panels
        options = {"SymmetricMode": True}
        return scipy.sparse.linalg.splu(
            M, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, panel_size=1, options=options
        )
    except RuntimeError:
        raise NotApplicable(
            "diffusion must connect the cells; it is so small that their equations are singular"
        ) from None


def _resolvent(L: scipy.sparse.csc_matrix, monotone: bool) -> FloatArray:
    """Return ε (ε - L)⁻¹ p of equal probabilities p, which is nearly stationary wherever the mass is."""
    shift = SHIFT * float(np.abs(L.diagonal()).max())
    even = np.full(L.shape[0], shift / L.shape[0])
    return np.asarray(factors((shift * scipy.sparse.eye(L.shape[0]) - L).tocsc(), monotone).solve(even))


def _iterated(M: scipy.sparse.csc_matrix, right: FloatArray) -> FloatArray | None:
    """Solve by GMRES with incomplete factors and make small negative entries positive; return None if that fails."""
    try:
        incomplete = scipy.sparse.linalg.spilu(
            M, drop_tol=DROP, fill_factor=FILL, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0
        )
    except RuntimeError:  # a zero pivot
        return None
    precondition = scipy.sparse.linalg.LinearOperator(M.shape, incomplete.solve)
    x, info = scipy.sparse.linalg.gmres(M, right, M=precondition, rtol=RESIDUAL, restart=60, maxiter=5)
    if info or not np.all(np.isfinite(x)):
        return None
    return _positive(x)


def _positive(x: FloatArray) -> FloatArray:
    """Return x with small entries, whose sign is a matter of rounding, made positive."""
    return np.where(np.abs(x) < NEGATIVE * np.abs(x).max(), np.abs(x), x)
