"""One step of the Gaussian closure, and the jump from a state of it to the fixed point that it flows to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations.bivariate import covariance_matrices, covariance_matrix
from ctrnn_theory.network import CTRNN, Noise
from ctrnn_theory.stationary.flow import jacobian, spectral_radius
from ctrnn_theory.stationary.law import FloatArray
from ctrnn_theory.stationary.linear import linear_covariance

NEWTON_STEPS = 60
NEAR = 0.1  # what the jump may neglect, as a part of what it keeps
ROUNDING = 1e-9  # a residual that stops falling below this is limited by the accuracy of the moments


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and covariance of a Gaussian state."""

    mean: FloatArray
    """Mean (N,)."""
    covariance: FloatArray
    """Covariance (N, N), symmetric positive semi-definite."""


@dataclass(frozen=True, eq=False)
class Jump:
    """A fixed point of the closure."""

    state: Moments
    """Where."""
    residual: float
    """Relative length of Newton's last step."""
    steps: int
    """Newton's steps taken."""


@dataclass(frozen=True, eq=False)
class Response:
    """What the activation makes of a Gaussian state: the moments of f(x), x ~ N(a, S)."""

    a: FloatArray
    """Mean pre-activation W m + W_in u + b (N,)."""
    s: FloatArray
    """Its standard deviation, √diag S, S = Σ_in + W V Wᵀ (N,)."""
    value: FloatArray
    """F(a; s) (N,)."""
    slope: FloatArray
    """D = F'(a; s) (N,)."""
    covariance: FloatArray
    """C = Cov f(x) (N, N)."""


def distance(old: Moments, new: Moments) -> float:
    """Relative distance of two states: of the means, and of the covariances."""
    std = np.sqrt(np.max(np.diag(new.covariance)))
    scale = np.max(np.abs(new.mean)) + std
    mean = np.max(np.abs(new.mean - old.mean)) / scale if scale > 0.0 else 0.0
    covariance = np.max(np.abs(new.covariance - old.covariance)) / std**2 if std > 0.0 else 0.0
    return float(mean + covariance)


