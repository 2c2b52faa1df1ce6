"""Numerical values of the kink formulas: the equations of the composite, solved for an activation.

The equations are taken from :mod:`ctrnn_theory.derive.kinks` and compiled; none is written out again here.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
from scipy.special import erfcx

from ctrnn_theory.activations import Activation, activation
from ctrnn_theory.derive import kinks, symbols
from ctrnn_theory.derive.symbols import Site, as_site
from ctrnn_theory.support.arguments import finite_number, probability, real_number

ROUNDS = 1000  # most Newton steps


class Neuron(NamedTuple):
    """One neuron at its fixed point, and the breakpoint of f nearest to it."""

    A: float
    w: float
    gamma: float
    sigma: float
    d: float
    Delta: float
    J: float


def kink_bias_value(
    f: Activation | str | Any, a: float, w: float, gamma: float, sigma: float, site: Site = "inside"
) -> float:
    """Return the value of the composite :func:`~ctrnn_theory.derive.kinks.kink_bias` for the breakpoint nearest to a*.

    Parameters
    ----------
    f
        An activation as :func:`~ctrnn_theory.activation` takes it. Without a breakpoint only the outer formula
        remains; for noise inside it keeps δ on its right-hand side, and so follows large shifts.
    a
        Pre-activation a* = w h* + b of the fixed point h* = f(a*).
    w, gamma, sigma
        Self-connection, step over time constant, and standard deviation of the noise per step.
    site
        "inside" or "outside" the activation, where the noise is.

    Raises
    ------
    ValueError
        If σ is not positive, the value of f jumps at the breakpoint, the step is not stable on both sides of it, or
        the equations have no solution near the fixed point.

    Examples
    --------
    >>> round(kink_bias_value("relu", a=0.2, w=0.5, gamma=0.1, sigma=0.5), 4)                 # exactly 0.17704
    0.177
    >>> round(kink_bias_value("relu", a=0.2, w=0.5, gamma=0.1, sigma=0.5, site="outside"), 6)  # exactly 0.000266
    0.000266
    """
    act = activation(f)
    a, w, gamma = finite_number("a", a), finite_number("w", w), probability("gamma", gamma)
    sigma = real_number("sigma", sigma, "be positive")
    if not 0.0 < sigma < math.inf:
        raise ValueError(f"sigma must be positive; got {sigma}")
    site = as_site(site)
    k, d, Delta, J = _nearest(act, a)
    neuron = Neuron(a - k, w, gamma, sigma, d, Delta, J)
    return _outside(act, a, neuron) if site == "outside" else _inside(act, a, neuron)


def _nearest(act: Activation, a: float) -> tuple[float, float, float, float]:
    """Return the breakpoint nearest to a, and d, Δ and J there."""
    if not act.breakpoints:
        return a, float(act.derivative(a)), 0.0, 0.0
    place = min(range(len(act.breakpoints)), key=lambda i: abs(a - act.breakpoints[i]))
    k = act.breakpoints[place]
    found = {kink.location: kink for kink in act.kinks}
    if k in found and found[k].value_jump:
        raise ValueError(f"f must be continuous at the kink nearest to a; got {act.text!r}, which jumps at {k:g}")
    left, right = act.pieces[place], act.pieces[place + 1]
    slope_jump = found[k].slope_jump if k in found else 0.0
    return k, left.limit(k, 1), slope_jump, right.limit(k, 2) - left.limit(k, 2)


def _inside(act: Activation, a: float, neuron: Neuron) -> float:
    """Solve for δ by Newton's method with the slope 1 - w F1 = (1 - R)/γ, and update V and κ_3 along with it."""
    equations, gamma, w = _equations(), neuron.gamma, neuron.w
    state = np.zeros(3)
    scale = (abs(a) + abs(neuron.A) + neuron.sigma) ** np.arange(1.0, 4.0)  # size of rounding errors in δ, V, κ_3
    for _ in range(ROUNDS):
        at = a + w * state[0]
        values = (act(at), act(a), act.derivative(at), act.derivative(at, 2))
        *right, R = equations(*state, *neuron, *map(float, values))
        if not -1.0 < R < 1.0:
            raise ValueError(f"w must leave the fixed point stable; got {w}, where the step's slope is {R:.6g}")
        step = np.array(right) - state
        step[:2] /= (1.0 - R) / gamma, 1.0 - R**2
        state += step
        if np.all(np.abs(step) <= 1e-15 * scale):
            return float(state[0])
    raise ValueError(f"a must allow a solution near it; got {a}, where the last step was {step[0]:.2g} in δ")


def _outside(act: Activation, a: float, neuron: Neuron) -> float:
    tail, inner, outer = _formulas_outside()
    w, gamma, slopes = neuron.w, neuron.gamma, (neuron.d, neuron.d + neuron.Delta)
    if w == 0.0:
        return 0.0
    rates = [1.0 - w * slope for slope in slopes]
    if not all(0.0 < gamma * rate < 2.0 for rate in rates):
        raise ValueError(f"w must pull the state back on either side of the kink; got {w}, with slopes {slopes}")
    smooth = float(outer(w, gamma, neuron.sigma, act.derivative(a), act.derivative(a, 2)))
    if math.sqrt(gamma) * neuron.sigma * abs(w) < 1e-50 * abs(
        neuron.A
    ):  # the kink is out of reach, and squares would overflow
        return smooth
    u_o = tail(*neuron[:6])
    return smooth + float(inner(*neuron[:6], math.sqrt(math.pi / 2) * erfcx(u_o / math.sqrt(2))))


@cache
def _equations() -> Any:
    """Compile the right-hand sides of the composite's equations for δ, V and κ_3, and R."""
    composite = kinks.describe("composite", "inside")
    names = sp.symbols("f_x f_a f1_x f2_x")
    functions = (kinks.f(kinks.x), kinks.f(symbols.a), kinks.slope(kinks.x), kinks.bend(kinks.x))
    known = dict(zip(functions, names, strict=True))
    right = [composite.expression.rhs, *(composite.definitions[name].rhs for name in ("V", "kappa_3")), kinks.R]
    for name, value in composite.definitions.items():
        if name not in ("V", "kappa_3", "x"):
            right = [part.xreplace(known).subs(sp.Symbol(name), value.xreplace(known)) for part in right]
    return sp.lambdify((kinks.delta, symbols.V, kinks.kappa_3, *_arguments(), *names), right, cse=True)


@cache
def _formulas_outside() -> tuple[Any, Any, Any]:
    """Compile u_o, the inner formula with m(u_o) as an argument, since it would overflow, and the outer formula."""
    inner = kinks.describe("inner", "outside")
    rest = {name: value for name, value in inner.definitions.items() if name != "m_o"}
    tail, shift = (
        replace(inner, expression=e, definitions=rest).explicit for e in (sp.Symbol("u_o"), inner.expression)
    )
    around = (symbols.w, symbols.gamma, symbols.sigma, symbols.f(1), symbols.f(2))
    return (
        sp.lambdify(_arguments()[:6], tail, cse=True),
        sp.lambdify((*_arguments()[:6], sp.Symbol("m_o")), shift, cse=True),
        sp.lambdify(around, kinks.kink_bias("outer", "outside"), cse=True),
    )


def _arguments() -> tuple[Any, ...]:
    return tuple(sp.Symbol(name) for name in Neuron._fields)
