"""The drawn weights of a network: how inputs and latent variables drive its neurons."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.tasks.latent import Latent


class Encoders(NamedTuple):
    """Weights by which K inputs u and R latent variables x drive N neurons: a = W_in u + E x + b."""

    W_in: FloatArray
    """Weights of the inputs, (N, K)."""
    E: FloatArray
    """Weights of the latent variables, (N, R)."""
    b: FloatArray
    """Bias vector, (N,)."""

    def preactivation(self, latent: Latent) -> FloatArray:
        """Return the pre-activations (M, N) at the sampled points."""
        a: FloatArray = latent.u @ self.W_in.T + latent.x @ self.E.T + self.b
        return a


def draw_encoders(latent: Latent, neurons: int, alpha: float, beta: float, rng: np.random.Generator) -> Encoders:
    """Draw weights such that the drive W_in u + E x of a neuron has a root mean square of α, on average.

    Weights are normal, with standard deviation α/√channels over the root mean square of their channel, where a channel
    is an input or a latent variable whose samples are not all zero; the weights of others are zero. b is uniform in
    [-β, β].

    Examples
    --------
    >>> u, x = np.array([[1.0], [-1.0]]), np.zeros((2, 0))
    >>> drawn = draw_encoders(Latent("y = u", u, x, x), 1000, 1.5, 2.0, np.random.default_rng(0))
    >>> drawn.W_in.std().round(1), drawn.E.shape
    (np.float64(1.5), (1000, 0))
    """
    channels = np.concatenate([latent.u, latent.x], axis=1)
    rms = np.sqrt(np.mean(channels**2, axis=0))
    used = rms > 0.0
    scale = np.divide(alpha / np.sqrt(max(used.sum(), 1)), rms, out=np.zeros(rms.size), where=used)
    weights = rng.standard_normal((neurons, rms.size)) * scale
    b = rng.uniform(-beta, beta, neurons)
    W_in, E = np.split(weights, [latent.u.shape[1]], axis=1)
    return Encoders(np.ascontiguousarray(W_in), np.ascontiguousarray(E), b)
