"""What the commands share: numbers and pictures from options, and progress on a terminal."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from ctrnn_theory.support.files import atomically, check_file

SIGNS = dict(zip("–—−≤≥≈√∂·×±′", ("-", "-", "-", "<=", ">=", "~", "sqrt", "d", "*", "x", "+-", "'"), strict=True))
SIGNS |= {"∞": "infinity", "→": "->", "Σ": "Sum", "∫": "integral", "∇": "grad", "ø": "o", "…": "..."}
"""Signs that no other letters make up."""
PLOT_FORMATS = (".pdf", ".png", ".svg")


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a text with a line's end; click's own way would write UTF-8 to a terminal that knows ASCII alone."""
    stream = sys.stdout if stream is None else stream
    try:
        if stream is not None:  # it is None where a process was started without one
            click.echo(text, file=stream)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(f"what is printed cannot be written: {error.strerror}") from error


@contextmanager
def plain_text() -> Iterator[None]:
    """Print a letter that the encoding of the standard streams lacks in letters that it has, σ as sigma."""
    codecs.register_error("ctrnn_theory.plain", _plain)
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, io.TextIOWrapper)]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors="ctrnn_theory.plain")
    try:
        yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            if not stream.closed:
                stream.reconfigure(errors=errors)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_letters, error.object[error.start : error.end])), error.end


def _letters(letter: str) -> str:
    """A letter in ASCII: Greek ones by name, raised ones after ^, others by what they are made of, or by number."""
    words, made_of = unicodedata.name(letter, "").split(), unicodedata.normalize("NFKD", letter)
    if words[:1] == ["GREEK"] and "LETTER" in words:
        name = words[words.index("LETTER") + 1].lower()
        return name if "SMALL" in words else name.capitalize()
    ascii_ = "".join(SIGNS.get(part, part) for part in made_of if not unicodedata.combining(part))
    if not ascii_.isascii() or not ascii_:
        return letter.encode("ascii", "backslashreplace").decode()
    return ("^" if words[:1] == ["SUPERSCRIPT"] else "") + ascii_


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


def check_plot(path: Path, option: str = "--plot") -> None:
    """Refuse a picture that could not be written, before any work is done; `option` is where its name comes from."""
    if path.suffix.lower() not in PLOT_FORMATS:
        raise ValueError(f"{option} must end in one of {', '.join(PLOT_FORMATS)}; got {path}")
    check_file(option, path)


def write_plot(result: Any, path: Path) -> None:
    """Draw a result that has `plot(ax)`, and write it whole or not at all."""
    from matplotlib.figure import Figure  # which needs no backend, be there a screen or not

    figure = Figure(figsize=(6.0, 4.2), layout="constrained")
    result.plot(figure.subplots())
    with atomically(path) as temporary:
        figure.savefig(temporary, dpi=150, format=path.suffix[1:].lower())


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show on standard error what is being done, if it is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda what: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting", spinner="line") as status:
        yield lambda what: status.update(what.replace("_", " "))


@contextmanager
def progress_bar(total: int) -> Iterator[Callable[[int, float, int], None]]:
    """Show generations, loss, evaluations a second and the time left on standard error, if it is a terminal.

    What it gives is called with the generation, its loss, and the evaluations so far.
    """
    if sys.stderr is None or not sys.stderr.isatty():
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
