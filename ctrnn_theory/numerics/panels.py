"""Panels that are halved until each of them is resolved, and rules that are refined until their value is steady."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

Value = TypeVar("Value")


def halves(left: FloatArray, right: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cut K panels in two; return the left and the right ends (2 K,), all left halves before all right halves.

    Examples
    --------
    >>> halves(np.array([0.0, 2.0]), np.array([2.0, 6.0]))
    (array([0., 2., 1., 4.]), array([1., 4., 2., 6.]))
    """
    middle = 0.5 * (left + right)
    return np.concatenate([left, middle]), np.concatenate([middle, right])


def halve_until_resolved(
    left: FloatArray,
    right: FloatArray,
    resolved: Callable[[FloatArray, FloatArray, IntArray | None], BoolArray],
    require_few: Callable[[int, int], None] = lambda settled, pending: None,
) -> tuple[FloatArray, FloatArray]:
    """Halve panels until each is resolved, whatever the others are.

    Parameters
    ----------
    left, right
        Ends of the first panels, (K,).
    resolved
        Function of the left and right ends (M,) of the panels of one round that returns which of them are resolved.
        Its third argument is the index in the round before of the panel that each is half of, or None in the first.
    require_few
        Function of the number of panels that are resolved and of those that are not yet looked at. It is called after
        each round, and raises an error if they are too many.

    Returns
    -------
    tuple
        Left and right ends of the resolved panels, round by round, and within a round in the order in which `resolved`
        was given them.

    Examples
    --------
    >>> left, right = halve_until_resolved(np.zeros(1), np.ones(1), lambda a, b, parent: (a > 0.0) | (b - a < 0.3))
    >>> print(left, right)
    [0.5  0.   0.25] [1.   0.25 0.5 ]
    """
    parent: IntArray | None = None
    settled = 0
    found: list[tuple[FloatArray, FloatArray]] = [(left[:0], right[:0])]
    while left.size:
        good = resolved(left, right, parent)
        found.append((left[good], right[good]))
        settled += found[-1][0].size
        parent = np.tile(np.flatnonzero(~good), 2)
        left, right = halves(left[~good], right[~good])
        require_few(settled, left.size)
    lefts, rights = zip(*found, strict=True)
    return np.concatenate(lefts), np.concatenate(rights)


def double_until_steady(
    value: Callable[[int], Value], steady: Callable[[Value, Value], bool], first: int, most: int
) -> tuple[Value, bool]:
    """Double the number of panels of a rule until its value is steady.

    Parameters
    ----------
    value
        What the rule gives with a number of panels.
    steady
        Whether a value, the first argument, is as good as the one with twice as many panels.
    first, most
        Number of panels to begin with, and the largest.

    Returns
    -------
    tuple
        The value with the most panels that were tried, and whether it is steady.

    Examples
    --------
    >>> double_until_steady(lambda panels: 1.0 / panels, lambda before, now: before - now < 0.1, 2, 64)
    (0.0625, True)
    """
    before, panels = value(first), 2 * first
    while panels <= most:
        now = value(panels)
        if steady(before, now):
            return now, True
        before, panels = now, 2 * panels
    return before, False
