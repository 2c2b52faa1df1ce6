"""Panels of an interval, with drift and diffusion at their Gauss–Legendre nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre

from ctrnn_theory.fokker_planck.equation import Equation
from ctrnn_theory.numerics.gauss_legendre import gauss_legendre, nodes_between
from ctrnn_theory.numerics.panels import halves
from ctrnn_theory.support.types import BoolArray, FloatArray

POINTS = 16  # nodes of a panel
NODES, WEIGHTS = gauss_legendre(POINTS)
_VANDER = legendre.legvander(NODES, POINTS - 1)
TO_COEFFICIENTS = _VANDER.T * WEIGHTS * (np.arange(POINTS)[:, None] + 0.5)
"""Matrix from values at the nodes to Legendre coefficients."""
_PRIMITIVES = np.stack([legendre.legint(row, lbnd=-1) for row in np.eye(POINTS)])
CUMULATE = (legendre.legvander(NODES, POINTS) @ _PRIMITIVES.T) @ TO_COEFFICIENTS
"""Matrix from values at the nodes to integrals from the left end to each node."""

LEAST = float(np.finfo(float).tiny)  # value of a diffusion that underflows: no mass stays where the drift pushes
STEEPEST = 1e280  # largest number of e-folds across a panel: sums of thousands of them are finite
ULPS = 8.0  # width in units of rounding at which a panel is not cut, because its ends would meet
NARROWEST = 1e-40  # width relative to the interval at which a panel next to zero is not cut


@dataclass(frozen=True, eq=False)
class Panels:
    """K contiguous panels, ascending, with the coefficients of the equation at their nodes."""

    left: FloatArray
    """Left ends (K,)."""
    right: FloatArray
    """Right ends (K,)."""
    x: FloatArray
    """Nodes (K, 16)."""
    drift: FloatArray
    """A at the nodes (K, 16)."""
    diffusion: FloatArray
    """B at the nodes (K, 16)."""
    rate: FloatArray
    """2A/B times half the width (K, 16); at most 1e280 in size."""
    log_diffusion: FloatArray
    """ln B (K, 16), finite where B underflows."""
    floor: FloatArray
    """Smallest width of a panel that may be cut (K,)."""
    before: FloatArray
    """Relative size of the last coefficients of the panel that each was cut from (K,); infinite for a first panel."""

    @property
    def width(self) -> FloatArray:
        """Widths of the panels (K,)."""
        return self.right - self.left

    @property
    def divisible(self) -> BoolArray:
        """Whether each panel is wide enough to be cut (K,)."""
        size = np.maximum(np.abs(self.left), np.abs(self.right))
        wide: BoolArray = self.width > np.maximum(ULPS * np.finfo(float).eps * size, self.floor)
        return wide

    @property
    def narrower_neighbour(self) -> FloatArray:
        """Width of the narrower of the two panels beside each (K,)."""
        width, none = self.width, [np.inf]
        narrower: FloatArray = np.minimum(np.concatenate([none, width[:-1]]), np.concatenate([width[1:], none]))
        return narrower

    def part(self, inside: slice) -> Panels:
        """Return a contiguous part of the panels."""
        return Panels(*(getattr(self, name)[inside] for name in self.__annotations__))

    def cut(self, problem: Equation, rough: BoolArray, tail: FloatArray) -> Panels:
        """Halve the panels that are `rough` (K,); `tail` (K,) is the relative size of their last coefficients."""
        left, right = halves(self.left[rough], self.right[rough])
        return self._replaced(~rough, _evaluated(problem, left, right, self.floor[0], np.tile(tail[rough], 2)))

    def cut_at(self, problem: Equation, points: FloatArray) -> Panels:
        """Cut panels at `points`, except where that would make one too narrow."""
        edges = np.unique(np.concatenate([self.left, self.right, points]))
        near = np.diff(edges) < 2.0 * ULPS * np.finfo(float).eps * np.abs(edges[1:])
        near[-1] = False
        edges = edges[~np.concatenate([[False], near])]
        place = np.minimum(np.searchsorted(self.left, edges[:-1]), len(self.left) - 1)
        same = (self.left[place] == edges[:-1]) & (self.right[place] == edges[1:])
        kept = np.zeros(len(self.left), dtype=bool)
        kept[place[same]] = True
        if same.all():
            return self
        left, right = edges[:-1][~same], edges[1:][~same]
        return self._replaced(kept, _evaluated(problem, left, right, self.floor[0], np.full(len(left), np.inf)))

    def _replaced(self, kept: BoolArray, new: Panels) -> Panels:
        parts = [np.concatenate([getattr(self, name)[kept], getattr(new, name)]) for name in self.__annotations__]
        order = np.argsort(parts[0], kind="stable")
        return Panels(*(part[order] for part in parts))


def panels_between(problem: Equation, edges: FloatArray) -> Panels:
    """Return the panels between ascending edges (K + 1,)."""
    floor = NARROWEST * float(edges[-1] - edges[0])
    return _evaluated(problem, edges[:-1], edges[1:], floor, np.full(len(edges) - 1, np.inf))


def _evaluated(problem: Equation, left: FloatArray, right: FloatArray, floor: float, before: FloatArray) -> Panels:
    x, half = nodes_between(left, right, NODES)
    at = x.reshape(-1, 1)
    A = problem.drift(at, 0.0).reshape(x.shape)
    B = problem.diffusion(at, 0.0).reshape(x.shape)
    least = np.maximum(B, LEAST)
    with np.errstate(all="ignore"):
        rate = np.clip(2.0 * half * A / least, -STEEPEST, STEEPEST)
    return Panels(left, right, x, A, B, rate, np.log(least), np.full(len(left), floor), before)


def last_coefficients(values: FloatArray) -> FloatArray:
    """Return the size (K,) of the last two Legendre coefficients of values at the nodes (K, 16)."""
    size: FloatArray = np.abs(values @ TO_COEFFICIENTS[-2:].T).sum(axis=1)
    return size
