"""The common style of the figures: sizes, colours, and different marks for theory and simulation."""

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
FREE = "#009E73"  # colour of networks with a smoothed activation and no noise
LABEL = {"inside": "noise inside", "outside": "noise outside"}
LINES: dict[str, Any] = {
    "exact": {"linestyle": "-", "linewidth": 3.0, "alpha": 0.35},
    "gaussian_closure": {"linestyle": "-", "linewidth": 1.0},
    "mean_field": {"linestyle": "--", "linewidth": 1.0},
    "small_noise": {"linestyle": (0, (0.1, 3.0)), "linewidth": 2.6, "dash_capstyle": "round"},  # beads on a thin line
}
"""Line style of each method, for panels where the colour shows the site."""


def styled(draw: Callable[[Mapping[str, Any]], Figure]) -> Callable[[Mapping[str, Any]], Figure]:
    """Decorate a function so that it draws in the style of the paper, whatever style is active."""

    @wraps(draw)
    def drawn(data: Mapping[str, Any]) -> Figure:
        with plt.style.context(["default", STYLE]):
            return draw(data)

    return drawn


def figure(width: float, height: float, *layout: Any, **options: Any) -> tuple[Figure, Any]:
    """Make a figure of a size in inches with axes of ``subplots`` or ``subplot_mosaic``, and return both."""
    made = Figure(figsize=(width, height))  # it is written to a file, so that no backend and no screen is needed
    if layout and isinstance(layout[0], str | list):
        return made, made.subplot_mosaic(*layout, **options)
    return made, made.subplots(*layout, **options)


def letters(axes: Any) -> None:
    """Write a, b, c, ... before the titles of the axes."""
    for letter, ax in zip("abcdefghijkl", np.ravel(axes), strict=False):
        ax.set_title(f"{letter}  {ax.get_title('left')}")


def simulated(
    ax: Axes, x: ArrayLike, y: ArrayLike, error: ArrayLike | None, colour: str = "black", **options: Any
) -> None:
    """Draw simulated points with error bars of two standard errors."""
    error = None if error is None else 2.0 * np.asarray(error)
    style: dict[str, Any] = {"fmt": "o", "color": colour, "markerfacecolor": "white", "elinewidth": 0.8, "zorder": 3}
    ax.errorbar(x, y, error, **style, **options)


def method_label(name: str) -> str:
    """Return the name of a method as it is printed."""
    return METHODS[name].label
