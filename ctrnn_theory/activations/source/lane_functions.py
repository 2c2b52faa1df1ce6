"""The functions of one float that the code of an activation calls in Numba, by name."""

from __future__ import annotations

import math
from typing import Any

from ctrnn_theory.numerics.vector_math import error_function, logarithms, primitives

NAMES: dict[str, Any] = {
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "atan": math.atan,
    "asinh": math.asinh,
    "Abs": abs,
    "log": logarithms.log,
    "log1p": logarithms.log1p,
    "power": logarithms.power,
    "erf": error_function.erf,
    "complement": error_function.complement,
    "Heaviside": primitives.heaviside,
} | {
    name: getattr(primitives, name)
    for name in (
        *("exp", "expm1", "sinh", "cosh", "tangent", "logistic", "softplus"),
        *("sign", "maximum", "minimum", "select"),
    )
}
