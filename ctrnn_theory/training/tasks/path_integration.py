"""The task of integrating a velocity to a position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.support.arguments import positive_number
from ctrnn_theory.training.tasks.base import Episode, OpenLoop
from ctrnn_theory.training.tasks.latent import Latent

POINTS = 2000
"""Number of points of the latent system."""


@dataclass(frozen=True)
class PathIntegration(OpenLoop):
    """The input is a velocity in the plane, and the target is the position, which is the sum of the velocities so far.

    Velocities are stationary autoregressive processes with a correlation time of `memory` steps, drawn anew for each
    generation. Their strength is such that each coordinate of the last position has a standard deviation of one.

    Examples
    --------
    >>> episode = PathIntegration().episode(np.random.default_rng(0))
    >>> bool(np.allclose(np.diff(episode.y, axis=0), PathIntegration().speed * episode.u[1:]))
    True
    """

    name = "path_integration"
    summary = "two-dimensional velocity in, position out"
    inputs = outputs = 2

    conditions: int = 32
    """Number of paths in a generation."""
    steps: int = 60
    """Steps of a path."""
    memory: float = 10.0
    """Correlation time of the velocity, in steps."""
    repeats: int = 4
    """Trials of each path in a loss by simulation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "memory", positive_number("memory", self.memory))

    @property
    def speed(self) -> float:
        """Distance in a step at unit input, which makes the standard deviation of the last position one."""
        lag = np.arange(1, self.steps)
        variance = self.steps + 2.0 * np.sum((self.steps - lag) * np.exp(-lag / self.memory))
        return float(1.0 / np.sqrt(variance))

    def episode(self, rng: np.random.Generator) -> Episode:
        from scipy.signal import lfilter  # here, since it would take most of the time of importing the tasks

        keep = np.exp(-1.0 / self.memory)
        noise = rng.standard_normal((self.steps, self.conditions, 2))
        noise[1:] *= np.sqrt(1.0 - keep**2)
        u = lfilter([1.0], [1.0, -keep], noise, axis=0)
        return Episode(u, self.speed * np.cumsum(u, axis=0), np.full(self.steps, 1.0 / self.steps))

    def latent(self, rng: np.random.Generator, gamma: float) -> Latent:
        """Return x' = x + speed · u with y = x, for velocities and positions as they are at random times of a path.

        The variance of a position grows about linearly to one, and the velocity is drawn independently of it.
        """
        u = rng.standard_normal((POINTS, 2))
        x = np.sqrt(rng.uniform(size=(POINTS, 1))) * rng.standard_normal((POINTS, 2))
        return Latent(f"x' = x + {self.speed:.4g} u, y = x", u, x, self.speed * u)
