"""One step of the closure at the third cumulant: mean, covariance and skewness of the state.

A law with third cumulants κ is taken as a Gaussian one with the first term of its Edgeworth series: for any g,

    E g(δ) = E_G g(δ) + Σ κ_ijl E_G ∂_i∂_j∂_l g(δ) / 6,    δ = h - m,

so that every expectation is one over a Gaussian state again. Derivatives of f are those of its smoothed form F.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations.gaussian.covariance import covariance_matrix
from ctrnn_theory.activations.gaussian.quadrature import Panels, integrate
from ctrnn_theory.dynamics.settle import jacobian, spectral_radius
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.gaussian_step import Closure, Moments, distance, semidefinite
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

MOST = 64  # neurons: there are N³ cumulants, and a step takes some N⁴ products
CLIPPED = 0.01  # part of the covariance that a negative eigenvalue may be: less than what a closure leaves out
VANISHED = 1e-9  # a power of A whose square adds less than rounding


@dataclass(frozen=True, eq=False)
class Cumulants(Moments):
    """Mean, covariance and third cumulants of a state."""

    third: FloatArray
    """κ (N, N, N), symmetric: E δ_i δ_j δ_l."""

    @property
    def skewness(self) -> FloatArray:
        """κ_iii / V_ii^(3/2), (N,); 0 where there is no variance."""
        own, spread = np.einsum("iii->i", self.third), np.diag(self.covariance) ** 1.5
        skewness: FloatArray = np.divide(own, spread, out=np.zeros_like(own), where=spread > 0.0)
        return skewness


@dataclass(frozen=True, eq=False)
class Kick:
    """Third cumulants that have f in them at a Gaussian pre-activation x, Z = f(x) - F."""

    slope: FloatArray
    """P_jk = E Z_k f'(x_j) (N, N)."""
    third: FloatArray
    """T = E Z_i Z_j Z_k (N, N, N)."""


class CumulantClosure(Closure):
    """The map of the third cumulants' closure for a network, its noise and an input; see :class:`Closure`."""

    def __init__(self, net: CTRNN, noise: Noise, u: ArrayLike | None) -> None:
        if net.n > MOST:
            raise NotApplicable(f"the third cumulants are for {MOST} neurons at most; the network has {net.n}")
        super().__init__(net, noise, u)

    def derivatives(self, state: Moments, orders: int) -> list[FloatArray]:
        """F and its derivatives below `orders`, (N,) each."""
        a, S = self.preactivation(state)
        s, rough = np.sqrt(np.diag(S)), np.diag(S) > 0.0
        found = [np.zeros_like(a) for _ in range(orders)]
        for n, values in enumerate(found):  # at s = 0 there is no law of x to speak of beyond its first two terms
            which = rough if n > 1 else slice(None)
            values[which] = self.f.smoothed(a[which], s[which], n)
        return found

    def step(self, state: Moments) -> Cumulants:
        """Mean, covariance and third cumulants after one step, to first order in those before; a Gaussian has none.

        ::

            m' = (1-γ) m + γ (F + F''' K/6)
            V' = (1-γ)² V + γ(1-γ) (X + Xᵀ) + γ² (C + Σ_out)
            κ' = (1-γ)³ κ + Σ [γ(1-γ)² E δ_i δ_j Z_k + γ²(1-γ) E δ_i Z_j Z_k] + γ³ E Z_i Z_j Z_k

        with X = Cov(δ, f(x)), C = Cov f(x), Z = f(x) - E f(x), K_k the third cumulant of x_k, and the sum over the
        places that δ can take. Terms in γ take all that κ adds to first order; those in γ² and γ³, where it matters
        less, what it adds through F' and F'' alone.
        """
        g, W = self.gamma, self.W
        k = state.third if isinstance(state, Cumulants) else np.zeros(W.shape + W.shape[:1])
        a, S = self.preactivation(state)
        F = self.derivatives(state, 6)
        once = k @ W.T  # Σ κ_ijl W_kl: δ, δ, x
        twice = np.einsum("ilm,kl->ikm", once, W)  # δ, x, x
        all_x = np.einsum("ikm,li->lkm", twice, W)
        own, K = np.einsum("ikk->ik", twice), np.einsum("kkk->k", all_x)
        B = state.covariance @ W.T
        X = B * (F[1] + F[4] * K / 6.0) + 0.5 * own * F[2]
        bend = 0.5 * F[2][:, None] * np.einsum("kkl->kl", all_x) * F[1]
        C = covariance_matrix(self.f, a, S) + bend + bend.T
        V = (1.0 - g) ** 2 * state.covariance + g * (1.0 - g) * (X + X.T) + g**2 * (C + self.outside)
        BB, mixed = B[:, None, :] * B[None, :, :], own[:, None, :] * B[None, :, :]
        Y = F[1] * once + F[2] * BB + 0.5 * F[3] * (mixed + mixed.transpose(1, 0, 2)) + F[5] * K / 6.0 * BB
        kick = self.kick(a, S, F)
        BP = B[:, :, None] * kick.slope
        U = BP + BP.transpose(0, 2, 1) + F[1][:, None] * F[1] * twice
        third = (1.0 - g) ** 3 * k + g * (1.0 - g) ** 2 * (Y + Y.transpose(0, 2, 1) + Y.transpose(2, 1, 0))
        third += g**2 * (1.0 - g) * (U + U.transpose(1, 0, 2) + U.transpose(2, 1, 0))
        third += g**3 * (kick.third + F[1][:, None, None] * F[1][:, None] * F[1] * all_x)
        mean = (1.0 - g) * state.mean + g * (F[0] + F[3] * K / 6.0)
        return Cumulants(mean, semidefinite(V), third)

    def kick(self, a: FloatArray, S: FloatArray, F: list[FloatArray]) -> Kick:
        """Third cumulants with f in them: of one neuron exact, of several to second order in their correlations."""
        s, one, two, d = np.sqrt(np.diag(S)), F[1], F[2], np.arange(len(S))
        own = np.zeros((3, len(S)))
        own[:, s > 0.0] = own_cumulants(self.f, a[s > 0.0], s[s > 0.0])
        slope = two[:, None] * S * one + 0.5 * F[3][:, None] * S**2 * two
        slope[d, d] = own[0]
        tree = np.einsum("i,j,k,ik,jk->ijk", one, one, two, S, S)
        third = tree + tree.transpose(0, 2, 1) + tree.transpose(2, 1, 0)
        pair = 2.0 * own[0][:, None] * S * one + 0.5 * own[1][:, None] * S**2 * two  # E Z_i² Z_k
        third[d, d], third[d, :, d], third[:, d, d] = pair, pair, pair.T
        third[d, d, d] = own[2]
        return Kick(slope, third)

    def relax(self, state: Cumulants) -> Cumulants | None:
        """Where the map would go if its linear response stayed as it is; None if that is unstable, or V not positive.

        V and κ solve V = A V Aᵀ + (V' - A V₀ Aᵀ) and the same with three A, and the mean a Newton step at them.
        """
        W, after = self.W, self.step(state)
        F = self.derivatives(state, 4)
        A = jacobian(W, F[1], self.gamma)
        if spectral_radius(A) >= 1.0:
            return None
        V = linear_response(A, after.covariance, state.covariance)
        if np.linalg.eigvalsh(V)[0] < -CLIPPED * np.max(np.abs(V)):
            return None
        third = linear_response(A, after.third, state.third)
        widening = 0.5 * F[2] * np.einsum("ij,jk,ik->i", W, V - state.covariance, W)
        skewing = F[3] / 6.0 * np.einsum("kkk->k", spread(W, third - state.third))
        speed = (after.mean - state.mean) / self.gamma + widening + skewing
        V = semidefinite(V)  # and symmetric: the rounding in what is not would grow from iteration to iteration
        return Cumulants(state.mean + np.linalg.solve(np.eye(len(W)) - F[1][:, None] * W, speed), V, third)


