"""Expressions evaluated in extended-range arithmetic, so that nothing overflows on the way to a value.

In double precision ``log(cosh(x))`` overflows at x = 711, where it is 710.3, and so does any other function that has
parts larger than itself. The numbers of ``extended_range_numbers`` have an unbounded exponent. They are slower than
plain floats, and used only for the expressions that need them, which ``precision_check`` finds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import sympy as sp

from ctrnn_theory.activations.source.arrays import array_function
from ctrnn_theory.activations.source.extended_range_numbers import NOTHING
from ctrnn_theory.activations.symbolic.parse import x

RENAMED = {sp.Abs: "size", sp.Heaviside: "heaviside"}
PAIRS = ((sp.Add, "add"), (sp.Mul, "mul"), (sp.Max, "larger"), (sp.Min, "smaller"))


def extended_range_source(expression: Any) -> str:
    """Return Python source of a stable expression, in X, that calls ``extended_range_numbers``.

    Examples
    --------
    >>> extended_range_source(sp.log(sp.cosh(x)) / 2)
    'mul((0.5, 0.0), log(cosh(X)))'
    """
    if isinstance(expression, sp.Expr) and expression.is_number:
        m, e = math.frexp(float(expression))
        return f"({m!r}, {float(e) if m else NOTHING!r})"
    if expression == x:
        return "X"
    if expression.is_Pow:
        return _power(expression.args[0], expression.args[1])
    if isinstance(expression, sp.Piecewise):
        text = extended_range_source(expression.args[-1].expr)
        for value, condition in reversed(expression.args[:-1]):
            text = f"choose({extended_range_source(condition)}, {extended_range_source(value)}, {text})"
        return text
    parts = [extended_range_source(part) for part in expression.args]
    if isinstance(expression, sp.core.relational.Relational):
        strict = isinstance(expression, sp.StrictLessThan | sp.StrictGreaterThan)
        swapped = isinstance(expression, sp.StrictGreaterThan | sp.GreaterThan)
        return f"{'less' if strict else 'at_most'}({', '.join(parts[::-1] if swapped else parts)})"
    for kind, pair in PAIRS:
        if isinstance(expression, kind):
            return _folded(f"{pair}(%s, %s)", parts)
    if isinstance(expression, sp.And | sp.Or):
        return _folded(f"(%s {'&' if isinstance(expression, sp.And) else '|'} %s)", parts)
    return f"{RENAMED.get(expression.func, expression.func.__name__)}({', '.join(parts)})"


def _power(base: Any, exponent: Any) -> str:
    if not exponent.is_number:
        return f"exp({extended_range_source(exponent * sp.log(base))})"
    if exponent.is_negative:
        return f"div((0.5, 1.0), {extended_range_source(sp.Pow(base, -exponent, evaluate=False))})"
    return (
        extended_range_source(base) if exponent == 1 else f"power({extended_range_source(base)}, {float(exponent)!r})"
    )


def _folded(pair: str, parts: list[str]) -> str:
    """Join parts by halves, since a chain of many would be nested too deep for Python's parser."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return pair % (_folded(pair, parts[:half]), _folded(pair, parts[half:]))


@lru_cache(maxsize=256)
def extended_range_function(expression: Any) -> Callable[[Any], Any]:
    """Compile a stable expression in x to a function of arrays that is right wherever its value is a float.

    Examples
    --------
    >>> import numpy as np
    >>> extended_range_function(sp.log(sp.cosh(x)))(np.array([0.0, 993.0]))
    array([  0.        , 992.30685282])
    """
    return array_function(extended_range_source(expression), True)
