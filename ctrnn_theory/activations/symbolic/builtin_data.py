"""What ``builtin.json`` holds: pieces, kinks and source of the built-in activations, found from their expressions.

A built-in therefore works before SymPy is imported. After a change of an expression, or of the code that finds or
writes these things, ``python -m ctrnn_theory.activations.symbolic.builtin_data`` writes the file again.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from ctrnn_theory.activations.activation import Activation
from ctrnn_theory.activations.builtin import FILE
from ctrnn_theory.activations.library import BUILTIN
from ctrnn_theory.activations.symbolic.build import builtin_expressions, from_expression

HIGHEST = 4  # order of the highest derivative in the file: that of higher ones is seldom asked for
BOUNDED = 2  # order of the highest derivative that has bounds


@cache
def derived(name: str) -> Activation:
    """Return a built-in activation as it follows from its expression."""
    return from_expression(name, builtin_expressions()[name])


def data(act: Activation) -> dict[str, Any]:
    """Return what the file says of an activation."""
    if any(piece.source(order).extended_range for piece in act.pieces for order in range(HIGHEST + 1)):
        raise ValueError(f"built-in activation must be computed in plain numbers; got {act.text!r}")
    return {
        "source": act.source.text,
        "kinks": [list(kink) for kink in act.kinks],
        "steps": [list(step) for step in act.steps],
        "pieces": [
            {
                "lower": piece.lower,
                "upper": piece.upper,
                "polynomial": None if piece.polynomial is None else list(piece.polynomial),
                "sources": [piece.source(order).text for order in range(HIGHEST + 1)],
                "interval_sources": [piece.interval_source(order) for order in range(BOUNDED + 1)],
            }
            for piece in act.pieces
        ],
    }


def text() -> str:
    """Return the text of the file."""
    return json.dumps({name: data(derived(name)) for name in BUILTIN}, indent=1) + "\n"


if __name__ == "__main__":
    Path(__file__).parents[1].joinpath(FILE).write_text(text(), encoding="utf-8")
