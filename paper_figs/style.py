"""What all figures look like: sizes, colours, and how theory and simulation are told apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from ctrnn_theory import METHODS, plotting

STYLE = Path(__file__).with_name("paper.mplstyle")
ONE_COLUMN, TWO_COLUMNS = 3.4, 7.0  # inches
COLOUR = plotting.SITE_COLOURS
SITES = tuple(COLOUR)
LABEL = {"inside": "noise inside", "outside": "noise outside"}
LINES: dict[str, Any] = {
    "exact": {"linestyle": "-", "linewidth": 3.0, "alpha": 0.35},
    "gaussian_closure": {"linestyle": "-", "linewidth": 1.0},
    "mean_field": {"linestyle": "--", "linewidth": 1.0},
    "small_noise": {"linestyle": ":", "linewidth": 1.2},
}
"""How lines of a method look where the colour is that of the site."""


def styled(draw: Callable[[Mapping[str, Any]], Figure]) -> Callable[[Mapping[str, Any]], Figure]:
    """Draw in the style of the paper, whatever the style outside."""

    @wraps(draw)
    def drawn(data: Mapping[str, Any]) -> Figure:
        with plt.style.context(["default", STYLE]):
            return draw(data)

    return drawn


def figure(width: float, height: float, *layout: Any, **options: Any) -> tuple[Figure, Any]:
    """Make a figure of a size in inches, and its axes, of ``subplots`` or of a ``subplot_mosaic``."""
    made = Figure(figsize=(width, height))  # for a file: no backend, and so no screen, is needed
    if layout and isinstance(layout[0], str | list):
        return made, made.subplot_mosaic(*layout, **options)
    return made, made.subplots(*layout, **options)


def letters(axes: Any) -> None:
    """Put a, b, c, ... before the titles of the axes."""
    for letter, ax in zip("abcdefghijkl", np.ravel(axes), strict=False):
        ax.set_title(f"{letter}  {ax.get_title('left')}")


def simulated(
    ax: Axes, x: ArrayLike, y: ArrayLike, error: ArrayLike | None, colour: str = "black", **options: Any
) -> None:
    """Draw simulated points, with two standard errors."""
    error = None if error is None else 2.0 * np.asarray(error)
    style: dict[str, Any] = {"fmt": "o", "color": colour, "markerfacecolor": "white", "elinewidth": 0.8, "zorder": 3}
    ax.errorbar(x, y, error, **style, **options)


def method_label(name: str) -> str:
    """Name of a method as it is printed."""
    return METHODS[name].label
