"""States with third cumulants, for a batch of networks, and what is done to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.stationary.closure.chords import Anderson
from ctrnn_theory.stationary.closure.gaussian_step import power
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.support.types import FloatArray

VANISHED = 1e-9  # size of a power of A whose square adds less than rounding


@dataclass(frozen=True, eq=False)
class Cumulants(Moments):
    """Mean, covariance and third cumulants of the states of B networks."""

    third: FloatArray
    """κ (B, N, N, N), symmetric: E δ_i δ_j δ_l."""

    @classmethod
    def gaussian(cls, state: Moments) -> Cumulants:
        """Make the cumulants of Gaussian states, of which the third are zero."""
        return cls(state.mean, state.covariance, np.zeros((*state.covariance.shape, state.mean.shape[-1])))

    @property
    def skewness(self) -> FloatArray:
        """Return κ_iii / V_ii^(3/2), (B, N); 0 where there is no variance."""
        own, cube = np.einsum("...iii->...i", self.third), np.einsum("...ii->...i", self.covariance) ** 1.5
        skewness: FloatArray = np.divide(own, cube, out=np.zeros_like(own), where=cube > 0.0)
        return skewness


def change(old: Cumulants, new: Cumulants) -> FloatArray:
    """Return the relative distance (B,) of states: of the means, the covariances and the third cumulants."""
    std = np.sqrt(np.max(np.diagonal(new.covariance, axis1=1, axis2=2), axis=1))
    scale = np.max(np.abs(new.mean), axis=1) + std
    distance = np.zeros(len(std))
    for a, b, size in (
        (old.mean, new.mean, scale),
        (old.covariance, new.covariance, power(std, 2)),
        (old.third, new.third, power(std, 3)),
    ):
        most = np.max(np.abs(b - a), axis=tuple(range(1, a.ndim)))
        distance += np.divide(most, size, out=np.zeros_like(most), where=size > 0.0)
    return distance


def mixed(mixing: Anderson, unit: Moments, old: Cumulants, new: Cumulants) -> Cumulants:
    """Return the state of one network that Anderson mixing makes of an old one and of where its step leads.

    Means, covariances and third cumulants are compared in powers of the largest deviation of the state `unit`.
    """
    n = old.mean.shape[1]
    std = float(np.sqrt(np.max(np.diagonal(unit.covariance, axis1=1, axis2=2))))

    def together(state: Cumulants) -> FloatArray:
        parts = state.mean / std, state.covariance / std**2, state.third / std**3
        return np.concatenate([part.ravel() for part in parts])

    x = together(old)
    x = mixing.next(x, together(new) - x)
    V = (x[n : n + n * n] * std**2).reshape(1, n, n)
    return Cumulants((x[:n] * std)[None], V, (x[n + n * n :] * std**3).reshape(1, n, n, n))


def transform_axes(A: FloatArray, cumulant: FloatArray) -> FloatArray:
    """Apply A (B, N, N) to each axis of cumulants, (B, N, N) or (B, N, N, N)."""
    axes = cumulant.ndim - 1
    At = np.swapaxes(A, 1, 2).reshape(len(A), *(1,) * (axes - 2), *A.shape[1:])
    for _ in range(axes):
        cumulant = np.moveaxis(cumulant @ At, -1, 1)
    return cumulant


def linear_response(A: FloatArray, after: FloatArray, before: FloatArray) -> FloatArray:
    """Solve X = A·X + (after - A·before), A on each axis and of spectral radius below 1, by doubling."""
    X = after - transform_axes(A, before)
    while np.max(np.abs(A)) > VANISHED:
        X = X + transform_axes(A, X)
        A = A @ A
    return X
