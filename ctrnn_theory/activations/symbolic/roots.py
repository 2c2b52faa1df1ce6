"""Real roots of a smooth expression to many digits, at which branches of an activation change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from ctrnn_theory.activations.symbolic.evaluate import DIGITS, numpy_function, precise
from ctrnn_theory.activations.symbolic.parse import refuse, x
from ctrnn_theory.activations.symbolic.printing import to_text
from ctrnn_theory.activations.symbolic.stable_forms import stable

NEAR = 100.0  # |x| up to which roots are searched for on a fine grid
FARTHEST = 1e8  # |x| up to which they are searched for on a coarse one
STEP = 1 / 64  # step of the fine grid
MAX_ROOTS = 1000  # largest number of roots of one expression
MANY = 8  # roots beyond NEAR: more of them are an endless sequence
NEAR_GRID = np.arange(-NEAR, NEAR + STEP / 2, STEP)
FAR_GRID = np.geomspace(NEAR, FARTHEST, 600)[1:]
EXACT_DEGREE = 8  # largest degree of a polynomial whose roots SymPy isolates


@dataclass(frozen=True)
class Roots:
    """The roots of one expression."""

    points: tuple[Any, ...]
    """Roots as mpmath numbers of 50 digits, ascending; if they are endless, those within [-100, 100]."""
    endless: bool = False
    """Whether the roots recur without end, as those of sin(x) do."""


@lru_cache(maxsize=1024)
def real_roots(expression: Any, touching: bool = False) -> Roots:
    """Find the real roots where a smooth expression changes its sign, or with `touching` only touches zero.

    Polynomials of a low degree with rational coefficients are solved exactly, anything else by sign changes on a
    grid (spacing 1/64 within [-100, 100], geometric out to 1e8), refined to 50 digits.

    Examples
    --------
    >>> [float(r) for r in real_roots(x**2 - 2).points]
    [-1.414213562373095, 1.414213562373095]
    >>> real_roots(sp.sin(x)).endless
    True
    """
    with mpmath.workdps(DIGITS):
        found: set[Any] = set()
        endless = False
        for factor in sp.Mul.make_args(expression):
            while factor.is_Pow and factor.exp.is_number and factor.exp.is_positive:
                factor = factor.base
            if not factor.has(x) or isinstance(factor, sp.exp | sp.cosh):
                continue
            part = _exact(factor) or _numerical(factor)
            found.update(part.points)
            endless = endless or part.endless
        if touching:
            slope = real_roots(sp.diff(expression, x))
            zero = mpmath.mpf(10) ** (-DIGITS // 2)
            found.update(r for r in slope.points if abs(precise(expression, r)) < zero)
        return Roots(tuple(sorted(found)), endless)


def _exact(factor: Any) -> Roots | None:
    if not factor.is_polynomial(x):
        return None
    if any(p.exp > EXACT_DEGREE for p in factor.atoms(sp.Pow) if p.has(x)):
        return None
    polynomial = sp.Poly(factor, x)
    if polynomial.degree() == 1:
        slope, constant = polynomial.all_coeffs()
        return Roots((mpmath.mpmathify(sp.N(-constant / slope, DIGITS)),))
    if polynomial.degree() > EXACT_DEGREE or not (polynomial.domain.is_ZZ or polynomial.domain.is_QQ):
        return None
    roots = polynomial.real_roots(multiple=False)
    return Roots(tuple(mpmath.mpmathify(sp.N(root, DIGITS)) for root, _ in roots))


def _numerical(factor: Any) -> Roots:
    grid = np.concatenate([-FAR_GRID[::-1], NEAR_GRID, FAR_GRID])
    signs = np.sign(np.broadcast_to(numpy_function(stable(factor))(grid), grid.shape))
    known = np.flatnonzero(np.abs(signs) == 1)  # neither zero nor NaN
    change = known[:-1][signs[known[:-1]] != signs[known[1:]]]
    brackets = [(grid[i], grid[known[np.searchsorted(known, i) + 1]]) for i in change]
    far = sum(1 for lower, upper in brackets if max(-lower, upper) > NEAR)
    endless = far > MANY
    if endless:
        brackets = [(lower, upper) for lower, upper in brackets if max(-lower, upper) <= NEAR]
    if len(brackets) > MAX_ROOTS:
        raise refuse(f"must switch between its branches at most {MAX_ROOTS} times", to_text(factor))
    points = [_refined(factor, lower, upper) for lower, upper in brackets]
    return Roots(tuple(p for p in points if p is not None), endless)


def _refined(factor: Any, lower: float, upper: float) -> Any:
    """Return the root between two points of opposite sign, or None if the signs are rounding or it is a pole."""
    slope = sp.diff(factor, x)

    def value(t: Any) -> Any:
        return mpmath.re(precise(factor, t))

    a, b = mpmath.mpf(lower), mpmath.mpf(upper)
    if value((a + b) / 2) == 0:  # a point of the grid, such as 0
        return (a + b) / 2
    fa, fb = value(a), value(b)
    noise = mpmath.mpf(10) ** (10 - DIGITS)
    for end, f, other in ((a, fa, fb), (b, fb, fa)):
        if abs(f) <= noise * min(abs(other), 1):
            return end if abs(other) > noise else None
    if not fa * fb < 0:
        return None
    size = min(abs(fa), abs(fb))
    for step in range(170):  # bisection to 50 digits, unless Newton's method succeeds from 18 digits on
        root = (a + b) / 2
        if step in (60, 169):
            for _ in range(6):
                change = value(root) / (precise(slope, root) or mpmath.inf)
                root -= change
                if abs(change) < noise * (1 + abs(root)) and a <= root <= b:
                    return root
            root = (a + b) / 2
        f = value(root)
        a, b = (root, b) if f * fa > 0 else (a, root)
    return root if abs(value(root)) < size * 1e-10 else None
