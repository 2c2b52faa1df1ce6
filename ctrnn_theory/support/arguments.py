"""Checks of arguments: each returns the argument as arrays and numbers, or raises one sentence that says what is wrong.

Every public argument that is a number or an array of numbers is checked here. Values are refused if they would lose
more than the rounding to double precision: imaginary parts, masked entries, dates and times, text, booleans, objects.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.support.types import FloatArray

LARGEST = 1e9
"""Largest absolute value of a number, so that a state beyond 1e12 is one that grows without bound."""
MOST = 2**63 - 1
"""Largest count: that of a signed integer of 64 bits."""
SHOWN = 80
"""Number of characters of a value that a message shows."""
NAMED = 300
"""Number of characters of a list of names that a message gives."""
KINDS = {
    "b": "booleans",
    "S": "text",
    "U": "text",
    "T": "text",
    "M": "dates",
    "m": "time differences",
    "V": "records",
    "O": "objects",
}
"""What a message calls the entries that are no numbers, by NumPy's code of their kind."""


def float_array(name: str, value: ArrayLike) -> FloatArray:
    """Return `value` as a float64 array of any shape, which may hold NaN and infinities, or raise a ValueError.

    Parameters
    ----------
    name
        What the message calls the argument.
    value
        Anything that NumPy can convert to an array of real numbers: nested sequences, arrays of other libraries.
    """
    if type(value) is np.ndarray and value.dtype == np.float64:
        return value
    with np.errstate(all="ignore"):  # a number of higher precision that is out of range becomes infinite or zero
        return np.asarray(number_array(name, value), dtype=np.float64)


def number_array(name: str, value: ArrayLike) -> NDArray[Any]:
    """Return `value` as an array of integers or floats of its own precision, without a copy if it is one already."""
    try:
        hidden = _hidden(value)
        array = np.empty(0) if hidden else np.asarray(value)
    except MemoryError:
        raise
    except Exception as error:  # an object of another library may raise anything when it is asked for its numbers
        reason = str(error).rstrip(".").replace(". ", "; ") or type(error).__name__
        raise ValueError(f"{name} must be an array of real numbers; got {shown(value)}: {reason}") from error
    if array.dtype.kind == "O" and is_number(value):
        array = np.asarray(_as_float(value))
    kind = array.dtype.kind
    if hidden or kind not in "iufc":
        if kind == "O" and array.size and all(type(entry) is int for entry in array.flat):
            raise ValueError(f"{name} must hold integers of at most 64 bits; got {shown(value)}")
        raise ValueError(f"{name} must be an array of real numbers; got {shown(value)} ({hidden or KINDS[kind]})")
    if kind == "c":
        if np.any(array.imag != 0.0):
            raise ValueError(f"{name} must be real; it holds {array[array.imag != 0.0].flat[0]}")
        array = array.real
    return array


def function_values(name: str, values: ArrayLike) -> FloatArray:
    """Return the values of a caller's function as a float64 array, where True and False count as 1 and 0."""
    condition = getattr(getattr(values, "dtype", None), "kind", "") == "b" or isinstance(values, bool)
    return np.asarray(values, dtype=np.float64) if condition else float_array(f"values of {name}", values)


def real_array(name: str, value: ArrayLike, shape: tuple[int | None, ...] | None = None) -> FloatArray:
    """Return `value` as a C-contiguous, read-only float64 array, or raise a ValueError.

    Numbers must be finite and at most 1e9 in absolute value.

    Parameters
    ----------
    name
        What the message calls the argument.
    value
        Anything that NumPy can convert to an array of real numbers.
    shape
        The required shape, in which None stands for any length.
    """
    array = np.array(float_array(name, value), order="C")
    if shape is not None and (
        array.ndim != len(shape) or any(n is not None and n != k for n, k in zip(shape, array.shape, strict=True))
    ):
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ("," if len(shape) == 1 else "") + ")"
        raise ValueError(f"{name} must have shape {wanted}; got {array.shape}")
    if not np.all(np.isfinite(array)):
        bad = array[~np.isfinite(array)][0]
        raise ValueError(f"{name} must be finite; it holds {bad}")
    if np.any(np.abs(array) > LARGEST):
        raise ValueError(f"{name} must be at most {LARGEST:g} in size; it holds {array[np.abs(array) > LARGEST][0]:g}")
    array.setflags(write=False)
    return array


