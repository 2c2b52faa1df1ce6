"""Means of the rates at sampled points, and the covariance that their noise leaves in the state."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations.gaussian.covariance import covariance_matrices
from ctrnn_theory.activations.gaussian.hermite_series import hermite_table
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.noisy_activation import NoisyActivation
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

FINE = 16
"""Points of a table of variances in a standard deviation of the noise: the error of its spline is below 1e-6."""
CHUNK = 2**22
"""Numbers in the covariance matrices that are held at once, 32 megabytes."""
LAST = 1e-12
"""Weight (1-γ)^k of a lag k beyond which coloured noise has no effect."""


class Moments(NamedTuple):
    """The rates y of N neurons at M points, where a state h' = (1-γ) h + γ y follows them at a fixed point."""

    mean: FloatArray
    """Mean of the rates, and of the state, (M, N)."""
    covariance: FloatArray
    """Stationary covariance of the state at a point, averaged over points, (N, N)."""


def leak_factor(gamma: float, rho: ArrayLike = 0.0) -> FloatArray:
    """Return the variance that the leak leaves of noise of unit variance whose correlation at lag k is ρᵏ.

    The state sums the noise with weights γ (1-γ)ᵏ, so that the factor is::

        γ² Σⱼₖ (1-γ)^(j+k) ρ^|j-k| = γ/(2-γ) · (1 + (1-γ) ρ)/(1 - (1-γ) ρ)

    Examples
    --------
    >>> leak_factor(0.1, [0.0, 0.5, 1.0]).round(4)
    array([0.0526, 0.1388, 1.    ])
    """
    kept = (1.0 - gamma) * np.asarray(rho, dtype=np.float64)
    factor: FloatArray = gamma / (2.0 - gamma) * (1.0 + kept) / (1.0 - kept)
    return factor


def moments(f: Activation, a: FloatArray, noise: Noise, gamma: float) -> Moments:
    """Return the moments of the rates at pre-activations a (M, N) under any noise that has moments.

    With F and C the mean and the covariance of f(a (1 + g ξ) + σ ξ'), R that of the factors that multiply outside and Σ
    that of the additive noise outside, a step of white noise has the covariance C + R ∘ (C + F Fᵀ) + Σ, of which the
    leak leaves γ/(2-γ). Coloured noise has the factors of :func:`leak_factor`: outside its own, and inside those of the
    Hermite series of f, whose order n has the correlation ρⁿ.

    Raises
    ------
    NotApplicable
        If coloured noise inside is shared by neurons, or comes with multiplicative noise inside.
    ValueError
        If f is not finite where the noise takes it.
    """
    n = a.shape[1]
    noise.check(n)
    c = float(leak_factor(gamma))
    S, G = noise.covariance("inside", n), noise.gain_covariance("inside", n)
    mean = NoisyActivation(f, np.sqrt(np.diag(S)), np.sqrt(np.diag(G))).value(a)
    coloured = bool(noise.coloured("inside", n)[1].size)
    private = not any(np.any(matrix - np.diag(np.diag(matrix))) for matrix in (S, G))
    if coloured and (not private or np.any(G)):
        reason = (
            "coloured noise inside that neurons share" if not private else "coloured with multiplicative noise inside"
        )
        raise NotApplicable(f"decoders are not solved under {reason}, of which no leak factor is known")
    if private:
        C = np.diag(_own(f, a, noise, gamma, None))
        left = np.diag(_own(f, a, noise, gamma, _lagged(noise, n, gamma))) if coloured else c * C
    else:
        C = _shared(f, a, S, G)
        left = c * C
    if np.any(R := noise.gain_covariance("outside", n)):
        left = left + c * R * (C + mean.T @ mean / len(a))
    if np.any(noise.outside):
        L = noise.factor("outside", n)
        left = left + (L * leak_factor(gamma, noise.rho("outside", n))) @ L.T
    return Moments(mean, left)


def _shared(f: Activation, a: FloatArray, S: FloatArray, G: FloatArray) -> FloatArray:
    """Return the covariance (N, N) of f, averaged over points, under noise inside that neurons share."""
    size, total = max(1, CHUNK // S.size), np.zeros(S.shape)
    for first in range(0, len(a), size):
        part = a[first : first + size]
        total += covariance_matrices(f, part, S + G * part[:, :, None] * part[:, None, :]).sum(axis=0)
    return total / len(a)


def _lagged(noise: Noise, n: int, gamma: float) -> FloatArray:
    """Return the correlation (N, lags) of each neuron's private noise inside at lags k = 0, 1, ..."""
    L, rho = noise.factor("inside", n), noise.rho("inside", n)
    lags = np.arange(1 + int(np.log(LAST) / np.log1p(-gamma)) if gamma < 1.0 else 1)
    variance = np.sum(L**2, axis=1, keepdims=True)
    return np.divide((L**2) @ rho[:, None] ** lags, variance, out=np.zeros((n, lags.size)), where=variance > 0.0)


def _own(f: Activation, a: FloatArray, noise: Noise, gamma: float, lagged: FloatArray | None) -> FloatArray:
    """Return the variance (N,) of f under private noise inside, averaged over points.

    With `lagged`, it is what the leak leaves of that. Neurons with the same noise are computed together.
    """
    n = a.shape[1]
    s, g = noise.std("inside", n), np.sqrt(np.diag(noise.gain_covariance("inside", n)))
    keys = np.column_stack([s, g] if lagged is None else [s, g, lagged])
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    found = np.zeros(n)
    for k, i in enumerate(first):
        members, std = np.flatnonzero(group.ravel() == k), float(s[i])
        at = a[:, members]
        if lagged is not None and std > 0.0:
            found[members] = _table(partial(_left, f, std, lagged[i], gamma), at, std)
        elif std > 0.0 or g[i] > 0.0:
            found[members] = _table(NoisyActivation(f, std, float(g[i])).variance, at, std)
    return found


def _table(function: Callable[[FloatArray], FloatArray], a: FloatArray, s: float) -> FloatArray:
    """Return the average (N,) over points of a smooth function at a (M, N), by a spline where that is faster."""
    low, high = a.min(), a.max()
    count = FINE * (high - low) / s + 4.0 if s > 0.0 else np.inf
    if not count < a.size / 4:
        values = function(a.ravel()).reshape(a.shape)
    else:
        x = np.linspace(low, high, int(count))
        values = CubicSpline(x, function(x))(a)
    mean: FloatArray = values.mean(axis=0)
    return mean


def _left(f: Activation, s: float, correlation: FloatArray, gamma: float, a: FloatArray) -> FloatArray:
    """Return what the leak leaves of the variance of f at points a (M,) under noise of given correlations (lags,)."""
    energies = hermite_table(f, a, np.full(a.size, s), float(correlation[1:].max(initial=0.0))).coefficients ** 2
    orders = np.arange(1, len(energies) + 2)[:, None]
    weights = (1.0 - gamma) ** np.arange(correlation.size) * np.where(np.arange(correlation.size), 2.0, 1.0)
    factors = leak_factor(gamma) * (correlation**orders @ weights)
    beyond = np.maximum(f.smoothed_variance(a, s) - energies.sum(axis=0), 0.0)
    left: FloatArray = factors[:-1] @ energies + factors[-1] * beyond
    return left
