"""A stationary law, and the difference of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes

from ctrnn_theory.fokker_planck import Density
from ctrnn_theory.plotting.axes import axes_or_new, draw_by_neuron
from ctrnn_theory.plotting.density import density
from ctrnn_theory.plotting.style import NEURONS, method_label
from ctrnn_theory.support.floating import guarded

if TYPE_CHECKING:
    from ctrnn_theory.analysis.difference import Difference
    from ctrnn_theory.stationary.law import StationaryLaw


@guarded
def law(law: StationaryLaw, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw the density of a law that has one, of one neuron or two; else mean and standard deviation of each neuron.

    More than eight neurons are in ascending order of their means, and the three at either end are named.

    Parameters
    ----------
    law
        Result of :func:`ctrnn_theory.predict`.
    ax
        Axes to draw on; new ones by default.
    **options
        Options of :func:`ctrnn_theory.plotting.density`, for a law with a density.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> ax = ct.predict(ct.CTRNN.single(0.5), ct.Noise(inside=0.5), method="exact").plot()
    >>> ax.get_title()
    'exact'
    >>> plt.close(ax.figure)
    """
    held = law.details.get("density")
    if isinstance(held, Density) and held.n <= 2:
        return density(held, ax, **options)
    ax = axes_or_new(ax)
    draw_by_neuron(ax, law.mean, law.std, NEURONS[0])
    ax.set_ylabel("state  $h$, mean ± standard deviation")
    ax.set_title(method_label(law.method), fontsize="medium")
    return ax


@guarded
def difference(difference: Difference, ax: Axes | None = None) -> Axes:
    """Draw the difference of the means of each neuron, with two standard errors; many neurons as :func:`law` does.

    Parameters
    ----------
    difference
        Result of :func:`ctrnn_theory.difference`.
    ax
        Axes to draw on; new ones by default.
    """
    ax = axes_or_new(ax)
    ax.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    error = 2.0 * difference.standard_error
    draw_by_neuron(ax, difference.mean, error, NEURONS[0])
    ax.set_ylabel("difference of the means, ± two standard errors")
    return ax
