"""The command `plot`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ctrnn_theory.cli.console import check_plot, say, write_plot

if TYPE_CHECKING:
    import xarray


@click.command("plot")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--x", required=True, help="Axis of the dataset to draw along x.")
@click.option("--y", help="Axis to draw along y, for a map.  [default: none, for lines]")
@click.option("--colour", help="Axis whose values are lines of different colours.  [default: methods]")
@click.option("--quantity", required=True, help="Quantity of the dataset to draw.")
@click.option(
    "--at", "chosen", multiple=True, metavar="NAME=VALUE", help="Value to take of another axis; may be repeated."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write the picture to this file.  [default: RUN/QUANTITY.png]"
)
def plot_command(
    run: Path, x: str, y: str | None, colour: str | None, quantity: str, chosen: tuple[str, ...], out: Path | None
) -> None:
    """Draw a quantity of a finished sweep, as a map over two axes or as lines over one.

    RUN is the folder of the sweep. An axis that is neither drawn nor given by --at must have a single value.
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
    write_plot(_Picture(dataset, x, y, colour or "methods", quantity, select), picture)
    say(f"The picture is in {picture}.")


def _choice(text: str) -> tuple[str, float | str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--at must be NAME=VALUE; got {text!r}")
    try:
        return name.strip(), float(value)
    except ValueError:
        return name.strip(), value.strip()


class _Picture:
    """A picture of a dataset, which `write_plot` can draw."""

    def __init__(
        self, dataset: xarray.Dataset, x: str, y: str | None, colour: str, quantity: str, select: dict[str, Any]
    ) -> None:
        self.dataset, self.x, self.y, self.colour, self.quantity, self.select = dataset, x, y, colour, quantity, select

    def plot(self, ax: Any) -> None:
        """Draw the picture on axes of Matplotlib."""
        from ctrnn_theory.plotting import heatmap, lines

        if self.y is not None:
            heatmap(self.dataset, self.x, self.y, self.quantity, ax, **self.select)
        else:
            lines(self.dataset, self.x, self.quantity, colour=self.colour, ax=ax, **self.select)
