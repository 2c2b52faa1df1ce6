"""A task as a system of few variables, which decoders make a network follow."""

from __future__ import annotations

from typing import Any, NamedTuple

from ctrnn_theory.support.arguments import real_array, shown
from ctrnn_theory.support.types import FloatArray


class Latent(NamedTuple):
    """A task as a system of R latent variables x with K inputs u and P outputs y, at M sampled points.

    Each step changes x by ``change(x, u)``, and the outputs are ``y(x, u)``. A trial begins at x = 0.
    """

    equation: str
    """The system as a user reads it, such as "x' = x + 0.02 u, y = x"."""
    u: FloatArray
    """Inputs, (M, K)."""
    x: FloatArray
    """Latent variables, (M, R); R is zero for a task without memory."""
    change: FloatArray
    """Change of the latent variables in one step, (M, R)."""
    y: FloatArray | None = None
    """Outputs, (M, P), or None if the outputs are the first P latent variables."""


def checked(latent: Any, inputs: int, outputs: int) -> Latent:
    """Return a latent system with float64 arrays, or raise a ValueError if it does not fit a task.

    Examples
    --------
    >>> import numpy as np
    >>> checked(Latent("y = u", np.zeros((5, 2)), np.zeros((5, 0)), np.zeros((5, 0))), 2, 1)
    Traceback (most recent call last):
    ValueError: y of the latent system must be given, unless the P = 1 outputs are among its variables; got R = 0
    """
    if not isinstance(latent, Latent):
        raise ValueError(f"latent must return a Latent(equation, u, x, change, y); got {shown(latent)}")
    u = real_array("u of the latent system", latent.u, (None, inputs))
    if not len(u):
        raise ValueError("u of the latent system must hold one point at least; got 0")
    x = real_array("x of the latent system", latent.x, (len(u), None))
    change = real_array("change of the latent system", latent.change, x.shape)
    if latent.y is None and x.shape[1] < outputs:
        rule = f"must be given, unless the P = {outputs} outputs are among its variables"
        raise ValueError(f"y of the latent system {rule}; got R = {x.shape[1]}")
    y = None if latent.y is None else real_array("y of the latent system", latent.y, (len(u), outputs))
    return Latent(str(latent.equation), u, x, change, y)
