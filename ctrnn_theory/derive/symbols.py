"""The symbols that every derivation shares.

They carry no assumptions, so that ``expression.subs("w", 0)`` finds them by name. A derivation that needs σ > 0 or
real numbers works in symbols of its own with the same names, and passes its result through :func:`plain`.
"""

from __future__ import annotations

from typing import Any, Literal

from sympy import Basic, Symbol, symbols

from ctrnn_theory.support.arguments import integer, shown

Site = Literal["inside", "outside"]
SITES: dict[str, Site] = {"inside": "inside", "outside": "outside", "in": "inside", "out": "outside"}
w, b, gamma = symbols("w b gamma")
sigma, sigma_in, sigma_out = symbols("sigma sigma_in sigma_out")
g, g_in, g_out = symbols("g g_in g_out")
"""Relative standard deviations of multiplicative noise."""
rho, rho_in, rho_out = symbols("rho rho_in rho_out")
"""Correlations of coloured noise from one step to the next."""
a = Symbol("a")
"""Pre-activation a* = w h* + b of the noise-free fixed point."""
s = Symbol("s")
"""Standard deviation of the Gaussian by which an activation is smoothed."""
V = Symbol("V")
"""Stationary variance of h."""


def f(order: int) -> Any:
    """Return the symbol of a derivative of the activation at a*: f1, f2, ...; f0 is f(a*) = h*.

    Examples
    --------
    >>> f(2)
    f2
    """
    return Symbol(f"f{integer('order', order)}")


def as_site(site: Any) -> Site:
    """Return the site of the noise, "inside" or "outside"; "in" and "out", its names in earlier versions, also work.

    Examples
    --------
    >>> as_site("out")
    'outside'
    """
    if isinstance(site, str) and site in SITES:
        return SITES[site]
    raise ValueError(f'site must be "inside" or "outside"; got {shown(site)}')


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
