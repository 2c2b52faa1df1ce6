"""The state of pycma's strategy as arrays and JSON, so that a search can go on without repeating what it did.

Nothing is pickled. The strategy is a graph of objects whose numbers and arrays change during a search. They are written
by their place in the graph, and put into a new strategy of the same settings at the same places.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

TREE = "tree"
"""Name of the array that holds the graph as JSON; the other arrays are named by their number."""
LEFT = {"opts", "inopts", "inputargs", "logger", "_stopdict"}
"""Attributes that a new strategy sets by itself: options, whose limits may differ, and output."""


def snapshot(strategy: Any, rng: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
    """Return arrays that hold the state of a strategy and of its generator."""
    writer = _Writer()
    tree = {"strategy": writer.encode(strategy), "rng": writer.encode(rng.bit_generator.state)}
    return {TREE: np.array(json.dumps(tree)), **{str(number): array for number, array in enumerate(writer.arrays)}}


def restore(strategy: Any, rng: np.random.Generator, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Put a state from :func:`snapshot` into a new strategy of the same settings, and into its generator.

    Raises
    ------
    ValueError
        If the state is not that of such a strategy, such as one of another version of pycma.
    """
    try:
        tree, reader = json.loads(str(state[TREE])), _Reader(state)
        strategy.tell(strategy.ask(), np.zeros(strategy.popsize).tolist())  # creates all that exists after a generation
        reader.decode(tree["strategy"], strategy)
        rng.bit_generator.state = reader.decode(tree["rng"], None)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        rule = "state must be that of a search of the same settings, by the same version of pycma"
        raise ValueError(f"{rule}: {error}") from error


def _is_object(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "cma" and hasattr(value, "__dict__")


class _Writer:
    """Writes the graph as JSON; an object that is met again is named by the number under which it was met first."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray[Any, Any]] = []
        self.numbers: dict[int, int] = {}
        self.met: list[Any] = []
        """Objects that were met, kept alive so that their `id` is not used again."""

    def encode(self, value: Any) -> Any:
        """Return a description of a value as JSON."""
        if value is None or isinstance(value, bool | int | str) or type(value) is float:
            return value
        if isinstance(value, np.generic):
            return {"scalar": self._array(np.asarray(value))}
        if id(value) in self.numbers:
            return {"again": self.numbers[id(value)]}
        if not isinstance(value, np.ndarray | list | tuple | dict) and not _is_object(value):
            return {"own": None}  # a function or a class, which the new strategy has as well
        self.numbers[id(value)] = len(self.met)
        self.met.append(value)
        if isinstance(value, np.ndarray):
            return {"array": self._array(value)}
        node: dict[str, Any] = {}
        if _is_object(value):
            fields = {name: self.encode(field) for name, field in vars(value).items() if name not in LEFT}
            node = {"class": type(value).__name__, "fields": fields}
        if isinstance(value, dict):
            node["items"] = [[self.encode(key), self.encode(item)] for key, item in value.items()]
        elif isinstance(value, list | tuple):
            node["tuple" if isinstance(value, tuple) else "list"] = [self.encode(item) for item in value]
        return node

    def _array(self, array: np.ndarray[Any, Any]) -> int:
        if array.dtype.hasobject:
            raise ValueError("the search holds an array of objects")
        self.arrays.append(
            np.array(array, order="K")
        )  # in the same order in memory, on which the last bits of BLAS may depend
        return len(self.arrays) - 1


class _Reader:
    """Reads a graph that :class:`_Writer` has written; `new` is the value of the new strategy at a place."""

    def __init__(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        self.arrays, self.met = arrays, list[Any]()

    def decode(self, node: Any, new: Any) -> Any:
        """Return the value that a node describes; objects are those of the new strategy, with their old contents."""
        if not isinstance(node, dict):
            return node
        if "own" in node:
            return new
        if "scalar" in node:
            return self.arrays[str(node["scalar"])][()]
        if "again" in node:
            return self.met[node["again"]]
        if "array" in node:
            self.met.append(np.array(self.arrays[str(node["array"])]))
            return self.met[-1]
        if "tuple" in node:
            place = len(self.met)
            self.met.append(None)
            self.met[place] = tuple(self.decode(item, None) for item in node["tuple"])
            return self.met[place]
        value: Any = new if "class" in node else {} if "items" in node else []
        self.met.append(value)
        if "class" in node:
            self._fill(node, value)
        if "items" in node:
            olds = dict(value)
            value.clear()
            for key_node, item in node["items"]:
                key = self.decode(key_node, None)
                value[key] = self.decode(item, olds.get(key))
        elif "list" in node:
            olds_list = list(value)
            value[:] = [
                self.decode(item, olds_list[place] if place < len(olds_list) else None)
                for place, item in enumerate(node["list"])
            ]
        return value

    def _fill(self, node: dict[str, Any], value: Any) -> None:
        if type(value).__name__ != node["class"] or not _is_object(value):
            raise ValueError(f"there is a {type(value).__name__} in place of a {node['class']}")
        for name in set(vars(value)) - set(node["fields"]) - LEFT:
            delattr(value, name)
        for name, field in node["fields"].items():
            setattr(value, name, self.decode(field, getattr(value, name, None)))
