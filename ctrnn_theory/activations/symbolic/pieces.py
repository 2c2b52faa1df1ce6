"""The smooth pieces of an expression and the jumps between them, found from the expression itself.

The line is cut where a branch of the expression changes (see ``branches``). Neighbours that are the same function are
joined again, so that some derivative jumps at every border that is left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from ctrnn_theory.activations.piece import Piece
from ctrnn_theory.activations.source.arrays import Source
from ctrnn_theory.activations.symbolic.branches import SWITCHING, TINY, guards, resolve, split
from ctrnn_theory.activations.symbolic.evaluate import DIGITS, numpy_function, precise, source
from ctrnn_theory.activations.symbolic.extended_range import extended_range_source
from ctrnn_theory.activations.symbolic.interval_source import interval_source
from ctrnn_theory.activations.symbolic.parse import rebuilt, refuse, x
from ctrnn_theory.activations.symbolic.precision_check import CHECKED, WITNESSES, needs_extended_range
from ctrnn_theory.activations.symbolic.printing import to_text
from ctrnn_theory.activations.symbolic.roots import real_roots
from ctrnn_theory.activations.symbolic.stable_forms import derivative, slope_of, stable

MAX_DEGREE = 16  # largest degree of a piece that is treated as a polynomial
SMALL, HUGE = 1e-15, 1e15  # relative size of a jump that is rounding, size of a slope that is infinite
NEARBY = mpmath.mpf(2) ** -10  # distance from a kink at which no other of endless kinks lies


@dataclass(frozen=True, eq=False)
class SymbolicPiece(Piece):
    """A piece that is given by a SymPy expression.

    Examples
    --------
    >>> piece = find_pieces(sp.Max(0, x))[1]
    >>> piece.lower, piece.upper, piece.expression, piece.polynomial
    (0.0, inf, x, (0.0, 1.0))
    >>> piece.value(2.0, order=1)
    np.float64(1.0)
    """

    branch: Any
    """Smooth SymPy expression in x, in SymPy's own functions; the outermost two may hold endless kinks, see
    :func:`find_pieces`."""
    start: Any = field(repr=False, default=None)
    """Lower end to 50 digits, an mpmath number."""

    @property
    def expression(self) -> Any:
        """The branch."""
        return self.branch

    def source(self, order: int) -> Source:
        """Return the source of the order-th derivative, which is right in double precision."""
        sources: dict[int, Source] = self._sources
        if order not in sources:
            form = derivative(stable(self.expression), order)
            inside = [t for t in WITNESSES if self.lower < t < self.upper]
            if order <= CHECKED:
                extended = needs_extended_range(form, self.expression, order, inside)
            else:
                finite = np.isfinite(np.broadcast_to(numpy_function(form)(np.array(inside)), (len(inside),)))
                extended = any(self.source(n).extended_range for n in range(CHECKED + 1)) or not np.all(finite)
            sources[order] = Source((extended_range_source if extended else source)(form), extended)
        return sources[order]

    def interval_source(self, order: int) -> str:
        """Return the source of bounds of the order-th derivative."""
        return interval_source(derivative(stable(self.expression), order))

    @cached_property
    def _sources(self) -> dict[int, Source]:
        return {}

    @property
    def endless_kinks(self) -> bool:
        """Whether the piece holds kinks that recur without end."""
        return bool(self.expression.has(*SWITCHING))

    @cached_property
    def polynomial(self) -> tuple[float, ...] | None:
        """Coefficients, ascending in x, of a polynomial of degree 16 at most; None for any other piece."""
        if not 0 <= degree(self.expression) <= MAX_DEGREE:
            return None
        return tuple(float(c) for c in reversed(sp.Poly(self.expression, x).all_coeffs()))

    @cached_property
    def power(self) -> tuple[float, float, float, float] | None:
        """The power that the piece is, or None for any other; factors with one root in common are one power."""
        number, rest = self.expression.as_independent(x, as_Add=True)
        offset = float(number)
        if rest == 0:
            return offset, 0.0, 0.0, 1.0
        coefficient, rest = rest.as_independent(x, as_Add=False)
        roots, exponent = set(), sp.Integer(0)
        for base, n in rest.as_powers_dict().items():
            if degree(base) != 1 or not n.is_number:
                return None
            slope = sp.diff(base, x)
            root = -base.subs(x, 0) / slope
            roots.add(root)
            coefficient *= (slope if self._middle > float(root) else -slope) ** n
            exponent += n
        if len(roots) != 1 or not coefficient.is_real:
            return None
        return offset, float(coefficient), float(roots.pop()), float(exponent)


def degree(expression: Any) -> int:
    """Return the degree in x before cancellations, without multiplying out; -1 unless it is a polynomial."""
    if not expression.has(x):
        return 0
    if expression == x:
        return 1
    if expression.is_Pow and expression.exp.is_Integer and expression.exp > 0:
        return max(-1, degree(expression.base) * int(expression.exp))
    if expression.is_Add or expression.is_Mul:
        parts = [degree(part) for part in expression.args]
        return -1 if -1 in parts else max(parts) if expression.is_Add else sum(parts)
    return -1


def find_pieces(expression: Any) -> tuple[SymbolicPiece, ...]:
    """Find the smooth pieces of an expression, ascending and contiguous from -inf to inf.

    Where kinks recur without end, as in Abs(sin(x)), those in [-100, 100] are found, and the two outermost pieces
    hold the whole expression: values and derivatives are right there too, but kinks are not listed.

    Raises
    ------
    ValueError
        If there are more than 500 pieces, or a value or slope is infinite.
    """
    with mpmath.workdps(DIGITS):
        found = sorted(split(expression), key=lambda part: part[0])
        parts = [found[0]]
        for part in found[1:]:
            last = parts[-1]
            if float(part[0]) == float(last[0]):
                parts[-1] = (last[0], part[1])  # no float lies inside
            elif not _same(last[1], part[1], part[0]):
                parts.append(part)
        ends = [float(start) for start, _ in parts] + [math.inf]
        pieces = tuple(SymbolicPiece(ends[i], ends[i + 1], e, start) for i, (start, e) in enumerate(parts))
        for piece in pieces:
            _check_domain(piece, expression)
        return tuple(_computable(piece) for piece in pieces)


def _computable(piece: SymbolicPiece) -> SymbolicPiece:
    """Return a piece of the same function whose values are right in double precision.

    Raises
    ------
    ValueError
        If there is none, as for cosh(x) - sinh(x), which cancels.
    """
    outermost = math.isinf(piece.lower) or math.isinf(piece.upper)
    try:
        for order in range(CHECKED + 1 if outermost else 1):  # inner pieces, which may be many, are checked when used
            piece.value(0.0, order)
    except ValueError:
        expanded = replace(piece, branch=sp.expand(piece.branch)) if piece.polynomial else piece
        if expanded.branch == piece.branch:
            raise
        return _computable(expanded)  # (x + 1)**2 - x**2
    return piece


def joined(pieces: tuple[Piece, ...]) -> Any:
    """Return one expression for the whole line that chooses the piece by comparing x with the breakpoints."""
    if len(pieces) == 1:
        return pieces[0].expression
    half = len(pieces) // 2
    condition = sp.StrictLessThan(x, sp.Float(pieces[half].lower, 17), evaluate=False)
    return rebuilt(sp.Piecewise, [(joined(pieces[:half]), condition), (joined(pieces[half:]), sp.true)])


def jumps(left: SymbolicPiece, right: SymbolicPiece, whole: Any) -> tuple[float, float, float]:
    """Return the value left of a border, and the jumps of value and slope across it, evaluated to 50 digits."""
    result: list[float] = []
    with mpmath.workdps(DIGITS):
        # only the outermost pieces with endless kinks need to be resolved; the others are smooth
        branches = [resolve(left.expression, right.start - NEARBY, [])]
        branches += [resolve(right.expression, right.start + NEARBY, [])]
        for order in (0, 1):
            sides = [_at_root(piece.power, order, right.lower) for piece in (left, right)]
            for i, branch in enumerate(branches):
                if sides[i] is None:
                    sides[i] = precise(slope_of(branch) if order else branch, right.start)
            if not all(abs(side) < HUGE and abs(mpmath.im(side)) < SMALL for side in sides):  # false for NaN
                rule = "must have a finite value and slope on both sides of every point, and has not"
                raise refuse(f"{rule} at x = {right.lower:.6g}", to_text(whole))
            jump = mpmath.re(sides[1] - sides[0])
            jump = jump if abs(jump) > SMALL * (1 + abs(sides[0])) else 0
            result += [float(mpmath.re(sides[0])), float(jump)]
    return result[0], result[1], result[3]


def _at_root(power: tuple[float, float, float, float] | None, order: int, border: float) -> Any:
    """Return value or slope of a root at a border where it vanishes, or None: its digits there would be rounding."""
    if power is None or power[3].is_integer() or abs(power[2] - border) > SMALL * abs(border):
        return None
    return mpmath.mpf(power[0]) if order == 0 else mpmath.mpf(0 if power[3] > 1.0 else "inf")


def same_function(first: tuple[Piece, ...], second: tuple[Piece, ...]) -> bool:
    """Return whether two functions have the same pieces, compared to 50 digits."""
    if [piece.lower for piece in first] != [piece.lower for piece in second]:
        return False
    with mpmath.workdps(DIGITS):
        return all(
            _same(a.expression, b.expression, mpmath.mpf(a.lower if math.isfinite(a.lower) else 0.5))
            for a, b in zip(first, second, strict=True)
        )


def _same(first: Any, second: Any, border: Any) -> bool:
    """Return whether two analytic expressions are the same function, compared at points around a border."""
    if first == second:
        return True
    for offset in (-0.7213, -0.3307, 0.2417, 0.6151, 1.3377):
        a, b = (precise(e, border + mpmath.mpf(offset)) for e in (first, second))
        if not abs(a - b) <= TINY * (abs(a) + abs(b) + TINY):
            return False
    return True


def _check_domain(piece: SymbolicPiece, whole: Any) -> None:
    """Raise a ValueError for a singularity inside a piece, such as a division by zero or log of a negative number."""
    if piece.expression.has(*SWITCHING):
        return
    for guard in guards(piece.expression):
        for root in real_roots(guard, touching=True).points:
            margin = SMALL * 100 * (1 + abs(root))  # the ends of the piece are rounded
            if piece.lower + margin < root < piece.upper - margin:
                rule = "must be finite and smooth between its kinks, and is not"
                raise refuse(f"{rule} at x = {float(root):.6g}", to_text(whole))
