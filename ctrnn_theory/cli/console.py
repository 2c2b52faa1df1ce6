"""What the commands share: printing, checks of options, and pictures."""

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

from ctrnn_theory.cli.progress import progress_bar
from ctrnn_theory.support.files import atomically, check_file

SIGNS = dict(zip("–—−≤≥≈√∂·×±′", ("-", "-", "-", "<=", ">=", "~", "sqrt", "d", "*", "x", "+-", "'"), strict=True))
SIGNS |= {"∞": "infinity", "→": "->", "Σ": "Sum", "∫": "integral", "∇": "grad", "ø": "o", "…": "..."}
"""What is printed for signs that Unicode does not make up of others, where the encoding lacks them."""
PLOT_FORMATS = (".pdf", ".png", ".svg")


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a text and the end of a line; click.echo without `file` would write UTF-8 even to an ASCII terminal."""
    stream = sys.stdout if stream is None else stream
    try:
        if stream is not None:  # it is None where a process was started without one
            click.echo(text, file=stream)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(f"the output cannot be written: {error.strerror}") from error


@contextmanager
def plain_text() -> Iterator[None]:
    """Replace letters that the encoding of the standard streams lacks by letters that it has, such as σ by sigma."""
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
    """Return a letter in ASCII: by its name if Greek, after ^ if raised, else by what makes it up, or by its number."""
    words, made_of = unicodedata.name(letter, "").split(), unicodedata.normalize("NFKD", letter)
    if words[:1] == ["GREEK"] and "LETTER" in words:
        name = words[words.index("LETTER") + 1].lower()
        return name if "SMALL" in words else name.capitalize()
    ascii_ = "".join(SIGNS.get(part, part) for part in made_of if not unicodedata.combining(part))
    if not ascii_.isascii() or not ascii_:
        return letter.encode("ascii", "backslashreplace").decode()
    return ("^" if words[:1] == ["SUPERSCRIPT"] else "") + ascii_


def numbers(name: str, text: str) -> list[float]:
    """Return the numbers of an option, which are separated by commas."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{name} must be numbers separated by commas; got {text!r}") from None


def check_seed(seed: int) -> None:
    """Raise a ValueError if a seed is negative."""
    if seed < 0:
        raise ValueError(f"--seed must be at least 0; got {seed}")


def check_plot(path: Path, option: str = "--plot") -> None:
    """Raise a ValueError if a picture cannot be written at `path`, which came from `option`; called before any work."""
    if path.suffix.lower() not in PLOT_FORMATS:
        raise ValueError(f"{option} must end in one of {', '.join(PLOT_FORMATS)}; got {path}")
    check_file(option, path)


def write_plot(result: Any, path: Path, draw: Callable[[Any, Any], object] | None = None) -> None:
    """Draw a result by its method `plot(ax)`, or by `draw(result, figure)`, and write the picture whole or not."""
    from matplotlib.figure import Figure  # which needs no backend, whether there is a screen or not

    with progress_bar("pictures") as show:
        show(0, 1, "drawing")
        figure = Figure(figsize=(6.0, 4.2), layout="constrained")
        if draw is None:
            result.plot(figure.subplots())
        else:
            draw(result, figure)
        with atomically(path) as temporary:
            figure.savefig(temporary, dpi=150, format=path.suffix[1:].lower())
