"""The command `sweep`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from ctrnn_theory.cli.console import say
from ctrnn_theory.cli.progress import progress_bar


@click.command("sweep")
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder that the sweep is kept in.")
@click.option("--workers", type=int, help="Number of processes.  [default: one for each core]")
@click.option(
    "--dask", metavar="ADDRESS", help="Address of the scheduler of a Dask cluster, which does the work instead."
)
@click.option("--format", "form", default="netcdf", show_default=True, help="Format of the dataset: netcdf or zarr.")
@click.option("--yes", is_flag=True, help="Compute even a grid of more than 100000 points, times methods.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def sweep_command(
    spec: Path, out: Path, workers: int | None, dask: str | None, form: Any, yes: bool, as_json: bool
) -> int:
    """Compute methods over a grid of parameters.

    SPEC is a TOML file that names the parameters and the methods. The same command goes on with a sweep that was cut
    off. If points fail, the others are computed all the same; the reasons are printed, and the exit status is 1.
    """
    from ctrnn_theory.sweeping.dataset import FILES, failures
    from ctrnn_theory.sweeping.spec import Spec
    from ctrnn_theory.sweeping.sweep import sweep

    read, begin = Spec.of(spec), perf_counter()
    total = read.size * len(read.methods)
    try:
        with progress_bar("points") as show:
            dataset = sweep(read, workers, out, dask=dask, format=form, yes=yes, progress=show)
    except ValueError as error:
        if "unless yes is given" not in str(error):
            raise
        raise ValueError(str(error).replace("unless yes is given", "unless --yes is given")) from error
    reasons, seconds = failures(dataset), perf_counter() - begin
    failed, path = sum(reasons.values()), out / FILES[form]
    if as_json:
        found = {"points": read.size, "methods": list(read.methods), "failed": failed, "failures": reasons}
        say(json.dumps({**found, "seconds": seconds, "dataset": str(path)}))
    else:
        several = "s" * (len(read.methods) > 1)
        say(f"{read.size} points by {len(read.methods)} method{several} in {seconds:.1f} s; {failed} of {total} failed")
        say(f"The dataset is in {path}.")
    if failed and not as_json:
        rows = [(str(count), reason) for reason, count in reasons.items()]
        say("\n".join(f"{count:>{len(str(failed))}} failed: {reason}" for count, reason in rows), sys.stderr)
    return int(failed > 0)
