"""One step of the latent variables of a network of low rank, and its cumulants.

With weights W = E Dᵀ of rank R, constant input and private noise inside, the latent variables κ = Dᵀ h obey exactly

    κ' = (1-γ) κ + γ Dᵀ y,   y = f(E κ + c + σ ξ) + η,   c = W_in u + b,

so that κ is a Markov chain in R dimensions, whatever the number N of neurons. Given κ a step is the sum of N
independent terms, so that its cumulants are sums of those of single neurons, and those of order k fall as N^(1-k).
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations.gaussian.quadrature import integrate
from ctrnn_theory.model.kinds import require
from ctrnn_theory.model.low_rank import Factors, low_rank
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.noisy_activation import NoisyActivation
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

MOST = 3
"""Most latent variables."""
SHOWN = 5
"""Singular values that a message gives."""


class Rates(NamedTuple):
    """Mean and variance of the rates y of all neurons, given latent variables, (M, N) each."""

    mean: FloatArray
    variance: FloatArray


@dataclass(frozen=True, eq=False)
class LatentStep:
    """One step of R latent variables of N neurons."""

    E: FloatArray
    """Encoders (N, R)."""
    D: FloatArray
    """Decoders (N, R)."""
    c: FloatArray
    """Constant input c (N,)."""
    gamma: float
    """Step over time constant, Δt/τ."""
    noisy: NoisyActivation
    """Activation under the noise inside."""
    outside: FloatArray
    """Covariance of the noise outside, (N, N)."""

    @classmethod
    def of(cls, net: CTRNN, noise: Noise, u: ArrayLike | None = None, factors: Factors | None = None) -> LatentStep:
        """Make it for a network whose weights have a rank of at most three, or have the given factors.

        Raises
        ------
        NotApplicable
            If the rank is larger, or if the network or its noise is of a kind that gives no chain of this form.
        """
        require("latent", net, noise, "gain_inside")
        n, inside, gains = net.n, noise.covariance("inside", net.n), noise.gain_covariance("inside", net.n)
        for part, name in ((inside, "noise"), (gains, "gains")):
            if np.any(part - np.diag(np.diag(part))):
                raise NotApplicable(f"latent takes {name} inside only if neurons have their own; theirs are correlated")
        found = low_rank(net.W, MOST) if factors is None else factors
        if found is None or found.E.shape[1] > MOST:
            values = np.linalg.svd(net.W, compute_uv=False)[:SHOWN]
            listed = ", ".join(f"{value:.3g}" for value in values)
            raise NotApplicable(f"latent is for weights of a rank of at most {MOST}; singular values are {listed}, ...")
        noisy = NoisyActivation(net.activations[0], np.sqrt(np.diag(inside)), np.sqrt(np.diag(gains)))
        return cls(found.E, found.D, net.drive(u), float(net.gammas[0]), noisy, noise.covariance("outside", n))

    @property
    def rank(self) -> int:
        """Number R of latent variables."""
        return int(self.E.shape[1])

    @cached_property
    def added(self) -> FloatArray:
        """Covariance of a step by the noise outside, γ² Dᵀ Σ D (R, R)."""
        added: FloatArray = self.gamma**2 * self.D.T @ self.outside @ self.D
        return added

    def preactivation(self, latent: FloatArray) -> FloatArray:
        """Return E κ + c (M, N) for latent variables (M, R)."""
        a: FloatArray = latent @ self.E.T + self.c
        return a

    def rates(self, latent: FloatArray) -> Rates:
        """Return mean and variance of the rates, for latent variables (M, R)."""
        return Rates(self.mean_rate(latent), self.variance(latent))

    def mean_rate(self, latent: FloatArray) -> FloatArray:
        """Return the mean of the rates (M, N), for latent variables (M, R)."""
        return self.noisy.value(self.preactivation(latent))

    def variance(self, latent: FloatArray) -> FloatArray:
        """Return the variance of the rates (M, N), for latent variables (M, R)."""
        variance: FloatArray = self.noisy.variance(self.preactivation(latent)) + np.diag(self.outside)
        return variance

    def mean(self, latent: FloatArray, mean_rate: FloatArray) -> FloatArray:
        """Return the mean (M, R) after a step from latent variables (M, R) with mean rates (M, N)."""
        mean: FloatArray = (1.0 - self.gamma) * latent + self.gamma * mean_rate @ self.D
        return mean

    def covariance(self, variance: FloatArray) -> FloatArray:
        """Return the covariance (M, R, R) of a step from variances of the rates (M, N)."""
        own = self.gamma**2 * (variance - np.diag(self.outside))
        found: FloatArray = np.einsum("mn,na,nb->mab", own, self.D, self.D, optimize=True) + self.added
        return found

    @cached_property
    def _root(self) -> FloatArray:
        """Factor of `added`, (R, R)."""
        values, vectors = np.linalg.eigh(self.added)
        root: FloatArray = vectors * np.sqrt(np.maximum(values, 0.0))
        return root

    def sample(self, latent: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return latent variables (M, R) after one random step."""
        a = self.preactivation(latent)
        y = np.asarray(self.noisy.f(a + self.noisy.width(a) * rng.standard_normal(a.shape)))
        return self.mean(latent, y) + rng.standard_normal(latent.shape) @ self._root.T

    def cumulant(self, latent: FloatArray, order: int) -> FloatArray:
        """Return the third or fourth cumulant (M, R, ...) of a step from latent variables (M, R).

        That of a neuron is a central moment of f, or the fourth less three times the squared variance.
        """
        a = self.preactivation(latent)
        s = np.broadcast_to(self.noisy.width(a), a.shape)
        of_neurons = np.zeros(a.shape)
        noisy = s > 0.0
        if noisy.any():
            moment = _central_moment(self.noisy.f, a[noisy], s[noisy], order)
            of_neurons[noisy] = moment - (3.0 * self.noisy.variance(a)[noisy] ** 2 if order == 4 else 0.0)
        axes = string.ascii_lowercase[:order]
        terms = ",".join(f"z{axis}" for axis in axes)
        found: FloatArray = np.einsum(f"yz,{terms}->y{axes}", of_neurons, *[self.D] * order, optimize=True)
        return self.gamma**order * found


def _central_moment(f: Any, a: FloatArray, s: FloatArray, order: int) -> FloatArray:
    """Return E (f - F)^k at arguments of mean a and standard deviation s > 0, flat arrays."""

    def terms(panels: Any, values: FloatArray, a: FloatArray, s: FloatArray) -> FloatArray:
        away = values - np.asarray(f.smoothed(a, s))[panels.row, None]
        square = away * away  # a power by NumPy takes ten times as long
        powers: FloatArray = panels.weight * square * (square if order == 4 else away)
        return powers

    return integrate(f, 0, a, s, terms)
