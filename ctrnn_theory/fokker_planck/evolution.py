"""Densities that follow a Fokker–Planck equation in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.fokker_planck.cell_grid import CellGrid, require_memory
from ctrnn_theory.fokker_planck.density import Density
from ctrnn_theory.fokker_planck.equation import Equation, entry, equation, is_symbolic
from ctrnn_theory.fokker_planck.generator import generator
from ctrnn_theory.fokker_planck.solution import as_density, cell_counts, check_border, corners
from ctrnn_theory.fokker_planck.stepping import Stepper, grown
from ctrnn_theory.support.arguments import float_array, function_values, probability, shown
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn, neuron_table
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import BoolArray, FloatArray

LEAST_TOLERANCE = 1e-8  # rounding does not let smaller ones be reached
VARYING_STEPS = 200  # fewest steps over the whole time if the coefficients vary
BYTES = 2000.0  # bytes that a cell takes, at most
WAKE = 0.01  # wake at the border beyond which means of limited densities are better
LOST = 1e-6  # largest probability of the first density outside the domain


@dataclass(frozen=True, eq=False, repr=False)
class DensityPath(Drawn, picture="density_path"):
    """Densities at T times, with moments that are extrapolated from two grids."""

    time: FloatArray
    """Times (T,)."""
    densities: tuple[Density, ...]
    """Density at each time on the finer grid, never negative. If the cells are too wide for it, its moments are less
    exact than those below."""
    mean: FloatArray
    """Mean E[h] (T, N), extrapolated from two grids."""
    covariance: FloatArray
    """Covariance of h (T, N, N), extrapolated from two grids."""
    error: FloatArray
    """Estimated error of the mean and of the covariance, (2,), by the grid: the largest difference of the two grids,
    which exceeds it since that of the finer grid is about a quarter of the other. If the density is so narrow that
    its moments are those of the densities above, what this changes is added. The tolerance controls the error by the
    steps in time."""
    border: FloatArray
    """Largest probability in the outermost cells at the lower and upper end of each axis, at any time, (N, 2)."""

    def _headline(self) -> str:
        return f"{len(self.time)} times from {self.time[0]:.4g} to {self.time[-1]:.4g}"

    def _parts(self, few: int) -> Iterator[str | Table]:
        yield f"at time {self.time[-1]:.4g}:"
        yield neuron_table({"mean": self.mean[-1], "std": np.sqrt(np.diag(self.covariance[-1]))}, few, "coordinate")
        yield f"estimated error of the mean {self.error[0]:.1e}, of the covariance {self.error[1]:.1e}"
        yield f"largest probability at the ends of the domain {self.border.max():.1e}"

    def _arrays(self) -> Arrays:
        places = {f"h{i + 1}": axis for i, axis in enumerate(self.densities[0].axes)}
        variables = {
            "mean": (("time", "neuron"), self.mean),
            "covariance": (("time", "neuron", "other"), self.covariance),
            "density": (("time", *places), np.array([each.values for each in self.densities])),
        }
        return Arrays(variables, {"time": self.time, **places})


@guarded
@limited
def evolve(
    drift: Any,
    diffusion: Any,
    domain: Sequence[Any],
    start: Any,
    times: ArrayLike,
    *,
    cells: int | Sequence[int] | None = None,
    tolerance: float = 1e-4,
    border: float = 1e-6,
) -> DensityPath:
    """Follow a density under ∂p/∂t = - Σ ∂ᵢ(Aᵢ p) + ½ Σ ∂ᵢ∂ⱼ(Bᵢⱼ p).

    Finite volumes with central fluxes are used, whose means of smooth functions converge with the second order of the
    cells' width even if the density is narrower than a cell; mean and covariance are extrapolated from two grids. In
    time the equation is solved by a polynomial of its matrix, to the tolerance at any step. Mass is conserved to
    rounding. Where cells are too wide for the density the solution is negative in some of them, so that the densities
    in the result are followed with limited fluxes, which keep them from being negative.

    Parameters
    ----------
    drift, diffusion
        Drift and diffusion as for :func:`solve`, except that they may depend on the time ``t`` too. A step then takes
        them at its middle, and there are at least 200 steps, so that the error is of second order in their length.
    domain
        Pair (low, high) for each coordinate. No probability passes the ends.
    start
        Density at the first time: a state (N,) that is known exactly; a :class:`Density`; or a function of the
        coordinates, arrays (M,), or an expression in them, which is normalised here.
    times
        Ascending times (T,); the first is that of `start`.
    cells
        Number of cells along each axis, by default 512, 128 and 48 for one, two and three dimensions.
    tolerance
        Largest error of a step in time, in total variation, between 1e-8 and 1. It is seldom reached: the error by the
        cells is far larger.
    border
        Largest probability in the outermost cells. With 1 the ends of the domain are walls.

    Raises
    ------
    ValueError
        If an argument is not of the form above, the domain cuts off mass, or the grid does not fit into memory.

    Examples
    --------
    >>> import numpy as np
    >>> path = evolve("-x", 0.5, (-3, 4), [1.0], [0.0, 1.0])       # Ornstein and Uhlenbeck: mean 1/e
    >>> print(path.mean[1].round(5), path.covariance[1].round(5), bool(path.densities[1].values.min() >= 0))
    [0.36788] [[0.21617]] True
    """
    low, high = corners(domain)
    moments = _numbers("times", times)
    if moments.size < 2 or not np.all(np.diff(moments) > 0.0):
        raise ValueError(f"times must be at least two ascending numbers; got {shown(times)}")
    tolerance, border = step_tolerance(tolerance), probability("border", border)
    problem = equation(drift, diffusion, len(low))
    counts = cell_counts(cells, len(low))
    path = follow([problem] * (moments.size - 1), low, high, counts, start, moments, tolerance)
    check_border(path.border, border, low, high)
    return path


def step_tolerance(tolerance: float) -> float:
    """Return the tolerance of a step in time, or raise a ValueError if rounding would not let it be reached."""
    value = probability("tolerance", tolerance)
    if value < LEAST_TOLERANCE:
        raise ValueError(f"tolerance must be at least {LEAST_TOLERANCE:g}, far below the grid's error; got {value:g}")
    return value


def follow(
    problems: Sequence[Equation],
    low: FloatArray,
    high: FloatArray,
    cells: tuple[int, ...],
    start: Any,
    times: FloatArray,
    tolerance: float,
    keep: Callable[[int], bool] = lambda k: True,
) -> DensityPath:
    """Follow a density, from each time to the next by the next of the equations; keep the times with `keep(k)`."""
    require_memory(cells, BYTES * float(np.prod(cells, dtype=float)))
    fine = CellGrid(low, high, cells)
    rough, exact = (_follow(problems, grid, start, times, tolerance, keep) for grid in (fine.coarser(2), fine))
    doubtful = np.maximum(rough.wake, exact.wake) > WAKE
    (coarse, wide), (mean, covariance) = (_moments(path, doubtful) for path in (rough, exact))
    others = [(coarse, wide), _moments(exact, np.zeros_like(doubtful))]  # the latter differ where there is doubt
    error = np.sum([[np.abs(mean - m).max(), np.abs(covariance - V).max()] for m, V in others], axis=0)
    kept = times[[k for k in range(len(times)) if keep(k)]]
    mean, covariance = mean + (mean - coarse) / 3.0, covariance + (covariance - wide) / 3.0
    return DensityPath(kept, tuple(exact.densities), mean, covariance, error, exact.border)


@dataclass(eq=False)
class _Path:
    """What is known of a path on one grid."""

    solutions: list[Density]
    """Solutions of the discretised equation, which may be negative between cells."""
    densities: list[Density]
    """Densities that are never negative."""
    border: FloatArray
    """Largest probability in the outermost cells, (N, 2)."""
    wake: list[float]
    """Largest sum of absolute values there of a solution until each time, (T,). Waves trail what is far narrower than a
    cell; at a wall, or if they grow, they spoil means too."""


def _moments(path: _Path, doubtful: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return the means and covariances of the solutions, or where these are doubtful, of the densities."""
    chosen = [path.densities[k] if doubt else path.solutions[k] for k, doubt in enumerate(doubtful)]
    return np.array([d.mean for d in chosen]), np.array([d.covariance for d in chosen])


