"""Recorded trajectories along time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.plotting.style import ABOVE, NEURONS
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import counted

if TYPE_CHECKING:
    from ctrnn_theory.integrators.trajectory import Path

MOST_TRAJECTORIES = 10
MOST_TIMES = 2000  # beyond, every other recorded time is left out, or more of them


@guarded
def path(path: Path, ax: Axes | None = None) -> Axes:
    """Draw up to ten trajectories along time, a colour for each neuron; of many neurons a map of one trajectory.

    Parameters
    ----------
    path
        Result of :func:`ctrnn_theory.simulate`.
    ax
        Axes to draw on; new ones by default.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> ax = ct.simulate(ct.CTRNN.single(0.5), ct.Noise(inside=0.5), steps=50, trajectories=3).plot()
    >>> len(ax.get_lines())
    3
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    every = -(-len(path.time) // MOST_TIMES)
    time, h = path.time[::every], path.h[::every]
    ax.set_xlabel(r"time  $t/\tau$")
    if path.network.n > len(NEURONS):
        mesh = ax.pcolormesh(time, np.arange(path.network.n), np.asarray(h[:, 0]).T, cmap="viridis", shading="nearest")
        ax.figure.colorbar(mesh, ax=ax, label="state  $h$, one trajectory")
        ax.set_ylabel("neuron")
        return ax
    count = min(h.shape[1], MOST_TRAJECTORIES)
    for i in range(path.network.n):
        lines = ax.plot(time, h[:, :count, i], color=NEURONS[i], linewidth=0.8, alpha=0.3 + 0.7 / count)
        lines[0].set_label(f"$h_{{{i + 1}}}$")
    ax.set_ylabel("state  $h$")
    ax.set_title(counted(count, "trajectory", "trajectories"), fontsize="medium", loc="left")
    if path.network.n > 1:
        ax.legend(frameon=False, fontsize="small", **ABOVE)
    return ax
