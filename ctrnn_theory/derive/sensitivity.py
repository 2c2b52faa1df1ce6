"""Derivatives of the noise-induced bias in w, b, σ and γ, by the implicit function theorem.

F and C are the mean and variance of f(x), x ~ N(a, q), and subscripts denote derivatives. The heat equation turns every
∂/∂q into ∂/∂a: F_q = F_aa/2, and C_q = C_aa/2 + F_a² since it holds for E f² too.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import sympy as sp

from ctrnn_theory.activations import Activation, activation
from ctrnn_theory.derive import symbols
from ctrnn_theory.derive.derivation import Derivation, remembered
from ctrnn_theory.derive.symbols import V, b, gamma, sigma, sigma_out, w
from ctrnn_theory.support.arguments import choice, finite_number, nonnegative, probability

Method = Literal["mean_field", "gaussian_closure"]
PARAMETERS = ("w", "b", "sigma", "gamma")
METHODS = ("mean_field", "gaussian_closure")
m, h, f1 = sp.Symbol("m"), symbols.f(0), symbols.f(1)
F, F_a, F_aa, F_aaa, C, C_a, C_aa = sp.symbols("F F_a F_aa F_aaa C C_a C_aa")
SMOOTHED = {F: (F_a, F_aa / 2), F_a: (F_aa, F_aaa / 2), C: (C_a, C_aa / 2 + F_a**2)}
"""Functions of (a, q), each with its derivatives in a and in q."""


def sensitivity(parameter: str, method: Method = "mean_field") -> Any:
    """Return the derivative of the bias m - h* of one neuron with noise inside with respect to a parameter.

    Parameters
    ----------
    parameter
        Parameter with respect to which the bias is differentiated: "w", "b", "sigma" or "gamma".
    method
        Method that defines m: "mean_field", m = F(w m + b; σ), or "gaussian_closure", where m and the variance V
        solve two equations, which may contain noise outside too.

    Returns
    -------
    sympy.Expr
        An expression in w, gamma, sigma, sigma_out, f0 = h*, f1 = f'(a*), m, V, and the mean F and the variance C of
        f(w m + b + s ξ) with their derivatives in a, F_a, F_aa, ..., C_aa; s is σ for mean field and √(σ² + w² V) for
        the closure. :func:`sensitivity_value` evaluates it.

    Raises
    ------
    ValueError
        If there is no such parameter or method.

    Examples
    --------
    >>> sensitivity("sigma")
    F_aa*sigma/(-F_a*w + 1)
    >>> sensitivity("gamma")
    0
    """
    return describe(parameter, method).explicit


@remembered
def describe(parameter: str, method: Method = "mean_field") -> Derivation:
    """Return the derivation of :func:`sensitivity` with its abbreviations and its assumptions."""
    choice("parameter", parameter, PARAMETERS)
    if not isinstance(method, str) or method not in ("mean_field", "gaussian_closure"):
        raise ValueError(f'method must be "mean_field" or "gaussian_closure"; got {method!r}')
    theta = sp.Symbol(parameter)
    slope, force = _linear((h,), (sp.Symbol("f") - h,), {sp.Symbol("f"): (f1, 0)}, w * h + b, sp.S.Zero, theta)
    still = force[0] / slope[0, 0]
    definitions: dict[str, Any] = {}
    if method == "mean_field":
        slope, force = _linear((m,), (F - m,), SMOOTHED, w * m + b, sigma**2, theta)
        moved = force[0] / slope[0, 0]
    else:
        kept = (1 - gamma) ** 2 * V + 2 * gamma * (1 - gamma) * w * F_a * V
        closure = (F - m, kept + gamma**2 * (C + sigma_out**2) - V)
        slope, force = _linear((m, V), closure, SMOOTHED, w * m + b, sigma**2 + w**2 * V, theta)
        names = sp.Matrix(2, 2, sp.symbols("K_mm K_mV K_Vm K_VV")), sp.symbols("g_m g_V")
        moved = (names[1][0] * names[0][1, 1] - names[1][1] * names[0][0, 1]) / names[0].det()
        definitions = {str(name): sp.factor_terms(value) for name, value in zip(names[0], slope, strict=True)}
        definitions |= {str(name): sp.factor_terms(value) for name, value in zip(names[1], force, strict=True)}
    closed = method == "gaussian_closure"
    assumptions = (
        "one neuron, noise inside the activation" + (", and outside (σ_out), held fixed" if closed else ""),
        "F and C are mean and variance of f(a + s ξ), " + ("s² = σ² + w² V" if closed else "s = σ"),
        "F_a, F_aa, ... are their derivatives in a, at a = w m + b; f0 = h* and f1 = f'(a*)",
        "h* and " + ("(m, V) are" if closed else "m is") + " stable; f is differentiable at a*",
    )
    return Derivation(
        f"sensitivity_{method}", f"dbias/d{parameter}", moved - still, assumptions, definitions=definitions
    )


def _linear(
    unknowns: tuple[Any, ...], equations: tuple[Any, ...], functions: dict[Any, Any], a: Any, q: Any, theta: Any
) -> tuple[Any, Any]:
    """Return K = -∂G/∂(unknowns) and g = ∂G/∂θ of the equations G = 0; K times the derivatives of the unknowns is g."""

    def total(G: Any, t: Any) -> Any:
        chain = sp.diff(G, t)
        for function, (along_a, along_q) in functions.items():
            chain += sp.diff(G, function) * (along_a * sp.diff(a, t) + along_q * sp.diff(q, t))
        return chain

    matrix = sp.Matrix([[-total(G, unknown) for unknown in unknowns] for G in equations])
    return matrix, [total(G, theta) for G in equations]


def sensitivity_value(
    f: Activation | str | Any,
    parameter: str,
    method: Method = "mean_field",
    *,
    w: float,
    b: float,
    gamma: float,
    sigma: float,
    h: float,
    m: float,
    V: float = 0.0,
    sigma_out: float = 0.0,
) -> float:
    """Evaluate :func:`sensitivity` for a known fixed point h* and a known law (m, V) of the method.

    Parameters
    ----------
    f
        An activation as :func:`~ctrnn_theory.activation` takes it.
    parameter, method
        Parameter and method, as for :func:`sensitivity`.
    w, b, gamma, sigma, sigma_out
        Self-connection, bias vector's entry, step over time constant, and standard deviations of the noise per step.
    h, m, V
        Noise-free fixed point, and mean and variance of the law; only the closure uses the variance.

    Examples
    --------
    >>> law = {"w": 0.5, "b": 0.1, "gamma": 0.1, "sigma": 0.5, "h": 0.2, "m": 0.3691089}
    >>> round(sensitivity_value("relu", "sigma", **law), 4)
    0.5282
    """
    act, derivation = activation(f), describe(parameter, method)
    w, b, h, m = (finite_number(name, value) for name, value in (("w", w), ("b", b), ("h", h), ("m", m)))
    gamma = probability("gamma", gamma)
    sigma, V, sigma_out = nonnegative("sigma", sigma), nonnegative("V", V), nonnegative("sigma_out", sigma_out)
    width = np.sqrt(sigma**2 + (w**2 * V if method == "gaussian_closure" else 0.0))
    at = w * m + b
    smooth = [float(act.smoothed(at, width, order)) for order in range(4)]
    values = dict(zip(("F", "F_a", "F_aa", "F_aaa"), smooth, strict=True))
    if method == "gaussian_closure":
        square = activation(act.expression**2)
        Q_a, Q_aa = (float(square.smoothed(at, width, order)) for order in (1, 2))
        values |= {
            "C": float(act.smoothed_variance(at, width)),
            "C_a": Q_a - 2 * smooth[0] * smooth[1],
            "C_aa": Q_aa - 2 * smooth[1] ** 2 - 2 * smooth[0] * smooth[2],
        }
    values |= {"w": w, "b": b, "gamma": gamma, "sigma": sigma, "sigma_out": sigma_out, "m": m, "V": V}
    values |= {"f0": h, "f1": float(act.derivative(w * h + b))}
    names = tuple(derivation.symbols)
    return float(derivation.lambdified(*names)(*(values[name] for name in names))) if names else 0.0
