"""One step of the Gaussian closure, for a batch of networks."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations.gaussian.covariance import covariance_matrices
from ctrnn_theory.dynamics.neurons import Neurons
from ctrnn_theory.model.kinds import require
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.stationary.closure.closure_map import ClosureMap, Rate
from ctrnn_theory.stationary.closure.moments import Moments, semidefinite, symmetric_product, times
from ctrnn_theory.support.types import FloatArray


@dataclass(frozen=True, eq=False)
class Response:
    """What the activation makes of Gaussian states: the moments of f(x), x ~ N(a, S)."""

    a: FloatArray
    """Mean pre-activation W m + W_in u + b (..., N)."""
    s: FloatArray
    """Its standard deviation, √diag S, S = Σ_in + W V Wᵀ (..., N)."""
    value: FloatArray
    """F(a; s) (..., N)."""
    slope: FloatArray
    """D = F'(a; s) (..., N)."""
    covariance: FloatArray
    """C = Cov f(x) (..., N, N)."""
    cross: FloatArray
    """Cov(h, f(x)) = V Wᵀ D, by Stein's identity (..., N, N)."""


def preactivation(
    W: FloatArray, drive: FloatArray, inside: FloatArray, mean: FloatArray, V: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the mean a (..., N) and covariance S (..., N, N) of the noisy pre-activation, and W V (..., N, N).

    Leading axes of W, inside and V (..., N, N), and of drive and mean (..., N), broadcast.
    """
    WV = W @ V
    S = inside + symmetric_product(WV, W)
    a = times(W, mean) + drive
    batch, n = np.broadcast_shapes(a.shape[:-1], S.shape[:-2]), a.shape[-1]
    a, S = np.broadcast_to(a, (*batch, n)), S if S.shape[:-2] == batch else np.broadcast_to(S, (*batch, n, n)).copy()
    d = np.arange(n)
    S[..., d, d] = np.maximum(S[..., d, d], 0.0)
    return a, S, WV


def closure_response(
    f: Activation, W: FloatArray, drive: FloatArray, inside: FloatArray, mean: FloatArray, V: FloatArray
) -> Response:
    """Return the exact moments of f at Gaussian states (..., N), (..., N, N) of many networks, inputs or noises.

    Leading axes broadcast as those of :func:`preactivation` do.
    """
    a, S, WV = preactivation(W, drive, inside, mean, V)
    s = np.sqrt(np.diagonal(S, axis1=-2, axis2=-1))
    slope = f.smoothed(a, s, 1)
    cross = np.swapaxes(WV, -1, -2) * slope[..., None, :]
    return Response(a, s, f.smoothed(a, s), slope, covariance_matrices(f, a, S), cross)


def closure_step(
    f: Activation,
    W: FloatArray,
    gamma: float | FloatArray,
    drive: FloatArray,
    inside: FloatArray,
    outside: FloatArray,
    mean: FloatArray,
    V: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return mean (..., N) and covariance (..., N, N) after one step of many networks, inputs or noises.

    Leading axes of gamma (...) and outside (..., N, N) broadcast as those of :func:`preactivation` do.
    """
    at, g = closure_response(f, W, drive, inside, mean, V), np.asarray(gamma)[..., None]
    keep, square = (power(x, 2)[..., None] for x in (1.0 - g, g))
    new = keep * V + (g * (1.0 - g))[..., None] * (at.cross + np.swapaxes(at.cross, -1, -2))
    return (1.0 - g) * mean + g * at.value, new + square * (at.covariance + outside)


def power(x: FloatArray, n: int) -> FloatArray:
    """Return xⁿ as Python's floats have it: the last bit of a power by NumPy depends on the processor."""
    return np.array([value**n for value in x.ravel().tolist()]).reshape(x.shape)


@dataclass(frozen=True, eq=False)
class GaussianClosure(ClosureMap):
    """The map of the Gaussian closure for B networks of one activation, each with its noise and its input."""

    f: Activation
    """Activation."""
    W: FloatArray
    """Weights (B, N, N)."""
    gamma: FloatArray
    """Δt/τ (B,)."""
    drive: FloatArray
    """W_in u + b (B, N)."""
    inside: FloatArray
    """Covariance of the noise inside (B, N, N)."""
    outside: FloatArray
    """Covariance of the noise outside (B, N, N)."""

    @classmethod
    def of(cls, net: CTRNN, noise: Noise, u: ArrayLike | None = None) -> Self:
        """Make the batch of one network with its noise and a constant input, or raise NotApplicable for other kinds."""
        require("this map", net, noise)
        assert isinstance(net.activation, Activation)
        arrays = (net.W, net.gamma, net.drive(u), *(noise.covariance(site, net.n) for site in SITES))
        return cls(net.activation, *(np.asarray(array)[None] for array in arrays))

    @classmethod
    def of_neurons(cls, neurons: Neurons) -> Self:
        """Make the batch of many single neurons."""
        w, inside, outside = (x[:, None, None] for x in (neurons.w, neurons.inside**2, neurons.outside**2))
        return cls(neurons.f, w, neurons.gamma, neurons.b[:, None], inside, outside)

    def begin(self, state: Moments) -> Moments:
        """Return the states themselves, which have no coloured sources."""
        return state

    def driven_by(self, drive: FloatArray) -> Self:
        """Return the same map with another W_in u + b, (B, N)."""
        return replace(self, drive=drive)

    def __getitem__(self, which: Any) -> Self:
        """Return the maps of some networks."""
        return type(self)(self.f, *(getattr(self, field.name)[which] for field in fields(self)[1:]))

    def preactivation(self, state: Moments) -> tuple[FloatArray, FloatArray]:
        """Return the mean a (B, N) and covariance S (B, N, N) of the noisy pre-activation."""
        return preactivation(self.W, self.drive, self.inside, state.mean, state.covariance)[:2]

    def step(self, state: Moments) -> Moments:
        """Return mean and covariance after one step."""
        arrays = (self.W, self.gamma, self.drive, self.inside, self.outside)
        mean, V = closure_step(self.f, *arrays, state.mean, state.covariance)
        return Moments(mean, semidefinite(V))

    def rate(self, state: Moments) -> Rate:
        """Return the change of the states; nothing cancels in it at small γ, as it would in V' - V."""
        g, V = self.gamma[:, None, None], state.covariance
        at = closure_response(self.f, self.W, self.drive, self.inside, state.mean, V)
        change = (1.0 - g) * (at.cross + np.swapaxes(at.cross, -1, -2)) - (2.0 - g) * V
        return Rate(at.value - state.mean, change + g * (at.covariance + self.outside), at.a.copy(), at.s, at.slope)

    @property
    def read(self) -> FloatArray:  # type: ignore[override]  # the weights by another name
        """W."""
        return self.W

    def spread(self, state: Moments) -> FloatArray:
        """Return s (B, N)."""
        inside = np.diagonal(self.inside, axis1=1, axis2=2)
        s: FloatArray = np.sqrt(np.maximum(inside + np.sum((self.W @ state.covariance) * self.W, axis=2), 0.0))
        return s

    def drift(self, mean: FloatArray, spread: FloatArray) -> FloatArray:
        """Return F - m (B, N) at means (B, N) and s (B, N)."""
        value: FloatArray = self.f.smoothed(times(self.W, mean) + self.drive, spread) - mean
        return value

    def drift_slope(self, mean: FloatArray, spread: FloatArray) -> FloatArray:
        """Return D = F'(a; s) (B, N)."""
        slope: FloatArray = self.f.smoothed(times(self.W, mean) + self.drive, spread, 1)
        return slope

    def bend(self, rate: Rate) -> FloatArray:
        """Return F''/2 (B, N); zero where s is."""
        noisy, bend = rate.s > 0.0, np.zeros(rate.s.shape)
        bend[noisy] = 0.5 * self.f.smoothed(rate.a[noisy], rate.s[noisy], 2)
        return bend

    def written(self, values: FloatArray) -> FloatArray:
        """Return the values themselves."""
        return values

    def loop(self, slope: FloatArray) -> FloatArray:
        """Return D W (B, N, N)."""
        return slope[:, :, None] * self.W

    def put_in(self) -> FloatArray:
        """Return the size (B,) of input, noise and f(0)."""
        noise = np.sqrt(np.max(np.diagonal(self.inside + self.outside, axis1=1, axis2=2), axis=1))
        size: FloatArray = np.max(np.abs(self.drive), axis=1) + noise + abs(self.f(0.0))
        return size
