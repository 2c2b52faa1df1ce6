"""Densities along time."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ctrnn_theory.fokker_planck import DensityPath, Solution
from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.plotting.density import VISIBLE, density
from ctrnn_theory.plotting.style import ABOVE, NEURONS
from ctrnn_theory.support.floating import guarded


@guarded
def density_path(path: DensityPath, ax: Axes | None = None) -> Axes:
    """Draw the density over time and state in one dimension; in more, mean and standard deviation of each coordinate.

    Parameters
    ----------
    path
        Result of :func:`ctrnn_theory.fokker_planck.evolve`.
    ax
        Axes to draw on; new ones by default.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> from ctrnn_theory.fokker_planck import evolve
    >>> ax = evolve("-x", 0.5, (-3, 4), [1.0], [0.0, 0.5, 1.0], cells=64).plot()
    >>> ax.get_ylabel()
    '$h$'
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    ax.set_xlabel("time")
    if len(path.mean[0]) == 1:
        x, p = path.densities[-1].axes[0], np.array([each.values for each in path.densities])
        most = np.maximum(p, 0.0) / p.max(axis=1, keepdims=True)  # a known start is far higher than what follows
        mesh = ax.pcolormesh(path.time, x, most.T, cmap="Blues", shading="nearest", rasterized=True)
        ax.figure.colorbar(mesh, ax=ax, label="density, relative to its largest at each time")
        ax.plot(path.time, path.mean[:, 0], color=NEURONS[1], label="mean")
        shown = x[np.any(most > VISIBLE, axis=0)]
        ax.set(ylim=(shown[0], shown[-1]), ylabel="$h$")
    else:
        std = np.sqrt(np.maximum(np.diagonal(path.covariance, axis1=1, axis2=2), 0.0))
        for i, color in enumerate(NEURONS[: path.mean.shape[1]]):
            draw_band(ax, path.time, path.mean[:, i], std[:, i], color, f"$h_{{{i + 1}}}$")
        ax.set_ylabel("mean ± standard deviation")
    ax.legend(frameon=False, fontsize="small", **ABOVE)
    return ax


def draw_band(ax: Axes, time: Any, mean: Any, std: Any, color: str, label: str) -> None:
    """Draw a mean along time, with a band of a standard deviation to either side."""
    ax.fill_between(time, mean - std, mean + std, color=color, alpha=0.15, linewidth=0.0)
    ax.plot(time, mean, color=color, label=label)


@guarded
def solution(solution: Solution, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw the density of a solution, see :func:`ctrnn_theory.plotting.density`.

    Parameters
    ----------
    solution
        Result of :func:`ctrnn_theory.fokker_planck.solve`.
    ax
        Axes to draw on; new ones by default.
    **options
        Options of :func:`ctrnn_theory.plotting.density`.
    """
    return density(solution.density, ax, **options)
