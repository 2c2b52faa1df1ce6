"""The drawn weights of a network: how inputs and latent variables drive its neurons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

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


@dataclass(frozen=True, eq=False)
class Draw:
    """Random numbers from which encoders of any scale and shape are made, for one latent system.

    The shape is θ = (κ₁, ..., κ_K+R, p, s, m, q), zero by default. With z standard normal and v uniform in [-1, 1],
    channel k has the weights::

        α √(exp κₖ/Σⱼ exp κⱼ) · sign(z) |z|^exp(p)/norm · 1/rms(channel),      b = β (eˢ sign(v) |v|^exp(q) + m)

    where the norm makes the root mean square of the numbers one. The drive W_in u + E x of a neuron then has the root
    mean square α, on average, for any shape. A channel is an input or a latent variable; where its samples are all
    zero, its weights are, and it has no part in the sum.
    """

    rms: FloatArray
    """Root mean square of each channel, (K + R,)."""
    inputs: int
    """Number K of inputs."""
    z: FloatArray
    """Standard normal numbers, (N, K + R)."""
    v: FloatArray
    """Numbers in [-1, 1], (N,)."""

    @classmethod
    def of(cls, latent: Latent, neurons: int, rng: np.random.Generator) -> Draw:
        """Draw the numbers for so many neurons."""
        rms = np.sqrt(np.mean(np.concatenate([latent.u, latent.x], axis=1) ** 2, axis=0))
        z = rng.standard_normal((neurons, rms.size))
        return cls(rms, latent.u.shape[1], z, rng.uniform(-1.0, 1.0, neurons))

    @property
    def size(self) -> int:
        """Number of parameters of the shape."""
        return self.rms.size + 4

    def encoders(self, alpha: float, beta: float, shape: FloatArray | None = None) -> Encoders:
        """Return the encoders of scales α and β, and of a shape (K + R + 4,)."""
        theta = np.zeros(self.size) if shape is None else shape
        share, (p, s, m, q) = np.exp(theta[:-4]) * (self.rms > 0.0), theta[-4:]
        scale = np.sqrt(share / max(share.sum(), 1e-300))
        scale = np.divide(alpha * scale, self.rms, out=np.zeros(scale.size), where=self.rms > 0.0)
        weights = _power(self.z, np.exp(p)) / _norm(np.exp(p)) * scale
        b = beta * (np.exp(s) * _power(self.v, np.exp(q)) + m)
        W_in, E = np.split(weights, [self.inputs], axis=1)
        return Encoders(np.ascontiguousarray(W_in), np.ascontiguousarray(E), b)


def _power(x: FloatArray, exponent: float) -> FloatArray:
    return np.copysign(np.abs(x) ** exponent, x)


def _norm(exponent: float) -> float:
    """Return √E|z|^2p of a standard normal z, 2^p Γ(p + 1/2)/√π under the root; one for p = 1."""
    if exponent == 1.0:
        return 1.0
    return float(np.exp(0.5 * (exponent * np.log(2.0) + gammaln(exponent + 0.5) - gammaln(0.5))))


def draw_encoders(latent: Latent, neurons: int, alpha: float, beta: float, rng: np.random.Generator) -> Encoders:
    """Draw weights such that the drive W_in u + E x of a neuron has a root mean square of α, on average.

    Weights are normal, with standard deviation α/√channels over the root mean square of their channel, where a channel
    is an input or a latent variable whose samples are not all zero; the weights of others are zero. b is uniform in
    [-β, β]. See :class:`Draw` for other shapes.

    Examples
    --------
    >>> u, x = np.array([[1.0], [-1.0]]), np.zeros((2, 0))
    >>> drawn = draw_encoders(Latent("y = u", u, x, x), 1000, 1.5, 2.0, np.random.default_rng(0))
    >>> drawn.W_in.std().round(1), drawn.E.shape
    (np.float64(1.5), (1000, 0))
    """
    return Draw.of(latent, neurons, rng).encoders(alpha, beta)
