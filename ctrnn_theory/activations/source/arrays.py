"""Functions of NumPy arrays, made of the Python source that ``evaluate`` and ``extended_range`` write."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from ctrnn_theory.activations.source.extended_range_numbers import FOR_ARRAYS, extended, ordinary
from ctrnn_theory.support.types import FloatArray

NUMPY_NAMES: dict[str, Any] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tangent": np.tanh,
    "atan": np.arctan,
    "asinh": np.arcsinh,
    "erf": special.erf,
    "complement": special.erfc,
    "expm1": np.expm1,
    "log1p": np.log1p,
    "logistic": special.expit,
    "softplus": lambda u: np.logaddexp(0.0, u),
    "sign": np.sign,
    "Abs": np.abs,
    "Heaviside": lambda u: np.heaviside(u, 0.5),
    "maximum": np.maximum,
    "minimum": np.minimum,
    "power": np.power,
    "select": np.where,
}


class Source(NamedTuple):
    """Python source of a function, an expression that is evaluated for arrays or compiled for lanes."""

    text: str
    """An expression in x, or in X where numbers have an extended range."""
    extended_range: bool = False
    """Whether it is computed in numbers of unbounded exponent; see ``extended_range``."""


@lru_cache(maxsize=1024)
def array_function(source: str, extended_range: bool = False) -> Callable[[FloatArray], Any]:
    """Compile Python source, an expression in x or in an extended-range X, to a function of NumPy arrays.

    Examples
    --------
    >>> array_function("maximum(0.0, x)")(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    names = FOR_ARRAYS if extended_range else NUMPY_NAMES
    compiled = eval(f"lambda {'X' if extended_range else 'x'}: {source}", {"__builtins__": {}, **names})

    def function(at: Any) -> Any:
        with np.errstate(all="ignore"):  # an overflow in a branch that is not taken does not matter
            if extended_range:
                return ordinary(compiled(extended(np.asarray(at, dtype=np.float64))))
            return compiled(at)

    return function
