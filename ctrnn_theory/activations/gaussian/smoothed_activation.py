"""The Gaussian smoothing F(x) = E f(x + s ξ) of an activation, as an activation of its own.

Within ±R its values are those of ``smoothing``. Beyond, farther than 9.5 s from where f bends, f is smooth over s, and
the trapezoidal rule in ξ gives F to rounding (L. N. Trefethen and J. A. C. Weideman, SIAM Review 56, 2014), whether f
is straight there, decays or oscillates without end. The compiled form follows the same rule, with polynomials on panels
within ±R. So does a call of an f whose smoothing takes quadrature, which is slow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from numpy.polynomial.polynomial import polyval, polyvander
from numpy.typing import ArrayLike

from ctrnn_theory.activations.activation import Activation
from ctrnn_theory.activations.gaussian.smoothing import checked, quick
from ctrnn_theory.activations.piece import Piece
from ctrnn_theory.activations.shape_features import curvature_maxima
from ctrnn_theory.activations.source.arrays import Source
from ctrnn_theory.activations.text import MAX_LENGTH, refuse
from ctrnn_theory.numerics.panels import halve_until_resolved
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

REACH = 9.5  # standard deviations beyond which φ is below rounding
COUNTS = (48, 96, 192)  # points of the trapezoidal rule that are tried in turn: with more, f may oscillate faster
DOUBLINGS = 5  # values of R that are tried, each twice the one before
CHECKED_TO = 128.0  # |x| up to which the rule is checked at least: farther than an activation must be finite
CHUNK = 4096  # points that are treated at once, which bounds the memory
TOLERANCE = 3e-13  # error of panels and tails, relative to the size of f there
ROUNDING = 1e-15  # rounding of the sums that smoothing takes, relative to the size of f where a tail starts
DEGREE = 9  # degree of the polynomials on panels
FINEST = 1 / 8  # width in units of s at which a panel is accepted: any error left is that of the values of F
NODES = chebyshev.chebpts1(DEGREE + 1)
CHECKS = np.cos(np.pi * np.arange(DEGREE + 2) / (DEGREE + 1))  # where the node polynomial peaks
TO_POWERS = np.linalg.inv(polyvander(NODES, DEGREE)).T
TO_CHECKS = polyvander(CHECKS, DEGREE).T


class Tail(NamedTuple):
    """The rule F(x) = Σ weight f(x + shift) beyond ±start."""

    start: float
    shift: FloatArray
    weight: FloatArray

    def apply(self, f: Callable[[FloatArray], Any], x: FloatArray) -> FloatArray:
        """Return Σ weight f(x + shift) for x (K,)."""
        parts = np.array_split(x, 1 + x.size // CHUNK)
        return np.concatenate([f(part[:, None] + self.shift) @ self.weight for part in parts])


class PanelPolynomials(NamedTuple):
    """The smoothing F as a polynomial on each of P panels."""

    edges: FloatArray
    """Edges of the panels, (P + 1,)."""
    coefficients: FloatArray
    """Coefficients, ascending in the distance from a panel's centre in half widths, (P, DEGREE + 1)."""

    def value(self, x: FloatArray) -> FloatArray:
        """Return F(x) for x (K,) between the outermost edges."""
        i = np.searchsorted(self.edges[1:-1], x, side="right")
        left, right = self.edges[i], self.edges[i + 1]
        t = (2.0 * x - left - right) / (right - left)
        return np.asarray(polyval(t, self.coefficients[i].T, tensor=False), dtype=np.float64)


