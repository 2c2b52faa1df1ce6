"""One step of the closure at the third cumulant, for a batch of networks: mean, covariance and skewness of the state.

A law with third cumulants κ is taken as a Gaussian one with the first term of its Edgeworth series: for any g,

    E g(δ) = E_G g(δ) + Σ κ_ijl E_G ∂_i∂_j∂_l g(δ) / 6,    δ = h - m,

so that every expectation is one over a Gaussian state again. Derivatives of f are those of its smoothed form F.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.activations.gaussian.covariance import covariance_matrices
from ctrnn_theory.activations.gaussian.multiplied import Argument, gained_moments
from ctrnn_theory.model.kinds import require
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.stationary.closure.cumulants import Cumulants, linear_response, transform_axes
from ctrnn_theory.stationary.closure.gaussian_step import GaussianClosure
from ctrnn_theory.stationary.closure.moments import Moments, semidefinite
from ctrnn_theory.stationary.closure.multiplied_arguments import derivatives, inputs_of, own_moments
from ctrnn_theory.stationary.closure.multipliers import Multipliers
from ctrnn_theory.stationary.closure.own_cumulants import own_cumulants
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

MOST = 64  # neurons: there are N³ cumulants, and a step takes some N⁴ products
CLIPPED = 0.01  # part of the covariance that a negative eigenvalue may be: less than what a closure leaves out


@dataclass(frozen=True, eq=False)
class Kick:
    """Third cumulants that have f in them at a Gaussian pre-activation x, with Z = f(x) - F."""

    slope: FloatArray
    """P_jk = E Z_k f'(x_j) (B, N, N)."""
    third: FloatArray
    """T = E Z_i Z_j Z_k (B, N, N, N)."""


