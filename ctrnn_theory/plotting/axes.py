"""Axes that all pictures use."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ctrnn_theory.support.types import FloatArray

SIZE = (6.0, 4.2)  # width and height of a figure, in inches


def axes_or_new(ax: Axes | None, size: tuple[float, float] = SIZE) -> Axes:
    """Return the axes given, or those of a new figure."""
    if ax is None:
        _, ax = plt.subplots(figsize=size, layout="constrained")
    return ax


def draw_by_neuron(ax: Axes, values: FloatArray, error: FloatArray | None, **style: Any) -> None:
    """Draw a value (N,) for each neuron, with an error to either side."""
    ax.errorbar(np.arange(len(values)), values, error, linestyle="none", **style)
    ax.set_xlim(-0.5, len(values) - 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("neuron")
