"""What the search for a fixed point needs of the map of a closure, for a batch of networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from ctrnn_theory.stationary.closure.lyapunov import proven_stable
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.support.types import BoolArray, FloatArray

MANY = 32  # components from which a few products of matrices are cheaper than eigenvalues
ARNOLDI = 200  # components from which Arnoldi's method finds the spectral radius in less time than LAPACK
KRYLOV = 60  # dimensions of its Krylov space
RITZ = 1e-12  # relative residual of the eigenvalue
MOST_RESTARTS = 40  # restarts of Arnoldi's method, after which all eigenvalues are no more work
ROUNDING = 1e-9  # relative residual below which the accuracy of the moments may limit it


@dataclass(frozen=True, eq=False)
class Rate:
    """Change of Gaussian states by the map, in a unit of τ: states of M components, arguments of N activations."""

    mean: FloatArray
    """(m' - m) / γ (B, M)."""
    covariance: FloatArray
    """(V' - V) / γ (B, M, M)."""
    a: FloatArray
    """Mean argument of f (B, N)."""
    s: FloatArray
    """Its standard deviation (B, N)."""
    slope: FloatArray
    """Mean slopes of f (B, ...), as :meth:`ClosureMap.loop` takes them."""

    @property
    def spread(self) -> FloatArray:
        """What the mean of f depends on beside the mean of the state (B, ...), as :meth:`ClosureMap.drift` takes it."""
        return self.s

    def __getitem__(self, which: Any) -> Self:
        """Return the rates of some networks."""
        return type(self)(*(getattr(self, field.name)[which] for field in fields(self)))

    def put(self, which: Any, other: Rate) -> None:
        """Overwrite the rates of some networks."""
        for field in fields(self):
            getattr(self, field.name)[which] = getattr(other, field.name)


class ClosureMap(ABC):
    """The map of a closure for B networks, h' = h + γ (rate), and its linear response A = 1 + γ (loop - 1)."""

    gamma: FloatArray
    """Unit of time of each network in steps (B,): Δt/τ."""
    read: FloatArray
    """Weights (B, N, M) from the components of the state to the arguments of f."""

    @property
    def multiplied(self) -> bool:
        """Whether there is multiplicative noise, by which a covariance may grow where the linear response is stable."""
        return False

    @abstractmethod
    def __getitem__(self, which: Any) -> Self:
        """Return the maps of some networks."""

    @abstractmethod
    def begin(self, state: Moments) -> Moments:
        """Return the states (B, M), (B, M, M) that have the neurons' mean (B, N) and covariance (B, N, N)."""

    @abstractmethod
    def driven_by(self, drive: FloatArray) -> Self:
        """Return the same map with another W_in u + b, (B, N)."""

    @abstractmethod
    def step(self, state: Moments) -> Moments:
        """Return mean and covariance after one step."""

    @abstractmethod
    def rate(self, state: Moments) -> Rate:
        """Return the change of the states; nothing cancels in it at small γ, as it would in V' - V."""

    @abstractmethod
    def spread(self, state: Moments) -> FloatArray:
        """Return what the mean of f depends on beside the mean of the states."""

    @abstractmethod
    def drift(self, mean: FloatArray, spread: FloatArray) -> FloatArray:
        """Return the change of means (B, M) in a unit of τ, at a given spread."""

    @abstractmethod
    def drift_slope(self, mean: FloatArray, spread: FloatArray) -> FloatArray:
        """Return the mean slopes of f there."""

    @abstractmethod
    def bend(self, rate: Rate) -> FloatArray:
        """Return half the mean curvature of f (B, N), by which a variance of the arguments moves its mean."""

    @abstractmethod
    def written(self, values: FloatArray) -> FloatArray:
        """Return what values of f (B, N) add to the rate of the mean, (B, M)."""

    @abstractmethod
    def loop(self, slope: FloatArray) -> FloatArray:
        """Return 1 + (A - 1)/γ (B, M, M) with A the linear response of the step."""

    @abstractmethod
    def put_in(self) -> FloatArray:
        """Return the size (B,) of inputs, noise and f at zero, which states that do not grow are compared with."""

    def slope(self, state: Moments) -> FloatArray:
        """Return the mean slopes of f at the states."""
        return self.drift_slope(state.mean, self.spread(state))

    def response(self, slope: FloatArray) -> FloatArray:
        """Return the linear response A (B, M, M)."""
        g, loop = self.gamma[:, None, None], self.loop(slope)
        return (1.0 - g) * np.eye(loop.shape[-1]) + g * loop

    def jacobian(self, slope: FloatArray) -> FloatArray:
        """Return (1 - A)/γ (B, M, M), less the derivative of the rate of the mean."""
        loop = self.loop(slope)
        return np.eye(loop.shape[-1]) - loop

    def stable(self, slope: FloatArray) -> BoolArray:
        """Return whether the linear response is stable, (B,); for large networks by a proof without eigenvalues."""
        if self.read.shape[-1] < MANY:
            return np.asarray(self.radius(slope) < 1.0)
        each = zip(self.loop(slope), self.gamma, strict=True)
        proven = np.array([proven_stable(B, float(g)) for B, g in each], dtype=bool)
        if not proven.all():
            proven[~proven] = self[~proven].radius(slope[~proven]) < 1.0
        return proven

    def reported_radius(self, slope: FloatArray) -> FloatArray:
        """Return the spectral radius (B,) of the linear response; of large networks by Arnoldi's method."""
        if self.read.shape[-1] < ARNOLDI:
            return self.radius(slope)
        return np.array([_largest_modulus(A) for A in self.response(slope)])

    def radius(self, slope: FloatArray) -> FloatArray:
        """Return the spectral radius (B,) of the linear response."""
        A = self.response(slope)
        radius: FloatArray = np.max(np.abs(np.linalg.eigvals(A)), axis=-1) if A.size else np.zeros(len(A))
        return radius


def _largest_modulus(A: FloatArray) -> float:
    """Return the largest |eigenvalue| of A (M, M) by ARPACK, or by LAPACK where that does not converge."""
    from scipy.sparse.linalg import ArpackError, eigs

    try:
        found = eigs(A, 1, ncv=KRYLOV, v0=np.ones(len(A)), maxiter=MOST_RESTARTS, tol=RITZ, return_eigenvectors=False)
    except ArpackError:
        found = np.linalg.eigvals(A)
    return float(np.max(np.abs(found)))
