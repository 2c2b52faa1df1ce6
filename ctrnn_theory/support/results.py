"""The forms that all results share: text, HTML, plain objects for JSON, labelled arrays and pictures."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.read_only import ReadOnly
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

FEW = 8  # neurons up to which a table has a row for each of them; a picture labels each of them
WORST = 3  # neurons, or outputs, that the summary of more of them names
LINES, WIDTH = 12, 130  # most lines, and characters in a line, of a repr


class Arrays(NamedTuple):
    """Arrays over named axes, from which a result makes its dataset."""

    variables: Mapping[str, tuple[Any, Any]]
    """Pairs of dimensions and values, by name; a variable whose value is None is left out."""
    coords: Mapping[str, Any]
    """Coordinates of dimensions, by name."""


@guarded
class Readable(ReadOnly):
    """Gives a frozen dataclass a repr of a few lines, an HTML form for notebooks, and a form that JSON can hold.

    A subclass says in :meth:`_headline` what it is, and in :meth:`_parts` what it holds.
    """

    def _headline(self) -> str:
        """One line on what this is."""
        raise NotImplementedError

    def _parts(self, few: int) -> Iterable[str | Table]:
        """Lines and tables that follow the headline; more than `few` neurons are summarised."""
        return ()

    def __repr__(self) -> str:
        title = f"{type(self).__name__}: {self._headline()}"
        lines = _lines([title, *self._parts(FEW)])
        if len(lines) > LINES:
            lines = _lines([title, *self._parts(1)])
        if len(lines) > LINES:
            lines = [*lines[: LINES - 1], f"... and {len(lines) - LINES + 1} more lines"]
        return "\n".join(line if len(line) <= WIDTH else line[: WIDTH - 3] + "..." for line in lines)

    @guarded
    def _repr_html_(self) -> str:
        parts = [f"{type(self).__name__}: {self._headline()}", *self._parts(FEW)]
        return "".join(
            part.html() if isinstance(part, Table) else f"<div>{html.escape(part)}</div>" for part in parts if part
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all that it holds as plain Python objects that JSON can hold; NaN and infinity become None.

        Arrays become lists, complex ones a pair of lists, ``real`` and ``imag``. Functions are left out.
        """
        return {field.name: plain(getattr(self, field.name)) for field in _kept(self)}


@guarded
class Result(Readable):
    """Gives the result of a public function a table and a dataset over named axes too.

    A subclass names its arrays in :meth:`_arrays`.
    """

    def _arrays(self) -> Arrays:
        """Return the arrays of :meth:`to_xarray`."""
        raise NotImplementedError

    def table(self, full: bool = False) -> str:
        """Lay the result out as text.

        Parameters
        ----------
        full
            Whether each of many neurons has a row of its own. By default more than eight of them are summarised.
        """
        return _text([self._headline(), *self._parts(sys.maxsize if full else FEW)])

    def to_xarray(self) -> xarray.Dataset:
        """Return the arrays as a dataset over named axes, such as time, trajectory and neuron.

        Method and message of the result, where it has them, are attributes of the dataset.
        """
        import xarray

        variables, coords = self._arrays()
        known = {name: pair for name, pair in variables.items() if pair[1] is not None}
        attrs = {name: getattr(self, name) for name in ("method", "message") if hasattr(self, name)}
        return xarray.Dataset(known, coords, attrs)


