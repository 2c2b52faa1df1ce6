"""The problem that all Fokker–Planck solvers solve, and its timing; this module needs NumPy alone.

The problem is ∂p/∂t = - div (F p) + D Δp of two coupled tanh neurons with noise outside: its stationary law, and the
law in time from a Gaussian. A *solver* is a module ``benchmarks/peers/density_NAME.py`` whose ways of solving are
functions of the number of cells along an axis; each returns a function without arguments, which returns the moments.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.processes import tell
from ctrnn_theory.support.types import FloatArray

Way = Callable[[int], Callable[[], FloatArray]]

SIZE, DIFFUSION = 1.6, 0.02
"""Half width of the domain, nine standard deviations of the law; and D = γ σ² / 2."""
START, START_STD = (0.6, -0.5), 0.15
"""Mean of the density at time zero, and its standard deviation along either axis."""
TIMES = (0.5, 1.0, 2.0, 4.0)
CELLS = {"stationary": (32, 64, 100, 200, 400), "in time": (32, 64, 100, 200)}
QUICK_CELLS = (32, 64)
REPEATS, PATIENCE = 5, 2.0
"""Most timed calls, and the seconds after which no further one starts."""


def drift(x: Any, y: Any) -> tuple[Any, Any]:
    """Return F at arrays of points."""
    return np.tanh(0.3 * x - 0.6 * y + 0.2) - x, np.tanh(0.8 * x + 0.2 * y + 0.1) - y


def start(x: Any, y: Any) -> Any:
    """Return the density at time zero, up to a factor."""
    return np.exp(-0.5 * ((x - START[0]) ** 2 + (y - START[1]) ** 2) / START_STD**2)


def width(cells: int) -> float:
    """Return the width of a cell."""
    return 2.0 * SIZE / cells


def moments(density: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return both means, both variances and the covariance, (5,), of values on a grid."""
    p = density / density.sum()
    mean = np.array([np.sum(p * x), np.sum(p * y)])
    dx, dy = x - mean[0], y - mean[1]
    return np.array([*mean, np.sum(p * dx * dx), np.sum(p * dy * dy), np.sum(p * dx * dy)])


def measured(name: str, problem: str, ways: dict[str, Way], quick: bool) -> list[dict[str, Any]]:
    """Return seconds and moments of each way on each grid; "first_call" has the seconds of preparing and compiling."""
    rows = []
    for way, prepare in ways.items():
        for cells in QUICK_CELLS if quick else CELLS[problem]:
            tell(f"{name}, {problem}, {way}, {cells}²")
            begin = perf_counter()
            solve = prepare(cells)
            solve()
            first = perf_counter() - begin
            seconds: list[float] = []
            while not seconds or (not quick and len(seconds) < REPEATS and sum(seconds) < PATIENCE):
                begin = perf_counter()
                found = solve()
                seconds.append(perf_counter() - begin)
            row = {"problem": problem, "way": way, "cells": cells, "seconds": min(seconds)}
            rows.append(row | {"first_call": max(0.0, first - min(seconds)), "moments": np.atleast_2d(found).tolist()})
    return rows
