"""The task of computing a function of one constant input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.activations import activation
from ctrnn_theory.training.tasks.base import Episode, OpenLoop


@dataclass(frozen=True)
class Function(OpenLoop):
    """The input is a constant u in [-1, 1], and the target a function of it, in the second half of a trial.

    Examples
    --------
    >>> episode = Function(conditions=3).episode(np.random.default_rng(0))
    >>> episode.y.round(6).ravel()
    array([-0.,  0.,  0.])
    """

    name = "function"
    summary = "constant input u in [-1, 1], target sin(πu), over the second half of a trial"
    inputs = outputs = 1

    target: str = "sin(pi*x)"
    """Expression in the input x, as :func:`ctrnn_theory.activation` takes it; it must be finite for all x."""
    conditions: int = 16
    """Number of inputs, which are equally spaced."""
    steps: int = 100
    """Steps of a trial."""
    repeats: int = 8
    """Trials of each input in a loss by simulation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            target = activation(self.target)
        except ValueError as error:
            raise ValueError(f"target must be what activation() takes: {error}") from None
        if not isinstance(self.target, str):
            object.__setattr__(self, "target", target.text)

    def episode(self, rng: np.random.Generator) -> Episode:
        u = np.linspace(-1.0, 1.0, self.conditions)[None, :, None]
        counted = np.arange(self.steps) >= self.steps // 2
        return Episode(u, activation(self.target)(u), counted / counted.sum())
