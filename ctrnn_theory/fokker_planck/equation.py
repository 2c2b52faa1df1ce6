"""Drift and diffusion of a Fokker–Planck equation, from numbers, text or functions."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctrnn_theory.support.arguments import function_values, is_number
from ctrnn_theory.support.types import FloatArray

Field = Callable[[FloatArray, float], FloatArray]
"""A function of states (M, N) and the time."""

HINT = 'see "ctrnn-theory list activations"'
COORDINATES = ("x", "y", "z")


@dataclass(frozen=True, eq=False)
class Equation:
    """The equation ∂p/∂t = - Σᵢ ∂ᵢ(Aᵢ p) + ½ Σᵢⱼ ∂ᵢ∂ⱼ(Bᵢⱼ p) in N dimensions."""

    n: int
    """Number of dimensions N."""
    drift: Field
    """Function that returns A (M, N)."""
    diffusion: Field
    """Function that returns B, the variance per unit of time, (M, N, N), or its diagonal (M, N)."""
    steady: bool = True
    """Whether neither of them depends on the time."""


def equation(drift: Any, diffusion: Any, n: int) -> Equation:
    """Make an equation in `n` dimensions from what a user writes.

    Parameters
    ----------
    drift
        For each coordinate a number, an expression in ``x, y, z`` and the time ``t`` as text or from SymPy, or a
        function of the coordinates, arrays (M,); or one function of the coordinates that returns as many values. A
        function with one argument more than coordinates is given the time too. In one dimension the entry alone is
        enough.
    diffusion
        B, the variance per unit of time: one entry for all coordinates, an entry for each (diagonal B), N x N of them,
        or one function that returns any of these.

    Raises
    ------
    ValueError
        If an argument is anything else. The functions of the equation raise it for values that are not finite and for
        a diffusion that is not symmetric positive semi-definite.

    Examples
    --------
    >>> field = equation(["-x", "x - y"], lambda x, y: (1.0, 0.1 + x**2), 2)
    >>> at = np.array([[1.0, 2.0], [0.5, 0.0]])
    >>> print(field.drift(at, 0.0), field.diffusion(at, 0.0), field.steady)
    [[-1.  -1. ] [-0.5  0.5]] [[1.   1.1 ] [1.   0.35]] True
    """
    one: list[tuple[int, ...]] = [()] if n == 1 else []
    A, A_steady = _field("drift", drift, n, [*one, (n,)])
    B, B_steady = _field("diffusion", diffusion, n, [(), (n,), (n, n)])

    def checked(points: FloatArray, t: float) -> FloatArray:
        return check_diffusion(B(points, t), points)

    return Equation(n, A, checked, A_steady and B_steady)


def _field(name: str, value: Any, n: int, shapes: list[tuple[int, ...]]) -> tuple[Field, bool]:
    """Return a function of (M, N) and t, with values (M, N) or (M, N, N), and whether it is independent of t."""
    value = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if is_symbolic(value, "MatrixBase"):
        value = list(value) if 1 in value.shape else value.tolist()
    shape = _shape(name, value)
    whole = shape == () and callable(value)  # its values may have any of the shapes
    if shape not in shapes and not whole:
        allowed = " or ".join(str(shape) for shape in shapes)
        raise ValueError(f"{name} must have entries of shape {allowed} for {n} coordinates; got {shape}")
    parts = {index: entry(name, _at(value, index, n), n) for index in np.ndindex(shape)}

    def field(points: FloatArray, t: float) -> FloatArray:
        with np.errstate(all="ignore"):  # values that are not finite are reported below
            try:
                values = {index: part(points, t) for index, (part, _) in parts.items()}
            except TypeError as error:
                raise ValueError(f"{name} must be a function of arrays (M,) of coordinates; {error}") from error
        for form in shapes if whole else [shape]:
            out = np.empty((len(points), *(form or (n,))))
            try:
                for index in np.ndindex(form):
                    part = _at(values[()], index, n) if whole else values[index]
                    numbers = function_values(name, part)
                    _column(out, index)[:] = np.broadcast_to(numbers, len(points))[:, None]
            except (TypeError, ValueError, IndexError):
                continue
            return _finite(name, out, points)
        raise ValueError(f"{name} must return {n} values for {n} coordinates, each real and a number or of shape (M,)")

    return field, all(steady for _, steady in parts.values())


def _at(value: Any, index: tuple[int, ...], n: int) -> Any:
    """Return an element of nested sequences, each of length n."""
    for i in index:
        if len(value) != n:
            raise IndexError
        value = value[i]
    return value


def _column(out: FloatArray, index: tuple[Any, ...]) -> FloatArray:
    """Return the part of the values (M, ...) of a field that an entry fills, which for the index () is all of it."""
    return out[(slice(None), *index)].reshape(len(out), -1)


def entry(name: str, value: Any, n: int) -> tuple[Callable[[FloatArray, float], Any], bool]:
    """Return a function of (M, N) and t for one entry, and whether it is independent of t."""
    if is_number(value) and not is_symbolic(value):
        number = float(value)
        return (lambda points, t: number), True
    if isinstance(value, str) or is_symbolic(value):
        return _symbolic(name, value, n)
    if callable(value):
        if _takes(value, n):
            return (lambda points, t: value(*points.T)), True
        if _takes(value, n + 1):
            return (lambda points, t: value(*points.T, t)), False
        raise ValueError(f"{name} must be a function of {n} coordinates, or of them and the time; got {value!r}")
    raise ValueError(f"{name} must be made of numbers, expressions or functions of the coordinates; got {value!r}")


def is_symbolic(value: Any, kind: str = "Expr") -> bool:
    """Return whether a value is of a class of SymPy's; before SymPy has been imported, none is."""
    return isinstance(value, getattr(sys.modules.get("sympy"), kind, ()))


