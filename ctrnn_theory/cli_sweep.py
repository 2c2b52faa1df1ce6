"""The commands `sweep` and `plot`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from ctrnn_theory.console import check_plot, progress, say, write_plot

if TYPE_CHECKING:
    import xarray

    from ctrnn_theory.sweeping.grid import Progress


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
    from ctrnn_theory.sweeping.grid import sweep
    from ctrnn_theory.sweeping.spec import Spec

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


@click.command("plot")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--x", required=True, help="Axis along x.")
@click.option("--y", help="Axis along y, for a map.  [default: none, for lines]")
@click.option("--colour", help="Axis that tells lines apart.  [default: the method]")
@click.option("--quantity", required=True, help="What to draw.")
@click.option("--at", "chosen", multiple=True, metavar="NAME=VALUE", help="Value of another axis; may be repeated.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the picture here.  [default: RUN/QUANTITY.png]")
def plot_command(
    run: Path, x: str, y: str | None, colour: str | None, quantity: str, chosen: tuple[str, ...], out: Path | None
) -> None:
    """Draw a quantity of the finished sweep in RUN: as a map over two axes, or as lines over one.

    An axis that is neither drawn nor given by --at must have one value only.
    """
    from ctrnn_theory.sweeping.dataset import load

    picture = run / f"{quantity}.png" if out is None else out
    if y is not None and colour is not None:
        raise ValueError(f"--colour must be left out with --y; got {colour!r}")
    select = dict(_choice(text) for text in chosen)
    dataset = load(run)
    for name in select:
        if name not in dataset.dims:
            raise ValueError(f"--at must name one of {', '.join(map(str, dataset.dims))}; got {name!r}")
    check_plot(picture, "--out")
    with progress() as show:
        show("picture")
        write_plot(_Picture(dataset, x, y, colour or "methods", quantity, select), picture)
    say(f"drawn in {picture}")


def _choice(text: str) -> tuple[str, float | str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--at must be NAME=VALUE; got {text!r}")
    try:
        return name.strip(), float(value)
    except ValueError:
        return name.strip(), value.strip()


class _Picture:
    """What `write_plot` draws."""

    def __init__(
        self, dataset: xarray.Dataset, x: str, y: str | None, colour: str, quantity: str, select: dict[str, Any]
    ) -> None:
        self.dataset, self.x, self.y, self.colour, self.quantity, self.select = dataset, x, y, colour, quantity, select

    def plot(self, ax: Any) -> None:
        """Draw on axes of matplotlib."""
        from ctrnn_theory.pictures.heatmap import heatmap, lines

        if self.y is not None:
            heatmap(self.dataset, self.x, self.y, self.quantity, ax, **self.select)
        else:
            lines(self.dataset, self.x, self.quantity, colour=self.colour, ax=ax, **self.select)
