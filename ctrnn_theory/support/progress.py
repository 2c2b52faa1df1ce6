"""Progress of a long computation: what `progress=` means in every function that takes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ctrnn_theory.support.arguments import shown

Progress = Callable[[int, int, str], object]
"""A function of what is done, of how much there is to do in all, and of a text on what is going on or was found."""


def reporter(progress: Any) -> Progress:
    """Return a function to report progress to: `progress` itself, or one that does nothing for None.

    Raises
    ------
    ValueError
        If `progress` is something else that cannot be called.

    Examples
    --------
    >>> reporter(print)(3, 10, "exact")
    3 10 exact
    >>> reporter(None)(3, 10, "exact")
    """
    if progress is None:
        return silent
    if not callable(progress):
        raise ValueError(f"progress must be a function of (done, total, text), or None; got {shown(progress)}")
    report: Progress = progress
    return report


def silent(done: int, total: int, text: str) -> None:
    """Do nothing with a report."""
