"""A registry: the entries that a user chooses among by name, such as methods, tasks, activations and formulas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from ctrnn_theory.support.arguments import choice


class Named(Protocol):
    """What every entry has."""

    @property
    def name(self) -> str:
        """Name by which the entry is chosen."""

    @property
    def summary(self) -> str:
        """One line that a listing shows."""


Entry = TypeVar("Entry", bound=Named)


class Registry(Mapping[str, Entry]):
    """Entries by name, in the order in which they were added; to its readers it is a read-only mapping.

    Parameters
    ----------
    noun
        What an entry is called in messages, such as "method".
    entries
        Entries to begin with.

    Examples
    --------
    >>> from collections import namedtuple
    >>> Colour = namedtuple("Colour", "name summary")
    >>> colours = Registry("colour", [Colour("red", "long waves"), Colour("blue", "short waves")])
    >>> list(colours), colours["blue"].summary
    (['red', 'blue'], 'short waves')
    >>> colours.choose("green")
    Traceback (most recent call last):
    ValueError: colour must be one of red, blue; got 'green'
    """

    def __init__(self, noun: str, entries: Iterable[Entry] = ()) -> None:
        self.noun = noun
        self._entries: dict[str, Entry] = {}
        for entry in entries:
            self.add(entry)
        self._first = frozenset(self._entries)

    def add(self, entry: Entry, replace: bool = False) -> None:
        """Add an entry at the end, or put it in the place of the one that has its name.

        Raises
        ------
        ValueError
            If the name is taken and `replace` is False.
        """
        if entry.name in self._entries and not replace:
            raise ValueError(f"name of a {self.noun} must be new; {entry.name!r} is taken")
        self._entries[entry.name] = entry

    def remove(self, name: str) -> None:
        """Take out an entry that was added later.

        Raises
        ------
        ValueError
            If there is none of this name, or if the registry began with it.
        """
        entry = self.choose(name)
        if entry.name in self._first:
            raise ValueError(f"{self.noun} must be one that was added later to be removed; got {name!r}")
        del self._entries[entry.name]

    def choose(self, name: Any) -> Entry:
        """Return the entry of a name, or raise a ValueError that lists the names."""
        return self._entries[choice(self.noun, name, self)]

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:<{width}}  {entry.summary}" for name, entry in self.items())
