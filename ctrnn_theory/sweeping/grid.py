"""A whole sweep: from its specification to its dataset, on any engine, in a folder or in memory."""

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
"""Points times methods that are computed without being asked twice."""


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
    """Methods over a grid of parameters, on all cores or a cluster, as a dataset with named axes.

    A specification is a mapping, or a TOML file, with

    * ``axes``: for each name a list (an array), ``{"linspace": [first, last, count]}`` or ``{"logspace": ...}``, whose
      ends are powers of ten; the grid is their product,
    * ``fixed``: values of parameters that are no axes. One neuron has activation, w, b, gamma, and sigma and site
      ("inside", "outside") or else sigma_in and sigma_out. With ``network``, a network or a file of one beside the
      specification, there are scale (of W), gamma, u (of a network with one input), and the noise,
    * ``methods``: names out of :data:`~ctrnn_theory.METHODS`; ``options``: their options, by method,
    * ``quantities``: mean, bias (mean less the fixed point that the noise-free network goes to from rest), variance,
      standard_error, loss (mean squared distance of the readout, or else of the state, from its noise-free value:
      squared bias and variance), seconds, converged,
    * ``seed``: a point's random stream follows from it and the point's parameters. Numbers do not depend on the
      engine, on how points are dealt out, or on interruptions.

    Points that fail, as where the state grows without bound, hold NaN, and ``failure`` says why.

    Parameters
    ----------
    spec
        What to compute.
    workers
        Processes, None for one a core; or a function like ``map``.
    out
        Folder that finished points are kept in as they come, and the dataset at the end. The same call goes on with a
        sweep that was cut off. None: all stays in memory.
    dask
        Address of a Dask scheduler, or a client of one, which does the work instead of this machine's cores.
    format
        Of the dataset in `out`: "netcdf" or "zarr".
    yes
        Whether a grid of more than 100 000 points, times methods, is meant.
    progress
        Called with (done, total, text) as points are finished, in points times methods, those of earlier runs among
        them; the text says how many have failed.

    Returns
    -------
    xarray.Dataset
        Over methods, the axes in their order, and neuron for a network; the specification is its attribute ``spec``.

    Raises
    ------
    ValueError
        For a specification that cannot be, a larger grid than was meant, or a folder that holds something else.

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
    if total > MOST and not yes:
        raise ValueError(
            f"grid must have at most {MOST} points, times methods, unless yes is given; got {spec.size} points by"
            f" {len(spec.methods)} method{'s' * (len(spec.methods) > 1)}, {duration(estimate(spec))} of one core"
        )
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


def duration(seconds: float) -> str:
    """A time as one says it.

    Examples
    --------
    >>> duration(5400.0)
    'about 1.5 hours'
    """
    for size, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= size:
            return f"about {seconds / size:.2g} {name}"
    return f"about {seconds:.2g} seconds"
