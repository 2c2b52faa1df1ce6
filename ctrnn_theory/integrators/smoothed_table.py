"""Tables of the smoothed activation F(a; s) for the kernels: polynomials of degree 7 on adaptive panels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from numpy.polynomial.polynomial import polyvander
from numpy.typing import NDArray

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.activations.gaussian import smoothing
from ctrnn_theory.activations.group import members
from ctrnn_theory.integrators.sums import DEGREE, TablePanels
from ctrnn_theory.model.noisy_activation import NoisyActivation
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

TOLERANCE = 1e-12
"""Largest error of a panel of F, relative to the largest value in its table."""
VARIANCE_TOLERANCE = 1e-9
"""Largest error of a panel of the variance, likewise."""
START_PANELS = 16
"""Number of panels that a table starts with, before some are halved."""
FINEST = 1 / 16
"""Width in units of s at which a panel is accepted: F is a polynomial there, and any error is that of F itself."""
NEAR, WIDEST = 4.0, 2.0
"""Within `NEAR` s of a nonlinearity of f, a panel is at most `WIDEST` s wide; its nodes might miss what is narrower."""
MOST_PANELS, MOST_SLOW = 2**13, 2**10
"""Largest number of panels of one table, and that if F has no closed form, whose values take longer. The built-in
activations need a few hundred, unless sin runs over hundreds of waves; either number takes about a second."""
MOST_UNIFORM = 2**11
"""Largest number of panels for which all panels of a table are made equally wide; a division then finds the panel."""
MOST_CELLS = 2**14
"""Largest number of cells of any other table, in which a few comparisons after the cell find the panel."""

NODES = chebyshev.chebpts1(DEGREE + 1)
CHECKS = np.cos(np.pi * np.arange(DEGREE + 2) / (DEGREE + 1))  # the extrema of the node polynomial
TO_POWERS = np.linalg.inv(polyvander(NODES, DEGREE))
TO_CHECKS = polyvander(CHECKS, DEGREE)
HALVES = [np.linalg.solve(polyvander(NODES, DEGREE), polyvander(0.5 * (NODES + side), DEGREE)).T for side in (-1, 1)]
"""Matrices that turn the coefficients of a panel, to their left, into those of its left and of its right half."""


class TooFine(ArithmeticError):
    """The error of a table that would need too many panels, such as one over a million waves."""


@dataclass(frozen=True, eq=False)
class SmoothedTable:
    """The smoothed activation F(a; s_i) of each neuron i, on the range where the simulation needs it."""

    panels: TablePanels
    """The tables as the kernels read them."""
    low: FloatArray
    """Left end of each neuron's table, (N,); minus infinity without noise inside, where F = f."""
    high: FloatArray
    """Right end of each neuron's table, (N,)."""
    error: float
    """Largest error between the nodes, relative to the largest value."""
    has_variance: bool
    """Whether the table holds v(a; s_i) too."""

    def covers(self, low: FloatArray, high: FloatArray) -> bool:
        """Return whether each neuron's table covers the range from low to high, (N,) each."""
        return bool(np.all((self.low <= low) & (high <= self.high)))


class Fit(NamedTuple):
    """One table, on [edges[0], edges[-1]]."""

    edges: FloatArray
    """Ends of the panels, (panels + 1,)."""
    coefficients: FloatArray
    """Coefficients of F in powers of the distance to a panel's centre in half widths, (panels, DEGREE + 1)."""
    variance: FloatArray
    """Coefficients of v likewise; (0, DEGREE + 1) if v is not wanted."""
    error: float
    """Largest error of F between the nodes, relative to the largest value."""


def fit(act: Activation, s: float, low: float, high: float, variance: bool, gain: float = 0.0) -> Fit:
    """Fit F, and v if wanted, on [low, high]; halve panels until each reaches its tolerance or the width `FINEST`.

    Raises
    ------
    TooFine
        As soon as it is known that there would be too many panels.
    """
    noisy = NoisyActivation(act, s, gain)
    most = MOST_PANELS if smoothing.quick(act) else MOST_SLOW
    places = np.array([*act.breakpoints, *act.nonlinearities])
    widths = noisy.width(places)  # of what a nonlinearity leaves in F; it leaves a kink where this is zero
    places, widths = places[widths > 0.0], widths[widths > 0.0]
    edges = np.linspace(low, high, START_PANELS + 1)
    functions = (noisy.value, noisy.variance) if variance else (noisy.value,)
    tolerances = (TOLERANCE, VARIANCE_TOLERANCE)[: len(functions)]
    left, right = edges[:-1], edges[1:]
    lefts: list[FloatArray] = []
    coefficients, errors, scales = [], np.zeros(len(functions)), np.zeros((len(functions), 1))
    while left.size:
        if sum(part.size for part in lefts) + left.size > most:
            raise TooFine(f"the smoothed activation would take more than {most} panels on [{low:.3g}, {high:.3g}]")
        centre, half = 0.5 * (left + right)[:, None], 0.5 * (right - left)[:, None]
        power = np.array([f(centre + half * NODES) @ TO_POWERS.T for f in functions])
        checks = np.array([f(centre + half * CHECKS) for f in functions])
        scales = np.maximum(scales, np.abs(checks).max(axis=(1, 2))[:, None])
        seen = np.abs(power @ TO_CHECKS.T - checks).max(axis=2)
        close = np.abs(centre - places) < half + NEAR * widths
        near = np.any(close & ((right - left)[:, None] > WIDEST * widths), axis=1)
        fine = right - left <= FINEST * noisy.width(centre[:, 0])
        good = np.all(seen <= np.array(tolerances)[:, None] * scales, axis=0) & ~near | fine
        lefts.append(left[good])
        coefficients.append(power[:, good])
        errors = np.maximum(errors, seen[:, good].max(axis=1, initial=0.0))
        middle = centre[~good, 0]
        left, right = np.concatenate([left[~good], middle]), np.concatenate([middle, right[~good]])
    order = np.argsort(np.concatenate(lefts))
    edges, found = equalise(
        np.append(np.concatenate(lefts)[order], high), np.concatenate(coefficients, axis=1)[:, order]
    )
    return Fit(
        edges,
        found[0],
        found[1] if variance else np.empty((0, DEGREE + 1)),
        float(errors[0] / scales[0, 0]) if scales[0, 0] > 0 else 0.0,
    )


