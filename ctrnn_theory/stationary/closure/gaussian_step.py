"""One step of the Gaussian closure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations.gaussian.covariance import covariance_matrices
from ctrnn_theory.dynamics.settle import jacobian, spectral_radius
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.types import FloatArray

ROUNDING = 1e-9  # a residual that stops falling below this is limited by the accuracy of the moments


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and covariance of a Gaussian state."""

    mean: FloatArray
    """Mean (N,)."""
    covariance: FloatArray
    """Covariance (N, N), symmetric positive semi-definite."""


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


def distance(old: Moments, new: Moments) -> float:
    """Relative distance of two states: of the means, and of the covariances."""
    std = np.sqrt(np.max(np.diag(new.covariance)))
    scale = np.max(np.abs(new.mean)) + std
    mean = np.max(np.abs(new.mean - old.mean)) / scale if scale > 0.0 else 0.0
    covariance = np.max(np.abs(new.covariance - old.covariance)) / std**2 if std > 0.0 else 0.0
    return float(mean + covariance)


def semidefinite(V: FloatArray) -> FloatArray:
    """V (..., N, N) made symmetric, with the eigenvalues that rounding left below zero set to zero."""
    V = 0.5 * (V + np.swapaxes(V, -1, -2))
    if V.shape[-1] == 1:
        return np.maximum(V, 0.0)
    values, vectors = np.linalg.eigh(V)
    negative = values[..., :1, None] < 0.0
    if not np.any(negative):
        return V
    clipped = (vectors * np.maximum(values, 0.0)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    symmetric: FloatArray = np.where(negative, 0.5 * (clipped + np.swapaxes(clipped, -1, -2)), V)
    return symmetric


def closure_response(
    f: Activation, W: FloatArray, drive: FloatArray, inside: FloatArray, mean: FloatArray, V: FloatArray
) -> Response:
    """Exact moments of f at Gaussian states (..., N), (..., N, N) of many networks, inputs or noises at once.

    Leading axes of W, inside and V (..., N, N), and of drive and mean (..., N), broadcast.
    """
    WV = W @ V
    S = inside + WV @ np.swapaxes(W, -1, -2)
    a = (W @ mean[..., None])[..., 0] + drive
    batch, n = np.broadcast_shapes(a.shape[:-1], S.shape[:-2]), a.shape[-1]
    a, S = np.broadcast_to(a, (*batch, n)), np.broadcast_to(S, (*batch, n, n))
    variance = np.maximum(np.diagonal(S, axis1=-2, axis2=-1), 0.0)
    S = np.where(np.eye(n, dtype=bool), variance[..., None], S)
    s = np.sqrt(variance)
    slope = f.smoothed(a, s, 1)
    cross = np.swapaxes(WV, -1, -2) * slope[..., None, :]
    return Response(a, s, f.smoothed(a, s), slope, covariance_matrices(f, a, S), cross)


def closure_step(
    f: Activation,
    W: FloatArray,
    gamma: float,
    drive: FloatArray,
    inside: FloatArray,
    outside: FloatArray,
    mean: FloatArray,
    V: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Mean (..., N) and covariance (..., N, N) after one step, of many networks, inputs or noises at once.

    Leading axes of outside (..., N, N) broadcast as those of :func:`closure_response` do.
    """
    at = closure_response(f, W, drive, inside, mean, V)
    new = (1.0 - gamma) ** 2 * V + gamma * (1.0 - gamma) * (at.cross + np.swapaxes(at.cross, -1, -2))
    return (1.0 - gamma) * mean + gamma * at.value, new + gamma**2 * (at.covariance + outside)


@dataclass(frozen=True, eq=False)
class Rate:
    """Change of a Gaussian state by the map, in a unit of τ."""

    mean: FloatArray
    """F - m (B, N)."""
    covariance: FloatArray
    """(V' - V) / γ (B, N, N)."""
    a: FloatArray
    """Mean pre-activation (B, N)."""
    s: FloatArray
    """Its standard deviation (B, N)."""
    slope: FloatArray
    """D = F'(a; s) (B, N)."""

    def __getitem__(self, which: NDArray[np.generic]) -> Rate:
        return Rate(self.mean[which], self.covariance[which], self.a[which], self.s[which], self.slope[which])

    def put(self, which: NDArray[np.generic], other: Rate) -> None:
        """Overwrite some of them."""
        for name in ("mean", "covariance", "a", "s", "slope"):
            getattr(self, name)[which] = getattr(other, name)


@dataclass(frozen=True, eq=False)
class Closures:
    """The closure's maps of B networks of one activation, each with its noise and its input."""

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

    def __getitem__(self, which: NDArray[np.generic]) -> Closures:
        """Some of them."""
        rows = (getattr(self, name)[which] for name in ("W", "gamma", "drive", "inside", "outside"))
        return Closures(self.f, *rows)

    def rate(self, state: Moments) -> Rate:
        """Change of the states (B, N), (B, N, N); nothing cancels in it at small γ, as it would in V' - V."""
        g, V = self.gamma[:, None, None], state.covariance
        at = closure_response(self.f, self.W, self.drive, self.inside, state.mean, V)
        change = (1.0 - g) * (at.cross + np.swapaxes(at.cross, -1, -2)) - (2.0 - g) * V
        return Rate(at.value - state.mean, change + g * (at.covariance + self.outside), at.a.copy(), at.s, at.slope)

    def response(self, slope: FloatArray) -> FloatArray:
        """A = (1-γ) I + γ D W (B, N, N)."""
        g = self.gamma[:, None, None]
        return (1.0 - g) * np.eye(slope.shape[-1]) + g * slope[:, :, None] * self.W

    def radius(self, slope: FloatArray) -> FloatArray:
        """Spectral radius of A, (B,)."""
        A = self.response(slope)
        radius: FloatArray = np.max(np.abs(np.linalg.eigvals(A)), axis=-1) if A.size else np.zeros(len(A))
        return radius


class Closure:
    """The map of the Gaussian closure for a network, its noise and an input.

    The attribute `drive`, W_in u + b (N,), may be set anew before a step.
    """

    def __init__(self, net: CTRNN, noise: Noise, u: ArrayLike | None) -> None:
        self.f, self.W, self.gamma, self.drive = net.activation, net.W, net.gamma, net.drive(u)
        self.inside, self.outside = (noise.covariance(site, net.n) for site in ("inside", "outside"))

    def preactivation(self, state: Moments) -> tuple[FloatArray, FloatArray]:
        """Mean a (N,) and covariance S (N, N) of the noisy pre-activation."""
        S = self.inside + self.W @ state.covariance @ self.W.T
        S[np.diag_indices_from(S)] = np.maximum(np.diag(S), 0.0)
        return self.W @ state.mean + self.drive, S

    def scale(self, start: Moments) -> float:
        """Size of what is put in: the start, the drive, the noise, and f at rest."""
        noise = np.sqrt(np.diag(self.inside + self.outside))
        return float(np.max(np.abs(start.mean)) + np.max(np.abs(self.drive)) + np.max(noise) + abs(self.f(0.0))) + 1.0

    def radius(self, state: Moments) -> float:
        """Spectral radius of the linear response A = (1-γ) I + γ D W at a state."""
        a, S = self.preactivation(state)
        return spectral_radius(jacobian(self.W, self.f.smoothed(a, np.sqrt(np.diag(S)), 1), self.gamma))

    def step(self, state: Moments) -> Moments:
        """Mean and covariance after one step."""
        noise = self.inside, self.outside
        mean, V = closure_step(self.f, self.W, self.gamma, self.drive, *noise, state.mean, state.covariance)
        return Moments(mean, semidefinite(V))

    def alone(self) -> Closures:
        """The same map as a batch of one."""
        arrays = (self.W, np.float64(self.gamma), self.drive, self.inside, self.outside)
        return Closures(self.f, *(np.asarray(array)[None] for array in arrays))
