"""Mean and standard deviation along time."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from ctrnn_theory.analysis.evolution.evolve import Evolution
from ctrnn_theory.plotting.style import ABOVE, NEURONS, method_label
from ctrnn_theory.support.floating import guarded

MOST_POINTS = 25  # of a simulation along time


@guarded
def evolution(evolution: Evolution, ax: Axes | None = None) -> Axes:
    """Draw mean and one standard deviation to either side along time, a colour for each neuron.

    A prediction is a line with a band. A simulation is points with two standard errors, and the ends of its band as
    dots, so that both can be drawn on the same axes.

    Parameters
    ----------
    evolution
        What :func:`ctrnn_theory.evolve` returned.
    ax
        Axes to draw on; new ones by default.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(6.0, 4.2), layout="constrained")
    time, method = evolution.time, method_label(evolution.method)
    for i in range(evolution.net.n):
        color, mean, std = NEURONS[i % len(NEURONS)], evolution.mean[:, i], evolution.std[:, i]
        label = method if evolution.net.n == 1 else f"$h_{{{i + 1}}}$, {method}"
        if evolution.standard_error is None:
            ax.fill_between(time, mean - std, mean + std, color=color, alpha=0.15, linewidth=0.0)
            ax.plot(time, mean, color=color, label=label)
        else:
            shown = np.unique(np.linspace(0, len(time) - 1, min(len(time), MOST_POINTS)).astype(int))
            error = 2.0 * evolution.standard_error[shown, i]
            ax.errorbar(time[shown], mean[shown], error, fmt="o", color=color, markersize=3, label=label)
            for side in (-1.0, 1.0):
                ax.plot(
                    time[shown], (mean + side * std)[shown], linestyle="none", marker=".", markersize=3, color=color
                )
    ax.set_xlabel(r"time  $t/\tau$")
    ax.set_ylabel("state  $h$, mean ± standard deviation")
    ax.legend(frameon=False, fontsize="small", **ABOVE)
    return ax
