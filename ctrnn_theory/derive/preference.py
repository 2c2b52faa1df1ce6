"""The noise level at which a trained readout of one neuron has its lowest loss, from bias and variance.

A readout r h + const, whose constant was fitted at noise σ_t, is tested at σ. Its squared error is the squared shift of
the mean plus the variance: L(σ) = r² (δ(σ) - δ(σ_t))² + r² V(σ) + const.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, Literal

import sympy as sp

from ctrnn_theory.derive import small_noise
from ctrnn_theory.derive.derivation import Derivation, remembered
from ctrnn_theory.derive.expansion import terms
from ctrnn_theory.derive.symbols import Site, as_site, sigma
from ctrnn_theory.support.arguments import choice, shown

Quantity = Literal["level", "critical", "loss", "K", "nu"]
QUANTITIES = {"level": "sigma_pref", "critical": "sigma_c", "loss": "L", "K": "K", "nu": "nu"}
r, sigma_t = sp.symbols("r sigma_t")
kappa, kappa_4, v, v_4, K, nu = sp.symbols("kappa kappa_4 v v_4 K nu")
X, T, epsilon = sp.symbols("X T epsilon")  # σ², σ_t², and a parameter that marks the order
ASSUMPTIONS = (
    "one neuron at one input has the readout r h + const, whose constant was fitted at σ_t",
    "the bias κ σ² + κ_4 σ⁴ and the variance v σ² + v_4 σ⁴ are those of the small-noise expansion, as it assumes",
    "κ is not 0; σ_t² is small, and so is σ_c² = v/(2κ²)",
)
REACH = {
    "inside": "the noise is inside: σ_c² is of order γ, so that a readout trained with enough noise prefers noise",
    "outside": "the noise is outside: σ_c² is of order 1/γ, beyond the expansion, so that no preference is expected",
}


def preferred_noise(quantity: Quantity = "level", site: Site = "inside", order: int = 2) -> Any:
    """Return the noise level at which the loss of a trained readout is lowest, for one neuron at one input.

    To order two, with bias κ σ², variance v σ², K = (r κ)² and ν = r² v::

        L(σ) = K (σ² - σ_t²)² + ν σ²,   σ_pref² = max(0, σ_t² - ν/(2K)),   σ_c² = ν/(2K)

    Parameters
    ----------
    quantity
        "level" is σ_pref; "critical" is σ_c, the training noise above which noise is preferred at all; "loss" is L(σ)
        without its constant; "K" and "nu" are K and ν.
    site
        "inside" or "outside" the activation, where the noise is.
    order
        2, or 4 for bias and variance to order σ⁴.

    Returns
    -------
    sympy.Expr
        An expression in w, gamma, f1, f2 (and f3, f4), sigma_t, sigma, and the weight r of the readout, which cancels
        from the levels.

    Raises
    ------
    ValueError
        If there is no such quantity, site or order.

    Examples
    --------
    >>> preferred_noise("critical", "inside").subs("w", 0)
    sqrt(2)*sqrt(f1**2*gamma/(f2**2*(2 - gamma)))
    >>> neuron = {"w": -1, "f1": 0.5, "f2": 0.25}
    >>> for site in ("inside", "outside"):
    ...     print(preferred_noise("critical", site).subs(neuron).subs("gamma", 0.01).evalf(3))
    0.246
    146.
    """
    return describe(quantity, site, order).explicit


@remembered
def describe(quantity: Quantity = "level", site: Site = "inside", order: int = 2) -> Derivation:
    """Return the derivation of :func:`preferred_noise` with its assumptions."""
    choice("quantity", quantity, QUANTITIES)
    if type(order) is not int or order not in (2, 4):
        raise ValueError(f"order must be 2 or 4; got {shown(order)}")
    site = as_site(site)
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
    """Return L = r² (δ(X) - δ(T))² + r² V(X), in X = σ² and T = σ_t²."""
    if order == 2:
        return K * (X - T) ** 2 + nu * X
    moved = kappa * (X - T) + kappa_4 * (X**2 - T**2)
    return r**2 * (moved**2 + v * X + v_4 * X**2)


@cache
def _levels() -> dict[int, tuple[Any, Any]]:
    """Return σ_pref² and σ_c² for orders two and four: the zero of L', and the T at which L'(0) = 0.

    With X, T and v/κ² of order ε, the σ⁴ terms correct the loss, and the place of its minimum, by a factor of order ε.
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
