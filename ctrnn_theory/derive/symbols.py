"""The symbols that every derivation shares.

They carry no assumptions, so that ``expression.subs("w", 0)`` finds them by name. A derivation that needs σ > 0 or
real numbers works in symbols of its own with these names, and hands its result through :func:`plain`.
"""

from __future__ import annotations

from typing import Any

from sympy import Basic, Symbol, symbols

from ctrnn_theory.support.arguments import integer, shown

w, b, gamma = symbols("w b gamma")
sigma, sigma_in, sigma_out = symbols("sigma sigma_in sigma_out")
a = Symbol("a")
"""Pre-activation a* = w h* + b of the noise-free fixed point."""
s = Symbol("s")
"""Width of a Gaussian smoothing."""
V = Symbol("V")
"""Stationary variance of h."""


def f(order: int) -> Any:
    """Symbol of the derivative of the activation at a*: f1, f2, ...; f0 is f(a*) = h*.

    Examples
    --------
    >>> f(2)
    f2
    """
    return Symbol(f"f{integer('order', order)}")


def check_site(site: Any) -> None:
    """Raise a ValueError unless noise has such a site here."""
    if not isinstance(site, str) or site not in ("in", "out"):
        raise ValueError(f'site must be "in" or "out"; got {shown(site)}')


def plain(expression: Any) -> Any:
    """Return the expression with every symbol replaced by the one of that name without assumptions.

    Examples
    --------
    >>> plain(Symbol("w", positive=True)) == w
    True
    """
    if not isinstance(expression, Basic):
        return expression
    return expression.xreplace({x: Symbol(x.name) for x in expression.atoms(Symbol)})
