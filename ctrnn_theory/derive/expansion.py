"""The moment hierarchy with polynomials for its coefficients, written in the symbols of the user."""

from __future__ import annotations

import operator
from functools import lru_cache, reduce
from itertools import zip_longest
from typing import Any, Literal

import sympy
from sympy import QQ, Symbol, cyclotomic_poly

from ctrnn_theory.derive import symbols
from ctrnn_theory.derive.derivation import remembered
from ctrnn_theory.derive.hierarchy import Source, cumulants, moments
from ctrnn_theory.support.arguments import choice, even_order

Site = symbols.Site | Literal["both"]
Kind = Literal["additive", "multiplicative", "coloured"]
SITES = {"inside": "noise inside the activation", "outside": "noise outside", "both": "noise inside and outside"}
KINDS = {
    "additive": (symbols.sigma, symbols.sigma_in, symbols.sigma_out),
    "multiplicative": (symbols.g, symbols.g_in, symbols.g_out),
    "coloured": (symbols.sigma, symbols.sigma_in, symbols.sigma_out),
}
"""The strength of each kind of noise: at one site, inside and outside."""
CORRELATIONS = (symbols.rho, symbols.rho_in, symbols.rho_out)
QUANTITIES = {"bias": "delta", "variance": "V", "third_cumulant": "kappa_3"}
COVARIANCE = {"covariance": "P"}  # of h and the noise, for coloured noise at one site
q, L, A = Symbol("q"), Symbol("L"), Symbol("A")


def as_site(site: Any) -> Site:
    """Return the site by its current name, or "both"."""
    if isinstance(site, str) and site in symbols.SITES:
        return symbols.SITES[site]
    choice("site", site, SITES)
    return "both"


@remembered
def terms(quantity: str, order: int, site: Site, kind: Kind = "additive") -> tuple[Any, ...]:
    """Return the terms of an expansion in σ², σ⁴, ..., σ^order.

    They are in the abbreviations that :func:`definitions` defines.
    """
    choice("kind", kind, KINDS)
    site = as_site(site)
    choice("quantity", quantity, QUANTITIES | (COVARIANCE if kind == "coloured" and site != "both" else {}))
    parts = _polynomials(order, site, kind)
    return tuple(_readable(part, order, site, kind) for part in parts[quantity])


def definitions(expression: Any) -> dict[str, Any]:
    """Return the abbreviations in an expression of :func:`terms`, each in terms of later ones."""
    used = sorted(str(s) for s in expression.free_symbols if str(s)[0] == "P")
    found = {name: _cyclotomic(int(name[1:])) for name in used}
    if A in expression.free_symbols:
        found["A"] = 1 - q
    return found | {"q": symbols.gamma * L, "L": 1 - symbols.w * symbols.f(1)}


@remembered
def _polynomials(order: int, site: Site, kind: Kind) -> dict[str, list[Any]]:
    """Return the expansions as polynomials in w, σ, γ, γ f1, ... over the rational functions of q, and of ρ."""
    order = even_order(order)
    colours = _of_sites(CORRELATIONS, site) if kind == "coloured" else ()
    rationals, q_, *rhos = sympy.field([q, *colours], QQ)
    names = list(_variables(order, site, kind))
    ring, *generators = sympy.ring(names, rationals)
    known = dict(zip(names, generators, strict=True))
    sites = [place for place in ("inside", "outside") if site in (place, "both")]
    strengths = [known[str(symbol)] for symbol in _of_sites(KINDS[kind], site)]
    sources = [
        Source(place == "inside", strength, kind == "multiplicative", rho)
        for place, strength, rho in zip_longest(sites, strengths, rhos)
    ]
    gains = [known["gamma"], *(known[f"f{k}"] for k in range(1, order + 1))]
    values = {"a": known["a"], "level": known["f0"]} if kind == "multiplicative" else {}
    moment = moments(known["w"], gains, 1 - q_, sources, order=order, one=ring.one, **values)
    found = cumulants(moment, order)
    if len(rhos) == 1:  # σ E x z
        found["covariance"] = [strengths[0] * moment(1, j, (1,)) for j in range(1, order, 2)]
    return found


def _variables(order: int, site: Site, kind: Kind) -> dict[str, Any]:
    """Return the variables of the polynomials by name: w, the strengths and γ as they are, and γ times f0, f1, ..."""
    at = [symbols.a, symbols.f(0)] if kind == "multiplicative" else []
    slopes = [symbols.f(k) for k in range(1, order + 1)]
    return {str(s): s for s in (symbols.w, *at, *_of_sites(KINDS[kind], site), symbols.gamma, *slopes)}


def _of_sites(values: tuple[Any, ...], site: Site) -> tuple[Any, ...]:
    return values[1:] if site == "both" else values[:1]


def _readable(part: Any, order: int, site: Site, kind: Kind) -> Any:
    """Write a polynomial in the user's symbols, with γ cancelled and one bracket for each product of f2, f3, ..."""
    variables = list(_variables(order, site, kind).values())
    derivatives = [symbols.f(k) for k in range(2, order + 1)]
    groups: dict[tuple[int, ...], list[Any]] = {}
    for powers, coefficient in part.terms():
        value, power = _factored(coefficient)
        for variable, exponent in zip(variables, powers, strict=True):
            if str(variable)[0] == "f":
                power += exponent
            value *= 1 if variable in derivatives else variable**exponent
        groups.setdefault(powers[1 - order :], []).append(value * symbols.gamma**power)
    brackets = [
        _shorter(sympy.Add(*values)) * reduce(operator.mul, map(operator.pow, derivatives, powers), sympy.S.One)
        for powers, values in sorted(groups.items(), reverse=True)
    ]
    return sympy.factor_terms(sympy.Add(*brackets))


def _shorter(expression: Any) -> Any:
    """Factor a sum, where that is shorter; a long sum is not tried."""
    form = sympy.factor_terms(expression)
    factored = sympy.factor(expression) if len(sympy.Add.make_args(expression)) <= 6 else form
    return factored if sympy.count_ops(factored) < sympy.count_ops(form) else form


def _factored(coefficient: Any) -> tuple[Any, int]:
    """Factor a rational function of q, and return it with L for q = γ L, and the power of γ."""
    power, value = 0, sympy.S.One
    for polynomial, sign in ((coefficient.numer, 1), (coefficient.denom, -1)):
        leading, factors = sympy.factor_list(polynomial.as_expr(), *polynomial.ring.symbols)
        value *= leading**sign
        for factor, multiplicity in factors:
            if factor == q:
                power += sign * multiplicity
                value *= L ** (sign * multiplicity)
                continue
            turn = 1 if factor.subs(dict.fromkeys(polynomial.ring.symbols, 0)) > 0 else -1
            value *= turn**multiplicity * _named(sympy.expand(turn * factor), sign) ** (sign * multiplicity)
    return value, power


def _named(factor: Any, sign: int) -> Any:
    """Return a factor with ρ in terms of A = 1 - q, a factor of the denominators 1 - Aⁿ as P2, P3, ..., others in q."""
    if factor.free_symbols != {q}:
        return sympy.expand(factor.subs(q, 1 - A))
    if sign > 0:
        return factor
    return next(Symbol(f"P{m}") for m in range(2, 99) if _cyclotomic(m) == factor)


@lru_cache(maxsize=128)
def _cyclotomic(m: int) -> Any:
    """Return the m-th cyclotomic polynomial at A = 1 - q; the product over all m that divide n is Aⁿ - 1."""
    return sympy.expand(cyclotomic_poly(m, 1 - q))