def real_number(name: str, value: Any, rule: str = "be a number") -> float:
    """Return `value` as a float, or raise a ValueError that states the rule if it is not a single real number.

    Infinities and NaN pass; the comparisons of the caller refuse them.
    """
    try:
        array = float_array(name, value)
    except ValueError as error:
        raise ValueError(f"{name} must {rule}; got {shown(value)}") from error
    if array.ndim:
        raise ValueError(f"{name} must {rule}; got {shown(value)}")
    return float(array)


def finite_number(name: str, value: Any) -> float:
    """Return `value` as a float, or raise a ValueError unless it is a number of at most 1e9 in absolute value."""
    number = real_number(name, value)
    if not abs(number) <= LARGEST:
        raise ValueError(f"{name} must be finite, and at most {LARGEST:g} in size; got {shown(value)}")
    return number


def positive_number(name: str, value: Any) -> float:
    """Return `value` as a float, or raise a ValueError unless it is a finite number above 0."""
    number = real_number(name, value, "be a positive number")
    if not 0.0 < number < np.inf:
        raise ValueError(f"{name} must be a positive number; got {shown(value)}")
    return number


def nonnegative(name: str, value: Any) -> float:
    """Return `value` as a float, or raise a ValueError unless it is a finite number of at least 0."""
    number = real_number(name, value, "be a number of at least 0")
    if not 0.0 <= number < np.inf:
        raise ValueError(f"{name} must be a number of at least 0; got {shown(value)}")
    return number


def probability(name: str, value: Any) -> float:
    """Return `value` as a float, or raise a ValueError unless it is a number in (0, 1]."""
    number = real_number(name, value, "be a number in (0, 1]")
    if not 0.0 < number <= 1.0:
        raise ValueError(f"{name} must be a number in (0, 1]; got {shown(value)}")
    return number


def is_number(value: Any) -> bool:
    """Return whether a value is a real number, of Python, NumPy or a library such as SymPy."""
    return isinstance(value, Real) and not isinstance(value, bool | np.timedelta64)  # NumPy counts these as integers


def integer(name: str, value: Any, least: int = 0) -> int:
    """Return `value` as an int, or raise a ValueError unless it is an integer of at least `least`."""
    if not isinstance(value, int | np.integer) or not is_number(value) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}; got {shown(value)}")
    return int(value)


def positive_integer(name: str, value: Any) -> int:
    """Return a count as an int, or raise a ValueError unless it is an integer of at least 1."""
    count = integer(name, value, 1)
    if count > MOST:
        raise ValueError(f"{name} must be at most {MOST}; got {shown(value)}")
    return count


def even_order(order: Any) -> int:
    """Return the order of an expansion in σ, or raise a ValueError unless it is an even integer of at least 2."""
    if not isinstance(order, int | np.integer) or not is_number(order) or order < 2 or order % 2:
        raise ValueError(f"order must be even and at least 2; got {shown(order)}")
    return int(order)


def check_rng(rng: Any) -> None:
    """Raise a ValueError unless random numbers can be drawn from `rng`; nothing is drawn from it."""
    if rng is None or isinstance(rng, np.random.SeedSequence | np.random.Generator | np.random.BitGenerator):
        return
    if not isinstance(rng, int | np.integer) or not is_number(rng) or rng < 0:
        raise ValueError(f"rng must be an int of at least 0, SeedSequence, Generator or None; got {shown(rng)}")


def choice(name: str, value: Any, known: Any) -> Any:
    """Return `value`, or raise a ValueError unless it is one of the names in `known`, of which a few are given."""
    if not isinstance(value, str) or value not in known:
        names = ", ".join(known)
        if len(names) > NAMED:
            few = names[:NAMED].rsplit(", ", 1)[0]
            names = f"{few}, or of {names[len(few) :].count(', ')} others"
        raise ValueError(f"{name} must be one of {names}; got {shown(value)}")
    return value


def shown(value: Any) -> str:
    """Return the text of a value for a message: one line, cut to a readable length."""
    text = " ".join(repr(value).split())
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _as_float(value: Any) -> float:
    try:
        with np.errstate(all="ignore"):
            return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def _hidden(value: Any) -> str:
    """Name what a value holds that NumPy would convert to numbers silently: masked entries, booleans in a list."""
    if np.ma.isMaskedArray(value) and np.ma.is_masked(value):
        return "masked entries"
    if getattr(getattr(value, "dtype", None), "kind", "") == "b" or isinstance(value, bool):
        return KINDS["b"]
    if isinstance(value, list | tuple):
        return next(filter(None, (_hidden(part) for part in value if type(part) not in (int, float))), "")
    return ""
