"""The stationary density, by quadrature in one dimension and by finite volumes in two and three."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.fokker_planck.cell_grid import CellGrid, require_memory
from ctrnn_theory.fokker_planck.density import Density
from ctrnn_theory.fokker_planck.equation import Equation, equation
from ctrnn_theory.fokker_planck.first_panels import narrow_marks
from ctrnn_theory.fokker_planck.generator import Generator, generator
from ctrnn_theory.fokker_planck.null_vector import null_vector
from ctrnn_theory.fokker_planck.one_dimension import solve_on_interval
from ctrnn_theory.support.arguments import float_array, number_array, probability, shown
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn, neuron_table
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray

CELLS = {1: 512, 2: 128, 3: 48}
"""Default number of cells along an axis, by the number of dimensions."""
INNER = 1e-6  # probability in the outermost cells below which the ends of the box do not act as walls
LEVELS = 3  # number of grids, each with cells half as wide as the one before
MOST_DIMENSIONS = 3


@dataclass(frozen=True, eq=False, repr=False)
class Solution(Drawn, picture="solution"):
    """A stationary density, with moments that are extrapolated from three grids."""

    density: Density
    """The density on the finest grid, of mass one."""
    mean: FloatArray
    """Mean E[h] (N,), extrapolated to cells of zero width."""
    covariance: FloatArray
    """Covariance of h (N, N), extrapolated to cells of zero width."""
    error: FloatArray
    """Estimated absolute error of the mean and of the covariance, (2,). It includes the error by the grid; by rounding,
    which decides how much lies in each of two wells that are left too rarely; and the violation of two identities that
    hold for any stationary law which no wall cuts off, E A = 0 and E[A (h - m)ᵀ + (h - m) Aᵀ + B] = 0."""
    order: float
    """Order in the width of the cells at which the mean converged, or the covariance if the mean hardly moves; NaN if
    rounding decides, and in one dimension, where there is no grid."""
    border: FloatArray
    """Probability near the lower and the upper end of each axis, (N, 2): in the outermost cells, or in one dimension in
    the outermost 1/128 of the width."""
    cells: tuple[int, ...]
    """Number of cells along each axis, or in one dimension of nodes."""
    negative: float = 0.0
    """Sum of the negative probabilities that off-diagonal diffusion leaves, as a positive number."""

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
    """Solve 0 = - Σ ∂ᵢ(Aᵢ p) + ½ Σ ∂ᵢ∂ⱼ(Bᵢⱼ p) for the stationary density in a box of one to three dimensions.

    In one dimension it is the density of no flux, p ∝ exp(∫ 2A/B) / B, by Gauss–Legendre panels, to about 1e-12. The
    diffusion may vanish where no mass lies. The domain is sampled at 200 000 places: a feature narrower than the
    distance between two of them that has no effect elsewhere may be missed.

    In two and three dimensions finite volumes with exponentially fitted fluxes are used. Mass is conserved by
    construction, and if the diffusion is diagonal no density is negative. With off-diagonal entries that holds for weak
    correlations and small cells; otherwise ``negative`` says how much is below zero, which may be much if the law is
    narrower than a cell in some direction. The equations are solved on three grids, and mean and covariance are
    extrapolated (Richardson) with the second order of the scheme. Where a diffusion vanishes the order is one, which
    the error includes.

    Parameters
    ----------
    drift
        A: for each coordinate a number, an expression in ``x, y, z`` (text or SymPy) or a function of the coordinates,
        arrays (M,); or one function that returns them all. In one dimension the entry alone is enough.
    diffusion
        B, the variance per unit of time (dX = A dt + √B dW, Itô): one entry for all coordinates, one for each, or
        N x N.
    domain
        Pair (low, high) for each coordinate; in one dimension the pair alone is enough. No probability passes the ends.
    cells
        Number of cells along each axis in two and three dimensions, rounded up to a multiple of four; by default 128
        and 48.
    border
        Largest probability in the outermost cells (1/128 of the width in one dimension), beyond which the domain cuts
        the law off. With 1 the ends of the domain are walls.

    Raises
    ------
    ValueError
        If the domain cuts off mass, the diffusion is not positive semi-definite (in one dimension, not positive where
        mass lies), the density is too sharp to resolve, the grid does not fit into memory, or an argument is not of the
        form above.

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
        raise ValueError("drift and diffusion must not depend on t; evolve() takes those that do")
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
    more: ArrayLike = 0.0,
) -> Solution:
    """Solve on a given box; `breaks` and `more` are for one dimension, see :func:`solve_on_interval`."""
    if problem.n == 1:
        density, errors = solve_on_interval(problem, float(low[0]), float(high[0]), breaks, more)
        border = _line_border(density, float(low[0]), float(high[0]))
        return Solution(density, density.mean, density.covariance, errors, np.nan, border, (len(density.axes[0]),))
    require_memory(cells, needed(cells))
    fine = CellGrid(low, high, cells)
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
    """Return the violation of E A = 0 and E[A (h - m)ᵀ + (h - m) Aᵀ + B] = 0, which hold for any stationary law.

    As errors of the mean and of the covariance (N + N²,) they are in units of the rate tr E B / (2 tr V) at which the
    law relaxes, and zero without diffusion.
    """
    points, mass = density.points, density.weights.ravel() / density.mass
    A, B = problem.drift(points, 0.0), problem.diffusion(points, 0.0)
    noise = np.tensordot(mass, B, axes=1)
    noise = np.diag(noise) if B.ndim == 2 else noise
    cross = (A * mass[:, None]).T @ (points - density.mean)
    violation: FloatArray = np.concatenate([mass @ A, 0.5 * (cross + cross.T + noise).ravel()])
    spread = 2.0 * np.trace(density.covariance)
    rate = np.trace(noise) / spread if spread > 0.0 else 0.0  # all in one cell
    return violation / rate if rate > 0.0 else np.zeros_like(violation)


