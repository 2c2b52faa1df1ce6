"""Bounds of an activation, of its derivatives and of its Gaussian smoothing over intervals, by interval arithmetic.

Bounds hold everywhere between the ends of an interval, and grow tight as it shrinks. They are moved outwards by more
than the rounding error of each operation.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from ctrnn_theory.activations.gaussian.smoothed_activation import Smoothed, SmoothedPiece
from ctrnn_theory.activations.group import ActivationGroup
from ctrnn_theory.activations.piece import Piece
from ctrnn_theory.activations.symbolic.intervals import Interval, interval_function, product, wider
from ctrnn_theory.support.types import FloatArray

if TYPE_CHECKING:
    from ctrnn_theory.activations.activation import Activation

CELLS = np.concatenate([-np.geomspace(38.5, 9.0, 12), np.linspace(-8.0, 8.0, 65), np.geomspace(9.0, 38.5, 12)])
"""Ends of the cells of a standard normal variable; beyond them, its density is below the smallest number."""
SHARES = special.ndtr(-np.minimum(np.abs(CELLS[:-1]), np.abs(CELLS[1:]))) - special.ndtr(
    -np.maximum(np.abs(CELLS[:-1]), np.abs(CELLS[1:]))
)
"""Probabilities of the cells."""
NEAR_ENDS, FAR_ENDS = np.linspace(-20.0, 20.0, 2001), 2.0 ** np.arange(4.5, 40.5, 0.5)
LINE = np.concatenate([-FAR_ENDS[::-1], NEAR_ENDS, FAR_ENDS])
"""Ends of the cells that the real line is cut into."""


def bounds(
    f: Activation | ActivationGroup, low: FloatArray, high: FloatArray, order: int = 0, s: FloatArray | float = 0.0
) -> Interval:
    """Return bounds of the order-th derivative of F(a; s) = E f(a + s ξ) over low ≤ a ≤ high, order 0, 1 or 2.

    Where s = 0 it is f itself, whose slope is unbounded at a jump, and whose second derivative is that of its pieces.
    The activations of a group act on the last axis.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> low, high = bounds(activation("relu"), np.array([-2.0, 1.0]), np.array([3.0, 5.0]), 1)
    >>> low.round(12), high.round(12)
    (array([0., 1.]), array([1., 1.]))
    """
    if isinstance(f, Smoothed):
        return bounds(f.inner, low, high, order, np.hypot(f.width, s))
    low, high, s = (np.array(part, dtype=np.float64) for part in np.broadcast_arrays(low, high, s))
    if isinstance(f, ActivationGroup):
        for member, at in f.parts():
            low[..., at], high[..., at] = bounds(member, low[..., at], high[..., at], order, s[..., at])
        return low, high
    noisy = s > 0.0
    with np.errstate(all="ignore"):
        lower, upper = _pieces(f, low, high, order)
        if order == 1:
            for kink in f.kinks:
                inside = (low <= kink.location) & (kink.location <= high)
                lower[inside & (kink.value_jump < 0.0)] = -np.inf
                upper[inside & (kink.value_jump > 0.0)] = np.inf
        if noisy.any():
            lower[noisy], upper[noisy] = _smoothed(f, low[noisy], high[noisy], order, s[noisy])
    return lower, upper


@lru_cache(maxsize=256)
def slope_bounds(f: Activation | ActivationGroup) -> tuple[float, float]:
    """Return bounds of the slope of f over the whole line, and so of its Gaussian smoothing; infinite for a jump.

    Beyond |x| = 1e12 the slopes at infinity are taken.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> low, high = slope_bounds(activation("tanh"))
    >>> -1e-6 < low <= 0.0, 1.0 <= high < 1.02
    (True, True)
    """
    if isinstance(f, ActivationGroup):
        lows, highs = zip(*map(slope_bounds, f.distinct), strict=True)
        return min(lows), max(highs)
    low, high = bounds(f, LINE[:-1], LINE[1:], 1)
    return float(min(*low, *f.limit_slopes)), float(max(*high, *f.limit_slopes))


def piece_bounds(piece: Piece, low: FloatArray, high: FloatArray, order: int = 0) -> Interval:
    """Return bounds of the order-th derivative of a piece's function over low ≤ x ≤ high, order 0, 1 or 2."""
    if isinstance(piece, SmoothedPiece):
        return bounds(piece.inner, low, high, order, piece.width)
    return interval_function(piece.interval_source(order))((low, high))


def _pieces(f: Activation, low: FloatArray, high: FloatArray, order: int) -> Interval:
    """Return bounds of a derivative of the pieces of f, without what their jumps add."""
    lower, upper = np.full(low.shape, np.inf), np.full(low.shape, -np.inf)
    for piece in f.pieces:
        here = (low <= piece.upper) & (high >= piece.lower)
        if here.any():
            part = np.maximum(low[here], piece.lower), np.minimum(high[here], piece.upper)
            found = piece_bounds(piece, *part, order)
            lower[here], upper[here] = np.minimum(lower[here], found[0]), np.maximum(upper[here], found[1])
    return lower, upper


def _smoothed(f: Activation, low: FloatArray, high: FloatArray, order: int, s: FloatArray) -> Interval:
    """Sum the bounds of f over cells of ξ, and add what kinks and jumps contribute."""
    s = s[:, None]
    lower, upper = _pieces(f, low[:, None] + s * CELLS[:-1], high[:, None] + s * CELLS[1:], order)
    lower, upper = _sum(np.where(lower == 0.0, 0.0, lower * SHARES)), _sum(np.where(upper == 0.0, 0.0, upper * SHARES))
    for kink in f.kinks:
        z = (kink.location - high) / s[:, 0], (kink.location - low) / s[:, 0]
        bell = _density(z)
        terms = []
        if order == 1:
            terms = [product((kink.value_jump / s[:, 0],) * 2, bell)]
        elif order == 2:
            tilted = _tilted(z)
            terms = [product((kink.slope_jump / s[:, 0],) * 2, bell)]
            terms += [product((kink.value_jump / s[:, 0] ** 2,) * 2, tilted)]
        for term in terms:
            lower, upper = lower + term[0], upper + term[1]
    return wider(lower, upper)


def _sum(parts: FloatArray) -> FloatArray:
    total: FloatArray = np.sum(parts, axis=1)
    return total


def _density(z: Interval) -> Interval:
    """Return bounds of the normal density φ(z)."""
    near = np.where((z[0] <= 0.0) & (z[1] >= 0.0), 0.0, np.minimum(np.abs(z[0]), np.abs(z[1])))
    far = np.maximum(np.abs(z[0]), np.abs(z[1]))
    low, high = (np.exp(-0.5 * t**2) / np.sqrt(2.0 * np.pi) for t in (far, near))
    return wider(low, high)


def _tilted(z: Interval) -> Interval:
    """Return bounds of z φ(z), whose extremes are at ±1."""
    places = [*z, *(np.clip(t, *z) for t in (-1.0, 1.0))]
    values = [t * np.exp(-0.5 * t**2) / np.sqrt(2.0 * np.pi) for t in places]
    return wider(np.minimum.reduce(values), np.maximum.reduce(values))
