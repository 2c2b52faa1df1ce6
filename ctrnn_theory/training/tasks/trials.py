"""What runs on the trials of a task, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ctrnn_theory.activations import Activation
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.types import BoolArray, FloatArray
from ctrnn_theory.training.kernels import Weights
from ctrnn_theory.training.layout import weights_of


class Model(NamedTuple):
    """S networks that differ in their weights alone, and their noise: the argument of a loss."""

    f: Activation
    """Activation."""
    gamma: float
    """Step over time constant, Δt/τ."""
    weights: Weights
    """Weights of the networks."""
    noise: Noise
    """Noise of all of them."""

    @classmethod
    def of(cls, net: CTRNN, noise: Noise) -> Model:
        """Return the model of one network, S = 1."""
        return cls(net.activation, net.gamma, weights_of(net), noise)


@dataclass(frozen=True)
class Trials:
    """Results of one network on R repeats of C conditions."""

    cost: FloatArray
    """Loss of each trial, (R, C)."""
    outputs: FloatArray | None = None
    """Outputs (R, C, T, P) at the T steps with a weight in the loss, for an open-loop task."""
    error: FloatArray | None = None
    """Outputs less targets, likewise."""
    w: FloatArray | None = None
    """Weight of each of these steps, (T,)."""
    success: BoolArray | None = None
    """Whether each trial reached its goal, (R, C), for a closed-loop task."""
