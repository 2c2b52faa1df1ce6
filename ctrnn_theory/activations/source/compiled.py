"""The compiled form of an activation: a Numba function that applies it to a block of lanes, in place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from ctrnn_theory.activations.source.arrays import Source
from ctrnn_theory.activations.source.extended_range_numbers import for_lanes
from ctrnn_theory.activations.source.lane_functions import NAMES
from ctrnn_theory.support.jit import jit
from ctrnn_theory.support.types import FloatArray

BlockFunction = Callable[[FloatArray], None]
SIGNATURE = "void(float64[::1])"


def block_source(source: Source, steps: tuple[tuple[float, float], ...], branches: bool) -> str:
    """Return Python source of the block function of an expression.

    `steps` are the location and the middle value of each jump. With `branches`, NaN is passed on explicitly, since
    a comparison with it picks some branch.

    Examples
    --------
    >>> print(block_source(Source("maximum(0.0, x)"), (), False))
    def block(lanes):
        for i in range(lanes.size):
            x = lanes[i]
            y = maximum(0.0, x)
            lanes[i] = y
    """
    lines = ["def block(lanes):", "    for i in range(lanes.size):", "        x = lanes[i]"]
    if source.extended_range:
        lines += ["        X = extended(x)", f"        y = ordinary({source.text})"]
    else:
        lines.append(f"        y = {source.text}")
    lines += [f"        y = {middle!r} if x == {location!r} else y" for location, middle in steps]
    if branches:
        lines.append("        y = y if x == x else x")
    return "\n".join([*lines, "        lanes[i] = y"])


def block_function(
    source: Source, steps: tuple[tuple[float, float], ...], branches: bool, name: str | None = None
) -> BlockFunction:
    """Compile an expression to a function ``void(float64[::1])`` that works in place.

    One with a name is kept on disk, as if it were a function of this file. Its text is part of what it is called there.
    """
    text, function = block_source(source, steps, branches), "block"
    if name is not None:
        function = f"{name}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        text = text.replace("def block(", f"def {function}(", 1)
    called = for_lanes() if source.extended_range else NAMES
    space: dict[str, Any] = {"__builtins__": {"range": range}, "__name__": __name__, **called}
    exec(compile(text, __file__ if name else "<string>", "exec"), space)
    return jit(SIGNATURE, cache=name is not None)(space[function])