@dataclass(frozen=True, eq=False)
class CumulantClosure(GaussianClosure):
    """The map of the closure at the third cumulant for B networks in rate form; see :class:`GaussianClosure`.

    γ may be (B, N), and the activation a group.
    """

    f: Activation | ActivationGroup  # type: ignore[assignment]  # of what the base class calls, a group has all
    """Activation, or the activations of N neurons."""
    multipliers: Multipliers | None = None
    """What multiplies the values of f."""
    gain_inside: FloatArray | None = None
    """Variances of what multiplies the arguments of f, as a diagonal (B, N, N)."""

    def __post_init__(self) -> None:
        """Raise NotApplicable for networks that are too large."""
        if self.W.shape[-1] > MOST:
            raise NotApplicable(
                f"the third cumulants are for {MOST} neurons at most; the network has {self.W.shape[-1]}"
            )

    @classmethod
    def of(cls, net: CTRNN, noise: Noise, u: ArrayLike | None = None) -> Self:
        """Make the batch of one network in rate form with its noise and a constant input."""
        require("cumulant_closure", net, noise, "gammas", "activations", "gain_inside", "gain_outside")
        inside, outside = (noise.covariance(site, net.n) for site in SITES)
        arrays = (np.asarray(array)[None] for array in (net.W, net.gamma, net.drive(u), inside, outside))
        R, gain = noise.gain_covariance("outside", net.n), noise.gain_covariance("inside", net.n)
        if gain.any() and any(np.any(np.diag(np.diag(X)) != X) for X in (gain, inside)):
            raise NotApplicable(
                "third cumulants under multiplicative noise inside are for noise inside that is private"
            )
        multipliers = Multipliers.of(noise, net.n) if R.any() else None
        inner = gain[None] if gain.any() else None
        W, gamma, drive, inside, outside = arrays
        return cls(net.activation, W, gamma, drive, inside, outside, multipliers, inner)

    def __getitem__(self, which: Any) -> Self:
        """Return the maps of some networks."""
        W, gamma, drive, inside, outside = (
            x[which] for x in (self.W, self.gamma, self.drive, self.inside, self.outside)
        )
        multipliers = None if self.multipliers is None else self.multipliers[which]
        gain = None if self.gain_inside is None else self.gain_inside[which]
        return type(self)(self.f, W, gamma, drive, inside, outside, multipliers, gain)

    @property
    def gammas(self) -> FloatArray:
        """γ of each neuron (B, N), or of all of them (B, 1)."""
        return self.gamma if self.gamma.ndim > 1 else self.gamma[:, None]

    def response(self, slope: FloatArray) -> FloatArray:
        """Return the linear response A (B, N, N)."""
        g, loop = self.gammas[..., None], self.loop(slope)
        return (1.0 - g) * np.eye(loop.shape[-1]) + g * loop

    def argument(self, state: Moments, gain: FloatArray) -> Argument:
        """Return the law of the arguments of f, and of the noise of these variances that multiplies them."""
        a, S = self.preactivation(state)
        zero = np.zeros_like(S)
        return Argument(a, np.zeros_like(a), S - self.inside, zero, self.inside, gain)

    def derivatives(self, state: Moments, orders: int) -> list[FloatArray]:
        """Return F and its derivatives below `orders`, (B, N) each."""
        a, S = self.preactivation(state)
        if self.gain_inside is not None:
            inputs = inputs_of(self.f, self.argument(state, self.gain_inside))
            return [one.reshape(a.shape) for one in derivatives(inputs, orders)]
        s = np.sqrt(np.diagonal(S, axis1=1, axis2=2))
        found = [self.f.smoothed(a, s, n) for n in range(min(orders, 2))]
        width = np.where(s > 0.0, s, 1.0)  # at s = 0 the law of x has no more than its first two terms
        return found + [np.where(s > 0.0, self.f.smoothed(a, width, n), 0.0) for n in range(2, orders)]

    def moments(self, state: Moments) -> tuple[FloatArray, FloatArray]:
        """Return Cov f (B, N, N), and the third cumulants of each neuron's own, (3, B, N), see `own_cumulants`."""
        a, S = self.preactivation(state)
        if self.gain_inside is not None:
            x = self.argument(state, self.gain_inside)
            return gained_moments(self.f, x).covariance, own_moments(inputs_of(self.f, x)).reshape(3, *a.shape)
        s = np.sqrt(np.diagonal(S, axis1=1, axis2=2))
        own = np.zeros((3, *s.shape))
        for f, at in _parts(self.f, s.shape[-1]):
            where = np.zeros(s.shape, dtype=bool)
            where[:, at] = s[:, at] > 0.0
            own[:, where] = own_cumulants(f, a[where], s[where])
        return covariance_matrices(self.f, a, S), own

    def step(self, state: Moments) -> Cumulants:
        """Return mean, covariance and third cumulants after one step, to first order in the third ones before.

        ::

            m' = (1-γ) m + γ (F + F''' K/6)
            V' = (1-γ)² V + γ(1-γ) (X + Xᵀ) + γ² (C + Σ_out)
            κ' = (1-γ)³ κ + Σ [γ(1-γ)² E δ_i δ_j Z_k + γ²(1-γ) E δ_i Z_j Z_k] + γ³ E Z_i Z_j Z_k

        with X = Cov(δ, f(x)), C = Cov f(x), Z = f(x) - E f(x), K_k the third cumulant of x_k, and the sum over the
        places that δ can take. Terms in γ take all that κ adds to first order; those in γ² and γ³, where it matters
        less, what it adds through F' and F'' alone. Noise that multiplies f makes Y of Z, see :class:`Multipliers`.
        States without third cumulants are taken as Gaussian.
        """
        k = state.third if isinstance(state, Cumulants) else Cumulants.gaussian(state).third
        g, F, W = self.gammas, self.derivatives(state, 6), self.W
        S, B = self.preactivation(state)[1], state.covariance @ np.swapaxes(W, 1, 2)
        mixed = _Mixed.of(k, W)
        own, K = np.einsum("bikk->bik", mixed.twice), np.einsum("bkkk->bk", mixed.thrice)
        X = B * (F[1] + F[4] * K / 6.0)[:, None] + 0.5 * own * F[2][:, None]
        bend = 0.5 * F[2][:, :, None] * np.einsum("bkkl->bkl", mixed.thrice) * F[1][:, None]
        C, own_third = self.moments(state)
        C = C + bend + np.swapaxes(bend, 1, 2)
        value = F[0] + F[3] * K / 6.0
        U, T = self._with_values(mixed, B, F, self.kick(S, F, own_third))
        if self.multipliers is not None:
            U, T = self.multipliers.mixed(U, X, value), self.multipliers.third(T, C, value)
            C = self.multipliers.covariance(C, value)
        keep, cross = 1.0 - g, (1.0 - g)[:, :, None] * X * g[:, None]
        V = _product(keep, keep) * state.covariance + cross + np.swapaxes(cross, 1, 2)
        V = V + _product(g, g) * (C + self.outside)
        third = _product(keep, keep, keep) * k + _product(g, g, g) * T
        Y, U = _product(keep, keep, g) * self._with_one(mixed, B, F), _product(keep, g, g) * U
        third = third + Y + Y.transpose(0, 1, 3, 2) + Y.transpose(0, 3, 2, 1)
        third = third + U + U.transpose(0, 2, 1, 3) + U.transpose(0, 3, 2, 1)
        return Cumulants(keep * state.mean + g * value, semidefinite(V), third)

    def _with_one(self, mixed: _Mixed, B: FloatArray, F: list[FloatArray]) -> FloatArray:
        """Return E δ_i δ_j Z_k (B, N, N, N), where B is Cov(δ, x)."""
        own, K = np.einsum("bikk->bik", mixed.twice), np.einsum("bkkk->bk", mixed.thrice)
        one, two, three, five = (x[:, None, None] for x in (F[1], F[2], F[3], F[5] * K / 6.0))
        BB, skew = B[:, :, None, :] * B[:, None, :, :], own[:, :, None, :] * B[:, None, :, :]
        return one * mixed.once + two * BB + 0.5 * three * (skew + skew.transpose(0, 2, 1, 3)) + five * BB

    def _with_values(
        self, mixed: _Mixed, B: FloatArray, F: list[FloatArray], kick: Kick
    ) -> tuple[FloatArray, FloatArray]:
        """Return E δ_i Z_j Z_k and E Z_i Z_j Z_k, (B, N, N, N)."""
        left, middle, right = F[1][:, :, None, None], F[1][:, None, :, None], F[1][:, None, None]
        BP = B[..., None] * kick.slope[:, None]
        U = BP + BP.transpose(0, 1, 3, 2) + middle * right * mixed.twice
        return U, kick.third + left * middle * right * mixed.thrice

    def kick(self, S: FloatArray, F: list[FloatArray], own: FloatArray) -> Kick:
        """Return the third cumulants with f: exact for one neuron, to second order in the correlations of several."""
        one, two, d = F[1], F[2], np.arange(S.shape[-1])
        slope = two[:, :, None] * S * one[:, None] + 0.5 * F[3][:, :, None] * S**2 * two[:, None]
        slope[:, d, d] = own[0]
        tree = np.einsum("bi,bj,bk,bik,bjk->bijk", one, one, two, S, S)
        third = tree + tree.transpose(0, 1, 3, 2) + tree.transpose(0, 3, 2, 1)
        pair = 2.0 * own[0][:, :, None] * S * one[:, None] + 0.5 * own[1][:, :, None] * S**2 * two[:, None]
        for i in d:
            third[:, i, i], third[:, i, :, i], third[:, :, i, i] = (pair[:, i],) * 3  # E Z_i² Z_k
            third[:, i, i, i] = own[2][:, i]
        return Kick(slope, third)

    def relax(self, state: Cumulants) -> tuple[Cumulants, BoolArray]:
        """Return where the map would go if its linear response stayed as it is, and whether that is a state, (B,).

        It is not one if the response is unstable, or if V is not positive. V and κ solve V = A V Aᵀ + (V' - A V₀ Aᵀ)
        and the same with three A, and the mean follows from a Newton step at them.
        """
        W, after = self.W, self.step(state)
        F = self.derivatives(state, 4)
        good = self.radius(F[1]) < 1.0
        A = np.where(good[:, None, None], self.response(F[1]), 0.0)
        V = linear_response(A, after.covariance, state.covariance)
        good &= ~(np.linalg.eigvalsh(V)[:, 0] < -CLIPPED * np.max(np.abs(V), axis=(1, 2)))
        third = linear_response(A, after.third, state.third)
        widening = 0.5 * F[2] * np.einsum("bij,bjk,bik->bi", W, V - state.covariance, W)
        skewing = F[3] / 6.0 * np.einsum("bkkk->bk", transform_axes(W, third - state.third))
        speed = (after.mean - state.mean) / self.gammas + widening + skewing
        V = semidefinite(V)  # a part that is not symmetric would grow from iteration to iteration
        J = np.where(good[:, None, None], np.eye(W.shape[-1]) - F[1][:, :, None] * W, np.eye(W.shape[-1]))
        return Cumulants(state.mean + np.linalg.solve(J, speed[..., None])[..., 0], V, third), good


