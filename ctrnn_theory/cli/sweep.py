"""The command `sweep`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from ctrnn_theory.cli.console import say

if TYPE_CHECKING:
    from ctrnn_theory.sweeping.sweep import Progress


@click.command("sweep")
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to keep the sweep in.")
@click.option("--workers", type=int, help="Processes.  [default: one a core]")
@click.option("--dask", metavar="ADDRESS", help="Scheduler of a Dask cluster, which does the work instead.")
@click.option("--format", "form", default="netcdf", show_default=True, help="Of the dataset: netcdf or zarr.")
@click.option("--yes", is_flag=True, help="A grid of more than 100000 points, times methods, is meant.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def sweep_command(
    spec: Path, out: Path, workers: int | None, dask: str | None, form: Any, yes: bool, as_json: bool
) -> int:
    """Compute methods over the grid of parameters that SPEC, a TOML file, names.

    A sweep that was cut off goes on by the same command. A point that fails is told with its reason, the others go on;
    the exit status is then 1.
    """
    from ctrnn_theory.sweeping.dataset import FILES, failures
    from ctrnn_theory.sweeping.spec import Spec
    from ctrnn_theory.sweeping.sweep import sweep

    read, begin = Spec.of(spec), perf_counter()
    total = read.size * len(read.methods)
    try:
        with _bar(total) as show:
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
        say(f"kept in {path}")
    if failed and not as_json:
        rows = [(str(count), reason) for reason, count in reasons.items()]
        say("\n".join(f"{count:>{len(str(failed))}} failed: {reason}" for count, reason in rows), sys.stderr)
    return int(failed > 0)


@contextmanager
def _bar(total: int) -> Iterator[Callable[[Progress], None]]:
    """Show points, their rate, the time left and failures on standard error, if it is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda now: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("points"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[found]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("sweep", total=total, found="")
        first: list[int] = []

        def show(now: Progress) -> None:
            first.append(now.done)  # what was there before has no part in the rate
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = f"{(now.done - first[0]) / elapsed:.3g}/s" if elapsed > 0.5 else ""
            failed = f"  {now.failures} failed" if now.failures else ""
            bar.update(task, completed=now.done, found=rate + failed)
            del first[1:]

        yield show
