"""The stationary density: a quadrature in one dimension, finite volumes in two and three."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, gmres, spilu, splu

from ctrnn_theory.fokker_planck.density import Density
from ctrnn_theory.fokker_planck.equation import Equation, equation
from ctrnn_theory.fokker_planck.generator import Generator, generator
from ctrnn_theory.fokker_planck.grid import Grid, require_memory
from ctrnn_theory.fokker_planck.line import line
from ctrnn_theory.fokker_planck.scout import narrow_marks
from ctrnn_theory.support.arguments import float_array, number_array, probability, shown
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn, neuron_table
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray

CELLS = {1: 512, 2: 128, 3: 48}
"""Cells along an axis, by the number of dimensions."""
INNER = 1e-6  # probability in the outermost cells at which the ends of the box do not act as walls
LEVELS = 3  # grids, each with cells twice as wide as the one before
MOST_DIMENSIONS = 3
SHIFT = 1e-11  # of the fastest rate: the resolvent that finds where the mass is
RESIDUAL = 1e-12  # of the iterative solver
NEGATIVE = 1e-12  # mass below zero that the iterative solver may leave, and that is set to zero
DROP, FILL = 1e-3, 6.0  # of the incomplete factors
LEFT = 0.01  # rounding of what is left to stay in a well that makes it a well for ever
DIRECT = 5000  # cells up to which factors are cheap in three dimensions too
FACTORS = 20_000.0  # bytes to a cell that they take there


@dataclass(frozen=True, eq=False, repr=False)
class Solution(Drawn, picture="solution"):
    """A stationary density, with moments free of most of the grid's error."""

    density: Density
    """The density on the finest grid, of mass one."""
    mean: FloatArray
    """E[h] (N,), extrapolated to a grid of no width."""
    covariance: FloatArray
    """Cov h (N, N), likewise."""
    error: FloatArray
    """Estimated absolute error of the mean and of the covariance, (2,): by the grid; by rounding, which decides how
    much lies in each of two wells that are left too rarely; and by how much two identities are violated that hold for
    any stationary law which no wall cuts off, E A = 0 and E[A (h - m)ᵀ + (h - m) Aᵀ + B] = 0."""
    order: float
    """Order in the width of the cells at which the mean (or the variances, where that moves less) converged; NaN where
    rounding decides, and in one dimension, where there is no grid."""
    border: FloatArray
    """Probability near the lower and the upper end of each axis, (N, 2): in the outermost cells; in one dimension in
    1/128 of the width."""
    cells: tuple[int, ...]
    """Cells along each axis; in one dimension the number of nodes."""
    negative: float = 0.0
    """Probability below zero in cells where off-diagonal diffusion left some; 0 for diagonal diffusion."""

    def _headline(self) -> str:
        return f"stationary density on {' x '.join(map(str, self.cells))} cells"

    def _parts(self, few: int) -> Iterator[str | Table]:
        yield neuron_table({"mean": self.mean, "std": np.sqrt(np.diag(self.covariance))}, few, "coordinate")
        yield f"estimated error of the mean {self.error[0]:.1e}, of the covariance {self.error[1]:.1e}"
        yield f"probability at the ends of the domain {self.border.max():.1e}"

    def _arrays(self) -> Arrays:
        return self.density._arrays()


