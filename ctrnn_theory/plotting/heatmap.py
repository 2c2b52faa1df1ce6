"""Maps of a quantity of a sweep."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.plotting.sweep_axes import SEQUENTIAL, chosen, fixed_title, label_of, logarithmic, places_of, set_axis
from ctrnn_theory.support.floating import guarded

if TYPE_CHECKING:
    import xarray

DIVERGING = "RdBu_r"  # colours of a quantity of both signs, whose zero is white
LABEL_WIDTH = 40  # characters of a line beside the colours
MISSING = "0.85"  # colour of a point without a number


@guarded
def heatmap(dataset: xarray.Dataset, x: str, y: str, quantity: str, ax: Axes | None = None, **select: Any) -> Axes:
    """Draw a quantity of a sweep as a map over two of its axes; a point without a number is grey and hatched.

    Parameters
    ----------
    dataset
        Result of :func:`ctrnn_theory.sweep`.
    x, y
        Axes of the sweep.
    quantity
        Name of a variable of the dataset.
    ax
        Axes to draw on; new ones by default.
    **select
        Values of the other dimensions, of which the nearest in the dataset are taken. A dimension of one value may be
        left out.

    Raises
    ------
    ValueError
        If the dataset lacks a dimension or a variable, or a dimension of several values is not selected.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> from ctrnn_theory.sweeping.sweep import sweep
    >>> spec = {"fixed": {"w": 0.5}, "axes": {"sigma": [0.1, 0.2, 0.4], "gamma": {"logspace": [-2, 0, 3]}}}
    >>> ax = heatmap(sweep(spec, workers=1), x="sigma", y="gamma", quantity="bias")
    >>> ax.get_yscale()
    'log'
    >>> plt.close(ax.figure)
    """
    values = chosen(dataset, quantity, (y, x), select)
    ax = axes_or_new(ax)
    finite = values.values[np.isfinite(values.values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    signed = low < 0.0 < high
    size = max(-low, high)
    norm = Normalize(-size, size) if signed else Normalize(low, high)
    colours = mpl.colormaps[DIVERGING if signed else SEQUENTIAL]
    corners = _corners(values[x]), _corners(values[y])
    if not np.isfinite(values.values).all():
        ax.set_facecolor(MISSING)
        ends = [corner[[0, -1]] for corner in corners]
        style = {"facecolor": MISSING, "edgecolor": "0.6", "hatch": "///", "linewidth": 0.0}
        ax.fill_between(ends[0], *ends[1], label="no number: failed or not applicable", zorder=0, **style)
        ax.legend(loc="upper left", bbox_to_anchor=(-0.03, -0.13), frameon=False, fontsize="small")
    mesh = ax.pcolormesh(*corners, np.ma.masked_invalid(values.values), norm=norm, cmap=colours)
    ax.figure.colorbar(mesh, ax=ax, label=fill(label_of(values), LABEL_WIDTH))
    set_axis(ax, "x", values[x])
    set_axis(ax, "y", values[y])
    ax.set_title(fixed_title(dataset, values), fontsize="medium")
    return ax


def _corners(axis: xarray.DataArray) -> Any:
    """Return the edges of the cells around values, halfway between them."""
    places = np.asarray(places_of(axis), dtype=np.float64)
    places = np.log(places) if logarithmic(axis) else places
    if places.size == 1:
        corners = places[0] + np.array([-0.5, 0.5])
    else:
        middle = 0.5 * (places[1:] + places[:-1])
        corners = np.concatenate([[2.0 * places[0] - middle[0]], middle, [2.0 * places[-1] - middle[-1]]])
    return np.exp(corners) if logarithmic(axis) else corners
