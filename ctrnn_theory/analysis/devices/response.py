"""The linear response of the Gaussian closure to the shapes of the activations, to second order.

The closure of a device, with ã = g (a - c), P = g g ∘ S, a = W m + W_in u + b, S = Σ_in + W V Wᵀ, is at rest where

    0 = s F(ã; q) + o - m                                             q = diag P
    0 = (1-γ) (V Wᵀ D + D W V) - (2-γ) V + γ (s s ∘ C(ã, P) + Σ_out)   D = s g F'(ã; q)

Along a direction θ of the parameters (s, g, c, o), the first and second derivatives of these equations are linear in
those of (m, V), with the same operator. The first derivatives are solved for in every direction. Independent parameters
of the standard deviations σ_k need the second ones only in the sum Σ σ_k² d²/dθ_k², for which one solution is enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.analysis.devices.derivatives import Derivatives
from ctrnn_theory.numerics.gmres import gmres
from ctrnn_theory.stationary.closure.strides import powers, total
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

ENTRIES = 1 << 20  # entries of the covariances that are solved for at once
TOLERANCE, DIMENSIONS, CYCLES = 1e-12, 24, 6  # of GMRES
SOLVED = 1e-8  # relative residual up to which a response counts as solved
MOST_DOUBLINGS = 60


class Along(NamedTuple):
    """First derivatives along K directions."""

    theta: FloatArray
    """Directions of s, g, c and o, (K, 4, N)."""
    mean: FloatArray
    """Derivatives of m, (K, N)."""
    covariance: FloatArray
    """Derivatives of V, (K, N, N)."""


@dataclass(frozen=True, eq=False)
class ClosureResponse:
    """The equations of the closure, expanded about its fixed point (m, V)."""

    W: FloatArray
    """Weights (N, N)."""
    gamma: float
    """Step over time constant."""
    a: FloatArray
    """Mean pre-activation (N,)."""
    S: FloatArray
    """Its covariance (N, N)."""
    C: FloatArray
    """Covariance of f (N, N)."""
    VW: FloatArray
    """V Wᵀ (N, N)."""
    at: Derivatives
    """What the averages of f are expanded by."""

    @classmethod
    def of(cls, f: Activation, W: FloatArray, gamma: float, a: FloatArray, S: FloatArray, V: FloatArray) -> Self:
        """Expand about a fixed point of covariance V, where the pre-activation has mean a and covariance S."""
        at = Derivatives.of(f, a, S)
        C = at.M[0, 0].copy()
        np.fill_diagonal(C, at.variance.value)
        return cls(W, gamma, a, S, C, V @ W.T, at)

    def first(self, x: Along) -> tuple[FloatArray, FloatArray]:
        """Return the first derivatives (K, N), (K, N, N) of the two equations."""
        s1, g1, _, o1 = np.moveaxis(x.theta, 1, 0)
        a, P, q = self._arguments(x)
        at = self.at
        F = s1 * at.mean.value + at.mean.first(a, q) + o1
        D = (s1 + g1) * at.slope.value + at.slope.first(a, q)
        C = _outer_sum(s1) * self.C + at.covariance_first(a, P)
        cross = (x.covariance @ self.W.T) * at.slope.value + self.VW * D[:, None, :]
        return F - x.mean, self._balance(cross, x.covariance, C)

    def second(self, x: Along) -> tuple[FloatArray, FloatArray]:
        """Return the second derivatives, less what is linear in the second derivatives of m and V."""
        s1, g1, c1, _ = np.moveaxis(x.theta, 1, 0)
        a1, P1, q1 = self._arguments(x)
        at, S1 = self.at, self.W @ x.covariance @ self.W.T
        a2 = 2.0 * g1 * (x.mean @ self.W.T - c1)
        P2 = 2.0 * g1[:, :, None] * g1[:, None, :] * self.S + 2.0 * _outer_sum(g1) * S1
        a, P, q = (a1, a2), (P1, P2), (q1, np.diagonal(P2, axis1=1, axis2=2))
        F = 2.0 * s1 * at.mean.first(a1, q1) + at.mean.second(a, q)
        slope = at.slope.first(a1, q1)
        D1 = (s1 + g1) * at.slope.value + slope
        D2 = 2.0 * s1 * g1 * at.slope.value + 2.0 * (s1 + g1) * slope + at.slope.second(a, q)
        C = 2.0 * s1[:, :, None] * s1[:, None, :] * self.C + at.covariance_second(a, P)
        C += 2.0 * _outer_sum(s1) * at.covariance_first(a1, P1)
        cross = 2.0 * (x.covariance @ self.W.T) * D1[:, None, :] + self.VW * D2[:, None, :]
        return F, self._balance(cross, np.zeros_like(C), C)

    def _arguments(self, x: Along) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the first derivatives of ã (K, N), P (K, N, N) and q (K, N)."""
        _, g1, c1, _ = np.moveaxis(x.theta, 1, 0)
        P = _outer_sum(g1) * self.S + self.W @ x.covariance @ self.W.T
        return g1 * self.a - c1 + x.mean @ self.W.T, P, np.diagonal(P, axis1=1, axis2=2)

    def _balance(self, cross: FloatArray, V: FloatArray, C: FloatArray) -> FloatArray:
        g = self.gamma
        return (1.0 - g) * (cross + np.swapaxes(cross, 1, 2)) - (2.0 - g) * V + g * C

    def solve(self, mean: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return (m, V) for which the derivatives of the equations cancel sources (K, N) and (K, N, N).

        The linear response A = 1 - γ + γ D W is inverted exactly, and GMRES makes up for what it leaves out.
        """
        n = mean.shape[1]
        loop, slope = self.at.slope.value[:, None] * self.W, self.at.mean
        inverse = np.linalg.inv(np.eye(n) - loop)
        squares = powers(((1.0 - self.gamma) * np.eye(n) + self.gamma * loop)[None], MOST_DOUBLINGS)
        none = np.zeros((1, 4, n))

        def joined(m: FloatArray, X: FloatArray) -> FloatArray:
            return np.concatenate([m, X.reshape(len(m), -1)], axis=1)

        def parted(x: FloatArray) -> tuple[FloatArray, FloatArray]:
            return x[:, :n], x[:, n:].reshape(-1, n, n)

        def apply(x: FloatArray) -> FloatArray:
            m, X = parted(x)
            return -joined(*self.first(Along(np.broadcast_to(none, (len(m), 4, n)), m, X)))

        def precondition(x: FloatArray) -> FloatArray:
            m, X = parted(x)
            level = np.full(len(m), len(squares))
            _, X = total(squares, level, np.zeros_like(m), self.gamma * X)
            spread = np.sum((self.W @ X) * self.W, axis=2)
            return joined((m + slope.q * spread) @ inverse.T, X)

        source = joined(mean, V)
        found = gmres(apply, source, TOLERANCE, DIMENSIONS, CYCLES, precondition)
        left = np.linalg.norm(source - apply(found), axis=1)
        if np.any(left > SOLVED * np.linalg.norm(source, axis=1)):
            raise NotApplicable("the linear response of the closure is not found: its equations are nearly singular")
        return parted(found)

    def along(self, theta: FloatArray) -> Along:
        """Return the first derivatives of (m, V) along directions (K, 4, N)."""
        n = len(self.a)
        still = Along(theta, np.zeros((len(theta), n)), np.zeros((len(theta), n, n)))
        mean, V = self.solve(*self.first(still))
        return still._replace(mean=mean, covariance=V)


@dataclass(frozen=True, eq=False)
class RestResponse:
    """The equation h = s f(g (W h + W_in u + b - c)) + o of the noise-free fixed point, expanded about it."""

    W: FloatArray
    """Weights (N, N)."""
    a: FloatArray
    """Pre-activation (N,)."""
    f: FloatArray
    """f and its first two derivatives there, (3, N)."""

    def along(self, theta: FloatArray) -> FloatArray:
        """Return the first derivatives of h (K, N) along directions (K, 4, N)."""
        s1, g1, c1, o1 = np.moveaxis(theta, 1, 0)
        return self.solve(s1 * self.f[0] + self.f[1] * (g1 * self.a - c1) + o1)

    def second(self, theta: FloatArray, h: FloatArray) -> FloatArray:
        """Return the second derivatives of the equation (K, N), less what is linear in those of h."""
        s1, g1, c1, _ = np.moveaxis(theta, 1, 0)
        moved = h @ self.W.T
        a1 = g1 * self.a - c1 + moved
        bent: FloatArray = 2.0 * s1 * self.f[1] * a1 + self.f[2] * a1**2 + self.f[1] * 2.0 * g1 * (moved - c1)
        return bent

    def solve(self, source: FloatArray) -> FloatArray:
        """Return (1 - D W)⁻¹ source, (K, N)."""
        solution: FloatArray = np.linalg.solve(np.eye(len(self.a)) - self.f[1][:, None] * self.W, source.T).T
        return solution


def directions(std: FloatArray, size: int) -> Iterator[FloatArray]:
    """Yield directions (K, 4, N) of one standard deviation (4, N) in each parameter that is spread.

    There are so many in each part that matrices of `size` entries for each of them are not too large together.
    """
    n = std.shape[1]
    spread = np.flatnonzero(std.ravel())
    step = max(1, ENTRIES // size)
    for first in range(0, spread.size, step):
        some = spread[first : first + step]
        theta = np.zeros((some.size, std.size))
        theta[np.arange(some.size), some] = std.ravel()[some]
        yield theta.reshape(-1, 4, n)


def _outer_sum(x: FloatArray) -> FloatArray:
    """Return x_i + x_j, (K, N, N)."""
    return x[:, :, None] + x[:, None, :]
