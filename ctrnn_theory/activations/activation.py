"""Activation functions: value, derivatives, kinks, compiled block function, Gaussian smoothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations.library import BUILTIN
from ctrnn_theory.activations.piece import Piece
from ctrnn_theory.activations.shape_features import curvature_maxima, limit_slope
from ctrnn_theory.activations.source.arrays import Source, array_function
from ctrnn_theory.activations.text import MAX_LENGTH
from ctrnn_theory.support.arguments import float_array, integer
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import FloatArray


class Kink(NamedTuple):
    """A point where the value or the slope jumps."""

    location: float
    """The point."""
    value_jump: float
    """Jump of the value, f(location+) - f(location-)."""
    slope_jump: float
    """Jump of the slope, f'(location+) - f'(location-)."""


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Activation:
    """An activation function f, made by :func:`activation`.

    Calling it gives f(x) for x of any shape. At a point where f or a derivative jumps, f and its derivatives take
    the mean of their one-sided limits, which is what Gaussian smoothing tends to as its width vanishes.

    Two activations are equal if their texts are.

    Examples
    --------
    >>> relu = activation("relu")
    >>> relu([-1.0, 2.0])
    array([0., 2.])
    >>> relu.derivative([-1.0, 0.0, 2.0])
    array([0. , 0.5, 1. ])
    >>> relu.kinks
    (Kink(location=0.0, value_jump=0.0, slope_jump=1.0),)
    """

    text: str
    """Name of a built-in, or an expression in x, from which :func:`activation` makes this activation again."""
    pieces: tuple[Piece, ...]
    """Smooth pieces, ascending and contiguous from -inf to inf."""
    kinks: tuple[Kink, ...]
    """Every point where the value or the slope jumps, ascending."""
    steps: tuple[tuple[float, float], ...]
    """Location and value of each point in the middle of a jump, where `source` does not give the value."""
    source: Source
    """Python source that values are computed from."""

    def __call__(self, x: ArrayLike) -> Any:
        """Return f(x), of the shape of x."""
        points = float_array("x", x)
        value = np.array(np.broadcast_to(self._function(points), points.shape), dtype=np.float64)
        for location, middle in self.steps:
            value[points == location] = middle
        if len(self.pieces) > 1:
            value[np.isnan(points)] = np.nan  # comparisons with NaN have picked some branch
        return value[()]

    def derivative(self, x: ArrayLike, order: int = 1) -> Any:
        """Return f⁽ⁿ⁾(x), of the shape of x, for any order n.

        Jumps add no delta functions: between breakpoints it is the derivative of the smooth piece, and at a breakpoint
        the mean of the derivatives of its two neighbours.

        Raises
        ------
        ValueError
            If the order is not an integer of at least 0.

        Examples
        --------
        >>> activation("tanh").derivative(0.0, 3)
        np.float64(-2.0)
        """
        if integer("order", order) == 0:
            return self(x)
        points = float_array("x", x)
        if len(self.pieces) == 1:
            return self.pieces[0].value(points, int(order))
        value = np.full(points.shape, np.nan)
        index = np.searchsorted(self.breakpoints, points, side="right")
        for i, piece in enumerate(self.pieces):
            inside = index == i
            if inside.any():
                value[inside] = piece.value(points[inside], int(order))
        for left, right in itertools.pairwise(self.pieces):
            here = points == right.lower
            if here.any():
                value[here] = (left.limit(left.upper, int(order)) + right.limit(right.lower, int(order))) / 2
        value[np.isnan(points)] = np.nan
        return value[()]

    def smoothed(self, a: ArrayLike, s: ArrayLike, derivative: int = 0) -> Any:
        """Return the Gaussian smoothing F(a; s) = E f(a + s ξ), ξ standard normal, or a derivative of it in a.

        It is good to rounding for the built-ins, and to 1e-10 of its size for a user's expression. A feature of such an
        expression that is narrower than 1/100 of its distance from 0 (or than 0.02) and has no effect beyond
        itself, such as ``exp(-1e8*(x - 0.1)**2)``, can be missed.

        Parameters
        ----------
        a, s
            Mean and standard deviation (at least 0), broadcast against each other.
        derivative
            Order n of the derivative ∂ⁿF/∂aⁿ.

        Examples
        --------
        >>> activation("relu").smoothed(0.0, [0.0, 1.0])
        array([0.        , 0.39894228])
        """
        from ctrnn_theory.activations.gaussian import smoothing

        return smoothing.smoothed(self, a, s, derivative)

    def smoothed_variance(self, a: ArrayLike, s: ArrayLike) -> Any:
        """Return Var f(a + s ξ), ξ standard normal, with a and s broadcast against each other.

        Examples
        --------
        >>> activation("identity").smoothed_variance(0.3, 0.5)
        np.float64(0.25)
        """
        from ctrnn_theory.activations.gaussian import smoothing

        return smoothing.smoothed_variance(self, a, s)

    @cached_property
    def expression(self) -> Any:
        """SymPy expression in the real symbol x, in SymPy's own functions."""
        from ctrnn_theory.activations.symbolic.build import expression_of

        return expression_of(self.text)

    @property
    def form(self) -> Any:
        """Stable SymPy expression that `source` is written from."""
        from ctrnn_theory.activations.symbolic.build import stable_form

        return stable_form(self.expression, self.pieces)

    @property
    def name(self) -> str:
        """Short label: the text, cut to 40 characters."""
        return self.text if len(self.text) <= 40 else self.text[:37] + "..."

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Points where f is not smooth, that is, where some derivative jumps, ascending."""
        return tuple(piece.lower for piece in self.pieces[1:])

    @property
    def piecewise_linear(self) -> bool:
        """Whether every piece is a polynomial of degree 1 at most."""
        return all(piece.polynomial is not None and len(piece.polynomial) <= 2 for piece in self.pieces)

    @cached_property
    def nonlinearities(self) -> tuple[float, ...]:
        """Points where f is most nonlinear: its kinks, or else its breakpoints, or else the local maxima of |f''|.

        The maxima are those in [-20, 20], found to about 1e-10.

        Examples
        --------
        >>> activation("softplus").nonlinearities
        (0.0,)
        """
        if self.breakpoints:
            return tuple(kink.location for kink in self.kinks) or self.breakpoints
        return curvature_maxima(self.pieces[0])

    @cached_property
    def limit_slopes(self) -> tuple[float, float]:
        """Slopes of f at -inf and +inf: the limits of f(x)/x, 0 if f is bounded, infinite if f grows faster.

        Examples
        --------
        >>> activation("softplus").limit_slopes
        (0.0, 1.0)
        """
        return limit_slope(self.pieces[0], -1), limit_slope(self.pieces[-1], 1)

    @cached_property
    def block(self) -> Callable[[FloatArray], None]:
        """Compiled Numba function ``void(float64[::1])`` that applies f in place; it is compiled when first needed.

        That of a built-in activation is kept on disk.
        """
        from ctrnn_theory.activations.source.compiled import block_function

        name = self.text if self.text in BUILTIN else None
        return block_function(self.source, self.steps, len(self.pieces) > 1, name)

    @cached_property
    def _function(self) -> Callable[[FloatArray], Any]:
        return array_function(*self.source)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Activation) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Activation({self.text!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return activation, (self.text,)


@guarded
def activation(spec: Activation | str | Any) -> Activation:
    """Make an activation function from a name, an expression in x as text, or a SymPy expression in one symbol.

    Text is parsed through a whitelist and never evaluated as Python. It may hold ``+ - * / **``, numbers, ``x``,
    ``pi``, ``E`` or ``e``; ``exp log sqrt sin cos sinh cosh tanh atan asinh erf erfc``; ``Abs sign Max Min Heaviside``
    (also ``abs max min``) and ``Piecewise((value, condition), ..., (value, True))``; and the built-ins as functions,
    ``relu(x - 1)``. Kinks are found from the expression. ``smoothed(f, s)`` is the Gaussian smoothing E f(x + s ξ) of
    any of these. ``powerlaw(n)`` is ``Max(0, x)**n`` for any real n of at least 1.

    Power laws ``s*Max(0, g*(x - c))**n + o`` with n up to 16 have Gaussian averages in closed form or by a fixed rule,
    which are good to rounding in both tails. So has every power law with a branch on each side of c, such as
    ``Abs(x)**1.5``.

    Parameters
    ----------
    spec
        One of :data:`BUILTIN`, an expression in x, or an Activation, returned as it is.

    Raises
    ------
    ValueError
        If `spec` is anything else, or the function is not real and finite, has an infinite slope at a kink, or cannot
        be computed in double precision from 1e-300 to 1e12. Value, slope and curvature are compared with values of 50
        digits, and an expression that overflows on the way to a finite value is evaluated so that it does not.

    Examples
    --------
    >>> activation("Abs(Abs(x) - 1)").breakpoints
    (-1.0, 0.0, 1.0)
    >>> activation("log(1 + exp(x))")
    Activation('softplus')
    >>> activation("0.8*powerlaw(1.5)")(4.0)
    np.float64(6.4)
    >>> activation("smoothed(relu, 0.5)")(0.0)
    np.float64(0.19947114020071635)
    >>> activation("1/x")
    Traceback (most recent call last):
    ValueError: activation must be real and finite from -100 to 100, and is not at x = 0; got '1/x'
    """
    if isinstance(spec, Activation):
        return spec
    if isinstance(spec, str):
        return _from_text(spec if len(spec) > MAX_LENGTH else spec.strip())
    from ctrnn_theory.activations.symbolic.build import text_of

    return _from_text(text_of(spec))


@lru_cache(maxsize=256)
def _from_text(text: str) -> Activation:
    if text in BUILTIN:
        from ctrnn_theory.activations.builtin import load

        return load(text)
    from ctrnn_theory.activations.symbolic.build import build

    return build(text)