def _follow(
    problems: Sequence[Equation],
    grid: CellGrid,
    start: Any,
    times: FloatArray,
    tolerance: float,
    keep: Callable[[int], bool],
) -> _Path:
    p = q = start_mass(start, grid)
    whole = float(times[-1] - times[0])
    first = [as_density(p, grid)] if keep(0) else []
    path, wake = _Path(first, list(first), grid.border(p), [0.0 for _ in first]), 0.0
    current: Equation | None = None
    stepper: Stepper | None = None
    for k, problem in enumerate(problems):
        begin, end = float(times[k]), float(times[k + 1])
        parts = 1 if problem.steady else int(np.ceil(VARYING_STEPS * (end - begin) / whole))
        length = (end - begin) / parts
        for i in range(parts):
            if stepper is None or problem is not current or not problem.steady:
                scheme = generator(problem, grid, begin + (i + 0.5) * length, fitted=False)
                stepper, current = Stepper(scheme, tolerance), problem
            p = stepper.advance(p, length)
            q = stepper.positive(p, q, length)
            if grown(p):
                p, wake = q, 1.0
        path.border = np.maximum(path.border, grid.border(q))
        wake = max(wake, float(grid.border(np.abs(p)).max()))
        if keep(k + 1):
            path.solutions.append(as_density(p, grid))
            path.densities.append(as_density(q, grid))
            path.wake.append(wake)
    return path


