"""The progress bar of all commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHORTEST = 0.5
"""Seconds after which a rate is shown: before, it says little."""


@contextmanager
def progress_bar(unit: str) -> Iterator[Callable[[int, int, str], object]]:
    """Give a function of (done, total, text) that shows progress on standard error, if that is a terminal.

    The bar shows how many are done of how many, their rate, the time left, and the text. It goes away at the end.

    Parameters
    ----------
    unit
        What is counted, such as "points".
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, total, text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn("line"),
        TextColumn(unit, markup=False),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(unit, total=None, rate="", text="")
        first: list[int] = []
        """What was done before the first report, which has no part in the rate."""

        def show(done: int, total: int, text: str) -> None:
            if not first:
                first.append(done)
                bar.reset(task, total=total, completed=done)
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = f"{(done - first[0]) / elapsed:.3g}/s" if elapsed > SHORTEST and done > first[0] else ""
            bar.update(task, total=total, completed=done, rate=rate, text=text.replace("_", " "), refresh=done == total)

        yield show
