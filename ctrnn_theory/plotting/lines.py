"""Lines of a quantity of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize

from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.plotting.sweep_axes import SEQUENTIAL, chosen, fixed_title, label_of, logarithmic, places_of, set_axis
from ctrnn_theory.support.floating import guarded

if TYPE_CHECKING:
    import xarray


@guarded
def lines(
    dataset: xarray.Dataset,
    x: str,
    quantity: str,
    *,
    colour: str = "methods",
    ax: Axes | None = None,
    **select: Any,
) -> Axes:
    """Draw a quantity of a sweep along one of its axes, with a line of its own colour for each value of another axis.

    Parameters
    ----------
    dataset, quantity, ax, **select
        See :func:`ctrnn_theory.plotting.heatmap`, which raises the same errors.
    x
        Axis of the sweep along which the lines are drawn.
    colour
        Dimension that distinguishes the lines: numbers by a scale, names by a legend.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> from ctrnn_theory.sweeping.sweep import sweep
    >>> spec = {"fixed": {"w": 0.5}, "axes": {"sigma": [0.1, 0.2], "site": ["inside", "outside"]}}
    >>> ax = lines(sweep(spec, workers=1), x="sigma", quantity="bias", colour="site")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['inside', 'outside']
    >>> plt.close(ax.figure)
    """
    values = chosen(dataset, quantity, (colour, x), select)
    ax = axes_or_new(ax)
    along, named = places_of(values[x]), values[colour]
    numbers = named.values.dtype.kind == "f" and named.size > 1
    norm = (LogNorm if logarithmic(named) else Normalize)(*named.values[[0, -1]]) if numbers else Normalize(0.0, 1.0)
    shades = mpl.colormaps[SEQUENTIAL]
    for i, name in enumerate(named.values):
        shade = shades(norm(name)) if numbers else f"C{i}"
        ax.plot(along, values.values[i], color=shade, label=f"{name:g}" if named.dtype.kind == "f" else str(name))
    if numbers:
        ax.figure.colorbar(mpl.cm.ScalarMappable(norm, shades), ax=ax, label=label_of(named))
    else:
        ax.legend(frameon=False, fontsize="small")
    set_axis(ax, "x", values[x])
    ax.set_ylabel(label_of(values))
    ax.set_title(fixed_title(dataset, values), fontsize="medium")
    return ax