@guarded
@limited
def solve(
    drift: Any,
    diffusion: Any,
    domain: Sequence[Any],
    *,
    cells: int | Sequence[int] | None = None,
    border: float = 1e-6,
) -> Solution:
    """Stationary density of ∂p/∂t = - Σ ∂ᵢ(Aᵢ p) + ½ Σ ∂ᵢ∂ⱼ(Bᵢⱼ p) in a box of one, two or three dimensions.

    One dimension: the density of no flux, p ∝ exp(∫ 2A/B) / B, by Gauss–Legendre panels, to about 1e-12; the diffusion
    may vanish where no mass lies. The domain is looked at in 200 000 places: what varies within less than the distance
    between two of them, and leaves no trace elsewhere, may be missed. Two and three: finite volumes with exponentially
    fitted fluxes. Mass is conserved by construction, and where the diffusion is
    diagonal no density is negative; off the diagonal that holds for weak correlations and small cells, and what is
    below zero is told: much, where the law is narrower than a cell in some direction. The equations are solved on three
    grids, and mean and covariance extrapolated (Richardson) with the second order that the scheme has; where a
    diffusion vanishes the order is one, and the error shows it.

    Parameters
    ----------
    drift
        A: for each coordinate a number, an expression in ``x, y, z`` (text or SymPy) or a function of the coordinates,
        arrays (M,); or one function that returns them all. In one dimension the entry itself will do.
    diffusion
        B, variance per unit of time (dX = A dt + √B dW, Itô): one entry for all coordinates, one for each, or N x N.
    domain
        (low, high) of each coordinate; in one dimension the pair itself will do. Nothing passes its ends.
    cells
        Cells along each axis, for two and three dimensions; rounded up to a multiple of four. 128 and 48 by default.
    border
        Most probability that may lie in the outermost cells (1/128 of the width in one dimension): more means that the
        domain cuts the law off. 1 for a domain whose ends are meant as walls.

    Raises
    ------
    ValueError
        For a domain that cuts off mass, a diffusion that is not positive semi-definite (in one dimension, not positive
        where mass lies), a density that is too sharp to resolve, a grid too large for memory, or arguments that are not
        of the form.

    Examples
    --------
    >>> well = solve("x - x**3", 0.2, (-3, 3))
    >>> print(well.density.mean.round(9), well.density.covariance.round(6))
    [0.] [[0.871363]]
    >>> wheel = solve(lambda x, y: (-x - 2*y, 2*x - y), 0.5, [(-4, 4), (-4, 4)])
    >>> print(wheel.covariance.round(4), wheel.density.current.shape)
    [[0.25 0.  ]
     [0.   0.25]] (2, 128, 128)
    """
    low, high = corners(domain)
    problem = equation(drift, diffusion, len(low))
    if not problem.steady:
        raise ValueError("drift and diffusion must not depend on t; evolve() follows those that do")
    counts, allowed = cell_counts(cells, len(low)), probability("border", border)
    marks: Iterable[float] = narrow_marks(problem, float(low[0]), float(high[0])) if problem.n == 1 else ()
    result = stationary(problem, low, high, counts, marks)
    check_border(result.border, allowed, low, high)
    return result


def stationary(
    problem: Equation,
    low: FloatArray,
    high: FloatArray,
    cells: tuple[int, ...],
    breaks: Iterable[float] = (),
    more: float = 0.0,
) -> Solution:
    """Solve on a given box; for `breaks` and `more`, of one dimension, see :func:`line`."""
    if problem.n == 1:
        density, errors = line(problem, float(low[0]), float(high[0]), breaks, more)
        border = _line_border(density, float(low[0]), float(high[0]))
        return Solution(density, density.mean, density.covariance, errors, np.nan, border, (len(density.axes[0]),))
    require_memory(cells, needed(cells))
    fine = Grid(low, high, cells)
    peak, densities, violations, rounding = None, [], [], 0.0
    for level in reversed(range(LEVELS)):
        grid = fine.coarser(2**level)
        scheme = generator(problem, grid)
        mass, doubt = null_vector(scheme, peak)
        rounding = max(rounding, doubt)
        if level:
            peak = _refined(int(np.argmax(mass)), grid, fine.coarser(2 ** (level - 1)))
        densities.append(as_density(mass, grid))
        violations.append(_violation(problem, densities[-1]))
    finest = as_density(mass, fine, scheme)
    mean, mean_error, mean_order = extrapolate([d.mean for d in densities])
    covariance, error, order = extrapolate([d.covariance for d in densities])
    moves = np.max(np.abs(densities[2].mean - densities[1].mean)) > 1e-6 * np.sqrt(np.max(np.diag(covariance)))
    use = mean_order if moves else order
    width = float(np.max(high - low))
    errors = np.array([mean_error + rounding * width, error + rounding * width**2])
    if fine.border(mass).max() <= INNER:  # no walls
        left = np.abs(extrapolate(violations)[0])
        errors = np.maximum(errors, [left[: problem.n].max(), left[problem.n :].max()])
    negative = abs(float(mass[mass < 0.0].sum()))
    return Solution(finest, mean, covariance, errors, use, fine.border(mass), cells, negative)


