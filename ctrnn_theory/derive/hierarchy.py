"""Moments of one neuron under weak noise, order by order in σ², for polynomials as well as for numbers.

Let x = h - h* and u = w x + Σ σ ξ + Σ g (a* + w x) ζ over the sources inside the activation, additive and
multiplicative. One step is x' = (1 - γ) x + γ [ (f0 + Σ_{k≥1} f_k uᵏ/k!) Π (1 + g ζ) - f0 + Σ σ η ] over those outside.
Its part linear in x is A x, A = 1 - q, q = γ (1 - w f1). Let x and the strengths σ and g be of order one. Then
E x'ⁿ = Aⁿ E xⁿ + moments of higher degree, or of lower order in σ. So E x'ⁿ = E xⁿ, divided by 1 - Aⁿ, gives the
moments order by order, from the highest degree down.

A source z may be coloured, z' = ρ z + √(1-ρ²) ξ, with z' the value that acts. Then E x'ⁿ z'ᵐ = Aⁿ ρᵐ E xⁿ zᵐ + moments
that are known before it, of lower powers of z too.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from math import comb, factorial, prod
from typing import Any, NamedTuple

from ctrnn_theory.support.arguments import even_order

Powers = tuple[int, ...]  # powers of x and of each source in a monomial of a step; their sum is its order
Step = dict[Powers, Any]
Moment = Callable[
    ..., Any
]  # (n, j, m): the part in σʲ of E xⁿ Π zᵐ over the coloured sources; m = () where there is none


class Source(NamedTuple):
    """A source of standard normal noise."""

    inside: bool
    """Whether it acts inside the activation."""
    strength: Any
    """Standard deviation σ per step, or the relative one, g, of a gain."""
    multiplies: bool = False
    """Whether it multiplies the pre-activation or the rate by 1 + g ζ, and does not add σ ξ."""
    rho: Any = None
    """Correlation from one step to the next; None for white noise."""


def moments(
    w: Any,
    gains: Sequence[Any],
    drift: Any,
    sources: Sequence[Source],
    *,
    order: int,
    one: Any,
    a: Any = 0,
    level: Any = 0,
) -> Moment:
    """Return a function of (n, j) that gives the part in σʲ of E xⁿ, for n and j up to `order`.

    Parameters
    ----------
    w
        Self-connection.
    gains
        γ, γ f1, γ f2, ..., up to `order`.
    drift
        Slope A of the step at the fixed point.
    sources
        Sources of noise. With a third argument, powers m of the coloured ones in their order, the function gives the
        part of E xⁿ Π zᵐ.
    order
        Highest power of σ.
    one
        The one of the ring in which to compute: a polynomial, or the number 1.
    a, level
        Pre-activation a* and γ f0 at the fixed point, which only multiplicative noise needs.

    Examples
    --------
    A linear neuron with noise outside has the variance γ σ²/((1 - w f1)(2 - γ (1 - w f1))):

    >>> moments(0.5, [0.1, 0.1, 0.0], 0.95, [Source(False, 1.0)], order=2, one=1.0)(2, 2)
    0.1025641
    """
    step = _step(w, gains, drift, sources, order, one, a, level)
    zero = 0 * one
    coloured = [k for k, source in enumerate(sources) if source.rho is not None]
    white = [k for k, source in enumerate(sources) if source.rho is None]
    rhos, none = [sources[k].rho for k in coloured], (0,) * len(coloured)
    power: Step = {(0,) * (1 + len(sources)): one}
    averaged: list[list[tuple[int, int, Powers, Any]]] = [[]]  # of x'ⁿ over the white sources
    for _ in range(order):
        power = _product(power, step, order)
        averaged.append(
            [
                (p, sum(i), tuple(i[k] for k in coloured), factor * prod(_gaussian(i[k]) for k in white))
                for (p, *i), factor in power.items()
                if not any(i[k] % 2 for k in white)
            ]
        )

    @cache
    def moment(n: int, j: int, m: Powers = none) -> Any:
        if j < n or (j + sum(m)) % 2 or (n == 0 and any(k % 2 for k in m)):
            return zero
        if n == 0:
            return one * prod(map(_gaussian, m)) if j == 0 else zero
        known = zero
        for p, grade, i, factor in averaged[n]:
            if p + grade <= j:
                own = p == n and grade == 0  # Aⁿ times the moment itself, which is on the left-hand side
                known = known + factor * fresh(p, j - grade, tuple(map(operator.add, i, m)), own)
        return known * (1 / (1 - drift**n * prod(map(operator.pow, rhos, m))))

    def fresh(p: int, j: int, k: Powers, lower: bool) -> Any:
        """Return E xᵖ z'ᵏ, without the term of E xᵖ zᵏ if only `lower` ones are wanted."""
        if not k:
            return zero if lower else moment(p, j, ())
        total = zero
        for new in product(*(range(0, power + 1, 2) for power in k)):
            if lower and not any(new):
                continue
            value = moment(p, j, tuple(map(operator.sub, k, new)))
            for rho, power, i in zip(rhos, k, new, strict=True):
                value = value * (comb(power, i) * _gaussian(i)) * rho ** (power - i) * (1 - rho**2) ** (i // 2)
            total = total + value
        return total

    return moment


def cumulants(moment: Moment, order: int) -> dict[str, list[Any]]:
    """Return the terms in σ², σ⁴, ..., σ^order of the bias, variance and third cumulant of h, from its moments."""
    m1, m2, m3 = ([moment(n, j) for j in range(0, order + 1, 2)] for n in (1, 2, 3))
    square = _series_product(m1, m1)
    variance = [x - y for x, y in zip(m2, square, strict=True)]
    cube, mixed = _series_product(m1, square), _series_product(m1, m2)
    third = [x - 3 * y + 2 * z for x, y, z in zip(m3, mixed, cube, strict=True)]
    return {"bias": m1[1:], "variance": variance[1:], "third_cumulant": third[1:]}


def numbers(
    order: int,
    w: Any,
    gamma: Any,
    sigma_in: Any,
    sigma_out: Any,
    derivatives: Sequence[Any],
    *,
    rho_in: Any = None,
    rho_out: Any = None,
    gain_in: Any = 0,
    gain_out: Any = 0,
    a: Any = 0,
    f0: Any = 0,
) -> dict[str, list[Any]]:
    """Return the terms in σ², σ⁴, ..., σ^order of the bias, the variance and the third cumulant.

    The arguments may be floats, arrays that broadcast, or ``fractions.Fraction``, for which the terms are exact.

    Parameters
    ----------
    order
        Highest power of σ and g together, even and at least 2.
    w, gamma, sigma_in, sigma_out
        Parameters of the model; a site whose noise is the number 0 is left out of the computation.
    derivatives
        Derivatives f1, f2, ..., f_order of f at a*.
    rho_in, rho_out
        Correlations of the noise σ_in and σ_out from one step to the next; None for white noise.
    gain_in, gain_out
        Relative standard deviations of the noise by which a and f(a) are multiplied.
    a, f0
        Pre-activation a* and rate f(a*) at the fixed point, which gains need.

    Examples
    --------
    >>> from math import exp                                     # f = exp, w = 0: E f(a + σ ξ) = e^(a + σ²/2)
    >>> sum(numbers(6, 0.0, 0.1, 0.5, 0.0, [1.0] * 6)["bias"]), exp(0.125) - 1
    (0.133138, 0.133148)
    """
    order = even_order(order)
    if len(derivatives) != order:
        raise ValueError(f"derivatives must be f1 to f{order}, {order} values; got {len(derivatives)}")
    sources = [
        Source(True, sigma_in, rho=rho_in),
        Source(False, sigma_out, rho=rho_out),
        Source(True, gain_in, True),
        Source(False, gain_out, True),
    ]
    acting = [s for s in sources if not (isinstance(s.strength, int | float) and s.strength == 0)]
    gains = [gamma, *(gamma * f for f in derivatives)]
    drift = 1 - gamma * (1 - w * derivatives[0])
    found = moments(w, gains, drift, acting, order=order, one=1, a=a, level=gamma * f0)
    return cumulants(found, order)


def _step(
    w: Any, gains: Sequence[Any], drift: Any, sources: Sequence[Source], order: int, one: Any, a: Any, level: Any
) -> Step:
    """Return one step x' as a polynomial in x and the sources."""
    origin, state, *units = (tuple(int(k == i) for i in range(1 + len(sources))) for k in range(-1, 1 + len(sources)))
    moved: Step = {state: one * w}  # u, the displacement of the pre-activation
    for unit, source in zip(units, sources, strict=True):
        if source.inside:
            moved[unit] = one * source.strength * (a if source.multiplies else one)
            if source.multiplies:
                moved[_sum(state, unit)] = one * source.strength * w
    power: Step = {origin: one}
    step: Step = {origin: one * level}
    for k in range(1, order + 1):
        power = _product(power, moved, order)
        for key, value in power.items():
            term = gains[k] * value / factorial(k)
            step[key] = step[key] + term if key in step else term
    for unit, source in zip(units, sources, strict=True):
        if not source.inside and source.multiplies:
            step = _product(step, {origin: one, unit: one * source.strength}, order)
    for unit, source in zip(units, sources, strict=True):
        if not source.inside and not source.multiplies:
            step[unit] = one * gains[0] * source.strength
    del step[origin]
    step[state] = one * drift
    return step


def _product(first: Step, second: Step, order: int) -> Step:
    """Multiply two polynomials in x and the sources, and leave out terms above the order."""
    result: Step = {}
    ready = [(key, sum(key), y) for key, y in second.items()]
    for key, x in first.items():
        room = order - sum(key)
        for other, degree, y in ready:
            if degree <= room:
                place = _sum(key, other)
                result[place] = result[place] + x * y if place in result else x * y
    return result


def _sum(first: Powers, second: Powers) -> Powers:
    return tuple(map(operator.add, first, second))


def _series_product(first: list[Any], second: list[Any]) -> list[Any]:
    """Multiply two power series in σ², to the length of the first."""
    return [sum(first[i] * second[j - i] for i in range(j + 1)) for j in range(len(first))]


def _gaussian(n: int) -> int:
    """Return E ξⁿ = (n - 1)!! for even n."""
    return factorial(n) // (2 ** (n // 2) * factorial(n // 2))