@dataclass(frozen=True, eq=False)
class _Mixed:
    """The third cumulants of the state δ and of what it adds to the pre-activations, x = W δ."""

    once: FloatArray
    """Third cumulants of δ, δ and x, (B, N, N, N)."""
    twice: FloatArray
    """Third cumulants of δ, x and x, (B, N, N, N)."""
    thrice: FloatArray
    """Third cumulants of x, x and x, (B, N, N, N)."""

    @classmethod
    def of(cls, k: FloatArray, W: FloatArray) -> _Mixed:
        """Make them from the third cumulants of δ and the weights."""
        once = k @ np.swapaxes(W, 1, 2)[:, None]
        twice = np.einsum("bilm,bkl->bikm", once, W)
        return cls(once, twice, np.einsum("bikm,bli->blkm", twice, W))


def _product(*factors: FloatArray) -> FloatArray:
    """Return the products (B, N, ..., N) of factors (B, N), or of (B, 1) for all neurons."""
    total = factors[0]
    for factor in factors[1:]:
        total = total[..., None] * factor.reshape(len(factor), *(1,) * (total.ndim - 1), -1)
    return total


def _parts(f: Activation | ActivationGroup, n: int) -> Iterator[tuple[Activation, IntArray]]:
    """Yield each activation with the indices of its neurons, of which there are n."""
    if isinstance(f, Activation):
        yield f, np.arange(n)
    else:
        yield from f.parts()
