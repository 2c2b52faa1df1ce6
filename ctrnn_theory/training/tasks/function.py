"""The task of computing a function of one constant input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.activations import activation
from ctrnn_theory.support.arguments import shown
from ctrnn_theory.training.tasks.base import Episode, OpenLoop
from ctrnn_theory.training.tasks.latent import Latent

POINTS, FED_BACK = 1000, 2000
"""Numbers of points of the latent system: inputs, and pairs of an input and an output."""
APPROACH = 0.5
"""Share κ of the way to its target by which the output moves in a time constant, where it is fed back."""
MARGIN = 0.1
"""Part of the range of outputs that is added to it at each end."""


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
    feedback: bool = False
    """Whether decoders feed the output back, so that it approaches its target f(u) as x' = x + γ (f(u) - x)/2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            target = activation(self.target)
        except ValueError as error:
            raise ValueError(f"target must be what activation() takes: {error}") from None
        if not isinstance(self.target, str):
            object.__setattr__(self, "target", target.text)
        if not isinstance(self.feedback, bool):
            raise ValueError(f"feedback must be True or False; got {shown(self.feedback)}")

    def episode(self, rng: np.random.Generator) -> Episode:
        u = np.linspace(-1.0, 1.0, self.conditions)[None, :, None]
        counted = np.arange(self.steps) >= self.steps // 2
        return Episode(u, activation(self.target)(u), counted / counted.sum())

    def latent(self, rng: np.random.Generator, gamma: float) -> Latent:
        """Return y = f(u) of the target f or, if the output is fed back, x' = x + γ (f(u) - x)/2, for u in [-1, 1]."""
        u = np.linspace(-1.0, 1.0, FED_BACK if self.feedback else POINTS)[:, None]
        y, none = activation(self.target)(u), np.zeros((len(u), 0))
        if not self.feedback:
            return Latent(f"y = f(u), f(x) = {self.target}", u, none, none, y)
        low, high = min(y.min(), 0.0), max(y.max(), 0.0)
        margin = MARGIN * (high - low)
        x = rng.uniform(low - margin, high + margin, y.shape)
        speed = APPROACH * gamma
        return Latent(f"x' = x + {speed:g} (f(u) - x), y = x, f(x) = {self.target}", u, x, speed * (y - x))
