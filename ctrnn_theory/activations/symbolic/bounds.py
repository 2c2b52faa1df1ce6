"""Bounds of an activation, of its derivatives and of its Gaussian smoothing over intervals, by interval arithmetic.

Bounds hold everywhere between the ends of an interval, and grow tight as it shrinks. They are moved outwards by more
than the rounding error of each operation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from scipy import special

from ctrnn_theory.activations.activation import Activation
from ctrnn_theory.activations.gaussian.smoothed_activation import Smoothed, SmoothedPiece
from ctrnn_theory.activations.symbolic.evaluate import NUMPY_NAMES
from ctrnn_theory.activations.symbolic.parse import x
from ctrnn_theory.activations.symbolic.pieces import Piece
from ctrnn_theory.activations.symbolic.stable_forms import derivative, stable
from ctrnn_theory.support.types import BoolArray, FloatArray

Interval = tuple[FloatArray, FloatArray]
"""Lower and upper ends, of one shape."""

WIDER = 8.0 * np.finfo(float).eps  # relative shift of bounds, more than the rounding of any operation
TINY, LARGEST = np.finfo(float).tiny, np.finfo(float).max
INCREASING = (
    *("exp", "log", "sqrt", "sinh", "tangent", "atan", "asinh", "erf", "expm1", "log1p", "logistic", "softplus"),
    *("sign", "Heaviside"),
)
CELLS = np.concatenate([-np.geomspace(38.5, 9.0, 12), np.linspace(-8.0, 8.0, 65), np.geomspace(9.0, 38.5, 12)])
"""Ends of the cells of a standard normal variable; beyond them, its density is below the smallest number."""
SHARES = special.ndtr(-np.minimum(np.abs(CELLS[:-1]), np.abs(CELLS[1:]))) - special.ndtr(
    -np.maximum(np.abs(CELLS[:-1]), np.abs(CELLS[1:]))
)
"""Probabilities of the cells."""
NEAR_ENDS, FAR_ENDS = np.linspace(-20.0, 20.0, 2001), 2.0 ** np.arange(4.5, 40.5, 0.5)
LINE = np.concatenate([-FAR_ENDS[::-1], NEAR_ENDS, FAR_ENDS])
"""Ends of the cells that the real line is cut into."""


def bounds(f: Activation, low: FloatArray, high: FloatArray, order: int = 0, s: FloatArray | float = 0.0) -> Interval:
    """Return bounds of the order-th derivative of F(a; s) = E f(a + s ξ) over low ≤ a ≤ high, order 0, 1 or 2.

    Where s = 0 it is f itself, whose slope is unbounded at a jump, and whose second derivative is that of its pieces.

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
def slope_bounds(f: Activation) -> tuple[float, float]:
    """Return bounds of the slope of f over the whole line, and so of its Gaussian smoothing; infinite for a jump.

    Beyond |x| = 1e12 the slopes at infinity are taken.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> low, high = slope_bounds(activation("tanh"))
    >>> -1e-6 < low <= 0.0, 1.0 <= high < 1.02
    (True, True)
    """
    low, high = bounds(f, LINE[:-1], LINE[1:], 1)
    return float(min(*low, *f.limit_slopes)), float(max(*high, *f.limit_slopes))


def piece_bounds(piece: Piece, low: FloatArray, high: FloatArray, order: int = 0) -> Interval:
    """Return bounds of the order-th derivative of a piece's function over low ≤ x ≤ high, order 0, 1 or 2."""
    if isinstance(piece, SmoothedPiece):
        return bounds(piece.inner, low, high, order, piece.width)
    with np.errstate(all="ignore"):
        return _of(derivative(stable(piece.expression), order), (low, high))


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
            terms = [_times((kink.value_jump / s[:, 0],) * 2, bell)]
        elif order == 2:
            tilted = _tilted(z)
            terms = [_times((kink.slope_jump / s[:, 0],) * 2, bell)]
            terms += [_times((kink.value_jump / s[:, 0] ** 2,) * 2, tilted)]
        for term in terms:
            lower, upper = lower + term[0], upper + term[1]
    return _wider(lower, upper)


def _sum(parts: FloatArray) -> FloatArray:
    total: FloatArray = np.sum(parts, axis=1)
    return total


def _density(z: Interval) -> Interval:
    """Return bounds of the normal density φ(z)."""
    near = np.where((z[0] <= 0.0) & (z[1] >= 0.0), 0.0, np.minimum(np.abs(z[0]), np.abs(z[1])))
    far = np.maximum(np.abs(z[0]), np.abs(z[1]))
    low, high = (np.exp(-0.5 * t**2) / np.sqrt(2.0 * np.pi) for t in (far, near))
    return _wider(low, high)


def _tilted(z: Interval) -> Interval:
    """Return bounds of z φ(z), whose extremes are at ±1."""
    places = [*z, *(np.clip(t, *z) for t in (-1.0, 1.0))]
    values = [t * np.exp(-0.5 * t**2) / np.sqrt(2.0 * np.pi) for t in places]
    return _wider(np.minimum.reduce(values), np.maximum.reduce(values))


def _wider(low: FloatArray, high: FloatArray) -> Interval:
    """Move the ends outwards; a NaN becomes unbounded, and an overflow lies beyond the largest number."""
    low = np.where(np.isnan(low), -np.inf, np.minimum(low, LARGEST))
    high = np.where(np.isnan(high), np.inf, np.maximum(high, -LARGEST))
    return low - WIDER * np.abs(low) - TINY, high + WIDER * np.abs(high) + TINY


