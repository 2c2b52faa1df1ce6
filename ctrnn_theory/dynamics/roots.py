"""Every fixed point of one neuron: the roots of a - w f(a) - d, isolated by interval arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations.piece import Piece
from ctrnn_theory.activations.symbolic.bounds import piece_bounds
from ctrnn_theory.support.types import FloatArray

EPS = float(np.finfo(float).eps)
NOISE = 32.0 * EPS  # relative size of the equation that rounding errors stay below
MOST = 100_000  # cells that are examined together, which bounds the memory
LARGEST = 1e300  # pre-activation at the ends of the line
WIDE = 1e-2  # relative width of a cluster above which no place in it can be given as a root
PLACES = 33  # points of a cluster, of which the one with the smallest equation is given as its root
POWERS = 2.0 ** np.concatenate([np.arange(-4.0, 11.0), np.arange(18.0, 997.0, 8.0)])
CELLS = np.concatenate([[-LARGEST], -POWERS[::-1], [0.0], POWERS, [LARGEST]])
"""Ends of the first cells."""


@dataclass
class Roots:
    """The pre-activations and states of the fixed points of one neuron."""

    found: list[tuple[float, float]] = field(default_factory=list)
    """Pairs (a, h) with a = w h + d and h = f(a)."""
    remarks: list[str] = field(default_factory=list)
    """Sentences on what may be missing; none if these are all."""

    def add(self, a: float, h: float) -> None:
        """Add a root, unless it is there already."""
        if (a, h) not in self.found:
            self.found.append((a, h))


def one_neuron(f: Activation, w: float, d: float) -> Roots:
    """Find the fixed points h = f(w h + d) with pre-activations up to 1e300 in size.

    On a straight piece of f the equation is linear. On any other piece the line is cut into cells. A cell is finished
    once interval arithmetic shows that r(a) = a - w f(a) - d is not 0 in it, or that r is monotone in it, so that the
    signs at its ends decide; otherwise it is halved. Cells in which r is 0 to rounding form clusters of roots that
    double precision cannot tell apart, and one root is given for each. At a jump f has the mean of its limits.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> one_neuron(activation("relu"), 0.99, 10.0).found[0][1].__round__(9)
    1000.0
    >>> len(one_neuron(activation("sin"), 300.0, 0.0).found)
    191
    """
    roots = Roots()
    for left, right in pairwise(f.pieces):
        border, h = right.lower, float(f(right.lower))
        steep = max(abs(left.limit(border, 1)), abs(right.limit(border, 1)))
        size = abs(border) + abs(d) + abs(w) * (abs(h) + steep * abs(border))
        if abs(border - w * h - d) <= 2.0 * NOISE * size:
            roots.add(border, h)
    for piece in f.pieces:
        if piece.polynomial is not None and len(piece.polynomial) <= 2:
            _straight(piece, w, d, roots)
        else:
            _curved(piece, w, d, roots)
    return roots


def _straight(piece: Piece, w: float, d: float, roots: Roots) -> None:
    """Add the root on a straight piece, or the ends of a continuum of them."""
    alpha, beta = (*(piece.polynomial or ()), 0.0)[:2]
    constant, size = w * alpha + d, abs(w * alpha) + abs(d)
    slope = 1.0 - w * beta
    if abs(slope) <= EPS:
        if abs(constant) <= NOISE * size:
            between = f"a = {piece.lower:g} and a = {piece.upper:g}"
            roots.remarks.append(
                f"all states at pre-activations between {between} are fixed points; the ends are given"
            )
            for a in (piece.lower, piece.upper):
                if np.isfinite(a):
                    roots.add(a, alpha + beta * a)
            if np.isinf(piece.lower) and np.isinf(piece.upper):
                roots.add(0.0, alpha)
        return
    a = constant / slope
    if _within(piece, a, NOISE * size / abs(slope)):
        roots.add(a, alpha + beta * a)


def _within(piece: Piece, a: float, error: float) -> bool:
    """Return whether a lies in the piece, and not on its ends, which are examined by themselves."""
    margins = [error + NOISE * abs(end) if np.isfinite(end) else 0.0 for end in (piece.lower, piece.upper)]
    return bool(piece.lower + margins[0] < a < piece.upper - margins[1])


def _curved(piece: Piece, w: float, d: float, roots: Roots) -> None:
    """Add the roots on a piece that is not straight."""

    def r(a: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            value: FloatArray = a - w * piece.value(a) - d
        return value

    low, high = max(piece.lower, -LARGEST), min(piece.upper, LARGEST)
    edges = np.concatenate([[low], CELLS[(low < CELLS) & (high > CELLS)], [high]])
    left, right = edges[:-1], edges[1:]
    brackets: list[FloatArray] = []
    clusters: list[FloatArray] = []
    while left.size:
        if left.size > MOST:
            roots.remarks.append(f"there are too many fixed points to be distinguished: more than {MOST} cells")
            break
        monotone, flat, open_ = _judge(piece, w, d, left, right, r)
        brackets.append(np.stack([left[monotone], right[monotone]]))
        clusters.append(np.stack([left[flat], right[flat]]))
        left, right = left[open_], right[open_]
        middle = 0.5 * (left + right)
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    for a in _bisect(r, np.concatenate(brackets, axis=1)):
        if _within(piece, a, 0.0):
            roots.add(float(a), float(piece.value(a)))
    _add_clusters(np.concatenate(clusters, axis=1), piece, r, roots)


def _judge(
    piece: Piece, w: float, d: float, left: FloatArray, right: FloatArray, r: Callable[[FloatArray], FloatArray]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return whether in a cell r is monotone with a change of sign, is 0 to rounding, or needs the cell halved."""
    with np.errstate(all="ignore"):
        values, slopes = (np.sort(w * np.array(piece_bounds(piece, left, right, k)), axis=0) for k in (0, 1))
        least, most = 1.0 - slopes[1], 1.0 - slopes[0]
        size = np.maximum(np.abs(left), np.abs(right)) + np.abs(values).max(axis=0) + abs(d)
        middle, half = 0.5 * (left + right), 0.5 * (right - left)
        at, reach = r(middle), half * np.maximum(np.abs(least), np.abs(most)) + NOISE * size
        low = np.fmax(left - values[1] - d - NOISE * size, at - reach)
        high = np.fmin(right - values[0] - d + NOISE * size, at + reach)
        possible = ~((low > 0.0) | (high < 0.0))
        monotone = (least > 0.0) | (most < 0.0)
        start, end = np.sign(r(left)), np.sign(r(right))
        changes = (start == 0.0) | (start * end < 0.0)
        small = np.abs(at) + reach <= 4.0 * NOISE * size
        narrow = right - left <= 4.0 * EPS * np.maximum(np.abs(left), np.abs(right))
    flat = possible & ~monotone & (small | narrow)
    return monotone & possible & changes, flat, possible & ~monotone & ~flat


