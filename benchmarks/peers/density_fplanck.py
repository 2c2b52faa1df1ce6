"""Density by fplanck, a detailed-balance scheme of second order, by a sparse eigenvector or a matrix exponential.

Version 0.2.2 needs NumPy below 2, and therefore an environment of its own:
``python3 -m venv peer && peer/bin/pip install fplanck 'numpy<2'``, then ``--peer fplanck=peer/bin/python``.
"""

from collections.abc import Callable
from typing import Any

import fplanck
import numpy as np
from scipy import constants

from benchmarks.density import DIFFUSION, SIZE, TIMES, FloatArray, drift, measured, moments, start, width
from benchmarks.processes import versions


def problem(cells: int) -> Any:
    """Return the equation on a grid with reflecting walls."""
    return fplanck.fokker_planck(
        temperature=DIFFUSION / constants.k,
        drag=1.0,
        extent=[2.0 * SIZE] * 2,
        resolution=width(cells),
        boundary=fplanck.boundary.reflecting,
        force=lambda x, y: np.array(drift(x, y)),
    )


def stationary(cells: int) -> Callable[[], FloatArray]:
    """Return a function that sets the problem up and finds the eigenvector."""

    def find() -> FloatArray:
        found = problem(cells)
        return moments(found.steady_state(), *found.grid)

    return find


def in_time(cells: int) -> Callable[[], FloatArray]:
    """Return a function that sets the problem up and steps from each time to the next."""

    def find() -> FloatArray:
        found = problem(cells)
        p, before, laws = start(*found.grid), 0.0, []
        p = p / p.sum()
        for time in TIMES:
            p = found.propagate(lambda *_, p=p: p, time - before)
            laws.append(moments(p, *found.grid))
            before = time
        return np.array(laws)

    return find


def report(quick: bool) -> dict[str, Any]:
    """Measure both problems."""
    rows = measured("fplanck", "stationary", {"steady_state": stationary}, quick)
    return {
        "versions": versions(("fplanck", "numpy", "scipy")),
        "rows": rows + measured("fplanck", "in time", {"propagate": in_time}, quick),
    }