class Gaussian(NamedTuple):
    """A first density that is Gaussian."""

    mean: FloatArray
    covariance: FloatArray


def start_mass(start: Any, grid: CellGrid) -> FloatArray:
    """Return the probabilities of the cells at the start.

    A state is distributed over three cells along each axis by the quadratic spline. Its mean is exact, and its variance
    is Δ²/4 wherever in a cell it lies, which extrapolation to Δ = 0 removes. Extrapolation also removes the Δ² that is
    added to the variances of a Gaussian, which might otherwise be so narrow that it lies between the centres.
    """
    if isinstance(start, Density):
        values = _regridded(start, grid)
    elif isinstance(start, Gaussian):
        precision = np.linalg.inv(start.covariance + np.diag(grid.spacing**2))
        away = grid.points - start.mean
        values = np.exp(-0.5 * np.einsum("mi,ij,mj->m", away, precision, away))
    elif callable(start) or isinstance(start, str) or is_symbolic(start):
        at_centres = function_values("start", entry("start", start, grid.n)[0](grid.points, 0.0))
        values = np.broadcast_to(at_centres, (grid.size,))
    else:
        return _point(_numbers("start", start), grid)
    if not np.all(np.isfinite(values)) or values.min() < 0.0 or not values.sum() > 0.0:
        raise ValueError("start must be a density, not negative, finite, and with mass in the domain")
    mass: FloatArray = values / values.sum()
    return mass


def _regridded(start: Density, grid: CellGrid) -> FloatArray:
    """Interpolate values to the centres of a grid by cubic splines along the axes, cut at zero and beyond old cells."""
    if start.n != grid.n:
        raise ValueError(f"start must be a density in {grid.n} dimensions; got one in {start.n}")
    outside = np.any((start.points < grid.low) | (start.points > grid.high), axis=1)
    lost = float(start.weights.ravel()[outside].sum()) / start.mass
    if lost > LOST:
        raise ValueError(f"start must lie in the domain; {lost:.2g} of its probability does not")
    from scipy.interpolate import make_interp_spline  # here, since it takes long to import

    values = start.values
    for i, (old, width, new) in enumerate(zip(start.axes, start.widths, grid.axes, strict=True)):
        inside = (new >= old[0] - 0.5 * width[0]) & (new <= old[-1] + 0.5 * width[-1])
        shape = (-1, *(1,) * (grid.n - 1 - i))
        values = make_interp_spline(old, values, k=3, axis=i)(new) * inside.reshape(shape)
    return np.asarray(np.maximum(values, 0.0)).ravel()


def _numbers(name: str, value: Any) -> FloatArray:
    """Return `value` as an array (M,), or raise a ValueError unless it holds finite numbers."""
    try:
        array = np.empty(()) if value is None else np.atleast_1d(float_array(name, value))
    except ValueError:
        raise ValueError(f"{name} must be numbers; got {shown(value)}") from None
    if array.ndim != 1 or not np.all(np.isfinite(array)):
        raise ValueError(f"{name} must be finite numbers in one row; got {shown(value)}")
    return array


def _point(state: FloatArray, grid: CellGrid) -> FloatArray:
    inner = state.shape == (grid.n,) and bool(
        np.all((grid.low + 1.5 * grid.spacing <= state) & (state <= grid.high - 1.5 * grid.spacing))
    )
    if not inner:
        raise ValueError(
            f"start must be a state of {grid.n} numbers, inside the domain by 1.5 cells or more; got {state.tolist()}"
        )
    mass = np.ones(())
    for axis, x in enumerate(state):
        place = (x - grid.low[axis]) / grid.spacing[axis] - 0.5
        near = int(np.rint(place))
        t = place - near
        weights = np.zeros(grid.cells[axis])
        weights[near - 1 : near + 2] = 0.5 * (0.5 - t) ** 2, 0.75 - t**2, 0.5 * (0.5 + t) ** 2
        mass = np.multiply.outer(mass, weights)
    return mass.ravel()
