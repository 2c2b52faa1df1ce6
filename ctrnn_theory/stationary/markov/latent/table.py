"""The cumulants of a step as functions of the latent variables, interpolated between the nodes that resolve them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ctrnn_theory.stationary.markov.latent.step import LatentStep, Rates
from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid
from ctrnn_theory.support.types import FloatArray

FIRST = {1: 32, 2: 10, 3: 6}
"""Nodes along each axis in the first try, by the number of latent variables."""
MOST = {1: 1024, 2: 64, 3: 16}
"""The same in the last one."""
RESOLVED = {"mean": 1e-10, "variance": 1e-6, "cumulant": 3e-2}
"""Part of functions that the nodes may leave out, relative to the largest; the means of rates decide the drift."""
NEGLIGIBLE = 1e-6
"""Standardised cumulant that is negligible, so that a function that is rounding need not be resolved."""


class Tabulated(NamedTuple):
    """Functions on a grid of their own that resolves them, (nodes, ...)."""

    grid: ChebyshevGrid
    values: FloatArray
    resolved: bool
    """Whether the grid resolves them."""

    @classmethod
    def of(
        cls,
        function: Callable[[FloatArray], FloatArray],
        low: FloatArray,
        high: FloatArray,
        what: str,
        least: float = 0.0,
    ) -> Tabulated:
        """Tabulate a function of latent variables (M, R) on a box, whose values below `least` are negligible."""
        count, rank = FIRST[len(low)], len(low)
        while True:
            grid = ChebyshevGrid(low, high, (count,) * rank)
            values = function(grid.points)
            resolved = _left_out(grid, values.reshape(grid.size, -1), least) <= RESOLVED[what]
            if resolved or 2 * count > MOST[rank]:
                return cls(grid, values, resolved)
            count = min(2 * count, MOST[rank])

    def on(self, grid: ChebyshevGrid) -> FloatArray:
        """Return the functions at the nodes of another grid on the same box, (other nodes, ...)."""
        values = self.grid.resampling(grid).apply(self.values.reshape(self.grid.size, -1))
        return values.reshape(grid.size, *self.values.shape[1:])


@dataclass(frozen=True, eq=False)
class StepTable:
    """Mean, variance and higher cumulants of a step on a box."""

    step: LatentStep
    """The map."""
    low: FloatArray
    """Lower corner (R,)."""
    high: FloatArray
    """Upper corner (R,)."""
    found: dict[int, Tabulated] = field(default_factory=dict)
    """Functions by the order of the cumulant, once they are computed."""

    @property
    def resolved(self) -> bool:
        """Whether mean and variance of the rates are resolved, which refining the law's own grid does not show."""
        return all(self.found[order].resolved for order in (1, 2))

    @property
    def tabulated(self) -> tuple[Tabulated, Tabulated]:
        """Mean and variance of the rates on the grids that resolve them."""
        return self._of(1, self.step.mean_rate, "mean"), self._of(2, self.step.variance, "variance")

    def rates(self, grid: ChebyshevGrid) -> Rates:
        """Return mean and variance (Q, N) of the rates at the nodes of a grid on this box."""
        mean, variance = (table.on(grid) for table in self.tabulated)
        return Rates(mean, np.maximum(variance, 0.0))

    def cumulant(self, order: int, grid: ChebyshevGrid) -> FloatArray:
        """Return the third or fourth cumulant (Q, R, ...) of a step from the nodes of a grid on this box."""
        spread = self.step.covariance(self._of(2, self.step.variance, "variance").values)
        least = NEGLIGIBLE * float(np.max(np.trace(spread, axis1=1, axis2=2))) ** (order / 2)
        return self._of(order, lambda latent: self.step.cumulant(latent, order), "cumulant", least).on(grid)

    def _of(self, order: int, function: Callable[[FloatArray], FloatArray], what: str, least: float = 0.0) -> Tabulated:
        if order not in self.found:
            self.found[order] = Tabulated.of(function, self.low, self.high, what, least)
        return self.found[order]


def _left_out(grid: ChebyshevGrid, values: FloatArray, least: float) -> float:
    """Return the part of functions (Q, K) in the upper third of polynomials along an axis, relative to the largest."""
    largest = max(float(np.max(np.abs(values))), least, np.finfo(float).tiny)
    parts = [grid.unresolved(axis, count - count // 3, values) for axis, count in enumerate(grid.counts)]
    return max(float(np.max(np.abs(part))) for part in parts) / largest
