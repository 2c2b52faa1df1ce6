"""Moments of one neuron under weak noise, order by order in σ², for polynomials as well as for numbers.

With x = h - h*, one step is x' = A x + γ [ Σ_{k≥1} f_k ((w x + σ_in ξ)ᵏ - [k=1] w x)/k! + σ_out η ], where
A = 1 - q, q = γ (1 - w f1). Let x and σ be of order one. Then E x'ⁿ = Aⁿ E xⁿ + moments of higher degree, or of lower
order in σ. So E x'ⁿ = E xⁿ, divided by 1 - Aⁿ, gives the moments order by order, from the highest degree down.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial
from typing import Any

from ctrnn_theory.support.arguments import even_order

Powers = tuple[int, int, int]  # powers of x, ξ and η in a monomial of a step; their sum is its order
Table = list[list[Any]]  # entry [n][j]: the part of E xⁿ in σʲ


def moments(w: Any, gains: Sequence[Any], drift: Any, sigma_in: Any, sigma_out: Any, *, order: int, one: Any) -> Table:
    """Return the coefficients of σʲ in E xⁿ as entries [n][j], for n and j up to `order`.

    Parameters
    ----------
    w, sigma_in, sigma_out
        Self-connection and standard deviations per step, as in the model; None where a site has no noise.
    gains
        γ, γ f1, γ f2, ..., up to `order`.
    drift
        Slope A of the step at the fixed point.
    order
        Highest power of σ.
    one
        The one of the ring in which to compute: a polynomial, or the number 1.

    Examples
    --------
    A linear neuron with noise outside has the variance γ σ²/((1 - w f1)(2 - γ (1 - w f1))):

    >>> moments(0.5, [0.1, 0.1, 0.0], 0.95, None, 1.0, order=2, one=1.0)[2][2]
    0.1025641
    """
    step = _step(w, gains, drift, sigma_in, sigma_out, order, one)
    powers: list[dict[Powers, Any]] = [{(0, 0, 0): one}]
    for _ in range(order):
        powers.append(_product(powers[-1], step, order))
    table = [[0 * one] * (order + 1) for _ in range(max(order, 3) + 1)]
    table[0][0] = one
    for j in range(2, order + 1, 2):
        for n in range(j, 0, -1):
            known = 0 * one
            for (p, i, o), factor in powers[n].items():
                if i % 2 == o % 2 == 0 and j >= i + o and (p, i, o) != (n, 0, 0):
                    known = known + factor * table[p][j - i - o] * (_gaussian(i) * _gaussian(o))
            table[n][j] = known * (1 / (1 - drift**n))
    return table


def cumulants(table: Table) -> dict[str, list[Any]]:
    """Return the terms in σ², σ⁴, ... of the bias, variance and third cumulant of h, from a table of moments."""
    m1, m2, m3 = (row[::2] for row in table[1:4])
    square = _series_product(m1, m1)
    variance = [x - y for x, y in zip(m2, square, strict=True)]
    cube, mixed = _series_product(m1, square), _series_product(m1, m2)
    third = [x - 3 * y + 2 * z for x, y, z in zip(m3, mixed, cube, strict=True)]
    return {"bias": m1[1:], "variance": variance[1:], "third_cumulant": third[1:]}


def numbers(
    order: int, w: Any, gamma: Any, sigma_in: Any, sigma_out: Any, derivatives: Sequence[Any]
) -> dict[str, list[Any]]:
    """Return the terms in σ², σ⁴, ..., σ^order of the bias, the variance and the third cumulant.

    The arguments may be floats, arrays that broadcast, or ``fractions.Fraction``, for which the terms are exact.

    Parameters
    ----------
    order
        Highest power of σ, even and at least 2.
    w, gamma, sigma_in, sigma_out
        Parameters of the model; a site whose noise is the number 0 is left out of the computation.
    derivatives
        Derivatives f1, f2, ..., f_order of f at a*.

    Examples
    --------
    >>> from math import exp                                     # f = exp, w = 0: E f(a + σ ξ) = e^(a + σ²/2)
    >>> sum(numbers(6, 0.0, 0.1, 0.5, 0.0, [1.0] * 6)["bias"]), exp(0.125) - 1
    (0.133138, 0.133148)
    """
    order = even_order(order)
    if len(derivatives) != order:
        raise ValueError(f"derivatives must be f1 to f{order}, {order} values; got {len(derivatives)}")
    inside, outside = (None if isinstance(s, int | float) and s == 0 else s for s in (sigma_in, sigma_out))
    gains = [gamma, *(gamma * f for f in derivatives)]
    drift = 1 - gamma * (1 - w * derivatives[0])
    return cumulants(moments(w, gains, drift, inside, outside, order=order, one=1))


def _step(
    w: Any, gains: Sequence[Any], drift: Any, sigma_in: Any, sigma_out: Any, order: int, one: Any
) -> dict[Powers, Any]:
    """Return one step x' as a polynomial in x, ξ and η."""
    step: dict[Powers, Any] = {(1, 0, 0): one * drift}
    if sigma_out is not None:
        step[0, 0, 1] = gains[0] * sigma_out
    for k in range(1, order + 1):
        for i in range(k + 1 if sigma_in is not None else 1):
            if (k, i) != (1, 0):
                noise = sigma_in**i if i else one
                step[k - i, i, 0] = gains[k] * w ** (k - i) * noise / (factorial(i) * factorial(k - i))
    return step


def _product(first: dict[Powers, Any], second: dict[Powers, Any], order: int) -> dict[Powers, Any]:
    """Multiply two polynomials in x, ξ and η, and leave out terms above the order."""
    result: dict[Powers, Any] = {}
    for (p, i, o), x in first.items():
        for (p2, i2, o2), y in second.items():
            if p + i + o + p2 + i2 + o2 <= order:
                key = (p + p2, i + i2, o + o2)
                result[key] = result[key] + x * y if key in result else x * y
    return result


def _series_product(first: list[Any], second: list[Any]) -> list[Any]:
    """Multiply two power series in σ², to the length of the first."""
    return [sum(first[i] * second[j - i] for i in range(j + 1)) for j in range(len(first))]


def _gaussian(n: int) -> int:
    """Return E ξⁿ = (n - 1)!! for even n."""
    return factorial(n) // (2 ** (n // 2) * factorial(n // 2))