def extrapolate(values: Sequence[FloatArray]) -> tuple[FloatArray, float, float]:
    """Extrapolate values on cells of width 4, 2 and 1 whose error is of second order; return also error and order.

    The error is the distance to the extrapolation from the two coarser grids alone.
    """
    a, b, c = values
    best, before = c + (c - b) / 3.0, b + (b - a) / 3.0
    first, second = float(np.max(np.abs(b - a))), float(np.max(np.abs(c - b)))
    scale = 1e-11 * float(np.max(np.abs(c)))
    order = float(np.log2(first / second)) if min(first, second) > scale else np.nan
    return best, float(np.max(np.abs(best - before))), order


def as_density(mass: FloatArray, grid: CellGrid, scheme: Generator | None = None) -> Density:
    """Return the density of the probabilities of cells, with its current if the generator is given."""
    widths = tuple(np.full(k, d) for k, d in zip(grid.cells, grid.spacing, strict=True))
    current = None if scheme is None else scheme.current(mass)
    return Density(grid.axes, widths, (mass / np.prod(grid.spacing)).reshape(grid.cells), current)


def _refined(cell: int, grid: CellGrid, finer: CellGrid) -> int:
    """Return the cell of the finer grid in the corner of a cell of the coarser one."""
    return int(np.ravel_multi_index([2 * int(i) for i in np.unravel_index(cell, grid.cells)], finer.cells))


def _line_border(density: Density, low: float, high: float) -> FloatArray:
    x, mass = density.axes[0], density.weights
    near = (high - low) / CELLS[2]
    return np.array([[mass[x < low + near].sum(), mass[x > high - near].sum()]])


def needed(cells: tuple[int, ...]) -> float:
    """Return the bytes that a solution takes at its peak, fitted to factors on grids of 2 500 to 160 000 cells."""
    size = float(np.prod(np.array(cells, dtype=float)))
    return size * (100.0 * np.log2(size) + 500.0 if len(cells) < MOST_DIMENSIONS else 2500.0)


def check_border(seen: FloatArray, allowed: float, low: FloatArray, high: FloatArray) -> None:
    """Raise a ValueError if more probability than allowed lies at an end of an axis, (N, 2)."""
    if seen.max() > allowed:
        axis, end = np.unravel_index(np.argmax(seen), seen.shape)
        raise ValueError(
            f"domain must hold the law; {seen.max():.2g} of the probability lies at the {('lower', 'upper')[end]} end "
            f"of axis {axis}, {(low, high)[end][axis]:g}"
        )


def corners(domain: Sequence[Any]) -> tuple[FloatArray, FloatArray]:
    """Return the lower and the upper corner (N,) of a domain."""
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
    """Return the number of cells along each axis, a multiple of four."""
    counts = np.atleast_1d(CELLS[n] if cells is None else number_array("cells", cells))
    counts = np.full(n, counts[0]) if counts.size == 1 else counts
    if counts.shape != (n,) or counts.dtype.kind not in "iu" or np.any(counts < 16):
        raise ValueError(f"cells must be one integer of at least 16, or one for each of {n} axes; got {cells!r}")
    return tuple(int(-4 * (-k // 4)) for k in counts)
