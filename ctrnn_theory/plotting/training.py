"""The loss of a training, generation by generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.plotting.style import NEURONS
from ctrnn_theory.support.floating import guarded

if TYPE_CHECKING:
    from ctrnn_theory.training.trainer import Training


@guarded
def training(training: Training, ax: Axes | None = None) -> Axes:
    """Draw the median loss of each generation, with a band from its least to its greatest.

    Parameters
    ----------
    training
        Result of :func:`ctrnn_theory.train`.
    ax
        Axes to draw on; new ones by default.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> ax = ct.train("feedforward", neurons=2, evaluations=50).plot()
    >>> ax.get_xlabel()
    'generation'
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    losses, generation = training.losses, np.arange(len(training.losses))
    if len(losses):
        ax.fill_between(generation, losses.min(axis=1), losses.max(axis=1), color=NEURONS[0], alpha=0.15, linewidth=0.0)
        ax.plot(generation, np.median(losses, axis=1), color=NEURONS[0], label="median of the generation")
    if np.isfinite(training.loss):
        ax.axhline(training.loss, color=NEURONS[1], linewidth=1.0, linestyle="--", label="loss at the end")
    if losses.size and np.all(losses > 0.0):
        ax.set_yscale("log")
    ax.set(xlabel="generation", ylabel="loss")
    ax.set_title(f"{training.task.name}; noise {training.noise.title}", fontsize="medium")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize="small")
    return ax
