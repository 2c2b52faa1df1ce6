"""Makes figures: computes, or takes what was computed before, draws, and writes them."""

from __future__ import annotations

import ast
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
"""What is written, and the metadata that are left out, so that the same figure is the same file."""


@dataclass(frozen=True)
class Made:
    """A figure that was made."""

    name: str
    """Its name."""
    files: tuple[Path, ...]
    """What was written."""
    seconds: float
    """Of computing and drawing; of drawing alone where its data were kept."""
    headline: dict[str, float]
    """The numbers that it shows."""


def make(
    names: Iterable[str] = (),
    quick: bool = False,
    out: Path = Path("figures"),
    fresh: bool = False,
    progress: Callable[[int, int, str], object] = lambda done, total, text: None,
) -> Iterable[Made]:
    """Make figures one by one, and give each when it is written.

    Parameters
    ----------
    names
        Of :data:`FIGURES`; all by default.
    quick
        Coarser, from networks that are in the package: a minute instead of ten.
    out
        Folder for them, made if need be.
    fresh
        Compute even what was computed before.
    progress
        Called with (done, total, text) as figures are made: how many are done, of how many, and what is being done.

    Raises
    ------
    ValueError
        For an unknown name, or a folder that cannot be written.
    """
    chosen = list(dict.fromkeys(names)) or list(FIGURES)
    for name in chosen:
        if name not in FIGURES:
            raise ValueError(f"NAME must be one of {', '.join(FIGURES)}; got {name!r}")
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
    """Module of a figure."""
    return importlib.import_module(f"paper_figs.{name}")


def write(module: ModuleType, data: Data, out: Path) -> tuple[Path, ...]:
    """Draw a figure, and write it whole or not at all."""
    from matplotlib import pyplot as plt

    from paper_figs.style import STYLE

    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns of the dates in matplotlib's own fonts
    figure, files = module.draw(data), []
    with plt.style.context(["default", STYLE]):
        for ending, metadata in FORMATS.items():
            path = out / f"{module.__name__.rpartition('.')[2]}.{ending}"
            with atomically(path) as temporary:
                figure.savefig(temporary, format=ending, metadata=metadata)
            files.append(path)
    return tuple(files)


def summary(name: str) -> str:
    """What a figure shows, in a line, without importing it."""
    source = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