def semidefinite(V: FloatArray) -> FloatArray:
    """V made symmetric, with the eigenvalues that rounding left below zero set to zero."""
    V = 0.5 * (V + V.T)
    values, vectors = np.linalg.eigh(V)
    if values[0] >= 0.0:
        return V
    V = (vectors * np.maximum(values, 0.0)) @ vectors.T
    symmetric: FloatArray = 0.5 * (V + V.T)
    return symmetric


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

    Leading axes of W, inside, outside and V (..., N, N), and of drive and mean (..., N), broadcast.
    """
    WV = W @ V
    S = inside + WV @ np.swapaxes(W, -1, -2)
    a = (W @ mean[..., None])[..., 0] + drive
    batch, n = np.broadcast_shapes(a.shape[:-1], S.shape[:-2]), a.shape[-1]
    a, S = np.broadcast_to(a, (*batch, n)), np.broadcast_to(S, (*batch, n, n))
    variance = np.maximum(np.diagonal(S, axis1=-2, axis2=-1), 0.0)
    S = np.where(np.eye(n, dtype=bool), variance[..., None], S)
    s = np.sqrt(variance)
    cross = np.swapaxes(WV, -1, -2) * f.smoothed(a, s, 1)[..., None, :]  # Cov(h, f(x)), Stein's identity
    new = (1.0 - gamma) ** 2 * V + gamma * (1.0 - gamma) * (cross + np.swapaxes(cross, -1, -2))
    return (1.0 - gamma) * mean + gamma * f.smoothed(a, s), new + gamma**2 * (covariance_matrices(f, a, S) + outside)


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

    def response(self, state: Moments) -> Response:
        """Exact moments of f at a Gaussian state."""
        a, S = self.preactivation(state)
        s = np.sqrt(np.diag(S))
        return Response(a, s, self.f.smoothed(a, s), self.f.smoothed(a, s, 1), covariance_matrix(self.f, a, S))

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

    def settled_covariance(self, state: Moments, at: Response) -> FloatArray | None:
        """Solve V = A V Aᵀ + γ² Q with Q = C - D W V₀ Wᵀ D + Σ_out at the present V₀; None if A is not stable.

        Q is positive semi-definite, since C - D S D is: the rest of the Hermite series after its first term.
        """
        DW = at.slope[:, None] * self.W
        Q = at.covariance - DW @ state.covariance @ DW.T + self.outside
        V = linear_covariance(self.W, at.slope, self.gamma, Q)
        return None if V is None else semidefinite(V)

    def jump(self, start: Moments, tolerance: float) -> Jump | None:
        """Jump to the fixed point by Newton's method; None if that is not surely where the map goes from `start`.

        The mean takes Newton steps, the covariance solves its linear response. Taken are only jumps whose second step
        is much shorter than the first, and along whose path the map is nearly linear (`leads_to`).
        """
        V = self.settled_covariance(start, self.response(start))
        if V is None:
            return None
        state, first, last = Moments(start.mean, V), np.inf, np.inf
        for n in range(1, NEWTON_STEPS + 1):
            at = self.response(state)
            V = self.settled_covariance(state, at)
            if V is None:
                return None
            rough = at.s > 0.0
            bend = np.zeros_like(at.s)
            bend[rough] = self.f.smoothed(at.a[rough], at.s[rough], 2)  # ∂F/∂(s²) = F''/2
            widening = 0.5 * bend * np.einsum("ij,jk,ik->i", self.W, V - state.covariance, self.W)
            J = np.eye(at.s.size) - at.slope[:, None] * self.W  # regular, since A is stable
            move = np.linalg.solve(J, at.value - state.mean + widening)
            new = Moments(state.mean + move, V)
            residual, length = distance(state, new), float(np.max(np.abs(move)))
            first = length if n == 1 else first
            if not np.isfinite(residual) or (n == 2 and length > NEAR * first and residual > tolerance):
                return None
            state = new
            if residual <= tolerance or (residual <= ROUNDING and residual >= last):
                return Jump(state, residual, n) if self.leads_to(start, state) else None
            last = residual
        return None

    def leads_to(self, start: Moments, end: Moments) -> bool:
        """Whether the map, if it were linear, would go from `start` to `end` along a path on which it nearly is.

        Looked at are the points end + Aᵗ (start - end), t = 0, 1, 2, 3, 4, 6, 8, 12, ...; what F adds to its linear
        part there must be small beside that. So must be, in units of s, the shift of the fixed point that the
        covariance has still to bring about.
        """
        at = self.response(end)
        A = jacobian(self.W, at.slope, self.gamma)
        if spectral_radius(A) >= 1.0:
            return False
        now = np.sqrt(np.diag(self.preactivation(start)[1]))
        rate = at.slope[:, None] * self.W - np.eye(at.s.size)
        shift = np.linalg.solve(rate, self.f.smoothed(at.a, now) - at.value)
        if np.any(np.abs(self.W @ shift) > NEAR * at.s + ROUNDING * np.abs(at.a)):
            return False
        gap, power = start.mean - end.mean, A
        points = [gap, A @ gap]
        for _ in range(int(np.ceil(np.log2(8.0 / self.gamma)))):
            double = power @ power
            points += [double @ gap, double @ (power @ gap)]
            power = double
        path = np.array(points)
        linear = path @ rate.T
        speed = self.f.smoothed((end.mean + path) @ self.W.T + self.drive, at.s) - (end.mean + path)
        error = np.max(np.abs(speed - linear), axis=1)
        floor = ROUNDING * (np.max(np.abs(end.mean)) + np.max(at.s))
        return bool(np.all(error <= NEAR * np.max(np.abs(linear), axis=1) + floor))
