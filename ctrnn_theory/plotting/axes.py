"""Axes that all pictures use."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ctrnn_theory.support.results import FEW, WORST
from ctrnn_theory.support.types import FloatArray

SIZE = (6.0, 4.2)  # width and height of a figure, in inches


def axes_or_new(ax: Axes | None, size: tuple[float, float] = SIZE) -> Axes:
    """Return the axes given, or those of a new figure."""
    if ax is None:
        _, ax = plt.subplots(figsize=size, layout="constrained")
    return ax


def draw_by_neuron(ax: Axes, values: FloatArray, error: FloatArray, color: str) -> None:
    """Draw a value (N,) for each neuron, with an error to either side.

    More than eight neurons are in ascending order of their values, so that the curve shows how these are distributed,
    and the three at either end are named.
    """
    n = len(values)
    ax.set_xlim(-0.5, n - 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if n <= FEW:
        ax.errorbar(np.arange(n), values, error, fmt="o", markersize=4, capsize=2, color=color)
        ax.set_xlabel("neuron")
        return
    order, place = np.argsort(values, kind="stable"), np.arange(n)
    ordered, width = values[order], error[order]
    ax.fill_between(place, ordered - width, ordered + width, color=color, alpha=0.25, linewidth=0.0)
    ax.plot(place, ordered, color=color, marker=".", markersize=3, linewidth=0.8)
    ax.set_xlabel(f"{n} neurons, in ascending order")
    ax.margins(y=0.1)
    for i, side, height, neurons in ((0, "left", -14, order[:WORST]), (n - 1, "right", 10, order[-WORST:])):
        style: dict[str, Any] = {"textcoords": "offset points", "ha": side, "fontsize": 7}
        at = float(ordered[i] + np.sign(height) * np.nan_to_num(width[i]))
        ax.annotate(", ".join(map(str, neurons)), (float(i), at), xytext=(0, height), **style)
