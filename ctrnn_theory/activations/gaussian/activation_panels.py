"""Panels of the real line on which an activation, or a derivative of it, is a polynomial to rounding."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np

from ctrnn_theory.numerics.gauss_legendre import gauss_legendre
from ctrnn_theory.numerics.panels import halve_until_resolved
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

COUNT = 20  # Gauss–Legendre nodes of a panel
TOLERANCE = 1e-14  # error of the interpolant on a panel, relative to the size of the function there
NOISE = 1e-6  # an error this small that halving the panel hardly reduces is the rounding of f, not its shape
FADED = 1e-6  # where f is smaller than this part of its largest value in the inner shells, its digits matter less
MOST = 2**15  # largest number of edges between 2^j and 2^(j+1)
NARROWEST = 1e-13  # half width, relative to the outer end of the shell, of a panel that is not halved any more
VARIES = 1e-3  # a relative error that a panel so narrow must not have

NODES, WEIGHTS = gauss_legendre(COUNT)
_BARYCENTRIC = (-1.0) ** np.arange(COUNT) * np.sqrt((1.0 - NODES**2) * WEIGHTS)


def _interpolation(at: FloatArray) -> FloatArray:
    """Return the matrix from values at the nodes to values of their interpolant, by the barycentric formula."""
    terms = _BARYCENTRIC / (at[:, None] - NODES)
    return np.asarray(terms / terms.sum(axis=1, keepdims=True))


_PROBES = np.concatenate([[-1.0, 1.0], np.cos(np.pi * (np.arange(61) + 0.25) / 61)])  # the ends show a step
_AT_PROBES = _interpolation(_PROBES)
PRIMITIVE = np.array([0.5 * (t + 1.0) * WEIGHTS @ _interpolation(0.5 * (t + 1.0) * (NODES + 1.0) - 1.0) for t in NODES])
"""Matrix from values at the nodes to the integral from -1 to each node."""


class ActivationPanels:
    """Panels on which the n-th derivative of f is its interpolant at Gauss–Legendre nodes.

    They are made once per activation and derivative, outwards from 0 in shells [2^j, 2^(j+1)] as far as asked. A panel
    is halved until the interpolant agrees with the function at 63 other points, to 1e-14 of its size there or to
    what rounding allows. Features narrower than 1/100 of their distance from 0 (or than 0.02) that do
    not show beyond themselves can be missed. Breakpoints are edges.
    """

    def __init__(self, act: Any, order: int) -> None:
        self.act, self.order = act, order
        self.breaks = np.array([piece.lower for piece in act.pieces[1:]])
        self._lower_order = panels_of(act, order - 1) if order else None
        self._edges = np.zeros(1)
        self._largest = {-1.0: 0.0, 1.0: 0.0}
        self._reach = 0.0
        self._lock = Lock()

    def edges(self, reach: float) -> FloatArray:
        """Return ascending edges that cover at least [-reach, reach]."""
        with self._lock:  # callers may be threads
            while self._reach < reach:
                inner, outer = self._reach, max(1.0, 2.0 * self._reach)
                shells = [self._shell(side, inner, outer) for side in (-1.0, 1.0)]
                self._edges = np.unique(np.concatenate([shells[0], self._edges, shells[1]]))
                self._reach = outer
            return self._edges

    def _shell(self, side: float, inner: float, outer: float) -> FloatArray:
        """Return the edges of the panels between `inner` and `outer` on one side of 0."""
        low, high = sorted((side * inner, side * outer))
        known = self.breaks if self._lower_order is None else self._lower_order.edges(outer)
        start = np.unique(np.concatenate([[low, high], known[(known > low) & (known < high)]]))
        error = root = np.empty(0)  # error and largest size of the panels of the last round, and of what they are of
        largest = self._largest[side]

        def resolved(left: FloatArray, right: FloatArray, parent: IntArray | None) -> BoolArray:
            nonlocal error, root, largest
            before = np.full(left.size, np.inf) if parent is None else error[parent]
            root = np.zeros(left.size) if parent is None else root[parent]
            middle, half = 0.5 * (left + right), 0.5 * (right - left)
            size, error = self._error(middle, half)
            with np.errstate(invalid="ignore", over="ignore"):
                largest = max(largest, np.max(size[np.isfinite(size)], initial=0.0))
                rounding = 1e-15 * np.abs(middle) / half
                root = np.fmax(root, size)
                good = error <= (TOLERANCE + rounding) * size + TOLERANCE * FADED * self._largest[side]
                good |= (error <= NOISE * root) & (error > 0.1 * before)
            good |= ~np.isfinite(error) & (half < 0.05 * np.abs(middle))  # an overflow is reported where it matters
            smallest = half < NARROWEST * outer
            if np.any(smallest & (error > VARIES * size)):
                raise ValueError(
                    f"activation must vary over more than rounding; got {self.act.text!r} in [{low:g}, {high:g}]"
                )
            return np.asarray(good | smallest)

        def require_few(settled: int, pending: int) -> None:
            if settled + 2 * pending >= MOST:  # edges of the panels, and those of the next round
                raise NotApplicable(
                    f"activation must be resolved by {MOST} panels of {COUNT} points where it is smoothed; "
                    f"got {self.act.text!r} between {low:g} and {high:g}"
                )

        left, right = halve_until_resolved(start[:-1], start[1:], resolved, require_few)
        self._largest[side] = largest
        return np.unique(np.append(left, right))

    def _error(self, middle: FloatArray, half: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the largest size of the function in each panel, and the largest error of its interpolant there."""
        piece = np.searchsorted(self.breaks, middle)
        at_nodes = evaluate(self.act, middle[:, None] + half[:, None] * NODES, piece, self.order)
        at_probes = evaluate(self.act, middle[:, None] + half[:, None] * _PROBES, piece, self.order)
        with np.errstate(invalid="ignore", over="ignore"):
            size = np.max(np.abs(at_probes), axis=1)
            return size, np.max(np.abs(at_nodes @ _AT_PROBES.T - at_probes), axis=1)


@lru_cache(maxsize=256)
def panels_of(act: Any, order: int) -> ActivationPanels:
    """Return the panels of the order-th derivative; those of the latest activations are kept."""
    return ActivationPanels(act, order)


def evaluate(act: Any, x: FloatArray, piece: IntArray, order: int) -> FloatArray:
    """Return the order-th derivative at x, (panels, nodes), of the smooth piece that each panel lies in."""
    if len(act.pieces) == 1:
        return np.asarray(act.pieces[0].value(x, order))
    value = np.empty_like(x)
    for i in np.unique(piece):
        p = act.pieces[i]
        inside = piece == i
        value[inside] = p.value(np.clip(x[inside], p.lower, p.upper), order)
    return value
