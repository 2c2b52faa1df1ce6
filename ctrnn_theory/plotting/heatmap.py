"""Maps and lines of a quantity of a sweep."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize

from ctrnn_theory.support.arguments import is_number, real_number, shown
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.sweeping.parameters import NETWORK, NEURON

if TYPE_CHECKING:
    import xarray

DIVERGING, SEQUENTIAL = "RdBu_r", "viridis"
"""For a quantity of both signs, whose zero is then white; and for others."""
MISSING = "0.85"


@guarded
def heatmap(dataset: xarray.Dataset, x: str, y: str, quantity: str, ax: Axes | None = None, **select: Any) -> Axes:
    """Draw a quantity of a sweep as a map over two of its axes; grey and hatched where a point has no number.

    Parameters
    ----------
    dataset
        What :func:`ctrnn_theory.sweep` returned.
    x, y
        Axes of the sweep.
    quantity
        A variable of the dataset.
    ax
        Axes to draw on; new ones by default.
    **select
        Values of the other dimensions, the nearest that there is; those of one value may be left out.

    Raises
    ------
    ValueError
        For a dimension or a variable that there is not, or one of several values that is not selected.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> from ctrnn_theory.sweeping.grid import sweep
    >>> spec = {"fixed": {"w": 0.5}, "axes": {"sigma": [0.1, 0.2, 0.4], "gamma": {"logspace": [-2, 0, 3]}}}
    >>> ax = heatmap(sweep(spec, workers=1), x="sigma", y="gamma", quantity="bias")
    >>> ax.get_yscale()
    'log'
    >>> plt.close(ax.figure)
    """
    values = _chosen(dataset, quantity, (y, x), select)
    if ax is None:
        _, ax = plt.subplots(figsize=(6.0, 4.2), layout="constrained")
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
        ax.fill_between(ends[0], *ends[1], facecolor=MISSING, edgecolor="0.6", hatch="///", linewidth=0.0, zorder=0)
    mesh = ax.pcolormesh(*corners, np.ma.masked_invalid(values.values), norm=norm, cmap=colours)
    ax.figure.colorbar(mesh, ax=ax, label=_label(values))
    _set_axis(ax, "x", values[x])
    _set_axis(ax, "y", values[y])
    ax.set_title(_where(dataset, values), fontsize="medium")
    return ax


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
    """Draw a quantity of a sweep along one of its axes, a line for each value of another, which is its colour.

    Parameters
    ----------
    dataset
        What :func:`ctrnn_theory.sweep` returned.
    x
        Axis of the sweep.
    quantity
        A variable of the dataset.
    colour
        Dimension that tells lines apart: numbers by a scale, names by a legend.
    ax
        Axes to draw on; new ones by default.
    **select
        Values of the other dimensions, the nearest that there is; those of one value may be left out.

    Raises
    ------
    ValueError
        For a dimension or a variable that there is not, or one of several values that is not selected.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> from ctrnn_theory.sweeping.grid import sweep
    >>> spec = {"fixed": {"w": 0.5}, "axes": {"sigma": [0.1, 0.2], "site": ["inside", "outside"]}}
    >>> ax = lines(sweep(spec, workers=1), x="sigma", quantity="bias", colour="site")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['inside', 'outside']
    >>> plt.close(ax.figure)
    """
    values = _chosen(dataset, quantity, (colour, x), select)
    if ax is None:
        _, ax = plt.subplots(figsize=(6.0, 4.2), layout="constrained")
    along, named = _places(values[x]), values[colour]
    numbers = named.values.dtype.kind == "f" and named.size > 1
    norm = (LogNorm if _logarithmic(named) else Normalize)(*named.values[[0, -1]]) if numbers else Normalize(0.0, 1.0)
    shades = mpl.colormaps[SEQUENTIAL]
    for i, name in enumerate(named.values):
        shade = shades(norm(name)) if numbers else f"C{i}"
        ax.plot(along, values.values[i], color=shade, label=f"{name:g}" if named.dtype.kind == "f" else str(name))
    if numbers:
        ax.figure.colorbar(mpl.cm.ScalarMappable(norm, shades), ax=ax, label=_label(named))
    else:
        ax.legend(frameon=False, fontsize="small")
    _set_axis(ax, "x", values[x])
    ax.set_ylabel(_label(values))
    ax.set_title(_where(dataset, values), fontsize="medium")
    return ax


def _chosen(dataset: xarray.Dataset, quantity: str, dims: tuple[str, str], select: dict[str, Any]) -> xarray.DataArray:
    """Values over two dimensions, the others selected or of one value."""
    if quantity not in dataset.data_vars:
        raise ValueError(f"quantity must be one of {', '.join(map(str, dataset.data_vars))}; got {quantity!r}")
    values = dataset[quantity].astype(float, keep_attrs=True)
    for name in (*dims, *select):
        if name not in values.dims:
            raise ValueError(f"axis must be one of {', '.join(map(str, values.dims))}; got {name!r}")
    if dims[0] == dims[1] or set(dims) & set(select):
        raise ValueError(f"axes must be drawn or selected once each; got {', '.join((*dims, *select))}")
    values = values.sortby([name for name in values.dims if name in values.coords and values[name].dtype.kind in "fi"])
    for name, value in select.items():
        known = values[name].values
        number = known.dtype.kind == "f"
        rule = f"be one of {', '.join(map(str, known[:20]))}"
        if number:
            found = np.isfinite(real_number(name, value, rule))
        else:  # names, or numbers of neurons
            found = is_number(value) if known.dtype.kind == "i" else isinstance(value, str)
        if not (found and (number or value in known)):
            raise ValueError(f"{name} must {rule}; got {shown(value)}")
        values = values.sel({name: value}, method="nearest" if number else None)
    for name in [str(name) for name in values.dims if name not in dims]:
        if values.sizes[name] > 1:
            raise ValueError(f"{name} must be selected, as one of its {values.sizes[name]} values; got none")
        values = values.isel({name: 0})
    return values.transpose(*dims)


def _logarithmic(axis: xarray.DataArray) -> bool:
    return bool(axis.attrs.get("scale") == "log" and np.all(axis.values > 0.0))


def _places(axis: xarray.DataArray) -> Any:
    """Where values are drawn: numbers at themselves, names one after another."""
    return axis.values if axis.dtype.kind in "fi" else np.arange(axis.size)


def _corners(axis: xarray.DataArray) -> Any:
    """Edges of the cells around values, halfway between them."""
    places = np.asarray(_places(axis), dtype=np.float64)
    places = np.log(places) if _logarithmic(axis) else places
    if places.size == 1:
        corners = places[0] + np.array([-0.5, 0.5])
    else:
        middle = 0.5 * (places[1:] + places[:-1])
        corners = np.concatenate([[2.0 * places[0] - middle[0]], middle, [2.0 * places[-1] - middle[-1]]])
    return np.exp(corners) if _logarithmic(axis) else corners


def _set_axis(ax: Axes, which: str, axis: xarray.DataArray) -> None:
    """Label and scale of an axis of the picture."""
    ax.set(**{f"{which}label": _label(axis)})
    if _logarithmic(axis):
        ax.set(**{f"{which}scale": "log"})
    elif axis.dtype.kind not in "fi":
        ax.set(**{f"{which}ticks": np.arange(axis.size), f"{which}ticklabels": [str(name) for name in axis.values]})


def _label(values: xarray.DataArray) -> str:
    unit = values.attrs.get("units", "1")
    return str(values.attrs.get("long_name", values.name)) + (f" ({unit})" if unit != "1" else "")


def _where(dataset: xarray.Dataset, values: xarray.DataArray) -> str:
    """What is held fixed: by the specification, and as selected."""
    fixed = json.loads(dataset.attrs["spec"])["fixed"] if "spec" in dataset.attrs else {}
    chosen = {str(name): value.item() for name, value in values.coords.items() if value.ndim == 0}
    held, order = fixed | chosen, (*NEURON, *NETWORK, *map(str, values.coords))
    return ", ".join(_held(name, held[name]) for name in dict.fromkeys(order) if name in held)


def _held(name: str, value: Any) -> str:
    if isinstance(value, float):
        return f"{name} = {value:g}"
    return f"noise {value}" if name == "site" else str(value)
