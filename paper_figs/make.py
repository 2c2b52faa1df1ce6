"""Makes figures: computes their data or reads them from the cache, draws them and writes them to files."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from types import ModuleType

from ctrnn_theory.support.files import atomically
from paper_figs import FIGURES
from paper_figs.cache import Data, computed, usable
from paper_figs.networks import PROGRESS

FORMATS: dict[str, dict[str, None]] = {"pdf": {"CreationDate": None}, "png": {"Software": None}}
"""Formats that are written, each with the metadata to leave out, so that equal figures are equal files."""


@dataclass(frozen=True)
class Made:
    """A figure that has been made."""

    name: str
    """Name of the figure."""
    files: tuple[Path, ...]
    """Files that were written."""
    seconds: float
    """Seconds that were spent on computing and drawing; computing takes none if the data were in the cache."""
    headline: dict[str, float]
    """Numbers that the figure shows, by name."""


def make(
    names: Iterable[str] = (),
    quick: bool = False,
    out: Path = Path("figures"),
    fresh: bool = False,
    progress: Callable[[int, int, str], object] = lambda done, total, text: None,
) -> Iterable[Made]:
    """Make figures one by one, and yield each when it is written.

    Parameters
    ----------
    names
        Names from :data:`FIGURES`; all of them by default.
    quick
        Whether to compute coarser data from the networks in ``trained/``, in a minute instead of ten.
    out
        Folder for the files, which is made if it does not exist.
    fresh
        Whether to compute data again that are in the cache.
    progress
        Called with (done, total, text) as figures are made: how many are done, of how many, and the current work.

    Yields
    ------
    Made
        A figure with its files and its headline.

    Raises
    ------
    ValueError
        If a name is unknown, or the folder cannot be written.
    """
    chosen = list(dict.fromkeys(names)) or list(FIGURES)
    for name in chosen:
        FIGURES.choose(name)
    usable(out, "--out")
    return _made(chosen, quick, out, fresh, progress)


def _made(
    names: list[str], quick: bool, out: Path, fresh: bool, progress: Callable[[int, int, str], object]
) -> Iterable[Made]:
    for done, name in enumerate(names):
        begin, report = perf_counter(), partial(_report, progress, done, len(names), name)
        progress(done, len(names), name)
        token = PROGRESS.set(report)
        try:
            module = figure_module(name)
            data = computed(module, quick, fresh)
        finally:
            PROGRESS.reset(token)
        files = write(module, data, out)
        yield Made(name, files, perf_counter() - begin, module.headline(data))


def _report(
    progress: Callable[[int, int, str], object], made: int, names: int, name: str, done: int, total: int, text: str
) -> None:
    """Report progress within a figure."""
    progress(made, names, f"{name}: {done} of {total} {text}")


def figure_module(name: str) -> ModuleType:
    """Import and return the module of a figure."""
    return importlib.import_module(f"paper_figs.{name}")


def write(module: ModuleType, data: Data, out: Path) -> tuple[Path, ...]:
    """Draw a figure and write its files, each completely or not at all."""
    from matplotlib import pyplot as plt

    from paper_figs.style import STYLE

    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns about dates in Matplotlib's own fonts
    figure, files = module.draw(data), []
    with plt.style.context(["default", STYLE]):
        for ending, metadata in FORMATS.items():
            path = out / f"{module.__name__.rpartition('.')[2]}.{ending}"
            with atomically(path) as temporary:
                figure.savefig(temporary, format=ending, metadata=metadata)
            files.append(path)
    return tuple(files)
