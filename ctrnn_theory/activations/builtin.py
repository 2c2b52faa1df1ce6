"""The built-in activations, loaded without SymPy from what the symbolic room has found of them.

The file ``builtin.json`` holds their pieces, kinks and source, as ``symbolic.builtin_data`` writes them.
"""

from __future__ import annotations

import json
import pkgutil
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ctrnn_theory.activations.activation import Activation, Kink
from ctrnn_theory.activations.piece import Piece
from ctrnn_theory.activations.source.arrays import Source

FILE = "builtin.json"


@dataclass(frozen=True, eq=False)
class BuiltinPiece(Piece):
    """A piece of a built-in activation."""

    place: tuple[str, int]
    """Name of the activation, and number of the piece."""
    coefficients: tuple[float, ...] | None = field(repr=False)
    """Its polynomial, if it is one."""
    sources: tuple[str, ...] = field(repr=False)
    """Sources of its derivatives of order 0, 1, ...; those of higher orders are found by SymPy."""
    interval_sources: tuple[str, ...] = field(repr=False)
    """Sources of the bounds of its derivatives of order 0, 1 and 2."""

    @property
    def polynomial(self) -> tuple[float, ...] | None:
        """Coefficients, ascending in x, of a polynomial of degree 16 at most; None for any other piece."""
        return self.coefficients

    @property
    def expression(self) -> Any:
        """Smooth SymPy expression in x, in SymPy's own functions."""
        return self._symbolic.expression

    def source(self, order: int) -> Source:
        """Return the source of the order-th derivative."""
        return Source(self.sources[order]) if order < len(self.sources) else self._symbolic.source(order)

    def interval_source(self, order: int) -> str:
        """Return the source of bounds of the order-th derivative, 0, 1 or 2."""
        return self.interval_sources[order]

    @property
    def _symbolic(self) -> Piece:
        from ctrnn_theory.activations.symbolic.builtin_data import derived

        name, number = self.place
        return derived(name).pieces[number]


@cache
def _data() -> dict[str, Any]:
    content = pkgutil.get_data(__package__, FILE)
    assert content is not None
    data: dict[str, Any] = json.loads(content)
    return data


def load(name: str) -> Activation:
    """Return a built-in activation."""
    one = _data()[name]
    pieces = tuple(
        BuiltinPiece(
            piece["lower"],
            piece["upper"],
            (name, number),
            None if piece["polynomial"] is None else tuple(piece["polynomial"]),
            tuple(piece["sources"]),
            tuple(piece["interval_sources"]),
        )
        for number, piece in enumerate(one["pieces"])
    )
    steps = tuple((location, middle) for location, middle in one["steps"])
    return Activation(name, pieces, tuple(Kink(*kink) for kink in one["kinks"]), steps, Source(one["source"]))
