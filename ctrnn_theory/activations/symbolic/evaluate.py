"""Expressions as functions of NumPy arrays and of mpmath numbers, and the Python source that they are compiled from.

The source comes from SymPy's printer, for expressions that have passed the whitelist.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import mpmath
import sympy as sp

from ctrnn_theory.activations.source.arrays import array_function
from ctrnn_theory.activations.symbolic.parse import x
from ctrnn_theory.activations.symbolic.printing import TextPrinter
from ctrnn_theory.activations.symbolic.stable_forms import elementary
from ctrnn_theory.support.types import FloatArray

DIGITS = 50  # number of digits of the evaluation with mpmath
BOUND = 1e100  # largest argument that functions of mpmath are called with


def precise(expression: Any, t: Any) -> Any:
    """Return the value at t to the working precision of mpmath, or NaN where there is none."""
    if expression.has(sp.zoo, sp.nan, sp.oo):
        return mpmath.nan
    try:
        return mpmath.mpmathify(mpmath_function(expression)(t))
    except (ArithmeticError, ValueError):
        return mpmath.nan


def _bounded(function: Callable[[Any], Any], below: Any, above: Any) -> Callable[[Any], Any]:
    """Bound the argument by ±BOUND: mpmath never overflows, and would compute exp(exp(1e12)) until memory ends."""

    def bounded(u: Any) -> Any:
        if abs(u) <= BOUND:
            return function(u)
        return above if mpmath.re(u) > 0 else below

    return bounded


BOUNDED_NAMES = {
    "bounded_exp": _bounded(mpmath.exp, mpmath.mpf(0), mpmath.inf),
    "sinh": _bounded(mpmath.sinh, -mpmath.inf, mpmath.inf),
    "cosh": _bounded(mpmath.cosh, mpmath.inf, mpmath.inf),
    "tanh": _bounded(mpmath.tanh, mpmath.mpf(-1), mpmath.mpf(1)),
    "erf": _bounded(mpmath.erf, mpmath.mpf(-1), mpmath.mpf(1)),
    "erfc": _bounded(mpmath.erfc, mpmath.mpf(2), mpmath.mpf(0)),
    "sin": _bounded(mpmath.sin, mpmath.nan, mpmath.nan),
    "cos": _bounded(mpmath.cos, mpmath.nan, mpmath.nan),
}


class _CodePrinter(TextPrinter):
    """Print Python for one value: constants as decimals, choices as calls."""

    def _print(self, expr: Any, **kwargs: Any) -> str:
        if isinstance(expr, sp.Expr) and expr.is_number:
            value = float(expr)
            return repr(value) if value >= 0 else f"({value!r})"
        return str(super()._print(expr, **kwargs))

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        base, exponent = expr.args
        if exponent.is_negative:
            return f"(1.0/{self._print_Pow(sp.Pow(base, -exponent, evaluate=False))})"
        if exponent == 1 or exponent == sp.Rational(1, 2):
            return f"sqrt({self._print(base)})" if exponent != 1 else f"({self._print(base)})"
        written = f"({self._print(base)})"
        if exponent.is_Integer:  # a whole exponent stays whole: x**2 is then x*x
            return f"{written}**{exponent}"
        whole = exponent - sp.Rational(1, 2)
        if whole.is_Integer and not base.has(sp.Function):
            return f"{written}{'' if whole == 1 else f'**{whole}'}*sqrt({written})"
        return (
            f"power({written}, {self._print(exponent)})"
            if exponent.is_number
            else f"{written}**({self._print(exponent)})"
        )

    def _print_Symbol(self, expr: Any) -> str:
        return str(expr)

    def _print_Mul(self, expr: Any) -> str:
        number, rest = expr.as_independent(x, as_Add=False) if expr.has(x) else (sp.Integer(1), expr)
        if number == 1:
            return str(super()._print_Mul(expr))
        if number == -1:
            return f"(-({self._print(rest)}))"
        if number.is_Rational and number.p == 1:  # x/3, not x*0.333: one rounding instead of two
            return f"({self._print(rest)})/{self._print(sp.Integer(number.q))}"
        return f"{self._print(number)}*({self._print(rest)})"

    def _nested(self, name: str, expr: Any) -> str:
        # a constant goes first, so that `a if a > b else b` returns a NaN of b
        parts = [self._print(part) for part in sorted(expr.args, key=lambda e: not e.is_number)]
        text = parts[-1]
        for part in reversed(parts[:-1]):
            text = f"{name}({part}, {text})"
        return text

    def _print_Max(self, expr: Any) -> str:
        return self._nested("maximum", expr)

    def _print_Min(self, expr: Any) -> str:
        return self._nested("minimum", expr)

    def _print_Piecewise(self, expr: Any) -> str:
        text = self._print(expr.args[-1].expr)
        for value, condition in reversed(expr.args[:-1]):
            text = f"select({self._print(condition)}, {self._print(value)}, {text})"
        return text


def source(expression: Any) -> str:
    """Return the Python source of a stable expression, as one expression in ``x``."""
    return str(_CodePrinter().doprint(expression))


@lru_cache(maxsize=1024)
def numpy_function(expression: Any) -> Callable[[FloatArray], Any]:
    """Compile a stable expression in x to a function of NumPy arrays.

    Examples
    --------
    >>> import numpy as np
    >>> numpy_function(sp.Max(0, x))(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return array_function(source(expression))


@lru_cache(maxsize=1024)
def mpmath_function(expression: Any) -> Callable[[Any], Any]:
    """Compile an expression in x to a function of mpmath numbers, at the working precision."""
    written = elementary(expression).replace(
        lambda e: isinstance(e, sp.exp) or (e.is_Pow and e.exp.has(x)),
        lambda e: sp.Function("bounded_exp")(e.args[0] if isinstance(e, sp.exp) else e.exp * sp.log(e.base)),
    )
    return sp.lambdify(x, written, [BOUNDED_NAMES, "mpmath"])
