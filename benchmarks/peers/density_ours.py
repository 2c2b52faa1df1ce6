"""Density by this package, on one grid and extrapolated from coarser grids, as users call it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.density import DIFFUSION, SIZE, TIMES, FloatArray, drift, measured, moments, start
from benchmarks.processes import versions
from ctrnn_theory.fokker_planck import evolve, solve
from ctrnn_theory.fokker_planck.cell_grid import CellGrid
from ctrnn_theory.fokker_planck.equation import equation
from ctrnn_theory.fokker_planck.generator import generator
from ctrnn_theory.fokker_planck.null_vector import null_vector

BOX = [(-SIZE, SIZE)] * 2


def parts(mean: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the moments (..., 5) in the order of ``benchmarks.density.moments``."""
    second = [covariance[..., 0, 0], covariance[..., 1, 1], covariance[..., 0, 1]]
    return np.stack([mean[..., 0], mean[..., 1], *second], axis=-1)


def one_grid(cells: int) -> Callable[[], FloatArray]:
    """Return a function that solves on one grid of finite volumes."""

    def find() -> FloatArray:
        grid = CellGrid(np.full(2, -SIZE), np.full(2, SIZE), (cells, cells))
        scheme = generator(equation(drift, 2.0 * DIFFUSION, 2), grid)
        mass, _ = null_vector(scheme, grid.size // 2 + cells // 2)
        return moments(mass, *grid.points.T)

    return find


def extrapolated(cells: int) -> Callable[[], FloatArray]:
    """Return a function that extrapolates from three grids."""

    def find() -> FloatArray:
        law = solve(drift, 2.0 * DIFFUSION, BOX, cells=cells)
        return parts(law.mean, law.covariance)

    return find


def followed(tolerance: float, cells: int) -> Callable[[], FloatArray]:
    """Return a function that follows the law in time on two grids, and extrapolates."""

    def find() -> FloatArray:
        path = evolve(drift, 2.0 * DIFFUSION, BOX, start, [0.0, *TIMES], cells=cells, tolerance=tolerance)
        return parts(path.mean, path.covariance)[1:]

    return find


def report(quick: bool) -> dict[str, Any]:
    """Measure both problems."""
    in_time = {f"extrapolated, tolerance {tolerance:g}": partial(followed, tolerance) for tolerance in (1e-4, 1e-6)}
    rows = measured("ours", "stationary", {"one grid": one_grid, "extrapolated": extrapolated}, quick)
    packages = ("ctrnn-theory", "numpy", "scipy")
    return {"versions": versions(packages), "rows": rows + measured("ours", "in time", in_time, quick)}