def _bisect(r: Callable[[FloatArray], FloatArray], brackets: FloatArray) -> FloatArray:
    """Return the roots (M,) in brackets (2, M) with one change of sign each, to neighbouring numbers."""
    low, high = brackets
    sign = np.sign(r(low))
    while True:
        middle = np.where((low < 0.0) & (high > 0.0), 0.0, 0.5 * low + 0.5 * high)
        going = (middle > low) & (middle < high) & (sign != 0.0)
        if not going.any():
            break
        same = np.sign(r(middle)) == sign
        low, high = np.where(going & same, middle, low), np.where(going & ~same, middle, high)
    return np.where(np.abs(r(high)) < np.abs(r(low)), high, low)


def _add_clusters(cells: FloatArray, piece: Piece, r: Callable[[FloatArray], FloatArray], roots: Roots) -> None:
    """Add one root for each cluster of cells (2, M) that touch each other, unless it holds a root already."""
    left, right = cells[:, np.argsort(cells[0])]
    if not left.size:
        return
    starts = np.concatenate([[0], 1 + np.flatnonzero(left[1:] > right[:-1] + 4.0 * EPS * np.abs(right[:-1]))])
    for low, high in zip(left[starts], np.maximum.reduceat(right, starts), strict=True):
        if any(low <= a <= high for a, _ in roots.found):
            continue
        apart = low > 0.0 or high < 0.0  # at zero there is nothing that a width is relative to
        if apart and high - low > WIDE * min(abs(low), abs(high)):  # rounding errors are all that is left of r there
            roots.remarks.append(
                f"whether there are fixed points between a = {low:.3g} and {high:.3g} is lost to rounding"
            )
            continue
        places = np.linspace(low, high, PLACES)
        a = float(places[np.argmin(np.abs(r(places)))])
        if _within(piece, a, 0.0):
            roots.add(a, float(piece.value(a)))
            roots.remarks.append(
                f"fixed points nearer to each other than {max(high - low, EPS * abs(a)):.1g} at a = {a:.6g} cannot be"
                " distinguished in double precision, or there may be none; one is given"
            )
