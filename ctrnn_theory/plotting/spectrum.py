"""Eigenvalues of the Markov operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.plotting.style import NEURONS
from ctrnn_theory.support.floating import guarded

if TYPE_CHECKING:
    from ctrnn_theory.stationary.markov.spectrum import Spectrum


@guarded
def spectrum(spectrum: Spectrum, ax: Axes | None = None) -> Axes:
    """Draw the leading eigenvalues in the complex plane, with the unit circle.

    Parameters
    ----------
    spectrum
        Result of :func:`ctrnn_theory.spectrum`.
    ax
        Axes to draw on; new ones by default.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> ax = ct.spectrum(ct.CTRNN.single(0.5), ct.Noise(inside=0.5), count=3).plot()
    >>> len(ax.get_lines()[-1].get_xdata())
    3
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax, (4.6, 4.4))
    angle = np.linspace(0.0, 2.0 * np.pi, 361)
    ax.plot(np.cos(angle), np.sin(angle), color="0.7", linewidth=0.8, zorder=0)
    ax.axhline(0.0, color="0.85", linewidth=0.8, zorder=0)
    ax.plot(spectrum.eigenvalues.real, spectrum.eigenvalues.imag, "o", color=NEURONS[0], markersize=5, clip_on=False)
    ax.set(aspect="equal", xlabel=r"Re $\lambda$", ylabel=r"Im $\lambda$")
    ax.set_title(f"relaxation time {spectrum.relaxation_time:.4g} steps", fontsize="medium")
    return ax
