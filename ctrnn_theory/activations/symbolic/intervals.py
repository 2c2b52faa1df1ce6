"""Interval arithmetic: the functions that the source of bounds calls, see ``interval_source``.

Bounds hold everywhere between the ends of an interval. They are moved outwards by more than the rounding error of each
operation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special

from ctrnn_theory.activations.source.arrays import NUMPY_NAMES
from ctrnn_theory.support.types import BoolArray, FloatArray

Interval = tuple[FloatArray, FloatArray]
"""Lower and upper ends, of one shape."""
Condition = tuple[BoolArray, BoolArray]
"""Whether a condition may hold somewhere in an interval, and whether it must hold everywhere."""

WIDER = 8.0 * np.finfo(float).eps  # relative shift of bounds, more than the rounding of any operation
TINY, LARGEST = np.finfo(float).tiny, np.finfo(float).max
INCREASING = (
    *("exp", "log", "sqrt", "sinh", "tangent", "atan", "asinh", "erf", "expm1", "log1p", "logistic", "softplus"),
    *("sign", "Heaviside"),
)


@lru_cache(maxsize=1024)
def interval_function(source: str) -> Callable[[Interval], Interval]:
    """Compile Python source, an expression in x that calls the functions of this module.

    Examples
    --------
    >>> low, high = interval_function("times(x, x)")((np.array([-1.0]), np.array([2.0])))
    >>> print(low.round(6), high.round(6))
    [-2.] [4.]
    """
    compiled = eval(f"lambda x: {source}", {"__builtins__": {}, **NAMES})

    def bounds(at: Interval) -> Interval:
        with np.errstate(all="ignore"):
            found: Interval = compiled(at)
        return found

    return bounds


def exactly(x: Interval, value: float) -> Interval:
    """Return a number that is a float, of the shape of x."""
    full = np.full(x[0].shape, value)
    return full, full


def about(x: Interval, value: float) -> Interval:
    """Return a number that has been rounded, of the shape of x."""
    return wider(*exactly(x, value))


def wider(low: FloatArray, high: FloatArray) -> Interval:
    """Move the ends outwards; a NaN becomes unbounded, and an overflow lies beyond the largest number."""
    low = np.where(np.isnan(low), -np.inf, np.minimum(low, LARGEST))
    high = np.where(np.isnan(high), np.inf, np.maximum(high, -LARGEST))
    return low - WIDER * np.abs(low) - TINY, high + WIDER * np.abs(high) + TINY


def product(a: Interval, b: Interval) -> Interval:
    """Return the bounds of a b."""
    products = [np.where((p == 0.0) | (q == 0.0), 0.0, p * q) for p in a for q in b]  # 0 times unbounded is 0
    low, high = np.minimum.reduce(products), np.maximum.reduce(products)
    return wider(low, high)


def plus(*parts: Interval) -> Interval:
    """Return the bounds of a sum."""
    total = parts[0]
    for part in parts[1:]:
        total = wider(total[0] + part[0], total[1] + part[1])
    return total


def times(*parts: Interval) -> Interval:
    """Return the bounds of a product."""
    total = parts[0]
    for part in parts[1:]:
        total = product(total, part)
    return total


def maximum(*parts: Interval) -> Interval:
    """Return the bounds of the largest."""
    return np.maximum.reduce([part[0] for part in parts]), np.maximum.reduce([part[1] for part in parts])


def minimum(*parts: Interval) -> Interval:
    """Return the bounds of the smallest."""
    return np.minimum.reduce([part[0] for part in parts]), np.minimum.reduce([part[1] for part in parts])


def power(u: Interval, exponent: float) -> Interval:
    """Return the bounds of a power; an exponent that is whole is an int."""
    size = abs(float(exponent))
    if isinstance(exponent, int) and exponent % 2 == 0:
        near = np.where((u[0] <= 0.0) & (u[1] >= 0.0), 0.0, np.minimum(np.abs(u[0]), np.abs(u[1])))
        low, high = near**size, np.maximum(np.abs(u[0]), np.abs(u[1])) ** size
    elif isinstance(exponent, int):
        low, high = np.copysign(np.abs(u[0]) ** size, u[0]), np.copysign(np.abs(u[1]) ** size, u[1])
    else:
        low, high = np.maximum(u[0], 0.0) ** size, np.maximum(u[1], 0.0) ** size
    low, high = wider(low, high)
    if exponent > 0.0:
        return low, high
    across = (low <= 0.0) & (high >= 0.0)
    return np.where(across, -np.inf, wider(1.0 / high, high)[0]), np.where(across, np.inf, wider(low, 1.0 / low)[1])


def choice(x: Interval, *branches: tuple[Interval, Condition]) -> Interval:
    """Return the hull of the bounds of all branches that may be active, of the shape of x."""
    low, high = np.full(x[0].shape, np.inf), np.full(x[0].shape, -np.inf)
    left = np.ones(x[0].shape, dtype=bool)  # whether no earlier branch is certainly active
    for found, (may, must) in branches:
        taken = left & may
        low, high = np.where(taken, np.minimum(low, found[0]), low), np.where(taken, np.maximum(high, found[1]), high)
        left &= ~must
    return low, high


def exceeds(greater: Interval, less: Interval) -> Condition:
    """Return the condition that one expression is at least as large as another."""
    return greater[1] >= less[0], greater[0] > less[1]


def every(*parts: Condition) -> Condition:
    """Return the condition that all hold."""
    return np.logical_and.reduce([part[0] for part in parts]), np.logical_and.reduce([part[1] for part in parts])


def some(*parts: Condition) -> Condition:
    """Return the condition that one holds."""
    return np.logical_or.reduce([part[0] for part in parts]), np.logical_or.reduce([part[1] for part in parts])


def always(x: Interval) -> Condition:
    """Return the condition that holds everywhere, of the shape of x."""
    return np.full(x[0].shape, True), np.full(x[0].shape, True)


def function(name: str, u: Interval) -> Interval:
    """Return the bounds of a function of one variable, which are infinite unless it is known."""
    if name in INCREASING:
        values: Callable[[FloatArray], FloatArray] = NUMPY_NAMES[name]
        floor = {"log": 0.0, "sqrt": 0.0, "log1p": -1.0}.get(name, -np.inf)
        return wider(values(np.maximum(u[0], floor)), values(np.maximum(u[1], floor)))
    if name == "complement":
        return wider(special.erfc(u[1]), special.erfc(u[0]))
    if name in ("Abs", "cosh"):
        near = np.where((u[0] <= 0.0) & (u[1] >= 0.0), 0.0, np.minimum(np.abs(u[0]), np.abs(u[1])))
        far = np.maximum(np.abs(u[0]), np.abs(u[1]))
        return (near, far) if name == "Abs" else wider(np.cosh(near), np.cosh(far))
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


NAMES: dict[str, Any] = {
    one.__name__: one
    for one in (exactly, about, plus, times, maximum, minimum, power, choice, exceeds, every, some, always, function)
}
"""The functions that a source may call."""
