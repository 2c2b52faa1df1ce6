"""Checks of what a caller gives: arrays and numbers, or one sentence that says what is wrong.

Every public argument that is a number or an array of numbers passes through here. What loses more than the rounding to
double precision is refused: imaginary parts, masked entries, dates and times, text, booleans, objects.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.support.types import FloatArray

LARGEST = 1e9
"""Largest size of a number."""
MOST = 2**63 - 1
"""Largest count."""
SHOWN = 80
"""Characters of a value that a message shows."""
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
"""What NumPy calls the kinds of entries that are no numbers."""


def float_array(name: str, value: ArrayLike) -> FloatArray:
    """Return `value` as a float64 array of any shape, or raise a ValueError naming it. NaN and infinities may be in it.

    Parameters
    ----------
    name
        What to call the argument in the message.
    value
        Anything that NumPy can make an array of real numbers of: nested sequences, arrays of other libraries.
    """
    if type(value) is np.ndarray and value.dtype == np.float64:
        return value
    with np.errstate(all="ignore"):  # a number of higher precision may be out of range, and is then infinite or zero
        return np.asarray(number_array(name, value), dtype=np.float64)


def number_array(name: str, value: ArrayLike) -> NDArray[Any]:
    """Return `value` as an array of integers or floats of whatever precision it has, not copied if it is one."""
    try:
        hidden = _hidden(value)
        array = np.empty(0) if hidden else np.asarray(value)
    except MemoryError:
        raise
    except Exception as error:  # whatever an object of another library raises when it is asked for its numbers
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
    """Return what a caller's function has returned as a float64 array; a condition, True or False, counts as 1 or 0."""
    condition = getattr(getattr(values, "dtype", None), "kind", "") == "b" or isinstance(values, bool)
    return np.asarray(values, dtype=np.float64) if condition else float_array(f"values of {name}", values)


def real_array(name: str, value: ArrayLike, shape: tuple[int | None, ...] | None = None) -> FloatArray:
    """Return `value` as a C-contiguous, read-only float64 array, or raise a ValueError naming it.

    Numbers must be finite and at most 1e9 in size, so that a state that passes 1e12 is one that grows without bound.

    Parameters
    ----------
    name
        What to call the argument in the message.
    value
        Anything that NumPy can make an array of real numbers of.
    shape
        The required shape; None in a place stands for any length.
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
    """Return `value` as a float, or raise a ValueError with the rule if it is not one real number.

    Infinities and NaN are left to the caller, whose comparisons refuse them.
    """
    try:
        array = float_array(name, value)
    except ValueError as error:
        raise ValueError(f"{name} must {rule}; got {shown(value)}") from error
    if array.ndim:
        raise ValueError(f"{name} must {rule}; got {shown(value)}")
    return float(array)


def finite_number(name: str, value: Any) -> float:
    """Return `value` as a float, or raise a ValueError if it is not one number of at most 1e9 in size."""
    number = real_number(name, value)
    if not abs(number) <= LARGEST:
        raise ValueError(f"{name} must be finite, and at most {LARGEST:g} in size; got {shown(value)}")
    return number


def positive_number(name: str, value: Any) -> float:
    """Return `value` as a float, or raise a ValueError if it is not a number above 0, and finite."""
    number = real_number(name, value, "be a positive number")
    if not 0.0 < number < np.inf:
        raise ValueError(f"{name} must be a positive number; got {shown(value)}")
    return number


def nonnegative(name: str, value: Any) -> float:
    """Return `value` as a float, or raise a ValueError if it is not a number of at least 0, and finite."""
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
    """Whether it is a real number of Python, of NumPy, or of a library that says so, such as SymPy."""
    return isinstance(value, Real) and not isinstance(value, bool | np.timedelta64)  # which NumPy counts as integers


def integer(name: str, value: Any, least: int = 0) -> int:
    """Return `value` as an int, or raise a ValueError if it is not an integer of at least `least`."""
    if not isinstance(value, int | np.integer) or not is_number(value) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}; got {shown(value)}")
    return int(value)


def positive_integer(name: str, value: Any) -> int:
    """Return `value`, a count, as an int, or raise a ValueError if it is not an integer of at least 1."""
    count = integer(name, value, 1)
    if count > MOST:
        raise ValueError(f"{name} must be at most {MOST}; got {shown(value)}")
    return count


def even_order(order: Any) -> int:
    """Return the order of an expansion in σ, or raise a ValueError if it is not an even integer of at least 2."""
    if not isinstance(order, int | np.integer) or not is_number(order) or order < 2 or order % 2:
        raise ValueError(f"order must be even and at least 2; got {shown(order)}")
    return int(order)


def check_rng(rng: Any) -> None:
    """Raise a ValueError unless random numbers can be drawn from `rng`, which is not touched."""
    if rng is None or isinstance(rng, np.random.SeedSequence | np.random.Generator | np.random.BitGenerator):
        return
    if not isinstance(rng, int | np.integer) or not is_number(rng) or rng < 0:
        raise ValueError(f"rng must be an int of at least 0, SeedSequence, Generator or None; got {shown(rng)}")


def choice(name: str, value: Any, known: Any) -> Any:
    """Return `value`, or raise a ValueError unless it is one of the names in `known`."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}; got {shown(value)}")
    return value


def shown(value: Any) -> str:
    """Text of a value for a message: one line, cut to a readable length."""
    text = " ".join(repr(value).split())
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _as_float(value: Any) -> float:
    try:
        with np.errstate(all="ignore"):
            return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def _hidden(value: Any) -> str:
    """What is in a value that NumPy would turn into numbers without a word: masked entries, booleans in a list."""
    if np.ma.isMaskedArray(value) and np.ma.is_masked(value):
        return "masked entries"
    if getattr(getattr(value, "dtype", None), "kind", "") == "b" or isinstance(value, bool):
        return KINDS["b"]
    if isinstance(value, list | tuple):
        return next(filter(None, (_hidden(part) for part in value if type(part) not in (int, float))), "")
    return ""