@guarded
class Drawn(Result):
    """Gives a result a picture too; a subclass names the function of :mod:`ctrnn_theory.plotting` that draws it."""

    _picture: ClassVar[str]

    def __init_subclass__(cls, picture: str) -> None:
        """Keep the name of the function that draws the result."""
        super().__init_subclass__()
        cls._picture = picture

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the result; the function of :mod:`ctrnn_theory.plotting` that is named after its subject says how.

        Parameters
        ----------
        ax
            Matplotlib axes to draw on; new ones by default.
        **options
            Options of that function.
        """
        from ctrnn_theory import plotting

        axes: Axes = getattr(plotting, self._picture)(self, ax, **options)
        return axes


def plain(value: Any) -> Any:
    """Return a value as plain Python objects that JSON can hold.

    Examples
    --------
    >>> plain({"x": np.array([1.0, np.nan]), "f": len, "pair": (np.int64(1), 1j)})
    {'x': [1.0, None], 'pair': [1, {'real': 0.0, 'imag': 1.0}]}
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, float | complex | np.generic | np.ndarray):
        return _numbers(np.asarray(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items() if not _function(item)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if is_dataclass(value):
        name = {"name": value.name} if hasattr(value, "name") else {}
        return name | {field.name: plain(getattr(value, field.name)) for field in _kept(value)}
    return str(value)


def neuron_table(columns: Mapping[str, FloatArray | None], few: int, of: str = "neuron") -> Table:
    """Return a table of numbers (N,) with a row for each neuron; of more than `few` neurons a summary of each column.

    The summary gives in brackets the neurons of the least and of the greatest number. A column of None is left out.
    `of` is what the numbers belong to, if not neurons.

    Examples
    --------
    >>> columns = {"mean": np.array([0.25, 0.5, -1.0]), "std": None}
    >>> print(neuron_table(columns, few=8).text())
    neuron  mean
         0  0.25
         1   0.5
         2    -1
    >>> print(neuron_table(columns, few=2).text())
    of 3 neurons      mean
    least             -1 (2)
    median            0.25
    greatest          0.5 (1)
    root mean square  0.661438
    """
    known = {name: values for name, values in columns.items() if values is not None}
    count = len(next(iter(known.values())))
    if count <= few:
        rows = [[str(i), *(f"{values[i]:.6g}" for values in known.values())] for i in range(count)]
        return Table((of, *known), rows)
    measures: dict[str, Callable[[FloatArray], str]] = {
        "least": lambda values: _with_index(values, int(np.argmin(values))),
        "median": lambda values: f"{np.median(values):.6g}",
        "greatest": lambda values: _with_index(values, int(np.argmax(values))),
        "root mean square": lambda values: f"{root_mean_square(values):.6g}",
    }
    with np.errstate(all="ignore"):  # a number may be infinite, or too large to be squared
        rows = [[name, *map(measure, known.values())] for name, measure in measures.items()]
    return Table((f"of {count} {of}s", *known), rows, left=1 + len(known))


def _with_index(values: FloatArray, i: int) -> str:
    return f"{values[i]:.6g}" + ("" if np.isnan(values[i]) else f" ({i})")


def row_of(state: FloatArray, few: int, show: str = ".6g") -> str:
    """Return a state (N,) as one line; of more than `few` neurons its range, and those of largest size.

    Examples
    --------
    >>> row_of(np.array([0.1, -3.0, 0.0, 2.0]), few=8)
    '0.1, -3, 0, 2'
    >>> row_of(np.array([0.1, -3.0, 0.0, 2.0]), few=3)
    '-3 to 2 over 4 neurons (1: -3, 3: +2, 0: +0.1)'
    """
    if len(state) <= few:
        return ", ".join(f"{x:{show}}" for x in state)
    named = largest(state)
    return f"{state.min():.6g} to {state.max():.6g} over {len(state)} neurons" + (f" ({named})" if named else "")


def root_mean_square(values: FloatArray) -> float:
    """Root mean square of numbers; infinite if a square is."""
    with np.errstate(over="ignore"):
        return float(np.sqrt(np.mean(np.square(values))))


def worst(values: FloatArray, count: int = WORST) -> list[int]:
    """Return the indices of the values (N,) that are largest in size, the largest first.

    Examples
    --------
    >>> worst(np.array([0.1, -3.0, np.nan, 2.0]), 2)
    [1, 3]
    """
    size = np.abs(values)
    order = np.argsort(-np.where(np.isnan(size), -1.0, size), kind="stable")
    return [int(i) for i in order[:count]]


def largest(values: FloatArray) -> str:
    """Return the values (N,) that are largest in size with their indices, as text; nothing where all are zero or NaN.

    Examples
    --------
    >>> largest(np.array([0.1, -3.0, 0.0, 2.0]))
    '1: -3, 3: +2, 0: +0.1'
    """
    known = np.abs(values) > 0.0
    return ", ".join(f"{i}: {values[i]:+.3g}" for i in worst(values) if known[i])


def counted(number: int, one: str, more: str = "") -> str:
    """Return a number with the noun that it counts, such as "1 neuron" or "3 neurons"."""
    return f"{number} {one if number == 1 else more or one + 's'}"


def _kept(value: Any) -> list[Any]:
    """Fields of a dataclass that are no functions."""
    return [field for field in fields(value) if not _function(getattr(value, field.name))]


def _function(value: Any) -> bool:
    return callable(value) and not hasattr(value, "to_dict")


def _numbers(array: Any) -> Any:
    if array.dtype.kind == "c":
        return {"real": _numbers(array.real), "imag": _numbers(array.imag)}
    if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
        return [_numbers(part) for part in array] if array.ndim else None
    return array.tolist()


def _lines(parts: Iterable[str | Table]) -> list[str]:
    """Return the lines of some parts that are not empty."""
    return [line for line in _text(parts).splitlines() if line]


def _text(parts: Iterable[str | Table]) -> str:
    return "\n".join(part.text() if isinstance(part, Table) else part for part in parts)
