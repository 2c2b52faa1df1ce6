"""The loss of a readout over the noise that it was trained under and that it is tested under."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.plotting.sweep_axes import SEQUENTIAL
from ctrnn_theory.support.floating import guarded

if TYPE_CHECKING:
    from ctrnn_theory.analysis.readout.result import ReadoutTheory


@guarded
def readout(result: ReadoutTheory, ax: Axes | None = None) -> Axes:
    """Draw the matrix of loss: a row for each training noise, a column for each test noise.

    A diamond marks the preferred test level of each training noise. The colours are logarithmic, unless a loss is zero
    or all are alike.

    Parameters
    ----------
    result
        Result of :func:`ctrnn_theory.readout_theory`.
    ax
        Axes to draw on; new ones by default.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> noises = {D: ct.Noise.analog(2, AU=D) for D in (0.0, 0.01, 0.1)}
    >>> ax = readout(ct.readout_theory([[0.0, 0.1], [1.0, 1.0], [2.0, 1.9]], [1.0, 0.0, -1.0], noises, noises))
    >>> ax.get_xlabel()
    'level of the test noise'
    >>> plt.close(ax.figure)
    """
    ax, loss = axes_or_new(ax), result.loss
    least, most = float(loss.min()), float(loss.max())
    norm = LogNorm(least, most) if 0.0 < least < most else None
    mesh = ax.pcolormesh(loss, cmap=mpl.colormaps[SEQUENTIAL], norm=norm)
    ax.figure.colorbar(mesh, ax=ax, label="loss, predicted")
    ax.plot(np.argmin(loss, axis=1) + 0.5, np.arange(len(loss)) + 0.5, "D", color="white", markeredgecolor="black")
    ax.set_xticks(np.arange(loss.shape[1]) + 0.5, [f"{level:.3g}" for level in result.test_levels], rotation=45)
    ax.set_yticks(np.arange(loss.shape[0]) + 0.5, [f"{level:.3g}" for level in result.train_levels])
    ax.set_xlabel("level of the test noise")
    ax.set_ylabel("level of the training noise")
    return ax
