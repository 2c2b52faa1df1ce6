"""One step of the Gaussian closure for any network and noise: the state and its coloured sources together.

With g the M components of the state (:mod:`ctrnn_theory.model.augmented`), g' = T g + E y + offset + e and the argument
H g + c + i of f,

    m' = T m + E F + offset
    V' = T V Tᵀ + E C_y Eᵀ + Σ_e + Sym[(T V Hᵀ + Cov(e, i)) D Eᵀ],   Sym X = X + Xᵀ
    C_y = C + R ∘ (C + F Fᵀ)

where F, D and C are mean, mean slope and covariance of f at N(H m + c, H V Hᵀ + Σ_i), Cov(g, f) is by Stein's identity,
and R is the covariance of what multiplies the values of f.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.activations.gaussian.multiplied import Argument, gained_moments, gained_values
from ctrnn_theory.model.augmented import Augmented
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.closure_map import ClosureMap, Rate
from ctrnn_theory.stationary.closure.moments import Moments, semidefinite, times, transform
from ctrnn_theory.support.types import FloatArray


@dataclass(frozen=True, eq=False)
class SpreadRate(Rate):
    """A rate, with the covariances within each argument of f."""

    parts: FloatArray
    """Variances and covariance of the two parts of each argument, see `AugmentedClosure.spread`, (B, 3, N)."""

    @property
    def spread(self) -> FloatArray:
        """The same."""
        return self.parts


@dataclass(frozen=True, eq=False)
class AugmentedClosure(ClosureMap):
    """The map of the Gaussian closure for B networks of N neurons with M components each."""

    f: Activation | ActivationGroup
    """Activation, or the activations of N neurons."""
    voltage: bool
    """Whether an input is added to the state, and not to the argument of f."""
    gamma: FloatArray
    """Unit of time (B,): the slowest of the γ of the neurons and the 1 - ρ of the sources."""
    leak: FloatArray
    """(1 - T)/γ (B, M, M)."""
    write: FloatArray
    """E/γ (B, M, N)."""
    offset: FloatArray
    """Constant part of the state's rate (B, M)."""
    read: FloatArray
    """H (B, N, M): N columns for the state, which noise inside may multiply, and those of the sources."""
    drive: FloatArray
    """Constant c (B, N) in the arguments."""
    inner: FloatArray
    """Covariance of the white noise inside (B, N, N)."""
    outer: FloatArray
    """Covariance of the state's noise, over γ, (B, M, M)."""
    shared: FloatArray
    """Covariance of both (B, N, M)."""
    gain: FloatArray
    """R (B, N, N), of what multiplies the values of f."""
    gain_inside: FloatArray
    """The same for what multiplies the arguments."""
    rest: FloatArray
    """Covariance of the state where the neurons are at a point (B, M, M)."""

    @classmethod
    def of(cls, net: CTRNN, noise: Noise, u: ArrayLike | None = None) -> Self:
        """Make the batch of one network with its noise and a constant input."""
        whole, n = Augmented.of(net, noise, u), net.n
        rho = np.diag(whole.transition)[n:]
        rates = np.concatenate([whole.wiring.gamma, 1.0 - rho])
        g = float(np.min(rates))
        leak = -whole.transition
        np.fill_diagonal(leak, rates)
        scale = np.concatenate([np.ones(n), _sizes(net, noise, rho)])  # components in units of the sources' own
        arrays = (
            np.array(g),
            leak * scale[:, None] / scale / g,
            whole.write / g,
            whole.offset / g,
            whole.read / scale,
            whole.wiring.c,
            whole.inner,
            whole.outer * scale[:, None] * scale / g,
            whole.shared * scale,
            noise.gain_covariance("outside", n),
            noise.gain_covariance("inside", n),
            whole.rest * scale[:, None] * scale,
        )
        return cls(net.activation, net.form == "voltage", *(array[None] for array in arrays))

    @property
    def n(self) -> int:
        """Number N of neurons."""
        return self.read.shape[1]

    @property
    def multiplied(self) -> bool:
        """Whether there is multiplicative noise."""
        return bool(self.gain.any() or self.gain_inside.any())

    def begin(self, state: Moments) -> Moments:
        """Return the states with their sources, from the mean (B, N) and covariance (B, N, N) of the neurons alone."""
        V = self.rest.copy()
        V[:, : self.n, : self.n] = state.covariance
        mean = np.zeros((len(V), V.shape[-1]))
        mean[:, : self.n] = state.mean
        return Moments(mean, V)

    def driven_by(self, drive: FloatArray) -> Self:
        """Return the same map with another W_in u + b, (B, N)."""
        if not self.voltage:
            return replace(self, drive=drive)
        n, offset = self.n, np.zeros_like(self.offset)
        offset[:, :n] = self._rates * drive
        return replace(self, offset=offset)

    @property
    def _rates(self) -> FloatArray:
        return np.diagonal(self.leak, axis1=1, axis2=2)[:, : self.n]

    def __getitem__(self, which: Any) -> Self:
        """Return the maps of some networks."""
        return type(self)(self.f, self.voltage, *(getattr(self, field.name)[which] for field in fields(self)[2:]))

    def step(self, state: Moments) -> Moments:
        """Return mean and covariance after one step."""
        g, rate = self.gamma[:, None], self.rate(state)
        V = state.covariance + g[..., None] * rate.covariance
        return Moments(state.mean + g * rate.mean, semidefinite(V))

    def rate(self, state: Moments) -> Rate:
        """Return the change of the states, in units of their slowest time constant."""
        g, V = self.gamma[:, None, None], state.covariance
        argument = self.argument(state)
        at = gained_moments(self.f, argument)
        passed = (self.leak @ V) * g  # V - T V
        cross = np.swapaxes(self._slopes(at.slope) @ np.swapaxes(V - passed, -1, -2), -1, -2)
        cross = cross + np.swapaxes(at.slope[:, 1, :, None] * self.shared, -1, -2)
        F, C = at.value[:, :, None] * at.value[:, None, :], at.covariance
        C = C + self.gain * (C + F)
        into = self.write @ (0.5 * g * C @ np.swapaxes(self.write, -1, -2)) + cross @ np.swapaxes(self.write, -1, -2)
        into = into - self.leak @ (V - 0.5 * np.swapaxes(passed, -1, -2))
        change = into + np.swapaxes(into, -1, -2) + self.outer
        parts = argument.parts()
        s = np.sqrt(np.maximum(parts[:, 0] + 2.0 * parts[:, 1] + parts[:, 2], 0.0))
        return SpreadRate(self._speed(state.mean, at.value), change, argument.mean + argument.shift, s, at.slope, parts)

    def argument(self, state: Moments) -> Argument:
        """Return the law of the arguments of f, before noise multiplies them."""
        n, V = self.n, state.covariance
        U, X = self.read[..., :n], self.read[..., n:]
        left = U @ V[:, :n]
        own, cross = left[..., :n] @ np.swapaxes(U, -1, -2), left[..., n:] @ np.swapaxes(X, -1, -2)
        added = self.inner + transform(X, V[:, n:, n:])
        return Argument(
            times(U, state.mean[:, :n]) + self.drive, times(X, state.mean[:, n:]), own, cross, added, self.gain_inside
        )

    def _speed(self, mean: FloatArray, value: FloatArray) -> FloatArray:
        return times(self.write, value) + self.offset - times(self.leak, mean)

    def _slopes(self, slope: FloatArray) -> FloatArray:
        """Return D H (B, N, M), with the slopes (B, 2, N) to what noise multiplies and to what it does not."""
        n = self.n
        DU, DX = slope[:, 0, :, None] * self.read[..., :n], slope[:, 1, :, None] * self.read[..., n:]
        return np.concatenate([DU, DX], axis=-1)

    def spread(self, state: Moments) -> FloatArray:
        """Return variance of α, covariance with the rest of the argument, and variance of the latter, (B, 3, N)."""
        n, V = self.n, state.covariance
        U, X = self.read[..., :n], self.read[..., n:]
        left = U @ V[:, :n]
        own, cross = np.sum(left[..., :n] * U, axis=-1), np.sum(left[..., n:] * X, axis=-1)
        added = np.diagonal(self.inner, axis1=1, axis2=2) + np.sum((X @ V[:, n:, n:]) * X, axis=-1)
        return np.stack([np.maximum(own, 0.0), cross, np.maximum(added, 0.0)], axis=1)

    def _at(self, mean: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the means of the two parts of the arguments, and the deviation of what multiplies them, (B, N)."""
        n = self.n
        first, second = times(self.read[..., :n], mean[:, :n]) + self.drive, times(self.read[..., n:], mean[:, n:])
        return first, second, np.sqrt(np.diagonal(self.gain_inside, axis1=1, axis2=2))

    def drift(self, mean: FloatArray, spread: FloatArray) -> FloatArray:
        """Return the change of means (B, M) at a given spread (B, 3, N)."""
        return self._speed(mean, gained_values(self.f, *self._at(mean), spread)[0])

    def drift_slope(self, mean: FloatArray, spread: FloatArray) -> FloatArray:
        """Return the mean slopes (B, 2, N) there."""
        return gained_values(self.f, *self._at(mean), spread, slope=True)[1]

    def bend(self, rate: Rate) -> FloatArray:
        """Return half the mean curvature without what multiplies; zero where s is."""
        noisy, bend = rate.s > 0.0, np.zeros(rate.s.shape)
        s = np.where(noisy, rate.s, 1.0)
        bend[noisy] = 0.5 * self.f.smoothed(rate.a, s, 2)[noisy]
        return bend

    def written(self, values: FloatArray) -> FloatArray:
        """Return what values of f (B, N) add to the rate of the mean, (B, M)."""
        return times(self.write, values)

    def loop(self, slope: FloatArray) -> FloatArray:
        """Return 1 - leak + E D H / γ (B, M, M)."""
        loop: FloatArray = np.eye(self.read.shape[-1]) - self.leak + self.write @ self._slopes(slope)
        return loop

    def put_in(self) -> FloatArray:
        """Return the size (B,) of input, noise and f(0)."""
        noise = np.diagonal(self.inner, axis1=1, axis2=2).max(axis=1) + np.diagonal(self.rest, axis1=1, axis2=2).max(1)
        noise = noise + np.diagonal(self.outer, axis1=1, axis2=2).max(axis=1) / self.gamma
        value = np.abs(self.f(np.zeros(self.n)))
        size: FloatArray = np.max(np.abs(self.drive), axis=1) + np.max(np.abs(self.offset), axis=1) + np.sqrt(noise)
        return size + np.max(np.abs(self.write) @ value, axis=1)


def _sizes(net: CTRNN, noise: Noise, rho: FloatArray) -> FloatArray:
    """Return what the components of the sources are multiplied by, so that they are about as large as the state's."""
    strength = np.concatenate([np.linalg.norm(noise.coloured(s, net.n)[0], axis=0) for s in ("inside", "outside")])
    g = float(np.max(net.gammas))
    sizes: FloatArray = strength * np.sqrt(g / (g + 1.0 - rho))
    return sizes
