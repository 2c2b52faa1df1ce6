"""Density by py-pde: central differences in the form that conserves mass, compiled by Numba, explicit in time.

Its implicit solvers iterate to a fixed point, and those of SciPy need a dense Jacobian, so that explicit ones are
faster on these grids. Explicit Euler is of first order in time, and less accurate at its longest stable step than the
grid.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pde

from benchmarks.density import DIFFUSION, SIZE, TIMES, FloatArray, drift, measured, moments, start, width
from benchmarks.processes import versions

SOLVERS = {
    "Runge–Kutta, fixed step": pde.RungeKuttaSolver,
    "SciPy, RK23": partial(pde.ScipySolver, method="RK23"),
}
STEP = 0.25
"""Step in units of width² / D; the Runge–Kutta method of order four is stable up to 0.34."""


def in_time(solver: Callable[..., Any], cells: int) -> Callable[[], FloatArray]:
    """Compile a stepper, and return a function that steps from each time to the next."""
    grid = pde.CartesianGrid([(-SIZE, SIZE)] * 2, [cells, cells])
    x, y = np.moveaxis(grid.cell_coords, -1, 0)
    force = {name: pde.ScalarField(grid, values) for name, values in zip(("u", "v"), drift(x, y), strict=True)}
    equation = pde.PDE({"p": f"-d_dx(u*p) - d_dy(v*p) + {DIFFUSION}*laplace(p)"}, consts=force, bc={"value": 0})
    longest = STEP * width(cells) ** 2 / DIFFUSION
    dt = TIMES[0] / np.ceil(TIMES[0] / longest)  # no step passes a time
    step = solver(equation, backend="numba").make_stepper(pde.ScalarField(grid, start(x, y)), dt)

    def find() -> FloatArray:
        state, before, laws = pde.ScalarField(grid, start(x, y)), 0.0, []
        for time in TIMES:
            step(state, before, time)
            laws.append(moments(state.data, x, y))
            before = time
        return np.array(laws)

    return find


def report(quick: bool) -> dict[str, Any]:
    """Measure the law in time; there is no solver for the stationary law."""
    ways = {name: partial(in_time, solver) for name, solver in SOLVERS.items()}
    return {"versions": versions(("py-pde", "numba", "numpy")), "rows": measured("py-pde", "in time", ways, quick)}
