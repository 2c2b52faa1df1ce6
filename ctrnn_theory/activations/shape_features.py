"""Features of the shape of a smooth piece: where it bends most, and its slope at infinity."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations.piece import Piece


def curvature_maxima(piece: Piece, more: ArrayLike = ()) -> tuple[float, ...]:
    """Return the local maxima of |f''| in [-20, 20], ascending, to about 1e-10.

    They are found on a grid of spacing 0.01 and of the points `more`. Those below a millionth of the largest are left
    out.
    """
    grid = np.union1d(np.linspace(-20.0, 20.0, 4001), more)
    size = np.abs(piece.value(grid, 2))
    peaks = 1 + np.flatnonzero((size[1:-1] > size[:-2]) & (size[1:-1] >= size[2:]))
    peaks = peaks[size[peaks] > 1e-6 * size.max()]  # smaller ones may be rounding
    lower, upper = grid[peaks - 1], grid[peaks + 1]
    side = np.sign(piece.value(lower, 3))
    crossing = side * np.sign(piece.value(upper, 3)) < 0
    lower, upper, side = lower[crossing], upper[crossing], side[crossing]
    for _ in range(50):  # bisection for a zero of f''', all at once
        middle = (lower + upper) / 2
        slope = np.sign(piece.value(middle, 3))
        lower = np.where(slope * side >= 0, middle, lower)
        upper = np.where(slope * side <= 0, middle, upper)
    return tuple(float(t) for t in (lower + upper) / 2)


def limit_slope(piece: Piece, side: int) -> float:
    """Return the limit of f(x)/x at -inf (side -1) or inf (side 1), from the values at x = 3 to 1e147."""
    if piece.polynomial is not None:
        slopes = np.trim_zeros(piece.polynomial[1:], "b")
        if len(slopes) <= 1:
            return float(sum(slopes))
        return math.copysign(math.inf, slopes[-1] * float(side) ** (len(slopes) - 1))
    at = side * 10.0 ** np.concatenate([np.linspace(0.5, 2, 5), np.arange(7, 152, 5)])
    ratios = piece.value(at) / at
    ratios = ratios[~np.isnan(ratios)]  # a difference of infinities is left out
    largest = np.abs(ratios).max()
    ratios = ratios[-5:]
    sizes = np.abs(ratios)
    if np.isinf(sizes[-1]) or np.all(sizes[1:] > sizes[:-1] * (1 + 1e-9)):
        return math.copysign(math.inf, ratios[-1])
    if sizes[-1] > 0 and abs(ratios[-1] - ratios[-2]) <= 1e-9 * sizes[-1]:
        return float(ratios[-1])
    if np.all(sizes <= 1e-6 * largest) or np.all(sizes[1:] <= sizes[:-1]):
        return 0.0
    return float(ratios[np.argmax(sizes)])  # without a limit, as for x sin(x), the largest
