"""The results of a sweep as an :class:`xarray.Dataset` with named axes, and its files."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ctrnn_theory import __version__
from ctrnn_theory.support.checksums import measure
from ctrnn_theory.support.files import atomically, reason
from ctrnn_theory.support.memory import SHARE, free_memory
from ctrnn_theory.support.run_folder import Folder
from ctrnn_theory.sweeping.batch import Batch, row_type
from ctrnn_theory.sweeping.parameters import NETWORK, NEURON, TRAINED
from ctrnn_theory.sweeping.quantities import OF_LAWS, OF_TRAINED
from ctrnn_theory.sweeping.spec import Spec
from ctrnn_theory.sweeping.store import KIND, POINTS, Writer

if TYPE_CHECKING:
    import xarray


Format = Literal["netcdf", "zarr"]
FILES = {"netcdf": "sweep.nc", "zarr": "sweep.zarr"}
"""Name of the dataset's file in the folder of a sweep, by format."""
OVERHEAD = 1 << 16
"""Bytes that a NetCDF file has beside its numbers, about."""
REMEDY = f"run the same sweep again, which makes it from {POINTS}"
NUMBER = re.compile(r"[-+]?\d[\d.]*(?:e[-+]?\d+)?")
"""Part of a reason that may differ between reasons that count as the same."""


def assemble(spec: Spec, batches: list[Batch]) -> xarray.Dataset:
    """Lay batches out over methods, axes, and neurons if there are several; points without a number hold NaN.

    The first dimension is called "methods", since "method" is an argument of xarray's ``sel``. ``failure`` is 0 where a
    point did not fail, and otherwise counts from 1 into the reasons, a JSON list in its attribute "reasons". Of reasons
    that differ in numbers alone the first is kept.
    """
    import xarray

    dims, kind = ("methods", *spec.axes), row_type(spec)
    counts = (len(spec.methods), *spec.shape)
    coords: dict[str, Any] = {"methods": ("methods", list(spec.methods), {"long_name": "method"})}
    about = TRAINED if spec.trained else NEURON | NETWORK
    quantities = OF_TRAINED if spec.trained else OF_LAWS
    for name, axis in spec.axes.items():
        attributes = {"long_name": about[name].about, "scale": "log" if axis.logarithmic else "linear"}
        coords[name] = (name, np.array(axis.values), _units(attributes, isinstance(axis.values[0], float)))
    if spec.network is not None:
        coords["neuron"] = ("neuron", np.arange(spec.neurons), {"long_name": "neuron"})
    variables: dict[str, Any] = {}
    for name in spec.quantities:
        inner = kind[name].shape
        empty = np.zeros((counts[0], spec.size, *inner), bool) if name == "converged" else None
        array = np.full((counts[0], spec.size, *inner), np.nan) if empty is None else empty
        for batch in batches:
            array[batch.rows["method"], batch.rows["point"]] = batch.rows[name]
        where = (*dims, "neuron") if inner else dims
        attributes = {"long_name": quantities[name]}
        unit = "s" if name == "seconds" else "1"
        variables[name] = (where, array.reshape(*counts, *inner), _units(attributes, name != "converged", unit))
    codes, reasons = _failures(spec, batches)
    attributes = {"long_name": "number of the reason why the point failed, or 0", "reasons": json.dumps(reasons)}
    variables["failure"] = (dims, codes.reshape(counts), attributes)
    attributes = {"spec": json.dumps(spec.to_dict()), "source": f"ctrnn-theory {__version__}"}
    return xarray.Dataset(variables, coords, attributes)


def _units(attributes: dict[str, str], has: bool, unit: str = "1") -> dict[str, str]:
    """Return the attributes of a variable with its unit, if it has one."""
    return attributes | {"units": unit} if has else attributes


