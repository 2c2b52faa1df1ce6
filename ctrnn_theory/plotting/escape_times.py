"""Times that noise takes to leave the basins of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.plotting.style import NEURONS, method_label
from ctrnn_theory.support.floating import guarded

if TYPE_CHECKING:
    from ctrnn_theory.escape.result import EscapeTimes

DECADE = 10.0  # ratio of two times from which the axis is logarithmic


@guarded
def escape_times(escape: EscapeTimes, ax: Axes | None = None) -> Axes:
    """Draw the mean escape time of each basin, with two standard errors where it was simulated.

    Parameters
    ----------
    escape
        Result of :func:`ctrnn_theory.escape_times`. Basins that noise never leaves are left out.
    ax
        Axes to draw on; new ones by default.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> net = ct.CTRNN.single(w=1.5, b=0.05, activation="tanh")
    >>> ax = ct.escape_times(net, ct.Noise(outside=0.5), method="fokker_planck").plot()
    >>> [tick.get_text() for tick in ax.get_xticklabels()]
    ['-0.834', '0.878']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    known = np.flatnonzero(np.isfinite(escape.time))
    error = None if escape.standard_error is None else 2.0 * escape.standard_error[known]
    if error is not None:
        error = np.where(np.isfinite(error), error, 0.0)
    ax.errorbar(known, escape.time[known], error, fmt="o", markersize=5, capsize=3, color=NEURONS[0])
    if known.size and escape.time[known].max() > DECADE * escape.time[known].min():
        ax.set_yscale("log")
    else:
        ax.set_ylim(bottom=0.0)
    labels = [f"{i}" if len(point.state) > 1 else f"{point.state[0]:.3g}" for i, point in enumerate(escape.basins)]
    ax.set_xticks(range(len(escape.basins)), labels)
    ax.set_xlim(-0.5, max(len(escape.basins), 1) - 0.5)
    one = bool(escape.basins) and len(escape.basins[0].state) == 1
    ax.set(xlabel="basin" + (", by its fixed point" if one else ""), ylabel="mean escape time (steps)")
    ax.set_title(method_label(escape.method), fontsize="medium")
    return ax
