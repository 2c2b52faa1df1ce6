"""The networks that a loss is computed for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.model.kinds import WORDS, Kind, noise_kinds, require
from ctrnn_theory.model.low_rank import LEAST, SHARE, Factors, low_rank
from ctrnn_theory.model.network import CTRNN, Form
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.kernels import Dynamics, Weights
from ctrnn_theory.training.layout import weights_of

TAKEN: tuple[Kind, ...] = ("voltage", "gammas", "gain_inside", "gain_outside", "coloured_inside", "coloured_outside")
"""Kinds of network and noise that tasks are run with."""


class Model(NamedTuple):
    """S networks that differ in their weights alone, and their noise: the argument of a loss."""

    f: Activation
    """Activation."""
    gamma: float | FloatArray
    """Step over time constant, Δt/τ, a number or (N,)."""
    weights: Weights
    """Weights of the networks."""
    noise: Noise
    """Noise of all of them."""
    form: Form = "rate"
    """Form of the networks."""

    @classmethod
    def of(cls, net: CTRNN, noise: Noise) -> Model:
        """Return the model of one network, S = 1; raise NotApplicable if its neurons have different activations."""
        require("a task", net, noise, *TAKEN)
        return cls(net.activations[0], net.gamma, weights_of(net), noise, net.form)

    @property
    def plain(self) -> bool:
        """Whether the networks are in rate form with one γ, and their noise is white and additive."""
        return isinstance(self.gamma, float) and self.form == "rate" and not any(noise_kinds(self.noise))

    def require(self, way: str, *taken: Kind) -> None:
        """Raise NotApplicable if a way to compute the loss does not take the networks' form or their noise."""
        voltage: tuple[Kind, ...] = ("voltage",) if self.form == "voltage" else ()
        for kind in (*voltage, *noise_kinds(self.noise)):
            if kind not in taken:
                raise NotApplicable(f"{way} does not take {WORDS[kind]}")

    def factors(self) -> Factors | None:
        """Return E and D of W = E Dᵀ, for one network in rate form, of one γ, whose rank and outputs are few."""
        (S, n), outputs = self.weights.b.shape, self.weights.W_out.shape[1]
        most = n // SHARE - outputs
        if S != 1 or n < LEAST or most < 0 or not isinstance(self.gamma, float) or self.form != "rate":
            return None
        return low_rank(self.weights.W[0], most)

    @property
    def dynamics(self) -> Dynamics:
        """What the kernels take besides weights and noise."""
        gamma = np.array(np.broadcast_to(self.gamma, self.weights.b.shape[1:]))
        return Dynamics(gamma, self.form == "voltage", bool(self.weights.W.any()))
