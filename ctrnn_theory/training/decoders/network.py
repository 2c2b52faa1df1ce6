"""An ordinary network from encoders and decoders: W = E Dᵀ."""

from __future__ import annotations

from ctrnn_theory.activations import Activation
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.training.decoders.encoders import Encoders
from ctrnn_theory.training.decoders.solve import Decoders


def assembled(f: Activation, gamma: float, encoders: Encoders, found: Decoders) -> CTRNN:
    """Return the network of encoders and decoders, whose weights W = E Dᵀ have the rank of the latent system."""
    W = encoders.E @ found.D.T
    return CTRNN(W, encoders.b, f, gamma, W_in=encoders.W_in, W_out=found.W_out, b_out=found.b_out)