@dataclass(frozen=True, eq=False, kw_only=True)
class SmoothedPiece(Piece):
    """The one piece of a smoothed activation: the whole line."""

    inner: Activation
    width: float
    tail: Tail

    @property
    def expression(self) -> Any:
        """Smoothing of the expression of f, which SymPy does not evaluate."""
        from ctrnn_theory.activations.symbolic.parse import Smoothing

        return Smoothing(self.inner.expression, self.width)

    def value(self, at: ArrayLike, order: int = 0) -> Any:
        """Return F⁽ⁿ⁾ at points of any shape; at ±inf it is f⁽ⁿ⁾."""
        return self._value(at, order, lambda x: self.inner.smoothed(x, self.width, order))

    def tabulated(self, at: ArrayLike) -> Any:
        """Return F, which within ±start of the tail comes from the panels."""
        return self._value(at, 0, self.panels.value)

    def _value(self, at: ArrayLike, order: int, function: Callable[[FloatArray], Any]) -> Any:
        points = np.asarray(at, dtype=np.float64)
        value, near = np.empty(points.shape), np.abs(points) <= self.tail.start  # not NaN
        value[near] = function(points[near])
        if not near.all():
            value[~near] = self.tail.apply(lambda x: self.inner.derivative(x, order), points[~near])
        return value[()]

    @cached_property
    def panels(self) -> PanelPolynomials:
        """Polynomials of F within ±start of the tail, which are fitted when they are first needed."""
        return fit(self.inner, self.width, self.tail)


@guarded
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Smoothed(Activation):
    """The Gaussian smoothing F(x) = E f(x + s ξ), ξ standard normal, made by :func:`smooth`."""

    inner: Activation
    """The activation f, which is not smoothed itself."""
    width: float
    """Width s, above 0."""

    @property
    def expression(self) -> Any:
        """Smoothing of the expression of f, which SymPy does not evaluate."""
        return self.pieces[0].expression

    form = expression

    def smoothed(self, a: ArrayLike, s: ArrayLike, derivative: int = 0) -> Any:
        """Return the Gaussian smoothing of F, which is that of f with width √(width² + s²)."""
        a, s, shape = checked(a, s)
        return self.inner.smoothed(a, np.hypot(self.width, s), derivative).reshape(shape)[()]

    def smoothed_variance(self, a: ArrayLike, s: ArrayLike) -> Any:
        """Return Var F(a + s ξ), the covariance of f at two inputs a + s ξ plus independent noise of this width."""
        from ctrnn_theory.activations.gaussian import covariance

        a, s, shape = checked(a, s)
        return covariance.covariance(self, a, a, s, s, np.ones_like(a)).reshape(shape)[()]

    @cached_property
    def nonlinearities(self) -> tuple[float, ...]:
        """Points where F is most nonlinear: the local maxima of |F''|, also those too narrow for a fixed grid."""
        return curvature_maxima(self.pieces[0], np.add.outer(_places(self.inner), self.width * np.linspace(-4, 4, 41)))

    @cached_property
    def limit_slopes(self) -> tuple[float, float]:
        """Slopes at -inf and +inf, which are those of f."""
        return self.inner.limit_slopes

    @cached_property
    def block(self) -> Callable[[FloatArray], None]:
        """Compiled Numba function ``void(float64[::1])`` that applies F in place.

        It is good to 1e-12 of E |f(x + s ξ)|, or of the least value of this where f bends if that is larger.
        """
        piece: Any = self.pieces[0]
        return _block_function(self.inner.block, piece.tail, piece.panels)

    @cached_property
    def _function(self) -> Callable[[FloatArray], Any]:
        piece: Any = self.pieces[0]
        return piece.value if quick(self.inner) else piece.tabulated


@lru_cache(maxsize=256)
def smooth(f: Activation, s: float) -> Activation:
    """Return the activation F(x) = E f(x + s ξ), ξ standard normal, or f itself if it is linear or s = 0.

    Raises
    ------
    ValueError
        If f has endless kinks, has no smoothing, or oscillates without end and fast compared with s.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> smooth(smooth(activation("relu"), 0.3), 0.4)
    Activation('smoothed(relu, 0.5)')
    """
    if isinstance(f, Smoothed):
        return smooth(f.inner, math.hypot(f.width, s))
    if s == 0.0 or (f.piecewise_linear and not f.breakpoints):
        return f
    text = f"smoothed({f.text}, {s!r})"
    if len(text) > MAX_LENGTH:
        raise refuse(f"must be at most {MAX_LENGTH} characters long when written out", text)
    if any(piece.endless_kinks for piece in f.pieces):
        raise refuse("must have finitely many kinks to be smoothed", text)
    piece = SmoothedPiece(lower=-math.inf, upper=math.inf, inner=f, width=s, tail=find_tail(f, s, text))
    return Smoothed(text, (piece,), (), (), Source(text), inner=f, width=s)


