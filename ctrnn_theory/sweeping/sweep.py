"""A whole sweep, from its specification to its dataset, on any engine, in a folder or in memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.progress import Progress, reporter
from ctrnn_theory.support.workers import Workers, threads
from ctrnn_theory.sweeping import dataset, store
from ctrnn_theory.sweeping.batch import Batch
from ctrnn_theory.sweeping.dataset import Format
from ctrnn_theory.sweeping.engine import connected, estimate, run
from ctrnn_theory.sweeping.spec import Spec

if TYPE_CHECKING:
    import xarray

MOST = 100_000
"""Largest number of points times methods that is computed without `yes`."""


@guarded
@limited
def sweep(
    spec: Spec | Mapping[str, Any] | str | os.PathLike[str],
    workers: Workers = None,
    out: str | os.PathLike[str] | None = None,
    *,
    dask: Any = None,
    format: Format = "netcdf",
    yes: bool = False,
    progress: Progress | None = None,
) -> xarray.Dataset:
    """Compute methods over a grid of parameters, on all cores or a cluster, as a dataset with named axes.

    A specification is a mapping, or a TOML file, with

    * ``axes``: for each parameter a list (an array), ``{"linspace": [first, last, count]}``, ``{"geomspace": ...}`` or
      ``{"logspace": ...}``, whose ends are powers of ten; the grid is the product of the axes,
    * ``fixed``: values of the parameters that are not axes. One neuron has activation, w, b, gamma, and sigma and site
      ("inside", "outside") or else sigma_in and sigma_out. With ``network``, a network or the file of one, relative to
      the specification, the parameters are scale (a factor of W), gamma, u (if the network has one input), and those
      of the noise. With ``task``, each point is a network that is trained for this task, and the parameters are
      neurons, activation, gamma, alpha, beta and rng, as :func:`~ctrnn_theory.train` takes them, and those of additive
      noise,
    * ``methods``: names from :data:`~ctrnn_theory.METHODS`, or "decoders" with a task; ``options``: their options, by
      method,
    * ``quantities``: mean, bias (the mean minus the fixed point that the noise-free network settles to from the zero
      state), variance, standard_error, loss (mean squared distance of the readout, or else of the state, from its
      noise-free value: squared bias and variance), seconds, converged; or of trained networks, as
      :func:`~ctrnn_theory.preference` predicts them: preferred, ratio, K, nu, sigma_c, squared_bias and loss at the
      training noise, loss_without_noise, seconds,
    * ``seed``: the random stream of a point follows from it and from the parameters of the point. The results do not
      depend on the engine, on how points are put into tasks, or on interruptions.

    Points that fail, for example because the state grows without bound, hold NaN, and ``failure`` gives the reason.

    Parameters
    ----------
    spec
        The specification.
    workers
        Number of processes, None for one per core; or a function like ``map``.
    out
        Folder to which finished points are written as they come, and the dataset at the end. The same call continues a
        sweep that was interrupted. None keeps everything in memory.
    dask
        Address of a Dask scheduler, or a client of one, which does the work instead of the cores of this machine.
    format
        Format of the dataset in `out`: "netcdf" or "zarr".
    yes
        Whether to compute more than 100 000 points times methods.
    progress
        Called with (done, total, text) as points are finished, in points times methods, those of earlier runs among
        them; the text says how many have failed.

    Returns
    -------
    xarray.Dataset
        The quantities over methods, the axes in their order, and neuron for a network; the specification is the
        attribute ``spec``.

    Raises
    ------
    ValueError
        If the specification is not valid, the grid is large and `yes` is not given, or the folder holds something else.

    Examples
    --------
    >>> spec = {"fixed": {"w": 0.5, "b": 0.1}, "axes": {"site": ["inside", "outside"], "sigma": [0.0, 0.5]}}
    >>> found = sweep(spec, workers=1)
    >>> found["bias"].sel(methods="gaussian_closure", site="inside").values.round(4)
    array([0.   , 0.177])
    """
    spec, report = Spec.of(spec), reporter(progress)
    if dask is not None and workers is not None:
        raise ValueError(f"workers must be None with dask; got {workers!r}")
    threads(workers)
    dataset.check_format(format)
    total = spec.size * len(spec.methods)
    if not yes:
        _check_size(spec)
    with connected(dask) as client, nullcontext() if out is None else store.opened(out, spec) as folder:
        batches = [] if folder is None else folder.batches
        done = failed = 0

        def count(batch: Batch) -> None:
            nonlocal done, failed
            done, failed = done + batch.rows.size, failed + int((batch.rows["failure"] > 0).sum())

        def show() -> None:
            report(done, total, f"{failed} failed" if failed else "")

        for batch in batches:
            count(batch)
        show()
        for batch in run(spec, store.missing(spec, batches), workers, client):
            if folder is not None:
                folder.add(batch)
            batches.append(batch)
            count(batch)
            show()
        if done != total:
            raise ValueError(f"workers must give a result for each task; {total - done} of {total} points are missing")
        found = dataset.assemble(spec, batches)
        if folder is not None:
            dataset.save(found, folder, format)
    return found


def _check_size(spec: Spec) -> None:
    """Raise a ValueError with the estimated time if a sweep is large."""
    if spec.size * len(spec.methods) > MOST:
        raise ValueError(
            f"grid must have at most {MOST} points, times methods, unless yes is given; got {spec.size} points by"
            f" {len(spec.methods)} method{'s' * (len(spec.methods) > 1)}, {duration(estimate(spec))} of one core"
        )


def duration(seconds: float) -> str:
    """Return a time in words, in a unit that fits it.

    Examples
    --------
    >>> duration(5400.0)
    'about 1.5 hours'
    """
    for size, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= size:
            return f"about {seconds / size:.2g} {name}"
    return f"about {seconds:.2g} seconds"
