"""Values computed with mpmath, by a route of their own: what the tests compare with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np

DIGITS = 60  # the fourth derivative at s = 1e-8 costs 32 of them

# The built-in activations, as anyone would write them, and their kinks -------------------------------------


def _elu(x: Any) -> Any:
    return x if x > 0 else mp.expm1(x)


FUNCTIONS: dict[str, tuple[Callable[[Any], Any], tuple[float, ...]]] = {
    "identity": (lambda x: x, ()),
    "relu": (lambda x: max(x, mp.mpf(0)), (0.0,)),
    "leaky_relu": (lambda x: x if x > 0 else mp.mpf("0.01") * x, (0.0,)),
    "relu2": (lambda x: max(x, mp.mpf(0)) ** 2, (0.0,)),
    "elu": (_elu, (0.0,)),
    "gelu": (lambda x: x * mp.ncdf(x), ()),
    "silu": (lambda x: x / (1 + mp.exp(-x)), ()),
    "softplus": (lambda x: max(x, mp.mpf(0)) + mp.log1p(mp.exp(-abs(x))), ()),
    "sigmoid": (lambda x: 1 / (1 + mp.exp(-x)), ()),
    "tanh": (mp.tanh, ()),
    "hardtanh": (lambda x: max(min(x, mp.mpf(1)), mp.mpf(-1)), (-1.0, 1.0)),
    "retanh": (lambda x: mp.tanh(x) if x > 0 else mp.mpf(0), (0.0,)),
    "erf": (mp.erf, ()),
    "probit": (mp.ncdf, ()),
    "sin": (mp.sin, ()),
    "step": (lambda x: mp.mpf(x > 0), (0.0,)),
}


class Smoothed(NamedTuple):
    """Gaussian smoothing of one function at one point."""

    derivatives: tuple[Any, ...]
    """F, F', F'', ... as mpmath numbers."""
    variance: Any
    """Var f(a + s ξ)."""


@lru_cache
def _rule(count: int, digits: int) -> tuple[list[Any], list[Any]]:
    """Gauss–Legendre nodes and weights, by Newton's method from NumPy's."""
    with mp.workdps(digits + 10):
        nodes, weights = [], []
        for start in np.polynomial.legendre.leggauss(count)[0]:
            t = mp.mpf(float(start))
            for _ in range(4):  # 16 digits, 32, 64, 128
                p, q = mp.mpf(1), t
                for k in range(2, count + 1):
                    p, q = q, ((2 * k - 1) * t * q - (k - 1) * p) / k
                slope = count * (t * q - p) / (t * t - 1)
                t -= q / slope
            nodes.append(t)
            weights.append(2 / ((1 - t * t) * slope**2))
        return nodes, weights


def _edges(a: Any, s: Any, kinks: Sequence[float], reach: int, width: float) -> list[Any]:
    """Edges in ξ: steps of two in ξ; in x 0.5 near 0, then growing in proportion to x, at most `width`."""
    edges = {mp.mpf(k) for k in range(-reach, reach + 1, 2)}
    x = mp.mpf(0)
    last = max(abs(a - reach * s), abs(a + reach * s))
    while x < last:
        for side in (x, -x):
            edges.add((side - a) / s)
        x += min(max(mp.mpf("0.5"), x / 3), width)
    edges.update((mp.mpf(k) - a) / s for k in kinks)
    return sorted(e for e in edges if -reach <= e <= reach)


def gaussian_reference(
    f: Callable[[Any], Any],
    a: float,
    s: float,
    kinks: Sequence[float] = (),
    orders: int = 1,
    *,
    count: int = 40,
    reach: int = 16,
    width: float = 1e9,
) -> Smoothed:
    """E f(a + s ξ), its derivatives below `orders`, and the variance, by composite Gauss–Legendre quadrature.

    F^(n) = E f(a + s ξ) He_n(ξ) / s^n: only f is evaluated. φ(16) = 1e-56. With 40 nodes a panel of half width r
    whose nearest pole is ρ r away leaves (2ρ)^-80; the panels keep ρ above 2.5.
    """
    with mp.workdps(DIGITS):
        a, s = mp.mpf(float(a)), mp.mpf(float(s))
        nodes, weights = _rule(count, DIGITS)
        edges = _edges(a, s, kinks, reach, mp.mpf(width))
        sums = [mp.mpf(0)] * orders
        square = mp.mpf(0)
        centre = f(a)
        for left, right in pairwise(edges):
            middle, half = (left + right) / 2, (right - left) / 2
            for t, w in zip(nodes, weights, strict=True):
                xi = middle + half * t
                value = f(a + s * xi) - centre
                term = w * half * mp.exp(-xi * xi / 2) * value
                square += term * value
                before, now = mp.mpf(0), term
                for n in range(orders):
                    sums[n] += now
                    before, now = now, xi * now - n * before
        scale = mp.sqrt(2 * mp.pi)
        derivatives = [total / scale / s**n for n, total in enumerate(sums)]
        variance = square / scale - derivatives[0] ** 2
        derivatives[0] += centre
        return Smoothed(tuple(derivatives), variance)


def builtin_reference(name: str, a: float, s: float, orders: int = 1) -> Smoothed:
    """`gaussian_reference` of a built-in activation.

    A wide sin is left to its characteristic function, where quadrature would need thousands of panels.
    """
    f, kinks = FUNCTIONS[name]
    if name == "sin" and s > 2:
        return sin_reference(a, s, orders)
    return gaussian_reference(f, a, s, kinks, orders, width=2.0 if name == "sin" else 1e9)


def sin_reference(a: float, s: float, orders: int = 1) -> Smoothed:
    """E e^{ix} = e^{ia - s²/2}: the values for sin."""
    with mp.workdps(DIGITS):
        a, s = mp.mpf(float(a)), mp.mpf(float(s))
        wave = mp.exp(mp.mpc(-s * s / 2, a))
        derivatives = tuple((wave * mp.mpc(0, 1) ** n).imag for n in range(orders))
        variance = (1 - mp.exp(-2 * s * s) * mp.cos(2 * a)) / 2 - derivatives[0] ** 2 if orders else None
        return Smoothed(derivatives, variance)
