"""The error of what a network remembers against time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.support.floating import guarded

if TYPE_CHECKING:
    from ctrnn_theory.analysis.memory.result import Retention

COLOURS = {"level 1": "#0072B2", "level 0": "#CC79A7", "smoothed": "#009E73"}
OTHERS = ("#D55E00", "#E69F00", "#56B4E9", "0.4")
NAMES = {"level 1": "noise as it is", "level 0": "noise off", "smoothed": "smoothed activation"}
MOST = 12
"""Most simulated points of a curve."""


@guarded
def retention(result: Retention, ax: Axes | None = None, *, parts: bool = False) -> Axes:
    """Draw the root of the squared error against time; simulated points have two standard errors.

    Parameters
    ----------
    result
        Result of :func:`ctrnn_theory.memory`.
    ax
        Axes to draw on; new ones by default.
    parts
        Whether the systematic part, dashed, and the random part, dotted, are drawn too.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> net = ct.CTRNN([[0.0, 1.0], [0.0, 1.0]], 0.0, "tanh")
    >>> ax = ct.memory(net, ct.Noise(inside=0.1), start=[0.5, 0.5], steps=20).plot()
    >>> ax.get_ylabel()
    'error of what is remembered'
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    others = iter(OTHERS * len(result.settings))
    for s, setting in enumerate(result.settings):
        colour = COLOURS.get(setting) or next(others)
        ax.plot(result.time, result.error[s], color=colour, label=NAMES.get(setting, f"noise, {setting}"))
        if parts:
            for part, style in ((result.systematic, "--"), (result.random, ":")):
                ax.plot(result.time, np.sqrt(np.maximum(part[s], 0.0)), style, color=colour, linewidth=0.9)
        if result.simulated_squared_error is not None and result.standard_error is not None:
            at = np.unique(np.linspace(0, len(result.time) - 1, MOST).round().astype(np.intp))
            error = np.sqrt(np.maximum(result.simulated_squared_error[s, at], 0.0))
            wide = np.divide(result.standard_error[s, at], error, out=np.zeros(len(at)), where=error > 0.0)
            ax.errorbar(
                result.time[at],
                error,
                wide,  # two standard errors of a root are one of its square over the root
                fmt="o",
                color=colour,
                markerfacecolor="white",
                markersize=4,
                capsize=2,
                clip_on=False,
                zorder=3,
            )
    ax.set_xlim(left=0.0)
    ax.set_ylim(bottom=0.0)
    ax.set(xlabel="time", ylabel="error of what is remembered")
    ax.legend(frameon=False, fontsize="small")
    return ax
