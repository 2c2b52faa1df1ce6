"""The compiled form of an activation: a Numba function that applies it to a block of lanes, in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ctrnn_theory.activations.symbolic.evaluate import source
from ctrnn_theory.activations.symbolic.extended_range import extended_range_source
from ctrnn_theory.activations.symbolic.extended_range_numbers import for_lanes
from ctrnn_theory.activations.symbolic.lane_functions import NAMES
from ctrnn_theory.support.jit import jit
from ctrnn_theory.support.types import FloatArray

BlockFunction = Callable[[FloatArray], None]
SIGNATURE = "void(float64[::1])"


def block_source(
    expression: Any, steps: tuple[tuple[float, float], ...], branches: bool, extended_range: bool = False
) -> str:
    """Return Python source of the block function of a stable expression.

    `steps` are the location and the middle value of each jump. With `branches`, NaN is passed on explicitly, since
    a comparison with it picks some branch. With
    `extended_range`, values are computed in numbers of unbounded exponent.

    Examples
    --------
    >>> from ctrnn_theory.activations.symbolic.parse import parse
    >>> print(block_source(parse("Max(0, x)"), (), False))
    def block(lanes):
        for i in range(lanes.size):
            x = lanes[i]
            y = maximum(0.0, x)
            lanes[i] = y
    """
    lines = ["def block(lanes):", "    for i in range(lanes.size):", "        x = lanes[i]"]
    if extended_range:
        lines += ["        X = extended(x)", f"        y = ordinary({extended_range_source(expression, 'X')})"]
    else:
        lines.append(f"        y = {source(expression)}")
    lines += [f"        y = {middle!r} if x == {location!r} else y" for location, middle in steps]
    if branches:
        lines.append("        y = y if x == x else x")
    return "\n".join([*lines, "        lanes[i] = y"])


def block_function(
    expression: Any, steps: tuple[tuple[float, float], ...], branches: bool, extended_range: bool = False
) -> BlockFunction:
    """Compile a stable expression to a function ``void(float64[::1])`` that works in place."""
    space: dict[str, Any] = {"__builtins__": {"range": range}, **(for_lanes() if extended_range else NAMES)}
    exec(block_source(expression, steps, branches, extended_range), space)
    return jit(SIGNATURE)(space["block"])
