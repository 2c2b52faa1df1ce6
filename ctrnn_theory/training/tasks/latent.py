"""A task as a system of few variables, which decoders make a network follow."""

from __future__ import annotations

from typing import NamedTuple

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
