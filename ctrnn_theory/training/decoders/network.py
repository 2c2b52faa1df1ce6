"""Networks whose hidden weights are drawn once, and whose decoders are solved for any shape of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.activations import Activation
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.decoders.encoders import Draw, Encoders
from ctrnn_theory.training.decoders.imitation import imitate
from ctrnn_theory.training.decoders.solve import Decoders, decoders
from ctrnn_theory.training.tasks import Task
from ctrnn_theory.training.tasks.latent import Latent, checked
from ctrnn_theory.training.tasks.mean_path import Guided

PATHS = 1
"""Number that tells the random stream of agents' paths from that of points."""


def assembled(f: Activation, gamma: float, encoders: Encoders, found: Decoders) -> CTRNN:
    """Return the network of encoders and decoders, whose weights W = E Dᵀ have the rank of the latent system."""
    W = encoders.E @ found.D.T
    return CTRNN(W, encoders.b, f, gamma, W_in=encoders.W_in, W_out=found.W_out, b_out=found.b_out)


@dataclass(frozen=True, eq=False)
class Family:
    """The networks that one draw of hidden weights gives for a task."""

    task: Task
    """The task."""
    latent: Latent
    """Its latent system."""
    draw: Draw
    """The random numbers of the hidden weights."""
    f: Activation
    """Activation."""
    gamma: float
    """Step over time constant."""
    noise: Noise
    """Noise under which decoders are solved."""
    alpha: float
    """Root mean square of the drive of a neuron by inputs and latent variables."""
    beta: float
    """Largest bias."""
    points: NDArray[np.uint64]
    """Key of the points; those that agents of a closed-loop task visit are drawn from it too."""

    @classmethod
    def of(
        cls,
        task: Task,
        neurons: int,
        f: Activation,
        gamma: float,
        noise: Noise,
        alpha: float,
        beta: float,
        points: NDArray[np.uint64],
        weights: NDArray[np.uint64],
    ) -> Family:
        """Draw the points of the latent system and the hidden weights, each from the key of a random stream.

        Raises
        ------
        ValueError
            If the task has no latent system, or one that does not fit it.
        """
        latent = checked(task.latent(np.random.default_rng(points), gamma), task.inputs, task.outputs)
        if not task.recurrent and latent.x.shape[1]:
            raise ValueError(f"x of the latent system must have R = 0 without recurrence; got {latent.x.shape[1]}")
        draw = Draw.of(latent, neurons, np.random.default_rng(weights))
        return cls(task, latent, draw, f, gamma, noise, alpha, beta, points)

    @property
    def size(self) -> int:
        """Number of parameters of the shape."""
        return self.draw.size

    def network(self, shape: FloatArray | None = None) -> CTRNN:
        """Return the network of a shape (n,) of the hidden weights; they are normal and uniform by default."""
        encoders = self.draw.encoders(self.alpha, self.beta, shape)
        if isinstance(self.task, Guided):
            rng = np.random.default_rng([*self.points, PATHS])
            paths = imitate(self.f, encoders, self.task, self.noise, self.gamma, rng)
            return assembled(self.f, self.gamma, encoders, paths)
        found = decoders(self.f, encoders, self.latent, self.noise, self.gamma, self.task.outputs)
        return assembled(self.f, self.gamma, encoders, found)
