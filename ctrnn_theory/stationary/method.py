"""What is known of a method: its name, a summary, where its functions are, their options, its style in pictures."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from ctrnn_theory.support.arguments import shown

if TYPE_CHECKING:
    from ctrnn_theory.stationary.law import StationaryLaw

Function = str | Callable[..., Any]
"""A function, or where the package has it, as "module:name"."""
ARGUMENTS = 4
"""A solver is called as ``solve(net, noise, u, start, **options)``."""


class Options(NamedTuple):
    """The options that a function takes."""

    names: tuple[str, ...]
    """Their names."""
    any: bool = False
    """Whether the function takes others as well, as ``**options``."""
    required: tuple[str, ...] = ()
    """Names of those that have no default."""

    @classmethod
    def of(cls, function: Callable[..., Any], arguments: int, name: str = "function") -> Options:
        """Return what can be given by keyword to a function that is called with so many arguments by position.

        Raises
        ------
        ValueError
            If the function cannot be called with so many arguments.

        Examples
        --------
        >>> Options.of(lambda net, noise, u, start, *, order=2: None, 4).names
        ('order',)
        """
        try:
            signature = inspect.signature(function)
            given = signature.bind_partial(*range(arguments)).arguments
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} must take {arguments} arguments by position; got {shown(function)}") from error
        kinds = inspect.Parameter
        keywords = (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
        parameters = signature.parameters.values()
        options = [one for one in parameters if one.kind in keywords and one.name not in given]
        return cls(
            tuple(one.name for one in options),
            any(one.kind is kinds.VAR_KEYWORD for one in parameters),
            tuple(one.name for one in options if one.default is kinds.empty),
        )

    def check(self, method: str, given: Iterable[str]) -> None:
        """Raise a ValueError for a name that is not among the options of `method`."""
        for name in given:
            if name not in self.names and not self.any:
                known = ", ".join(self.names) or "(none)"
                raise ValueError(f"option of {method} must be one of {known}; got {name!r}")

    def chosen(self, offered: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of the options offered that the function names."""
        return {name: value for name, value in offered.items() if name in self.names}


@dataclass(frozen=True, eq=False)
class Method:
    """One method of the ladder."""

    name: str
    """Name by which the method is chosen."""
    summary: str
    """One line on what the method computes."""
    solver: Function | None
    """``solve(net, noise, u, start, **options) -> StationaryLaw``; None for a method of ``escape_times`` alone."""
    applies: str = "any network"
    """The networks and noise that the method applies to."""
    label: str = ""
    """How pictures call the method; by default its name with spaces."""
    style: Mapping[str, Any] = field(default_factory=dict)
    """Keywords of Matplotlib for its lines and markers; pictures choose those that are not given."""
    neurons: Function | None = None
    """``(neurons) -> NeuronLaws``, which solves many single neurons at a time for sweeps, or None."""
    evolution: Function | None = None
    """``(net, noise, u, steps, every, start, **options)``, by which ``evolve`` follows the law in time, or None."""
    escape: Function | None = None
    """``(net, noise, u, basins, **options) -> EscapeTimes``, which ``escape_times`` calls, or None."""

    def __post_init__(self) -> None:
        """Make the label from the name where none is given."""
        if not self.label:
            object.__setattr__(self, "label", self.name.replace("_", " "))

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields; functions of the user's own are pickled by value, for processes without their script."""
        state = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: _by_value(value) if callable(value) else value for name, value in state.items()}

    @property
    def builtin(self) -> bool:
        """Whether the method belongs to the package."""
        return not callable(self.solver)

    @cached_property
    def solve(self) -> Callable[..., StationaryLaw]:
        """The solver; that of the package is imported when it is first needed."""
        return loaded(self.solver)

    @cached_property
    def options(self) -> Options:
        """Options of the solver."""
        return Options.of(self.solve, ARGUMENTS)


def loaded(function: Function | None) -> Callable[..., Any]:
    """Return a function that a method has, imported from its place if need be.

    Examples
    --------
    >>> loaded("math:sqrt")(4.0)
    2.0
    """
    if callable(function):
        return function
    assert function is not None
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def _by_value(function: Callable[..., Any]) -> Any:
    from joblib import wrap_non_picklable_objects

    return wrap_non_picklable_objects(function, keep_wrapper=False)
