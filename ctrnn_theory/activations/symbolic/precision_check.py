"""Whether double precision evaluates an expression right, plainly or in extended range, compared with 50 digits.

The arguments reach from 1e-300 to 1e12, farther than states and pre-activations go without divergence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from ctrnn_theory.activations.symbolic.branches import SWITCHING, resolve
from ctrnn_theory.activations.symbolic.evaluate import DIGITS, numpy_function, precise
from ctrnn_theory.activations.symbolic.extended_range import extended_range_function
from ctrnn_theory.activations.symbolic.parse import refuse, x
from ctrnn_theory.activations.symbolic.printing import to_text

SIZES = (
    *(1e-300, 1e-150, 1e-30, 1e-8, 1e-4, 0.017, 0.33, 0.71, 2.13, 3.9, 9.37, 12.4, 15.5, 17.3, 18.9, 20.6),
    *(21.4, 24.1, 27.3, 33.1, 61.9, 91.7, 98.3),
    *(151.0, 230.0, 345.0, 420.0, 560.0, 720.0, 760.0, 1100.0, 1.5e3, 3.3e3, 1e4, 4.4e4, 3e5, 2e6, 3e7, 1e9, 1e12),
)
WITNESSES = tuple(sorted([*SIZES, *(-size for size in SIZES)], key=abs))
CHECKED = 2  # largest order of a derivative that must be right
TOLERANCE = 1e-9  # error of the value, relative, or absolute where the value is below one
NEAR, LOOSE = 100.0, 1e-6  # for |x| up to 100, rounding the argument may excuse an error of at most 1e-6
SIDES = (-1, -0.71, -0.43, 0.37, 0.83, 1)
ROUNDING = 64 * 2.0**-53  # relative change of the argument that counts as its rounding


def needs_extended_range(form: Any, expression: Any, order: int, at: Sequence[float]) -> bool:
    """Return whether the order-th derivative is right in extended range alone.

    `form` is a stable form of the derivative of the smooth `expression`. Plain evaluation is preferred. It may be wrong
    by 1e-9 (relative to the value, or absolute), by as much as the value changes when the argument is rounded (1e-6 at
    most within ±100), or by the size of that rounding.

    Raises
    ------
    ValueError
        If neither evaluation is right at all points `at` where the value is a float.
    """
    points = np.array(at)
    truth = _Truth(expression, order)
    slack = 0.0 if order else ROUNDING  # the state is rounded by as much
    wrong = _wrong(numpy_function(form)(points), at, truth, slack)
    if wrong is None:
        return False
    wrong = _wrong(extended_range_function(form)(points), at, truth, slack)
    if wrong is None:
        return True
    what = ("value", "slope", "curvature")[order]
    rule = "must be computable in double precision"
    raise refuse(f"{rule}, and its {what} is not at x = {wrong:.6g}", to_text(expression))


class _Truth:
    """Values of a derivative to 50 digits, each of them computed once."""

    def __init__(self, expression: Any, order: int) -> None:
        self.expression, self.order = expression, order
        self.smooth = None if expression.has(*SWITCHING) else sp.diff(expression, x, order)
        self.known: dict[Any, Any] = {}

    def __call__(self, t: Any) -> Any:
        if t not in self.known:
            with mpmath.workdps(DIGITS):
                at, smooth = mpmath.mpf(t), self.smooth
                if smooth is None:
                    smooth = sp.diff(resolve(self.expression, at, []), x, self.order)
                self.known[t] = mpmath.re(precise(smooth, at))
        return self.known[t]


def _wrong(values: Any, at: Sequence[float], truth: Callable[[Any], Any], slack: float) -> float | None:
    """Return the point nearest to 0 where a value is wrong, or None; `slack` is an error relative to the argument."""
    for t, value in zip(at, np.broadcast_to(values, (len(at),)).tolist(), strict=True):
        exact = truth(t)
        if abs(exact) > np.finfo(float).max:
            if value != (np.inf if exact > 0 else -np.inf):
                return t
        elif not abs(value - exact) <= TOLERANCE * (1 + abs(exact)) + slack * abs(t):  # also for NaN
            with mpmath.workdps(DIGITS):
                moved = 2 * max(abs(truth(mpmath.mpf(t) * (1 + side * ROUNDING)) - exact) for side in SIDES)
            if not abs(value - exact) <= (moved if abs(t) > NEAR else min(moved, LOOSE * (1 + abs(exact)))):
                return t
    return None
