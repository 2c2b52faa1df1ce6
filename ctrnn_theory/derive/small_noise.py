"""Mean, variance and third cumulant of one neuron under weak noise, to any even order in σ."""

from __future__ import annotations

import operator
from dataclasses import replace
from functools import lru_cache, reduce
from typing import Any, Literal

import sympy
from sympy import QQ, Poly, Symbol, cyclotomic_poly

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations import activation as as_activation
from ctrnn_theory.derive import symbols
from ctrnn_theory.derive.derivation import Derivation, remembered
from ctrnn_theory.derive.hierarchy import cumulants, moments
from ctrnn_theory.support.arguments import choice, even_order

Site = symbols.Site | Literal["both"]
SITES = {"inside": "noise inside the activation", "outside": "noise outside", "both": "noise inside and outside"}
QUANTITIES = {"bias": "delta", "variance": "V", "third_cumulant": "kappa_3"}
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
q, L = Symbol("q"), Symbol("L")


def small_noise_bias(order: int = 4, site: Site = "inside", activation: Any = None) -> Any:
    """Return the noise-induced bias E h - h* of one neuron to order σ^order; the error is of order σ^(order+2).

    It is computed by the moment hierarchy of ``ctrnn_theory.derive.hierarchy``.

    Parameters
    ----------
    order
        Highest power of σ, even and at least 2.
    site
        "inside" or "outside" the activation, where the noise σ is, or "both" for σ_in and σ_out.
    activation
        An activation as :func:`~ctrnn_theory.activation` takes it; None for the general formula.

    Returns
    -------
    sympy.Expr
        An expression in w, gamma, sigma (or sigma_in and sigma_out) and the derivatives f1, f2, ... of f at
        a* = w h* + b, or in a = a* for a given activation. γ = 0, γ = 1 and w = 0 can be put in directly: nothing has
        to be cancelled first.

    Raises
    ------
    ValueError
        If the order, the site or the activation is not one of these.

    Examples
    --------
    A neuron without recurrence, without a leak, and in the limit of small steps:

    >>> small_noise_bias(order=2, site="inside").subs("w", 0)
    f2*sigma**2/2
    >>> small_noise_bias(order=2, site="outside").subs("gamma", 1).factor()
    f2*sigma**2*w**2/(2*(f1*w - 1)**2*(f1*w + 1))
    >>> small_noise_bias(order=2, site="inside").subs("gamma", 0).factor()
    -f2*sigma**2/(2*(f1*w - 1))
    >>> small_noise_bias(order=4, site="inside", activation="exp(x)").subs("w", 0)
    sigma**4*exp(a)/8 + sigma**2*exp(a)/2
    """
    return describe("bias", order, site, activation).explicit


def small_noise_variance(order: int = 4, site: Site = "inside", activation: Any = None) -> Any:
    """Return the stationary variance of one neuron to order σ^order; arguments are those of :func:`small_noise_bias`.

    Examples
    --------
    >>> small_noise_variance(order=2, site="outside")
    gamma*sigma**2/((-f1*w + 1)*(-gamma*(-f1*w + 1) + 2))
    """
    return describe("variance", order, site, activation).explicit


def small_noise_third_cumulant(order: int = 4, site: Site = "inside", activation: Any = None) -> Any:
    """Return the third cumulant E (h - E h)³ of one neuron to order σ^order; its first term is of order σ⁴.

    The arguments are those of :func:`small_noise_bias`.

    Examples
    --------
    >>> small_noise_third_cumulant(order=4, site="inside").subs("w", 0).factor()
    3*f1**2*f2*gamma**2*sigma**4/(gamma**2 - 3*gamma + 3)
    """
    return describe("third_cumulant", order, site, activation).explicit


@remembered
def describe(quantity: str = "bias", order: int = 4, site: Site = "inside", activation: Any = None) -> Derivation:
    """Return the derivation of the "bias", "variance" or "third_cumulant" with its assumptions.

    Examples
    --------
    >>> print(describe("bias", 2, "outside").text().split("if")[0])
    delta = f2*gamma*sigma**2*w**2/(2*L**2*P2) + O(σ⁴)
    where
      P2 = 2 - q
      q = L*gamma
      L = 1 - f1*w
    <BLANKLINE>
    """
    site = _site(site)
    expression = sympy.Add(*terms(quantity, order, site))
    used = sorted(str(s) for s in expression.free_symbols if str(s)[0] == "P")
    definitions = {name: _cyclotomic(int(name[1:])) for name in used}
    definitions |= {"q": symbols.gamma * L, "L": 1 - symbols.w * symbols.f(1)}
    error = f"O(σ{str(order + 2).translate(RAISED)})"
    result = Derivation(
        f"small_noise_{quantity}", QUANTITIES[quantity], expression, _assumptions(site), error, definitions
    )
    if activation is None:
        return result
    return replace(result.specialise(activation), assumptions=_assumptions(site, as_activation(activation)))


