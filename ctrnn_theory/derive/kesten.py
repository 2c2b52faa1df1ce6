"""Moments of the random multiplier of a neuron on a straight stretch, and the exponent of the tail they leave.

With M(z) = E g(z + ξ), g(x) = |x|^p and ξ standard normal, x g'(x) = p g(x) and Stein's lemma, E ξ k(ξ) = E k'(ξ),
give M'' + z M' = p M. Its even and its odd power series are hypergeometric: the ratios of their coefficients are
derived here.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import sympy as sp

from ctrnn_theory.derive import symbols
from ctrnn_theory.derive.derivation import Derivation, remembered
from ctrnn_theory.derive.symbols import gamma, plain, w
from ctrnn_theory.support.arguments import choice

Quantity = Literal["moment", "half_moment", "growth", "tail", "weak", "dropout"]
QUANTITIES = {
    "moment": "M",
    "half_moment": "M_plus",
    "growth": "lambda",
    "tail": "tail",
    "weak": "kappa",
    "dropout": "tail",
}
d, keep, kappa, p, z, m, s, gamma_E = sp.symbols("d keep kappa p z m s gamma_E")
GAINS = {"inside": "the pre-activation", "outside": "f"}
TAIL = "the law has a power-law tail, P(|h| > x) ~ x^(-κ), and moments below κ alone, if E log|A| < 0"


def random_multiplier(quantity: Quantity = "moment", site: symbols.Site = "outside") -> Any:
    """Return a formula for h' = A h, one neuron under multiplicative noise where f is a straight line of slope d.

    A = 1 - γ + γ w d (1 + g ξ) has the mean m and the standard deviation s. A stationary law exists if E log|A| < 0. It
    has the moment of order p if E|A|^p < 1, and its tail exponent κ is the root of E|A|^κ = 1.

    Parameters
    ----------
    quantity
        "moment" is E|A|^p, "half_moment" the part of it with A > 0, which for two slopes enters a matrix; "growth" is
        E log|A|; "tail" is the equation for κ; "weak" is κ for weak noise; "dropout" is the equation for κ if f is
        kept with probability `keep` and divided by it.
    site
        "inside" or "outside" the activation; on a straight stretch it makes no difference.

    Returns
    -------
    sympy.Expr
        An expression in w, gamma, d, g (or keep), and p or kappa; an equation for "tail" and "dropout".

    Raises
    ------
    ValueError
        If there is no such quantity or site.

    Examples
    --------
    >>> random_multiplier("weak").subs({"w": 0.9, "d": 1, "gamma": 0.01, "g": 5}).evalf(4)       # exact: 1.987
    1.986
    >>> random_multiplier("moment").subs({"p": 2, "w": 0.9, "d": 1, "gamma": 0.5, "g": 1}).evalf(4)     # no variance
    1.105
    """
    return describe(quantity, site).explicit


@remembered
def describe(quantity: Quantity = "moment", site: symbols.Site = "outside") -> Derivation:
    """Return the derivation of :func:`random_multiplier` with its assumptions."""
    choice("quantity", quantity, QUANTITIES)
    site = symbols.as_site(site)
    straight = "one neuron far out, where f is a straight line of slope d; additive noise has no part in it"
    law = f"A = 1 - γ + γ w d (1 + g ξ), noise {site} of which 1 + g ξ is the factor of {GAINS[site]} in a step"
    mean = 1 - gamma + gamma * w * d
    made = {"z": m / s, "m": mean, "s": gamma * symbols.g * sp.Abs(w * d)}
    assumptions = [straight, law]
    error = ""
    if quantity == "dropout":
        kept, lost = 1 - gamma + gamma * w * d / keep, 1 - gamma
        expression = sp.Eq(1, keep * sp.Abs(kept) ** kappa + (1 - keep) * lost**kappa)
        assumptions[1] = "A = 1 - γ + γ w d/keep with probability keep, and 1 - γ otherwise (dropout of f)"
        assumptions += [TAIL, "|1 - γ + γ w d/keep| > 1; otherwise all moments exist"]
        made = {}
    elif quantity == "growth":
        expression = sp.log(s) + mean_logarithm()
        expression = expression.subs(sp.EulerGamma, gamma_E)
        made["gamma_E"] = sp.EulerGamma
        assumptions.append("λ = E log|A|, and a stationary law exists if it is negative")
    elif quantity == "weak":
        expression, made["z"] = _weak(), m / s
        error = "O(1/z²)"
        assumptions += [TAIL, "z is large and log m of the order of 1/z², so that κ is of order one"]
    else:
        even, odd = absolute_moments()
        value = s**p * (even if quantity != "half_moment" else (even + odd) / 2)
        expression = value if quantity != "tail" else sp.Eq(1, value.subs(p, kappa))
        assumptions += {
            "moment": ["M = E|A|^p, and E|h|^p is finite if it is below 1"],
            "half_moment": [
                "M_plus = E[A^p; A > 0]; with -m for m it is E[|A|^p; A < 0]",
                "where A has one law for h > 0 and another for h < 0, E|h|^p is finite if the matrix"
                " Q_ij = E[|A|^p; from sign i to sign j] has a spectral radius below 1",
            ],
            "tail": [TAIL],
        }[quantity]
    return Derivation(f"kesten_{quantity}", QUANTITIES[quantity], expression, tuple(assumptions), error, made)


@cache
def absolute_moments() -> tuple[Any, Any]:
    """Return E|z + ξ|^p and E[|z + ξ|^p sign(z + ξ)] as functions of p and z.

    Examples
    --------
    >>> even, odd = absolute_moments()
    >>> even.subs(p, 2).simplify(), odd.subs(p, 1).simplify()
    (z**2 + 1, z)
    """
    at_zero, slope = _of_normal(), _of_normal().subs(p, p + 1)  # the slope by Stein's lemma
    ratio = _ratio(lambda term: sp.diff(term, z, 2), lambda term: z * sp.diff(term, z) - p * term)
    even, odd = (_series(ratio, first) for first in (0, 1))
    return at_zero * even, slope * odd


@cache
def _of_normal() -> Any:
    """Return E|ξ|^p."""
    x, order = sp.symbols("x p", positive=True)
    density = sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)
    return sp.powsimp(plain(2 * sp.integrate(x**order * density, (x, 0, sp.oo))))


@cache
def mean_logarithm() -> Any:
    """Return E log|z + ξ|: the derivative of the equation for E|z + ξ|^p in p, at p = 0, is L'' + z L' = 1.

    Examples
    --------
    >>> mean_logarithm().subs(z, 0).evalf(6)
    -0.635181
    """
    at_zero = sp.expand_func(sp.diff(sp.log(_of_normal()), p).subs(p, 0))
    first = 1 / sp.diff(z**2, z, 2)  # of z², from the one on the right-hand side
    ratio = _ratio(lambda term: sp.diff(term, z, 2), lambda term: z * sp.diff(term, z))
    return at_zero + first * z**2 * _series(ratio, 2) / z**2


def _weak() -> Any:
    """Return κ from p log m + log E|1 + ξ/z|^p = 0 to leading order in 1/z², with log m of that order."""
    x, size, epsilon = sp.symbols("x size epsilon")
    power = sp.series((1 + epsilon * x) ** p, epsilon, 0, 3).removeO()
    mean = power.subs(x**2, 1).subs(x, 0)  # of the powers of ξ, to second order
    exponent = p * size * epsilon**2 + sp.series(sp.log(mean), epsilon, 0, 3).removeO()
    roots = sp.solve(sp.cancel(exponent / (p * epsilon**2)), p)
    return roots[0].subs(size, sp.log(m) * z**2)


def _ratio(raised: Any, kept: Any) -> Any:
    """Return the ratio of coefficients c_{n+2}/c_n of a solution Σ c_n zⁿ of raised + kept = 0, a function of n."""
    n = sp.Symbol("n")
    high = sp.simplify(raised(z ** (n + 2)) / z**n)
    return lambda at: sp.factor(-(sp.simplify(kept(z**n) / z**n) / high).subs(n, at))


def _series(ratio: Any, first: int) -> Any:
    """Sum zⁿ and what follows from it by the ratio of coefficients, from n = first, as a hypergeometric function."""
    k = sp.Symbol("k")
    numerator, denominator = (sp.Poly(part, k) for part in sp.fraction(sp.together(ratio(2 * k + first))))
    upper, lower = (
        [-root for root, count in sp.roots(part).items() for _ in range(count)] for part in (numerator, denominator)
    )
    if 1 in lower:
        lower.remove(1)  # the factorial
    else:
        upper.append(sp.S.One)
    return z**first * sp.hyper(upper, lower, numerator.LC() / denominator.LC() * z**2)
