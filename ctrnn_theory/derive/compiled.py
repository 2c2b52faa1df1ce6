"""Formulas as functions of NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
import scipy.special
import sympy

from ctrnn_theory.support.floating import guarded


@lru_cache(maxsize=64)
def compiled(expression: Any, arguments: tuple[Any, ...]) -> Callable[..., Any]:
    """Return a function of the arguments that evaluates an expression; it is compiled once.

    Examples
    --------
    >>> print(compiled(sympy.hyper((1,), (), sympy.Symbol("x")), (sympy.Symbol("x"),))(0.5))      # 1/(1 - x)
    2.0
    """
    if isinstance(expression, sympy.Basic) and expression.has(sympy.gamma):
        expression = expression.replace(sympy.gamma, sympy.Function("Gamma"))  # gamma is the name of the symbol γ
    special = {"hyper": _hypergeometric, "Gamma": scipy.special.gamma}
    function: Callable[..., Any] = guarded(sympy.lambdify(arguments, expression, modules=[special, "numpy"], cse=True))
    return function


def _hypergeometric(upper: Sequence[Any], lower: Sequence[Any], x: Any) -> Any:
    """Evaluate SymPy's hyper, which NumPy has not, for parameters and an argument that broadcast."""
    few, count = len(upper), len(upper) + len(lower)
    each = np.frompyfunc(lambda *v: float(mpmath.hyper(v[:few], v[few:count], v[count])), count + 1, 1)
    return np.asarray(each(*upper, *lower, x), dtype=np.float64)[()]