def cells_of(edges: FloatArray) -> int:
    """Return how many of the narrowest panels fill the range: a power of two, since panels are halves of halves."""
    return int(2 ** round(np.log2((edges[-1] - edges[0]) / np.diff(edges).min())))


def equalise(edges: FloatArray, coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Halve panels until all are equally narrow, if these are few; coefficients (functions, panels, DEGREE + 1)."""
    cells = cells_of(edges)
    while cells <= MOST_UNIFORM and len(edges) <= cells:
        wide = np.diff(edges) > 1.5 * (edges[-1] - edges[0]) / cells
        copies = 1 + wide
        first = np.cumsum(copies) - copies
        halved = np.repeat(coefficients, copies, axis=1)
        for side, half in enumerate(HALVES):
            halved[:, first[wide] + side] = coefficients[:, wide] @ half
        middles = 0.5 * (edges[:-1] + edges[1:])[wide]
        edges, coefficients = np.sort(np.append(edges, middles)), halved
    return edges, coefficients


def tabulate(
    act: Activation | ActivationGroup,
    std: FloatArray,
    low: FloatArray,
    high: FloatArray,
    variance: bool = False,
    gain: FloatArray | None = None,
) -> SmoothedTable:
    """Tabulate F_i for a in [low_i, high_i]; neurons with the same activation and noise share a table.

    Parameters
    ----------
    act
        The activation f, or the activations of N neurons.
    std, gain
        Standard deviations s and g, (N,), of the additive and of the multiplicative noise inside: F is the average over
        arguments of mean a and variance s² + g² a². If both are 0 there is no table, and F = f.
    low, high
        Ends of the range of a, (N,), low < high.
    variance
        Whether to tabulate v too.

    Raises
    ------
    TooFine
        If a table would take too many panels.
    """
    gains = np.zeros(std.size) if gain is None else gain
    kinds = list(zip(std.tolist(), gains.tolist(), members(act, std.size), strict=True))
    found = sorted({kind for kind in kinds if any(kind[:2])}, key=lambda kind: (*kind[:2], kind[2].text))
    which = np.array([found.index(kind) if any(kind[:2]) else -1 for kind in kinds])
    groups = [which == number for number in range(len(found))]
    try:
        fits = [
            fit(f, s, *_range(s, float(low[mine].min()), float(high[mine].max())), variance, g)
            for (s, g, f), mine in zip(found, groups, strict=True)
        ]
    except NotApplicable as reason:  # f itself would take too many panels
        raise TooFine(str(reason)) from reason
    reach_low, reach_high = np.full(std.size, -np.inf), np.full(std.size, np.inf)
    for mine, one in zip(groups, fits, strict=True):
        reach_low[mine], reach_high[mine] = one.edges[0], one.edges[-1]
    error = max((one.error for one in fits), default=0.0)
    return SmoothedTable(_join(which, fits), reach_low, reach_high, error, variance)


def _range(s: float, low: float, high: float) -> tuple[float, float]:
    """Return the range of a table: symmetric if F may have a kink at zero, so that this is the end of a panel."""
    if s > 0.0:
        return low, high
    reach = max(abs(low), abs(high)) or 1.0
    return -reach, reach


def _join(which: NDArray[np.int64], fits: list[Fit]) -> TablePanels:
    """Join the tables, one after the other, each with its cells."""
    low, density, first, hops = [], [], [0], []
    panel, right, pieces = [np.empty(0)], [np.empty(0)], [np.empty((0, DEGREE + 3))]
    variance = [np.empty((0, DEGREE + 1)), *(one.variance for one in fits)]
    before = 0
    for one in fits:
        a, b, widths = one.edges[0], one.edges[-1], np.diff(one.edges)
        cells = min(cells_of(one.edges), MOST_CELLS if widths.size < cells_of(one.edges) else MOST_UNIFORM)
        corners = a + (b - a) * np.arange(cells + 1) / cells
        slack = 1e-6 * (b - a) / cells  # more than the rounding of an end; a panel may be used that far beyond its end
        left, end = (np.searchsorted(one.edges[1:-1], c) for c in (corners[:-1] + slack, corners[1:] - slack))
        hops.append(-1 if cells == widths.size else np.max(end - left))
        panel.append(before + left)
        right.append(np.append(one.edges[1:-1], np.inf))
        pieces.append(np.column_stack([one.edges[:-1] + 0.5 * widths, 2.0 / widths, one.coefficients]))
        low.append(a)
        density.append(cells / (b - a))
        first.append(first[-1] + cells)
        before += widths.size
    return TablePanels(
        which.astype(np.int64),
        np.array(low, np.float64),
        np.array(density, np.float64),
        np.array(first, np.int64),
        np.concatenate(panel).astype(np.int64),
        np.array(hops, np.int64),
        np.concatenate(right),
        np.ascontiguousarray(np.concatenate(pieces)),
        np.ascontiguousarray(np.concatenate(variance)),
    )