def _times(a: Interval, b: Interval) -> Interval:
    products = [np.where((p == 0.0) | (q == 0.0), 0.0, p * q) for p in a for q in b]  # 0 times unbounded is 0
    low, high = np.minimum.reduce(products), np.maximum.reduce(products)
    return _wider(low, high)


def _of(expression: Any, at: Interval) -> Interval:
    """Return bounds of a stable expression in x over intervals."""
    if not expression.free_symbols:
        value = np.full(at[0].shape, float(expression))
        return (value, value) if expression.is_Integer else _wider(value, value)
    if expression == x:
        return at
    if expression.is_Pow:
        return _power(expression, at)
    if isinstance(expression, sp.Piecewise):
        return _choice(expression, at)
    parts = [_of(part, at) for part in expression.args]
    if expression.is_Add:
        total = parts[0]
        for part in parts[1:]:
            total = _wider(total[0] + part[0], total[1] + part[1])
        return total
    if expression.is_Mul:
        total = parts[0]
        for part in parts[1:]:
            total = _times(total, part)
        return total
    if isinstance(expression, sp.Max | sp.Min):
        choose = np.maximum if isinstance(expression, sp.Max) else np.minimum
        return choose.reduce([part[0] for part in parts]), choose.reduce([part[1] for part in parts])
    return _function(expression.func.__name__, parts[0])


def _function(name: str, u: Interval) -> Interval:
    if name in INCREASING:
        function: Callable[[FloatArray], FloatArray] = NUMPY_NAMES[name]
        floor = {"log": 0.0, "sqrt": 0.0, "log1p": -1.0}.get(name, -np.inf)
        return _wider(function(np.maximum(u[0], floor)), function(np.maximum(u[1], floor)))
    if name == "complement":
        return _wider(special.erfc(u[1]), special.erfc(u[0]))
    if name in ("Abs", "cosh"):
        near = np.where((u[0] <= 0.0) & (u[1] >= 0.0), 0.0, np.minimum(np.abs(u[0]), np.abs(u[1])))
        far = np.maximum(np.abs(u[0]), np.abs(u[1]))
        return (near, far) if name == "Abs" else _wider(np.cosh(near), np.cosh(far))
    if name in ("sin", "cos"):
        return _wave(u, 0.25 if name == "sin" else 0.0)
    return np.full(u[0].shape, -np.inf), np.full(u[0].shape, np.inf)


def _wave(u: Interval, shift: float) -> Interval:
    """Return bounds of cos(u - 2π shift): 1 if u passes a whole turn, -1 if it passes half a turn."""
    ends = [np.cos(t - 2.0 * np.pi * shift) for t in u]
    slack = WIDER * (1.0 + np.maximum(np.abs(u[0]), np.abs(u[1])))
    turns = [(u[0] - slack) / (2.0 * np.pi) - shift, (u[1] + slack) / (2.0 * np.pi) - shift]
    top = ~(np.floor(turns[1]) < np.ceil(turns[0]))
    bottom = ~(np.floor(turns[1] - 0.5) < np.ceil(turns[0] - 0.5))
    low, high = np.minimum(*ends) - slack, np.maximum(*ends) + slack
    return np.where(bottom, -1.0, np.maximum(low, -1.0)), np.where(top, 1.0, np.minimum(high, 1.0))


def _power(expression: Any, at: Interval) -> Interval:
    base, exponent = expression.args
    if exponent.free_symbols:  # the base is a positive number
        return _function("exp", _times(_of(sp.log(base), at), _of(exponent, at)))
    u, p = _of(base, at), float(exponent)
    size = abs(p)
    if exponent.is_Integer and int(exponent) % 2 == 0:
        near = np.where((u[0] <= 0.0) & (u[1] >= 0.0), 0.0, np.minimum(np.abs(u[0]), np.abs(u[1])))
        low, high = near**size, np.maximum(np.abs(u[0]), np.abs(u[1])) ** size
    elif exponent.is_Integer:
        low, high = np.copysign(np.abs(u[0]) ** size, u[0]), np.copysign(np.abs(u[1]) ** size, u[1])
    else:
        low, high = np.maximum(u[0], 0.0) ** size, np.maximum(u[1], 0.0) ** size
    low, high = _wider(low, high)
    if p > 0.0:
        return low, high
    across = (low <= 0.0) & (high >= 0.0)
    return np.where(across, -np.inf, _wider(1.0 / high, high)[0]), np.where(across, np.inf, _wider(low, 1.0 / low)[1])


def _choice(expression: Any, at: Interval) -> Interval:
    """Return the hull of the bounds of all branches that may be active."""
    low, high = np.full(at[0].shape, np.inf), np.full(at[0].shape, -np.inf)
    left = np.ones(at[0].shape, dtype=bool)  # whether no earlier branch is certainly active
    for value, condition in expression.args:
        may, must = _condition(condition, at)
        found, taken = _of(value, at), left & may
        low, high = np.where(taken, np.minimum(low, found[0]), low), np.where(taken, np.maximum(high, found[1]), high)
        left &= ~must
    return low, high


def _condition(condition: Any, at: Interval) -> tuple[BoolArray, BoolArray]:
    """Return whether a condition may hold somewhere in an interval, and whether it must hold everywhere."""
    shape = at[0].shape
    if condition in (sp.true, sp.false):
        return np.full(shape, bool(condition)), np.full(shape, bool(condition))
    if isinstance(condition, sp.And | sp.Or):
        join = np.logical_and if isinstance(condition, sp.And) else np.logical_or
        parts = [_condition(part, at) for part in condition.args]
        return join.reduce([part[0] for part in parts]), join.reduce([part[1] for part in parts])
    greater, less = _of(condition.gts, at), _of(condition.lts, at)
    return greater[1] >= less[0], greater[0] > less[1]
