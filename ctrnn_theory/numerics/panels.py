"""Panels of the real line on which an activation is a polynomial to rounding."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.support.types import FloatArray

COUNT = 20  # Gauss–Legendre nodes of a panel
NODES, WEIGHTS = np.polynomial.legendre.leggauss(COUNT)
_BARYCENTRIC = (-1.0) ** np.arange(COUNT) * np.sqrt((1.0 - NODES**2) * WEIGHTS)


def _interpolation(at: FloatArray) -> FloatArray:
    """Matrix from values at the nodes to values of their interpolant, by the barycentric formula."""
    terms = _BARYCENTRIC / (at[:, None] - NODES)
    return np.asarray(terms / terms.sum(axis=1, keepdims=True))


_PROBES = np.concatenate([[-1.0, 1.0], np.cos(np.pi * (np.arange(61) + 0.25) / 61)])  # ends: steps hide there
_AT_PROBES = _interpolation(_PROBES)
PRIMITIVE = np.array([0.5 * (t + 1.0) * WEIGHTS @ _interpolation(0.5 * (t + 1.0) * (NODES + 1.0) - 1.0) for t in NODES])
"""Values at the nodes -> values there of the integral from -1."""

TOLERANCE = 1e-14
NOISE = 1e-6  # an error this small that halving the panel hardly reduces is the rounding of f, not its shape
FADED = 1e-6  # below this, relative to the largest value in the shells inside, digits matter less
MOST = 2**15  # panels between 2^j and 2^(j+1)


class Mesh:
    """Edges of panels on which the n-th derivative of f is its interpolant at Gauss–Legendre nodes.

    Built once per activation and derivative, outwards from 0 in shells [2^j, 2^(j+1)] as far as asked. A panel is
    halved until the interpolant agrees with the function at 63 other points, to 1e-14 of its size there, or to
    what rounding allows. Features narrower than 1/100 of their distance from 0 (or than 0.02) that do
    not show beyond themselves can be missed. Breakpoints are edges.
    """

    def __init__(self, act: Any, order: int) -> None:
        self.act, self.order = act, order
        self.breaks = np.array([piece.lower for piece in act.pieces[1:]])
        self._coarser = mesh(act, order - 1) if order else None
        self._edges = np.zeros(1)
        self._largest = {-1.0: 0.0, 1.0: 0.0}
        self._reach = 0.0
        self._lock = Lock()

    def edges(self, reach: float) -> FloatArray:
        """Ascending edges that cover at least [-reach, reach]."""
        with self._lock:  # callers may be threads
            while self._reach < reach:
                inner, outer = self._reach, max(1.0, 2.0 * self._reach)
                shells = [self._shell(side, inner, outer) for side in (-1.0, 1.0)]
                self._edges = np.unique(np.concatenate([shells[0], self._edges, shells[1]]))
                self._reach = outer
            return self._edges

    def _shell(self, side: float, inner: float, outer: float) -> FloatArray:
        lo, hi = sorted((side * inner, side * outer))
        known = self.breaks if self._coarser is None else self._coarser.edges(outer)
        start = np.unique(np.concatenate([[lo, hi], known[(known > lo) & (known < hi)]]))
        left, right = start[:-1], start[1:]
        before, root = np.full(left.size, np.inf), np.zeros(left.size)  # error, and size, of what was halved
        edges, largest = [start], self._largest[side]
        while left.size:
            middle, half = 0.5 * (left + right), 0.5 * (right - left)
            piece = np.searchsorted(self.breaks, middle)
            at_nodes = evaluate(self.act, middle[:, None] + half[:, None] * NODES, piece, self.order)
            at_probes = evaluate(self.act, middle[:, None] + half[:, None] * _PROBES, piece, self.order)
            with np.errstate(invalid="ignore", over="ignore"):
                size = np.max(np.abs(at_probes), axis=1)
                error = np.max(np.abs(at_nodes @ _AT_PROBES.T - at_probes), axis=1)
                largest = max(largest, np.max(size[np.isfinite(size)], initial=0.0))
                rounding = 1e-15 * np.abs(middle) / half
                root = np.fmax(root, size)
                good = error <= (TOLERANCE + rounding) * size + TOLERANCE * FADED * self._largest[side]
                good |= (error <= NOISE * root) & (error > 0.1 * before)
            good |= ~np.isfinite(error) & (half < 0.05 * np.abs(middle))  # overflow is told where it is met
            smallest = half < 1e-13 * outer
            if np.any(smallest & (error > 1e-3 * size)):
                raise ValueError(
                    f"activation must vary over more than rounding; got {self.act.text!r} in [{lo:g}, {hi:g}]"
                )
            good |= smallest
            edges.append(middle[~good])
            before, root = np.tile(error[~good], 2), np.tile(root[~good], 2)
            left, right = (
                np.concatenate([left[~good], middle[~good]]),
                np.concatenate([middle[~good], right[~good]]),
            )
            if left.size + sum(e.size for e in edges) > MOST:
                raise ValueError(
                    f"activation must be resolved by {MOST} panels of {COUNT} points where it is smoothed; "
                    f"got {self.act.text!r} between {lo:g} and {hi:g}"
                )
        self._largest[side] = largest
        return np.unique(np.concatenate(edges))


@lru_cache(maxsize=256)
def mesh(act: Any, order: int) -> Mesh:
    """Mesh of the order-th derivative; one is kept for each of the latest activations."""
    return Mesh(act, order)


def evaluate(act: Any, x: FloatArray, piece: NDArray[np.intp], order: int) -> FloatArray:
    """Order-th derivative at x, shape (panels, nodes), of the smooth piece that each panel lies in."""
    if len(act.pieces) == 1:
        return np.asarray(act.pieces[0].value(x, order))
    value = np.empty_like(x)
    for i in np.unique(piece):
        p = act.pieces[i]
        inside = piece == i
        value[inside] = p.value(np.clip(x[inside], p.lower, p.upper), order)
    return value