def _symbolic(name: str, value: Any, n: int) -> tuple[Callable[[FloatArray, float], Any], bool]:
    import sympy as sp

    from ctrnn_theory.activations.symbolic.parse import parse

    symbols = [sp.Symbol(letter, real=True) for letter in (*COORDINATES[:n], "t")]
    known = {symbol.name: symbol for symbol in symbols}
    if isinstance(value, str):
        try:
            expression = parse(value, symbols=known)
        except ValueError as error:
            reason = str(error).removeprefix("activation ").replace(f" ({HINT})", "").replace(f" {HINT}", "")
            raise ValueError(f"{name} must be an expression in {', '.join(known)}: it {reason}") from None
    else:
        expression = value.subs({s: known[s.name] for s in value.free_symbols if s.name in known})
        strange = sorted(s.name for s in expression.free_symbols if s.name not in known)
        if strange:
            raise ValueError(f"{name} must be an expression in {', '.join(known)}; got {', '.join(strange)}")
    function = sp.lambdify(symbols, expression, ["scipy", "numpy"])
    return (lambda points, t: function(*points.T, t)), symbols[-1] not in expression.free_symbols


def _takes(function: Callable[..., Any], count: int) -> bool:
    """Return whether a function can be called with so many arguments, or true if it has no signature."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _shape(name: str, value: Any) -> tuple[int, ...]:
    """Return the shape of nested sequences, whose elements may be anything."""
    if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
        return ()
    inner = {_shape(name, part) for part in value}
    if len(inner) > 1:
        raise ValueError(f"{name} must have rows of equal length; got {value!r}")
    return (len(value), *(inner.pop() if inner else ()))


def _finite(name: str, values: FloatArray, points: FloatArray) -> FloatArray:
    """Return values (M, ...), or raise a ValueError where one is not finite."""
    bad = ~np.isfinite(values).reshape(len(points), -1).all(axis=1)
    if bad.any():
        raise ValueError(f"{name} must be finite in the domain; at {_place(points[bad][0])} it is not")
    return values


def check_diffusion(B: FloatArray, points: FloatArray) -> FloatArray:
    """Return B (M, N) or (M, N, N), or raise a ValueError unless it is symmetric positive semi-definite everywhere."""
    if B.ndim == 2:
        smallest = B.min(axis=1)
    else:
        size = np.abs(B).max(axis=(1, 2))
        skew = np.abs(B - B.transpose(0, 2, 1)).max(axis=(1, 2)) > 1e-9 * size
        if skew.any():
            raise ValueError(f"diffusion must be symmetric; at {_place(points[skew][0])} it is not")
        smallest = np.linalg.eigvalsh(B)[:, 0] + 1e-9 * size
    bad = smallest < 0.0
    if bad.any():
        value = f"an eigenvalue is {smallest[bad][0]:.3g}"
        raise ValueError(f"diffusion must be positive semi-definite; at {_place(points[bad][0])} {value}")
    return B


def _place(point: FloatArray) -> str:
    return "(" + ", ".join(f"{x:.4g}" for x in point) + ")"
