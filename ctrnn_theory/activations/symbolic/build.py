"""An activation from its text: parsed, cut into pieces, and written as source."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
import sympy as sp

from ctrnn_theory.activations.activation import Activation, Kink, activation
from ctrnn_theory.activations.library import BUILTIN
from ctrnn_theory.activations.piece import Piece
from ctrnn_theory.activations.source.arrays import Source
from ctrnn_theory.activations.symbolic.evaluate import numpy_function, source
from ctrnn_theory.activations.symbolic.extended_range import extended_range_function, extended_range_source
from ctrnn_theory.activations.symbolic.parse import Smoothing, parse
from ctrnn_theory.activations.symbolic.pieces import SymbolicPiece, find_pieces, joined, jumps, same_function
from ctrnn_theory.activations.symbolic.printing import to_text
from ctrnn_theory.activations.symbolic.stable_forms import stable
from ctrnn_theory.activations.text import MAX_LENGTH, SMOOTHED_AS, refuse

PROBES = np.array([-2.71, -1.37, -0.61, 0.23, 0.83, 1.93, 3.17])  # points that tell the built-ins apart
MANY_PIECES = 16  # with more, values come from the expression as it was given
CHECKED = np.linspace(-100.0, 100.0, 4001)  # points at which a value must be finite


@cache
def builtin_expressions() -> dict[str, Any]:
    """Return the SymPy expression of every built-in activation, by name."""
    return {name: parse(one.text) for name, one in BUILTIN.items()}


def expression_of(text: str) -> Any:
    """Return the SymPy expression of the name of a built-in, or of a text."""
    known = builtin_expressions()
    return known[text] if text in known else parse(text, known)


def text_of(spec: Any) -> str:
    """Return the text of a SymPy expression, or raise a ValueError for anything else."""
    if not isinstance(spec, sp.Expr):
        raise refuse("must be a name, an expression in x, or a SymPy expression", spec)
    return to_text(spec)


def build(text: str) -> Activation:
    """Return the activation of a text, which is a built-in if it is the same function."""
    expression = expression_of(text)
    if expression.has(Smoothing):
        from ctrnn_theory.activations.gaussian.smoothed_activation import smooth

        if not isinstance(expression, Smoothing):
            raise refuse(f"must be smoothed as a whole if at all, as in {SMOOTHED_AS}", text)
        return smooth(activation(to_text(expression.args[0])), float(expression.args[1]))
    for name, known in builtin_expressions().items():
        if expression == known:
            return activation(name)
    canonical = to_text(expression)
    if len(canonical) > MAX_LENGTH:
        raise refuse(f"must be at most {MAX_LENGTH} characters long when written out", canonical)
    return from_expression(canonical, expression) if canonical == text else activation(canonical)


def from_expression(text: str, expression: Any) -> Activation:
    """Return the activation of an expression under a text, or the built-in that is the same function."""
    form = stable(expression)
    values = np.broadcast_to(numpy_function(form)(CHECKED), CHECKED.shape)
    if not np.iscomplexobj(values) and not np.all(np.isfinite(values)):
        values = np.broadcast_to(extended_range_function(form)(CHECKED), CHECKED.shape)
    if np.iscomplexobj(values) or not np.all(np.isfinite(values)):
        bad = CHECKED[~np.isfinite(values)][0]
        raise refuse(f"must be real and finite from -100 to 100, and is not at x = {bad:.6g}", text)
    pieces = find_pieces(expression)
    if text not in BUILTIN and (known := _as_builtin(expression, pieces)):
        return known
    kinks, steps = [], []
    for left, right in itertools.pairwise(pieces):
        value, value_jump, slope_jump = jumps(left, right, expression)
        if value_jump or slope_jump:
            kinks.append(Kink(right.lower, value_jump, slope_jump))
        if value_jump or np.isnan(right.value(right.lower)):  # NaN: rounding moved the border out of the piece
            steps.append((right.lower, value + value_jump / 2))
    form = stable_form(expression, pieces)
    extended = any(piece.extended_range for piece in pieces)
    written = Source((extended_range_source if extended else source)(form), extended)
    return Activation(text, pieces, tuple(kinks), tuple(steps), written)


def stable_form(expression: Any, pieces: tuple[Piece, ...]) -> Any:
    """Return the stable expression that values are computed from: that of the pieces, unless there are too many."""
    few = len(pieces) <= MANY_PIECES and not any(piece.endless_kinks for piece in pieces)
    return stable(joined(pieces) if few else expression)


def _as_builtin(expression: Any, pieces: tuple[SymbolicPiece, ...]) -> Activation | None:
    """Return the built-in that is the same function written differently, such as x (1 + erf(x/√2))/2 for gelu."""
    values = numpy_function(stable(expression))(PROBES)
    for name, known in builtin_expressions().items():
        if np.allclose(values, numpy_function(stable(known))(PROBES), rtol=1e-9, atol=1e-9):
            candidate = activation(name)
            if same_function(pieces, candidate.pieces):
                return candidate
    return None