def _site(site: Any) -> Site:
    """Return the site by its current name, or "both"."""
    if isinstance(site, str) and site in symbols.SITES:
        return symbols.SITES[site]
    choice("site", site, SITES)
    return "both"


def _assumptions(site: Site, f: Activation | None = None) -> tuple[str, ...]:
    if f is None:
        point = "f1, f2, ... are the derivatives of f at a* = w h* + b, with h* = f(a*) the fixed point without noise"
    else:
        point = "a = w h* + b, with h* = f(a) the fixed point without noise"
    slope, here = ("f1", "a*") if f is None else ("f'(a)", "a")
    smooth = f"f is smooth as far as the noise reaches, several standard deviations from {here}"
    if f is not None and f.breakpoints:
        smooth += ": it is not at " + ", ".join(f"{k:g}" for k in f.breakpoints)
    return (
        f"one neuron, {SITES[site]}, σ the standard deviation per step",
        point,
        f"h* is stable, -1 < 1 - γ (1 - w {slope}) < 1, and the state stays near it",
        smooth,
    )


@remembered
def terms(quantity: str, order: int, site: Site) -> tuple[Any, ...]:
    """Return the terms of the expansion in σ², σ⁴, ..., σ^order, in the abbreviations of :func:`describe`."""
    choice("quantity", quantity, QUANTITIES)
    site = _site(site)
    return tuple(_readable(part, order, site) for part in _polynomials(order, site)[quantity])


@remembered
def _polynomials(order: int, site: Site) -> dict[str, list[Any]]:
    """Return the expansions as polynomials in w, σ_in, σ_out, γ, γ f1, ... over the rational functions of q."""
    order = even_order(order)
    rationals, q_ = sympy.field("q", QQ)
    ring, w, inside, outside, *gains = sympy.ring(["w", "s", "t", *(f"g{k}" for k in range(order + 1))], rationals)
    noises = (inside if site != "outside" else None, outside if site != "inside" else None)
    return cumulants(moments(w, gains, 1 - q_, *noises, order=order, one=ring.one))


def _readable(part: Any, order: int, site: Site) -> Any:
    """Write a polynomial in the user's symbols, with γ cancelled and one bracket for each product of f2, f3, ..."""
    s, t = (symbols.sigma_in, symbols.sigma_out) if site == "both" else (symbols.sigma, symbols.sigma)
    derivatives = [symbols.f(k) for k in range(1, order + 1)]
    groups: dict[tuple[int, ...], list[Any]] = {}
    for (w, inside, outside, gamma, *slopes), coefficient in part.terms():
        value, power = _factored(coefficient)
        value *= symbols.gamma ** (gamma + sum(slopes) + power) * L**power * symbols.w**w
        value *= s**inside * t**outside * derivatives[0] ** slopes[0]
        groups.setdefault(tuple(slopes[1:]), []).append(value)
    brackets = [
        _shorter(sympy.Add(*values)) * reduce(operator.mul, map(operator.pow, derivatives[1:], powers), sympy.S.One)
        for powers, values in sorted(groups.items(), reverse=True)
    ]
    return sympy.factor_terms(sympy.Add(*brackets))


def _shorter(expression: Any) -> Any:
    """Factor a sum, where that is shorter; a long sum is not tried."""
    form = sympy.factor_terms(expression)
    factored = sympy.factor(expression) if len(sympy.Add.make_args(expression)) <= 6 else form
    return factored if sympy.count_ops(factored) < sympy.count_ops(form) else form


def _factored(coefficient: Any) -> tuple[Any, int]:
    """Factor a rational function of q, and return it without its power of q, and that power, since q is γ L."""
    power, value = 0, sympy.S.One
    for polynomial, sign in ((coefficient.numer, 1), (coefficient.denom, -1)):
        leading, factors = Poly(polynomial.as_expr(), q).factor_list()
        value *= leading**sign
        for factor, multiplicity in factors:
            if factor.as_expr() == q:
                power += sign * multiplicity
                continue
            turn = 1 if factor.eval(0) > 0 else -1
            value *= turn**multiplicity * _named((turn * factor).as_expr(), sign) ** (sign * multiplicity)
    return value, power


def _named(factor: Any, sign: int) -> Any:
    """Return the symbol P2, P3, ... of a factor of a denominator 1 - Aⁿ, and a factor of a numerator unchanged."""
    return next(Symbol(f"P{m}") for m in range(2, 99) if _cyclotomic(m) == factor) if sign < 0 else factor


@lru_cache(maxsize=128)
def _cyclotomic(m: int) -> Any:
    """Return the m-th cyclotomic polynomial at A = 1 - q; the product over all m that divide n is Aⁿ - 1."""
    return sympy.expand(cyclotomic_poly(m, 1 - q))
