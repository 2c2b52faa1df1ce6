"""SymPy to Python source that computes bounds of an expression, in the functions of ``intervals``."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sympy as sp

from ctrnn_theory.activations.symbolic.parse import x

NAMES = ((sp.Add, "plus"), (sp.Mul, "times"), (sp.Max, "maximum"), (sp.Min, "minimum"))
JOINED = ((sp.And, "every"), (sp.Or, "some"))


@lru_cache(maxsize=1024)
def interval_source(expression: Any) -> str:
    """Return Python source, an expression in x, of the bounds of a stable expression.

    Examples
    --------
    >>> interval_source(sp.sin(x) ** 2 / 3)
    "times(about(x, 0.3333333333333333), power(function('sin', x), 2))"
    """
    if not expression.free_symbols:
        return f"{'exactly' if expression.is_Integer else 'about'}(x, {float(expression)!r})"
    if expression == x:
        return "x"
    if expression.is_Pow:
        return _power(*expression.args)
    if isinstance(expression, sp.Piecewise):
        branches = (f"({interval_source(value)}, {_condition(condition)})" for value, condition in expression.args)
        return f"choice(x, {', '.join(branches)})"
    parts = ", ".join(map(interval_source, expression.args))
    for kind, name in NAMES:
        if isinstance(expression, kind):
            return f"{name}({parts})"
    return f"function({expression.func.__name__!r}, {interval_source(expression.args[0])})"


def _power(base: Any, exponent: Any) -> str:
    if exponent.free_symbols:  # the base is a positive number
        return f"function('exp', times({interval_source(sp.log(base))}, {interval_source(exponent)}))"
    return f"power({interval_source(base)}, {int(exponent) if exponent.is_Integer else float(exponent)!r})"


def _condition(condition: Any) -> str:
    if condition == sp.true:
        return "always(x)"
    for kind, name in JOINED:
        if isinstance(condition, kind):
            return f"{name}({', '.join(map(_condition, condition.args))})"
    return f"exceeds({interval_source(condition.gts)}, {interval_source(condition.lts)})"
