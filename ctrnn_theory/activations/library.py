"""The built-in activations, each of them one expression from which all else follows."""

from __future__ import annotations

from dataclasses import dataclass

from ctrnn_theory.support.registry import Registry


@dataclass(frozen=True)
class Builtin:
    """A built-in activation."""

    name: str
    """Name by which it is chosen."""
    text: str
    """Its expression in x."""
    about: str
    """A few words on it."""

    @property
    def summary(self) -> str:
        """Expression and description in a line."""
        return f"{self.text}: {self.about}"


BUILTIN: Registry[Builtin] = Registry(
    "activation",
    [
        Builtin("identity", "x", "linear: noise shifts nothing"),
        Builtin("relu", "Max(0, x)", "threshold-linear"),
        Builtin("leaky_relu", "Max(x/100, x)", "threshold-linear, slope 0.01 below the threshold"),
        Builtin("relu2", "Max(0, x)**2", "threshold-quadratic"),
        Builtin("elu", "Piecewise((exp(x) - 1, x < 0), (x, True))", "linear above zero, saturating at -1 below"),
        Builtin("gelu", "x*erfc(-x/sqrt(2))/2", "x times the normal distribution function"),
        Builtin("silu", "x/(1 + exp(-x))", "x times the logistic function"),
        Builtin("softplus", "log(1 + exp(x))", "smooth threshold-linear"),
        Builtin("sigmoid", "1/(1 + exp(-x))", "logistic function, from 0 to 1"),
        Builtin("tanh", "tanh(x)", "hyperbolic tangent, from -1 to 1"),
        Builtin("hardtanh", "Max(-1, Min(1, x))", "linear, cut at -1 and 1"),
        Builtin("retanh", "Max(0, tanh(x))", "rectified hyperbolic tangent"),
        Builtin("erf", "erf(x)", "error function, from -1 to 1"),
        Builtin("probit", "erfc(-x/sqrt(2))/2", "normal distribution function, from 0 to 1"),
        Builtin("sin", "sin(x)", "sine"),
        Builtin("step", "Heaviside(x)", "0 below zero, 1 above"),
    ],
)
"""The built-in activations by name."""
