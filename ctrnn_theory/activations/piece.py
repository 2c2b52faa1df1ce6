"""One smooth piece of an activation: its values, its derivatives and its ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations.source.arrays import Source, array_function


@dataclass(frozen=True, eq=False)
class Piece:
    """One smooth function on an interval; classes that derive from this one say which."""

    lower: float
    """Lower end, -inf for the first piece."""
    upper: float
    """Upper end, inf for the last piece."""

    def source(self, order: int) -> Source:
        """Return the source of the order-th derivative."""
        raise NotImplementedError

    def interval_source(self, order: int) -> str:
        """Return the source of bounds of the order-th derivative, 0, 1 or 2, in the functions of ``intervals``."""
        raise NotImplementedError

    @property
    def expression(self) -> Any:
        """Smooth SymPy expression in x, in SymPy's own functions; the outermost two may hold endless kinks."""
        raise NotImplementedError

    @property
    def polynomial(self) -> tuple[float, ...] | None:
        """Coefficients, ascending in x, of a polynomial of degree 16 at most; None for any other piece."""
        return None

    @property
    def power(self) -> tuple[float, float, float, float] | None:
        """The offset o, coefficient k, center c and exponent n of a piece o + k |x - c|ⁿ to one side of c, or None.

        A constant has k = 0.
        """
        if self.polynomial is None:
            return None
        offset, *others = self.polynomial
        terms = [(n, k) for n, k in enumerate(others, 1) if k]
        if len(terms) > 1 or (terms and self.lower < 0.0 < self.upper):
            return None
        if not terms:
            return offset, 0.0, 0.0, 1.0
        n, coefficient = terms[0]
        return offset, coefficient * (1.0 if self.lower >= 0.0 else -1.0) ** n, 0.0, float(n)

    @property
    def endless_kinks(self) -> bool:
        """Whether the piece, which is then the first or the last, holds kinks that recur without end."""
        return False

    @property
    def extended_range(self) -> bool:
        """Whether parts of the expression overflow where its value does not; see ``extended_range``."""
        return self.source(0).extended_range

    def value(self, at: ArrayLike, order: int = 0) -> Any:
        """Return the order-th derivative of the piece's function at points of any shape, also beyond its ends."""
        points = np.asarray(at, dtype=np.float64)
        if order not in self._functions:
            self._functions[order] = array_function(*self.source(order))
        value = np.asarray(self._functions[order](points), dtype=np.float64)
        return value[()] if value.shape == points.shape else np.full(points.shape, value)[()]

    def limit(self, end: float, order: int = 0) -> float:
        """Return the order-th derivative at an end of the interval, from inside.

        Where the end rounds to a point at which the expression has no value, the next number inside is taken. It also
        gives the sign of an infinite limit, which is that of a zero at the end.
        """
        value = float(self.value(end, order))
        if np.isfinite(value):
            return value
        inside = float(self.value(np.nextafter(end, self._middle), order))
        return inside if np.isnan(value) else math.copysign(value, inside)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_functions"}  # these cannot be pickled

    @property
    def _middle(self) -> float:
        return float(np.clip((max(self.lower, -1e300) + min(self.upper, 1e300)) / 2, self.lower, self.upper))

    @cached_property
    def _functions(self) -> dict[int, Any]:
        return {}
