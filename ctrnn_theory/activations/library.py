"""The built-in activations, each of them one expression from which all else follows."""

from __future__ import annotations

from functools import cache
from typing import Any

from ctrnn_theory.activations.symbolic.parse import parse

EXPRESSIONS: dict[str, tuple[str, str]] = {
    "identity": ("x", "linear: noise shifts nothing"),
    "relu": ("Max(0, x)", "threshold-linear"),
    "leaky_relu": ("Max(x/100, x)", "threshold-linear, slope 0.01 below the threshold"),
    "relu2": ("Max(0, x)**2", "threshold-quadratic"),
    "elu": ("Piecewise((exp(x) - 1, x < 0), (x, True))", "linear above zero, saturating at -1 below"),
    "gelu": ("x*erfc(-x/sqrt(2))/2", "x times the normal distribution function"),
    "silu": ("x/(1 + exp(-x))", "x times the logistic function"),
    "softplus": ("log(1 + exp(x))", "smooth threshold-linear"),
    "sigmoid": ("1/(1 + exp(-x))", "logistic function, from 0 to 1"),
    "tanh": ("tanh(x)", "hyperbolic tangent, from -1 to 1"),
    "hardtanh": ("Max(-1, Min(1, x))", "linear, cut at -1 and 1"),
    "retanh": ("Max(0, tanh(x))", "rectified hyperbolic tangent"),
    "erf": ("erf(x)", "error function, from -1 to 1"),
    "probit": ("erfc(-x/sqrt(2))/2", "normal distribution function, from 0 to 1"),
    "sin": ("sin(x)", "sine"),
    "step": ("Heaviside(x)", "0 below zero, 1 above"),
}

BUILTIN: tuple[str, ...] = tuple(EXPRESSIONS)
"""Names of the built-in activations."""


def description(name: str) -> str:
    """Return one line about a built-in activation, for a listing.

    Examples
    --------
    >>> description("relu2")
    'Max(0, x)**2: threshold-quadratic'
    """
    return ": ".join(EXPRESSIONS[name])


@cache
def builtin_expressions() -> dict[str, Any]:
    """Return the SymPy expression of every built-in, by name."""
    return {name: parse(text) for name, (text, _) in EXPRESSIONS.items()}