def _violation(problem: Equation, density: Density) -> FloatArray:
    """By how much E A = 0 and E[A (h - m)ᵀ + (h - m) Aᵀ + B] = 0 are violated, which hold for any stationary law.

    As errors of the mean and of the covariance (N + N²,): in units of the rate tr E B / (2 tr V) at which the law
    relaxes. Nothing is known of them without diffusion.
    """
    points, mass = density.points, density.weights.ravel() / density.mass
    A, B = problem.drift(points, 0.0), problem.diffusion(points, 0.0)
    spread = np.tensordot(mass, B, axes=1)
    spread = np.diag(spread) if B.ndim == 2 else spread
    cross = (A * mass[:, None]).T @ (points - density.mean)
    violation: FloatArray = np.concatenate([mass @ A, 0.5 * (cross + cross.T + spread).ravel()])
    rate = np.trace(spread) / (2.0 * np.trace(density.covariance))
    return violation / rate if rate > 0.0 else np.zeros_like(violation)


def extrapolate(values: Sequence[FloatArray]) -> tuple[FloatArray, float, float]:
    """Limit of values on grids of width 4, 2 and 1 whose error falls as width², its error, and the order seen.

    The error is the distance to what the two coarser grids alone would have given.
    """
    a, b, c = values
    best, before = c + (c - b) / 3.0, b + (b - a) / 3.0
    first, second = float(np.max(np.abs(b - a))), float(np.max(np.abs(c - b)))
    scale = 1e-11 * float(np.max(np.abs(c)))
    order = float(np.log2(first / second)) if min(first, second) > scale else np.nan
    return best, float(np.max(np.abs(best - before))), order


def null_vector(scheme: Generator, peak: int | None = None) -> tuple[FloatArray, float]:
    """Probabilities p of the cells with L p = 0, and how much of them rounding may have moved; 0 where none can tell.

    p is set to one in a cell with much of the mass, `peak`, and solved for in the others. There, if the scheme is
    monotone, -L is an M-matrix: its factors need no pivots and have no positive entries off the diagonal, so that no
    rounding can make p negative. Rounding of the rates moves no more than Σ ε Tᵢ |Lᵢᵢ| pᵢ, with Tᵢ the mean time from a
    cell to the peak; but where a well is left less than once in 1/ε of the fastest times nobody knows what it holds.
    """
    L, monotone = scheme.matrix, scheme.monotone
    if peak is None:
        peak = int(np.argmax(_resolvent(L, monotone)))
    others = np.delete(np.arange(L.shape[0]), peak)
    M, inflow = (-L[others][:, others]).tocsc(), L[others][:, [peak]].toarray().ravel()
    large = scheme.grid.n == MOST_DIMENSIONS and scheme.grid.size > DIRECT
    rest, doubt = _iterated(M, inflow) if large else None, 0.0
    if rest is None:
        if large:
            require_memory(scheme.grid.cells, FACTORS * scheme.grid.size)
        solver = factors(M, monotone)
        rest = solver.solve(inflow)
        times = solver.solve(np.ones(len(rest)), "T")
        moved = np.finfo(float).eps * np.abs(times * M.diagonal())
        doubt = float(moved @ np.abs(rest)) / (1.0 + float(np.abs(rest).sum())) if moved.max() < LEFT else 1.0
    p = np.empty(L.shape[0])
    p[others], p[peak] = rest, 1.0
    return p / p.sum(), doubt


def factors(M: sp.csc_matrix, monotone: bool) -> Any:
    """Sparse LU factors; of an M-matrix, diagonally dominant by columns, without pivoting."""
    try:
        if not monotone:
            return splu(M)
        # with few entries to a column, SuperLU is faster without panels: 1.6 times
        options = {"SymmetricMode": True}
        return splu(M, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, panel_size=1, options=options)
    except RuntimeError:
        raise ValueError("diffusion must connect the cells; it is so small that their equations are singular") from None


