"""What the commands share: numbers and pictures from options, and progress on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PLOT_FORMATS = (".pdf", ".png", ".svg")


def numbers(name: str, text: str) -> list[float]:
    """Numbers of an option, separated by commas."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{name} must be numbers separated by commas; got {text!r}") from None


def check_seed(seed: int) -> None:
    """Refuse a seed that is none."""
    if seed < 0:
        raise ValueError(f"--seed must be at least 0; got {seed}")


def check_sigma(**options: float | None) -> None:
    """Refuse standard deviations below zero, given by their options' names."""
    for name, value in options.items():
        if value is not None and not value >= 0.0:
            raise ValueError(f"--{name.replace('_', '-')} must be at least 0, a standard deviation; got {value:g}")


def check_plot(path: Path) -> None:
    """Refuse a picture that could not be written, before any work is done."""
    if path.suffix.lower() not in PLOT_FORMATS:
        raise ValueError(f"--plot must end in one of {', '.join(PLOT_FORMATS)}; got {path}")
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(f"--plot must be a file in a folder that exists and can be written; got {path}")


def write_plot(result: Any, path: Path) -> None:
    """Draw a result that has `plot(ax)`, and write it whole or not at all."""
    import matplotlib

    from ctrnn_theory.files import atomically

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, ax = plt.subplots(figsize=(6.0, 4.2), layout="constrained")
    result.plot(ax)
    with atomically(path) as temporary:
        figure.savefig(temporary, dpi=150)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show on standard error what is being done, if it is a terminal."""
    if not sys.stderr.isatty():
        yield lambda what: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda what: status.update(what.replace("_", " "))


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[int, float, int], None]]:
    """Show generations, loss, evaluations a second and the time left on standard error, if it is a terminal.

    What it gives is called with the generation, its loss, and the evaluations so far.
    """
    if not sys.stderr.isatty():
        yield lambda generation, loss, evaluations: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("generation"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[found]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("training", total=total, found="")
        first: list[int] = []

        def show(generation: int, loss: float, evaluations: int) -> None:
            first.append(evaluations)  # of a run that is resumed, the rate is that of the rest
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = f"{(evaluations - first[0]) / elapsed:.0f}/s" if elapsed > 0.5 else ""
            bar.update(task, completed=generation, found=f"loss {loss:.4g}  {rate}")
            del first[1:]

        yield show
