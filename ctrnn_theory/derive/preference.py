"""The noise level that a readout prefers, from bias and variance: theory of the paper's paradox for one neuron.

A readout r h + const, whose constant was fitted at noise σ_t, is tested at σ. Its squared error is the square of what
the mean has moved since, and the variance: L(σ) = r² (δ(σ) - δ(σ_t))² + r² V(σ) + const.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, Literal

import sympy as sp

from ctrnn_theory.derive import small_noise
from ctrnn_theory.derive.derivation import Derivation, remembered
from ctrnn_theory.derive.small_noise import terms
from ctrnn_theory.derive.symbols import check_site, sigma
from ctrnn_theory.support.arguments import choice, shown

Site = Literal["in", "out"]
Quantity = Literal["level", "critical", "loss", "K", "nu"]
QUANTITIES = {"level": "sigma_pref", "critical": "sigma_c", "loss": "L", "K": "K", "nu": "nu"}
r, sigma_t = sp.symbols("r sigma_t")
kappa, kappa_4, v, v_4, K, nu = sp.symbols("kappa kappa_4 v v_4 K nu")
X, T, epsilon = sp.symbols("X T epsilon")  # σ², σ_t², and what counts the order
ASSUMPTIONS = (
    "one neuron at one input, read out as r h + const, where the constant was fitted at σ_t",
    "bias κ σ² + κ_4 σ⁴, variance v σ² + v_4 σ⁴, from the small-noise expansion and on its assumptions",
    "κ is not 0; σ_t² is small, and so is σ_c² = v/(2κ²)",
)
REACH = {
    "in": "noise inside: σ_c² is of order γ, so that noise is preferred by what was trained with enough of it",
    "out": "noise outside: σ_c² is of order 1/γ, beyond the reach of the expansion: no preference is to be expected",
}


def preferred_noise(quantity: Quantity = "level", site: Site = "in", order: int = 2) -> Any:
    """Noise level at which the loss of a trained readout is least, for one neuron at one input.

    To order two, with bias κ σ², variance v σ², K = (r κ)² and ν = r² v::

        L(σ) = K (σ² - σ_t²)² + ν σ²,   σ_pref² = max(0, σ_t² - ν/(2K)),   σ_c² = ν/(2K)

    Parameters
    ----------
    quantity
        "level": σ_pref; "critical": σ_c, the training noise above which noise is preferred at all; "loss": L(σ) less
        its constant; "K" and "nu".
    site
        "in": noise inside the activation; "out": outside.
    order
        2, or 4 for the next term: bias and variance to order σ⁴.

    Returns
    -------
    sympy.Expr
        In w, gamma, f1, f2 (and f3, f4), sigma_t, sigma, and the readout's weight r, which cancels from the levels.

    Raises
    ------
    ValueError
        For another quantity, site or order.

    Examples
    --------
    >>> preferred_noise("critical", "in").subs("w", 0)
    sqrt(2)*sqrt(f1**2*gamma/(f2**2*(2 - gamma)))
    >>> neuron = {"w": -1, "f1": 0.5, "f2": 0.25}
    >>> for site in ("in", "out"):
    ...     print(preferred_noise("critical", site).subs(neuron).subs("gamma", 0.01).evalf(3))
    0.246
    146.
    """
    return describe(quantity, site, order).explicit


@remembered
def describe(quantity: Quantity = "level", site: Site = "in", order: int = 2) -> Derivation:
    """Return the derivation of :func:`preferred_noise` with what it assumes."""
    choice("quantity", quantity, QUANTITIES)
    if type(order) is not int or order not in (2, 4):
        raise ValueError(f"order must be 2 or 4; got {shown(order)}")
    check_site(site)
    level, critical = _levels()[order]
    expression, error = {
        "level": (sp.sqrt(sp.Max(0, level)), "O(σ_t³)" if order == 2 else "O(σ_t⁵)"),
        "critical": (sp.sqrt(critical), "O(γ^(3/2))" if order == 2 else "O(γ^(5/2))"),
        "loss": (_loss(order).subs(X, sigma**2).subs(T, sigma_t**2), ""),
        "K": (K, ""),
        "nu": (nu, ""),
    }[quantity]
    definitions = {"K": r**2 * kappa**2, "nu": r**2 * v}
    for name, quantity_name in ((kappa, "bias"), (v, "variance")):
        parts = terms(quantity_name, order, site)
        for part, symbol in zip(parts, (name, sp.Symbol(f"{name}_4")), strict=False):
            whole = replace(small_noise.describe(quantity_name, order, site), expression=part)
            definitions[str(symbol)] = whole.explicit.subs(sigma, 1)
    assumptions = (*ASSUMPTIONS, REACH[site])
    return Derivation("preferred_noise", QUANTITIES[quantity], expression, assumptions, error, definitions)


def _loss(order: int) -> Any:
    """L = r² (δ(X) - δ(T))² + r² V(X), in X = σ² and T = σ_t²."""
    if order == 2:
        return K * (X - T) ** 2 + nu * X
    moved = kappa * (X - T) + kappa_4 * (X**2 - T**2)
    return r**2 * (moved**2 + v * X + v_4 * X**2)


@cache
def _levels() -> dict[int, tuple[Any, Any]]:
    """σ_pref² and σ_c² for orders two and four: where L' = 0, and the T at which L'(0) = 0; σ⁴ terms are corrections.

    With X, T and v/κ² of order ε the next term of the loss is smaller by ε, and so is that of its minimum.
    """
    least = sp.solve(sp.diff(_loss(2), X), X)[0]
    threshold = sp.solve(least, T)[0]
    small = {kappa_4: epsilon * kappa_4, v_4: epsilon * v_4}
    slope = sp.diff(_loss(4).subs(small) / r**2, X)
    values = {K: r**2 * kappa**2, nu: r**2 * v}
    first, start = least.subs(values), threshold.subs(values)
    next_level = -(sp.diff(slope, epsilon) / sp.diff(slope, X)).subs(epsilon, 0).subs(X, first)
    at_zero = slope.subs(X, 0)
    next_start = -(sp.diff(at_zero, epsilon) / sp.diff(at_zero, T)).subs(epsilon, 0).subs(T, start)
    fourth = (first + sp.factor_terms(next_level)).subs(T, sigma_t**2), start + sp.factor(next_start)
    return {2: (least.subs(T, sigma_t**2), threshold), 4: fourth}