def _places(f: Activation) -> FloatArray:
    """Return the points where f bends."""
    return np.unique([*f.breakpoints, *f.nonlinearities] or [0.0])


def find_tail(f: Activation, s: float, text: str) -> Tail:
    """Return a tail that agrees with the smoothing of f at points up to 4 times as far out as its start."""
    first = float(np.abs(_places(f)).max()) + REACH * s
    for count in COUNTS:
        xi = np.linspace(-REACH, REACH, count)
        weight = np.exp(-0.5 * xi**2)
        for start in first * 2.0 ** np.arange(DOUBLINGS):
            tail = Tail(float(start), s * xi, weight / weight.sum())
            x = np.outer([-1.0, 1.0], np.geomspace(start, max(CHECKED_TO, 4.0 * start), 100)).ravel()
            error = np.abs(tail.apply(f, x) - f.smoothed(x, s))
            rounding = ROUNDING * _size(f, tail, np.array([-1.0, 1.0])).max()
            if np.all(error <= TOLERANCE * _size(f, tail, x) + rounding):
                return tail
    raise refuse(f"must vary slowly over its width far from 0, and does not at x = {x[np.argmax(error)]:.6g}", text)


def _size(f: Activation, tail: Tail, x: FloatArray) -> FloatArray:
    """Return roughly E |f(x + s ξ)|, or its least value where f bends if that is larger, for tails that vanish."""
    at = np.append(x, _places(f))
    size = tail.apply(lambda points: np.abs(f(points)), at)
    return np.maximum(size[: x.size].reshape(x.shape), size[x.size :].min())


def fit(f: Activation, s: float, tail: Tail) -> PanelPolynomials:
    """Return F on panels of ±R, halved until each is good to the tolerance at points between its nodes."""
    corners = np.add.outer(_places(f), s * np.array([-REACH, 0.0, REACH])).ravel()
    edges = np.union1d(np.linspace(-tail.start, tail.start, 17), np.clip(corners, -tail.start, tail.start))
    coefficients: list[FloatArray] = []

    def resolved(left: FloatArray, right: FloatArray, parent: IntArray | None) -> BoolArray:
        centre, half = 0.5 * (left + right)[:, None], 0.5 * (right - left)[:, None]
        power = f.smoothed(centre + half * NODES, s) @ TO_POWERS
        checked = centre + half * CHECKS
        error = np.abs(power @ TO_CHECKS - f.smoothed(checked, s))
        good = np.all(error <= TOLERANCE * _size(f, tail, checked), axis=1)
        good |= right - left <= np.maximum(FINEST * s, 1e-15 * tail.start)
        coefficients.append(power[good])
        return np.asarray(good)

    left, _ = halve_until_resolved(edges[:-1], edges[1:], resolved)
    order = np.argsort(left)
    return PanelPolynomials(np.append(left[order], tail.start), np.concatenate(coefficients)[order])


def _block_function(
    inner: Callable[[FloatArray], None], tail: Tail, panels: PanelPolynomials
) -> Callable[[FloatArray], None]:
    """Compile F on a block of lanes, by the panel that bisection finds or by the rule of the tail."""
    from ctrnn_theory.activations.source.compiled import SIGNATURE
    from ctrnn_theory.support.jit import jit

    start, shift, weight = tail
    edges, coefficients = panels
    centre, scale = 0.5 * (edges[1:] + edges[:-1]), 2.0 / np.diff(edges)

    def block(lanes):  # type: ignore[no-untyped-def]
        around = np.empty(shift.size)
        for i in range(lanes.size):
            x, y = lanes[i], 0.0
            if abs(x) <= start:
                low, high = 0, centre.size
                while high - low > 1:
                    middle = (low + high) // 2
                    if x < edges[middle]:
                        high = middle
                    else:
                        low = middle
                t = (x - centre[low]) * scale[low]
                for j in range(DEGREE, -1, -1):
                    y = y * t + coefficients[low, j]
            else:  # NaN too
                around[:] = x + shift
                inner(around)
                for j in range(weight.size):
                    y += weight[j] * around[j]
            lanes[i] = y

    compiled: Callable[[FloatArray], None] = jit(SIGNATURE)(block)
    return compiled
