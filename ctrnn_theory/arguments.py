"""Arguments made sure of at the door: arrays and numbers, or one sentence that says what is wrong."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
LARGEST = 1e9


def real_array(name: str, value: ArrayLike, shape: tuple[int | None, ...] | None = None) -> FloatArray:
    """Return `value` as a C-contiguous, read-only float64 array, or raise a ValueError naming it.

    Numbers must be finite and at most 1e9 in size, so that a state that passes 1e12 is one that grows without bound.

    Parameters
    ----------
    name
        What to call the argument in the message.
    value
        Anything NumPy can make an array of.
    shape
        The required shape; None in a place stands for any length.
    """
    try:
        if value is None:
            raise TypeError
        array = np.array(value, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of real numbers; got {value!r}") from error
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


def positive_number(name: str, value: Any) -> float:
    """Return `value` as a float, or raise a ValueError if it is not a number above 0, and finite."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 < float(value) < math.inf:
        raise ValueError(f"{name} must be a positive number; got {value!r}")
    return float(value)


def positive_integer(name: str, value: int) -> int:
    """Return `value` as an int, or raise a ValueError if it is not an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1; got {value!r}")
    return int(value)
