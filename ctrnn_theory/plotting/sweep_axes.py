"""Values and axes of the pictures of a sweep."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from ctrnn_theory.support.arguments import is_number, real_number, shown
from ctrnn_theory.sweeping.parameters import NETWORK, NEURON, TRAINED

if TYPE_CHECKING:
    import xarray

SEQUENTIAL = "viridis"  # colours of a quantity of one sign, or along an axis


def chosen(dataset: xarray.Dataset, quantity: str, dims: tuple[str, str], select: dict[str, Any]) -> xarray.DataArray:
    """Return the values over two dimensions; the other dimensions are selected, or have one value."""
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


def logarithmic(axis: xarray.DataArray) -> bool:
    """Return whether an axis is drawn on a logarithmic scale."""
    return bool(axis.attrs.get("scale") == "log" and np.all(axis.values > 0.0))


def places_of(axis: xarray.DataArray) -> Any:
    """Return the places of values on an axis: numbers lie at their value, names one after another."""
    return axis.values if axis.dtype.kind in "fi" else np.arange(axis.size)


def set_axis(ax: Axes, which: str, axis: xarray.DataArray) -> None:
    """Set label and scale of an axis of the picture."""
    ax.set(**{f"{which}label": label_of(axis)})
    if logarithmic(axis):
        ax.set(**{f"{which}scale": "log"})
    elif axis.dtype.kind not in "fi":
        ax.set(**{f"{which}ticks": np.arange(axis.size), f"{which}ticklabels": [str(name) for name in axis.values]})


def label_of(values: xarray.DataArray) -> str:
    """Return the name of values, with their unit."""
    unit = values.attrs.get("units", "1")
    return str(values.attrs.get("long_name", values.name)) + (f" ({unit})" if unit != "1" else "")


def fixed_title(dataset: xarray.Dataset, values: xarray.DataArray) -> str:
    """Return the title of a picture, which names what the sweep holds fixed and what was selected."""
    fixed = json.loads(dataset.attrs["spec"])["fixed"] if "spec" in dataset.attrs else {}
    chosen = {str(name): value.item() for name, value in values.coords.items() if value.ndim == 0}
    held, order = fixed | chosen, (*NEURON, *NETWORK, *TRAINED, *map(str, values.coords))
    return ", ".join(_held(name, held[name]) for name in dict.fromkeys(order) if name in held)


def _held(name: str, value: Any) -> str:
    if isinstance(value, float) or (isinstance(value, int) and name in TRAINED):
        return f"{name} = {value:g}"
    return f"noise {value}" if name == "site" else str(value)
