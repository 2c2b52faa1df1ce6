"""Makes figures: computes, or takes what was computed before, draws, and writes them."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import ModuleType

from ctrnn_theory.support.files import atomically
from paper_figs import FIGURES
from paper_figs.cache import Data, computed, usable
from paper_figs.networks import SAY

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
    say: Callable[[str], object] = lambda what: None,
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
    say
        Called with what is being done.

    Raises
    ------
    ValueError
        For an unknown name, or a folder that cannot be written.
    """
    chosen = list(dict.fromkeys(names)) or list(FIGURES)
    for name in chosen:
        FIGURES.choose(name)
    usable(out, "--out")
    return _made(chosen, quick, out, fresh, say)


def _made(names: list[str], quick: bool, out: Path, fresh: bool, say: Callable[[str], object]) -> Iterable[Made]:
    for at, name in enumerate(names, 1):
        begin, where = perf_counter(), f"{name} ({at} of {len(names)})"
        say(where)
        token = SAY.set(lambda what, where=where: say(f"{where}: {what}"))
        try:
            module = figure_module(name)
            data = computed(module, quick, fresh)
        finally:
            SAY.reset(token)
        files = write(module, data, out)
        yield Made(name, files, perf_counter() - begin, module.headline(data))


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
