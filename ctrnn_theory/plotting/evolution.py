"""Mean and standard deviation along time."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from ctrnn_theory.analysis.evolution.result import Evolution
from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.plotting.density_path import draw_band
from ctrnn_theory.plotting.style import ABOVE, NEURONS, method_label
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import FEW, WORST, worst

MOST_POINTS = 25  # largest number of points of a simulation along time


@guarded
def evolution(evolution: Evolution, ax: Axes | None = None) -> Axes:
    """Draw mean and one standard deviation to either side along time, a colour for each neuron.

    A prediction is a line with a band. A simulation is points with two standard errors, and the ends of its band as
    dots, so that both can be drawn on the same axes. Of more than eight neurons, only the three whose mean moves most
    are drawn so; grey lines are the means of the others.

    Parameters
    ----------
    evolution
        Result of :func:`ctrnn_theory.evolve`.
    ax
        Axes to draw on; new ones by default.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> ax = ct.evolve(ct.CTRNN.single(0.5, 0.1), ct.Noise(inside=0.5), steps=20).plot()
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['Gaussian closure']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    method, n = method_label(evolution.method), evolution.network.n
    shown = list(range(n)) if n <= FEW else worst(np.ptp(evolution.mean, axis=0), WORST)
    if n > FEW:
        others = np.delete(evolution.mean, shown, axis=1)
        ax.plot(evolution.time, others, color="0.75", linewidth=0.6, zorder=0)
    for color, i in zip(NEURONS * 2, shown, strict=False):
        name = f"neuron {i}, " if n > FEW else f"$h_{{{i + 1}}}$, " if n > 1 else ""
        _draw_neuron(evolution, i, color, name + method, ax)
    ax.set_xlabel(r"time  $t/\tau$")
    ax.set_ylabel("state  $h$, mean ± standard deviation")
    ax.legend(frameon=False, fontsize="small", **ABOVE)
    return ax


def _draw_neuron(evolution: Evolution, i: int, color: str, label: str, ax: Axes) -> None:
    time, mean, std = evolution.time, evolution.mean[:, i], evolution.std[:, i]
    if evolution.standard_error is None:
        draw_band(ax, time, mean, std, color, label)
        return
    shown = np.unique(np.linspace(0, len(time) - 1, min(len(time), MOST_POINTS)).astype(int))
    error = 2.0 * evolution.standard_error[shown, i]
    ax.errorbar(time[shown], mean[shown], error, fmt="o", color=color, markersize=3, label=label)
    for side in (-1.0, 1.0):
        ax.plot(time[shown], (mean + side * std)[shown], linestyle="none", marker=".", markersize=3, color=color)