def _resolvent(L: sp.csc_matrix, monotone: bool) -> FloatArray:
    """ε (ε - L)⁻¹ on even probabilities: nearly stationary, wherever the mass may be."""
    shift = SHIFT * float(np.abs(L.diagonal()).max())
    even = np.full(L.shape[0], shift / L.shape[0])
    return np.asarray(factors((shift * sp.eye(L.shape[0]) - L).tocsc(), monotone).solve(even))


def _iterated(M: sp.csc_matrix, right: FloatArray) -> FloatArray | None:
    """Solve by GMRES with incomplete factors, what rounding leaves below zero set to zero; None where that fails."""
    try:
        incomplete = spilu(M, drop_tol=DROP, fill_factor=FILL, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0)
    except RuntimeError:  # a zero pivot
        return None
    precondition = LinearOperator(M.shape, incomplete.solve)
    x, info = gmres(M, right, M=precondition, rtol=RESIDUAL, restart=60, maxiter=5)
    if info or not np.all(np.isfinite(x)):
        return None
    return np.where(np.abs(x) < NEGATIVE * np.abs(x).max(), np.abs(x), x)


def as_density(mass: FloatArray, grid: Grid, scheme: Generator | None = None) -> Density:
    """Density of the probabilities of cells; with its current if the generator is given."""
    widths = tuple(np.full(k, d) for k, d in zip(grid.cells, grid.spacing, strict=True))
    current = None if scheme is None else scheme.current(mass)
    return Density(grid.axes, widths, (mass / np.prod(grid.spacing)).reshape(grid.cells), current)


def _refined(cell: int, grid: Grid, finer: Grid) -> int:
    """Cell of the finer grid in the corner of a cell of the coarser one."""
    return int(np.ravel_multi_index([2 * int(i) for i in np.unravel_index(cell, grid.cells)], finer.cells))


def _line_border(density: Density, low: float, high: float) -> FloatArray:
    x, mass = density.axes[0], density.weights
    near = (high - low) / CELLS[2]
    return np.array([[mass[x < low + near].sum(), mass[x > high - near].sum()]])


def needed(cells: tuple[int, ...]) -> float:
    """Bytes that a solution takes at its peak, from factors counted on grids of 2 500 to 160 000 cells."""
    size = float(np.prod(np.array(cells, dtype=float)))
    return size * (100.0 * np.log2(size) + 500.0 if len(cells) < MOST_DIMENSIONS else 2500.0)


def check_border(seen: FloatArray, allowed: float, low: FloatArray, high: FloatArray) -> None:
    """Raise a ValueError if more probability than allowed was seen at an end of an axis, (N, 2)."""
    if seen.max() > allowed:
        axis, end = np.unravel_index(np.argmax(seen), seen.shape)
        raise ValueError(
            f"domain must hold the law; {seen.max():.2g} of the probability lies at the {('lower', 'upper')[end]} end "
            f"of axis {axis}, {(low, high)[end][axis]:g}"
        )


def corners(domain: Sequence[Any]) -> tuple[FloatArray, FloatArray]:
    """Lower and upper corner (N,) of a box that a user gave."""
    try:
        box = float_array("domain", domain)
    except ValueError:
        raise ValueError(f"domain must be a pair of numbers for each coordinate; got {shown(domain)}") from None
    box = box[None] if box.shape == (2,) else box
    if box.ndim != 2 or box.shape[1] != 2 or not 1 <= len(box) <= MOST_DIMENSIONS:
        raise ValueError(f"domain must be (low, high) for each of one to three coordinates; got {domain!r}")
    if not np.all(np.isfinite(box)) or np.any(box[:, 0] >= box[:, 1]):
        raise ValueError(f"domain must have low < high, both finite; got {domain!r}")
    return box[:, 0], box[:, 1]


def cell_counts(cells: int | Sequence[int] | None, n: int) -> tuple[int, ...]:
    """Cells along each axis, a multiple of four."""
    counts = np.atleast_1d(CELLS[n] if cells is None else number_array("cells", cells))
    counts = np.full(n, counts[0]) if counts.size == 1 else counts
    if counts.shape != (n,) or counts.dtype.kind not in "iu" or np.any(counts < 16):
        raise ValueError(f"cells must be one integer of at least 16, or one for each of {n} axes; got {cells!r}")
    return tuple(int(-4 * (-k // 4)) for k in counts)
