"""The smoothed activation F(a; s) tabulated for the kernels: polynomials of degree 7 on adaptive panels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from numpy.polynomial.polynomial import polyvander
from numpy.typing import NDArray

from ctrnn_theory.activations import Activation
from ctrnn_theory.integrators.kernels import DEGREE, Panels

FloatArray = NDArray[np.float64]
TOLERANCE = 1e-12
"""Error of a panel, relative to the largest value in its table."""
START_PANELS = 16
"""Panels that a table starts with, before they are halved where they must."""
FINEST = 1 / 16
"""Width in units of s at which a panel is accepted: F is a polynomial there, any error is its own."""
SEEDS = np.array([-10.0, -4.0, 0.0, 4.0, 10.0])
"""Panel ends around a nonlinearity of f, in units of s: beyond ten s, F - f is below 1e-22 of the jump."""
MOST_CELLS = 2**14
"""Cells of a table, at most: the panel of a place is found from its cell by a fixed, small number of comparisons."""

NODES = chebyshev.chebpts1(DEGREE + 1)
CHECKS = np.cos(np.pi * np.arange(DEGREE + 2) / (DEGREE + 1))  # where the node polynomial peaks
TO_POWERS = np.linalg.inv(polyvander(NODES, DEGREE))
TO_CHECKS = polyvander(CHECKS, DEGREE)


@dataclass(frozen=True, eq=False)
class SmoothedTable:
    """F(a; s_i) for each neuron i, on the range where the simulation needs it."""

    panels: Panels
    """What the kernels read."""
    low: FloatArray
    """Where each neuron's table begins, (N,); minus infinity without noise inside, where F = f."""
    high: FloatArray
    """Where it ends, (N,)."""
    error: float
    """Largest error seen between the nodes, relative to the largest value."""

    def covers(self, low: FloatArray, high: FloatArray) -> bool:
        """Whether each neuron's table holds all between low and high, (N,) each."""
        return bool(np.all((self.low <= low) & (high <= self.high)))


class Fit(NamedTuple):
    """One table: panels on [edges[0], edges[-1]]."""

    edges: FloatArray
    coefficients: FloatArray
    """In powers of the distance to a panel's centre in half widths, (panels, DEGREE + 1)."""
    error: float


def fit(act: Activation, s: float, low: float, high: float) -> Fit:
    """Fit F(·; s) on [low, high], halving panels until each is good to `TOLERANCE` or `FINEST`."""
    places = np.array([*act.breakpoints, *act.nonlinearities])
    seeds = (places[:, None] + s * SEEDS).ravel()
    edges = np.union1d(np.linspace(low, high, START_PANELS + 1), seeds[(seeds > low) & (seeds < high)])
    edges = edges[np.append(True, np.diff(edges) > 1e-3 * s)]
    edges[-1] = high
    left, right = edges[:-1], edges[1:]
    lefts, coefficients, error, scale = [], [], 0.0, 0.0
    while left.size:
        centre, half = 0.5 * (left + right)[:, None], 0.5 * (right - left)[:, None]
        power = act.smoothed(centre + half * NODES, s) @ TO_POWERS.T
        checks = act.smoothed(centre + half * CHECKS, s)
        scale = max(scale, float(np.abs(checks).max()))
        seen = np.abs(power @ TO_CHECKS.T - checks).max(axis=1)
        good = (seen <= TOLERANCE * scale) | (right - left <= FINEST * s)
        lefts.append(left[good])
        coefficients.append(power[good])
        error = max(error, float(np.max(seen[good], initial=0.0)))
        middle = centre[~good, 0]
        left, right = np.concatenate([left[~good], middle]), np.concatenate([middle, right[~good]])
    order = np.argsort(np.concatenate(lefts))
    return Fit(
        np.append(np.concatenate(lefts)[order], high),
        np.concatenate(coefficients)[order],
        error / scale if scale > 0 else 0.0,
    )


def tabulate(act: Activation, std: FloatArray, low: FloatArray, high: FloatArray) -> SmoothedTable:
    """Tabulate F(a; s_i) for a in [low_i, high_i]; neurons with the same s share a table.

    Parameters
    ----------
    act
        The activation f.
    std
        s (N,), standard deviation of the noise inside; 0 for no table, F = f.
    low, high
        Range of a (N,), low < high.
    """
    levels = np.unique(std[std > 0.0])
    which = np.where(std > 0.0, np.searchsorted(levels, std), -1)
    groups = [which == number for number in range(levels.size)]
    fits = [
        fit(act, float(s), float(low[mine].min()), float(high[mine].max()))
        for s, mine in zip(levels, groups, strict=True)
    ]
    reach_low, reach_high = np.full(std.size, -np.inf), np.full(std.size, np.inf)
    for mine, one in zip(groups, fits, strict=True):
        reach_low[mine], reach_high[mine] = one.edges[0], one.edges[-1]
    return SmoothedTable(_join(which, fits), reach_low, reach_high, max((one.error for one in fits), default=0.0))


def _join(which: NDArray[np.int64], fits: list[Fit]) -> Panels:
    """Lay the tables one after the other, each with its cells."""
    low, density, first, hops = [], [], [0], []
    panel, right, pieces = [np.empty(0)], [np.empty(0)], [np.empty((0, DEGREE + 3))]
    before = 0
    for one in fits:
        a, b, widths = one.edges[0], one.edges[-1], np.diff(one.edges)
        cells = int(min(max(np.ceil((b - a) / widths.min()), widths.size), MOST_CELLS))
        corners = a + (b - a) * np.arange(cells + 1) / cells
        # half a cell of room on either side, for what rounding does to a place next to a corner
        slack = 0.5 * (b - a) / cells
        left = np.searchsorted(one.edges[1:-1], corners[:-1] - slack, side="right")
        hops.append(np.max(np.searchsorted(one.edges[1:-1], corners[1:] + slack, side="right") - left))
        panel.append(before + left)
        right.append(np.append(one.edges[1:-1], np.inf))
        pieces.append(np.column_stack([one.edges[:-1] + 0.5 * widths, 2.0 / widths, one.coefficients]))
        low.append(a)
        density.append(cells / (b - a))
        first.append(first[-1] + cells)
        before += widths.size
    return Panels(
        which.astype(np.int64),
        np.array(low, np.float64),
        np.array(density, np.float64),
        np.array(first, np.int64),
        np.concatenate(panel).astype(np.int64),
        np.array(hops, np.int64),
        np.concatenate(right),
        np.ascontiguousarray(np.concatenate(pieces)),
    )