def _failures(spec: Spec, batches: list[Batch]) -> tuple[np.ndarray[Any, Any], list[str]]:
    """Return the failure of every point by method, (methods, points), and the reasons, in the order of first points."""
    first: dict[str, tuple[int, int, str]] = {}
    for batch in batches:
        for row in batch.rows[batch.rows["failure"] > 0]:
            text = batch.reasons[row["failure"] - 1]
            found = (int(row["method"]), int(row["point"]), text)
            key = NUMBER.sub("#", text)
            first[key] = min(found, first.get(key, found))
    order = sorted(first, key=lambda key: first[key])
    codes = np.zeros((len(spec.methods), spec.size), np.int32)
    for batch in batches:
        known = np.array([0] + [1 + order.index(NUMBER.sub("#", text)) for text in batch.reasons], np.int32)
        codes[batch.rows["method"], batch.rows["point"]] = known[batch.rows["failure"]]
    return codes, [first[key][2] for key in order]


def failures(dataset: xarray.Dataset) -> dict[str, int]:
    """How many points failed, by reason, the most frequent first; points count once for each method."""
    reasons = json.loads(dataset["failure"].attrs["reasons"])
    counts = np.bincount(dataset["failure"].values.ravel(), minlength=len(reasons) + 1)[1:]
    found = {reason: int(count) for reason, count in zip(reasons, counts, strict=True)}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def save(dataset: xarray.Dataset, writer: Writer, form: Format) -> Path:
    """Write a dataset into the folder of a sweep, whole or not at all, after its checksum.

    NetCDF is written by netCDF4, whose wheels contain HDF5, and which writes all kinds of numbers and text.
    """
    name, folder = FILES[form], writer.folder
    target = folder.place / name
    if form == "netcdf":
        with folder.writing(name), atomically(target) as temporary:
            _to_netcdf(dataset, temporary)
            writer.count(**{name: measure(temporary)})
        return target
    with folder.writing(name):
        temporary = folder.place / ".sweep.zarr"
        shutil.rmtree(temporary, ignore_errors=True)
        dataset.to_zarr(temporary, zarr_format=2)  # the third format has no text of fixed length
        writer.count(**{name: measure(temporary)})
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
    return target


def _to_netcdf(dataset: xarray.Dataset, path: Path) -> None:
    """Write a NetCDF file, or raise an OSError that says why it cannot be written."""
    try:
        dataset.to_netcdf(path, engine="netcdf4")
    except (RuntimeError, OSError) as error:  # the NetCDF library does not say why
        full = shutil.disk_usage(path.parent).free < dataset.nbytes + OVERHEAD
        number = errno.ENOSPC if full else getattr(error, "errno", errno.EIO)
        raise OSError(number, os.strerror(number)) from error


def load(place: Path) -> xarray.Dataset:
    """Read the dataset of a finished sweep, and compare it with its checksum.

    Raises
    ------
    ValueError
        If the folder has no dataset, a damaged one, or one that does not fit into memory.
    """
    import xarray

    folder = Folder(place, KIND)
    record = folder.record
    form = next((form for form, name in FILES.items() if (place / name).exists()), None)
    if record is None or form is None:
        lacks = KIND.record if record is None else " or ".join(FILES.values())
        raise ValueError(f"run must be the folder of a finished sweep; {place} has no {lacks}")
    name = FILES[form]
    try:
        if record["format"] > 1 and list(measure(place / name)) != record["kept"].get(name):
            raise ValueError("it is not what was written")
        with xarray.open_dataset(place / name, engine="netcdf4" if form == "netcdf" else "zarr") as dataset:
            if (size := dataset.nbytes) <= SHARE * free_memory():
                return dataset.load()
    except (
        OSError,
        ValueError,
        RuntimeError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise folder.damaged(name, reason(error), REMEDY) from error
    raise ValueError(f"run must have a dataset that fits into memory; {place / name} has {size} bytes")


def check_format(form: Any) -> None:
    """Raise a ValueError for a format that is unknown, or whose package is not installed."""
    if form not in FILES:
        raise ValueError(f"format must be one of {', '.join(FILES)}; got {form!r}")
    if form == "zarr":
        try:
            import zarr  # noqa: F401
        except ModuleNotFoundError as error:
            raise ValueError("zarr must be installed for its format: pip install 'ctrnn-theory[cluster]'") from error