def change(old: Cumulants, new: Cumulants) -> float:
    """Relative distance of two states: of the means, the covariances and the third cumulants."""
    std = np.sqrt(np.max(np.diag(new.covariance)))
    third = np.max(np.abs(new.third - old.third)) / std**3 if std > 0.0 else 0.0
    return distance(old, new) + float(third)


def mix(old: Cumulants, new: Cumulants, weight: float) -> Cumulants:
    """Go a part of the way from one state to another."""
    mean, V, third = (
        getattr(old, name) + weight * (getattr(new, name) - getattr(old, name))
        for name in ("mean", "covariance", "third")
    )
    return Cumulants(mean, V, third)


def spread(A: FloatArray, cumulant: FloatArray) -> FloatArray:
    """Apply A (N, N) to each axis of a cumulant, (N, N) or (N, N, N)."""
    for _ in range(cumulant.ndim):
        cumulant = np.moveaxis(cumulant @ A.T, -1, 0)
    return cumulant


def linear_response(A: FloatArray, after: FloatArray, before: FloatArray) -> FloatArray:
    """Solve X = A·X + (after - A·before), A on each axis, its spectral radius below 1, by doubling."""
    X = after - spread(A, before)
    while np.max(np.abs(A)) > VANISHED:
        X = X + spread(A, X)
        A = A @ A
    return X


def own_cumulants(f: Activation, a: FloatArray, s: FloatArray) -> FloatArray:
    """E Z f', E (Z²)'' and E Z³ for Z = f - F at x ~ N(a, s²), s > 0, (3, N).

    By Stein's identity the first two are E ξ Z² / (2s) and E (ξ² - 1) Z² / s², which need no derivative of f.
    """

    def centred(panels: Panels, values: FloatArray, a: FloatArray, s: FloatArray) -> FloatArray:
        return np.asarray(values - np.asarray(f.smoothed(a, s))[panels.row, None])

    slope = integrate(f, 0, a, s, lambda p, v, a, s: p.weight * p.xi * centred(p, v, a, s) ** 2)
    bend = integrate(f, 0, a, s, lambda p, v, a, s: p.weight * (p.xi**2 - 1.0) * centred(p, v, a, s) ** 2)
    third = integrate(f, 0, a, s, lambda p, v, a, s: p.weight * centred(p, v, a, s) ** 3)
    return np.stack([slope / (2.0 * s), bend / s**2, third])
