"""Inputs and targets of an open-loop task, and the check that they fit it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ctrnn_theory.support.arguments import real_array, shown
from ctrnn_theory.support.types import FloatArray

SUM = 1e-6
"""Largest distance of the sum of the weights from one: the rounding of single precision."""


class Episode(NamedTuple):
    """Inputs and targets of C conditions in T steps."""

    u: FloatArray
    """Inputs (T, C, K), or (1, C, K) if they are constant."""
    y: FloatArray
    """Targets (T, C, P), or (1, C, P) if they are constant."""
    w: FloatArray
    """Weight of each step in the loss, (T,); weights are at least 0, and their sum is one."""


def checked(episode: Any, inputs: int, outputs: int) -> Episode:
    """Return an episode as float64 arrays, or raise a ValueError if it does not fit the inputs and outputs of a task.

    Examples
    --------
    >>> time_last = Episode(np.zeros((5, 1, 20)), np.zeros((5, 1, 20)), np.full(20, 0.05))
    >>> checked(time_last, 1, 1)
    Traceback (most recent call last):
    ValueError: u of the episode must have shape (T or 1, C, K), T = 20, the length of w, and K = 1; got (5, 1, 20)
    """
    if not isinstance(episode, Episode):
        raise ValueError(f"episode must return an Episode(u, y, w); got {shown(episode)}")
    w = real_array("w of the episode", episode.w, (None,))
    if np.any(w < 0.0):
        raise ValueError(f"w of the episode must be at least 0; it holds {w.min():g}")
    if not abs(w.sum() - 1.0) <= SUM:
        raise ValueError(f"w of the episode must have the sum 1; got {w.sum():g}")
    u = _steps("u", episode.u, w.size, "K", inputs)
    y = _steps("y", episode.y, w.size, "P", outputs)
    if u.shape[1] != y.shape[1]:
        raise ValueError(f"y of the episode must have the {u.shape[1]} conditions of u; got {y.shape[1]}")
    return Episode(u, y, w)


def _steps(name: str, value: Any, steps: int, letter: str, width: int) -> FloatArray:
    array = real_array(f"{name} of the episode", value)
    if array.ndim != 3 or array.shape[0] not in (1, steps) or array.shape[1] == 0 or array.shape[2] != width:
        raise ValueError(
            f"{name} of the episode must have shape (T or 1, C, {letter}), T = {steps}, the length of w, and"
            f" {letter} = {width}; got {array.shape}"
        )
    return array
