"""An orbit by a Gaussian closure in each region: the regions are the hidden states of a Markov chain.

The law is a mixture of P Gaussian laws with the weights w_i, means m_i and covariances C_i, one for each region. In a
step each moves on by the Gaussian closure, to m_i' and C_i', and is then divided among the regions, by its outputs:

    w_j' = Σ_i w_i P(z' in region j),   z' ~ N(R m_i' + b_out, R C_i' Rᵀ)

The moments of region j are those of all that has come there. What lies outside the outputs follows them by regression.
Mean and covariance of the whole are conserved as it is divided. The step is repeated until the averages over some steps
stay, and

    K + m mᵀ = Σ_i w_i (m_i' m_iᵀ + A_i C_i).

Outputs one step apart have a mixture of P Gaussian laws, which gives transitions and emission. The closure is for
networks that dwell in regions, where a single Gaussian law is far from theirs. It knows nothing of the shape of the law
at a border.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.analysis.orbit.law import OrbitLaw
from ctrnn_theory.analysis.orbit.predicted import joint_outputs, pairs
from ctrnn_theory.analysis.orbit.regions import dwell_times, softmax, transition_matrix
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.numerics.normal_points import normal_points, root
from ctrnn_theory.stationary.closure.augmented_step import AugmentedClosure
from ctrnn_theory.stationary.closure.choice import closure_of
from ctrnn_theory.stationary.closure.gaussian_step import GaussianClosure
from ctrnn_theory.stationary.closure.moments import Moments, semidefinite
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.types import FloatArray

POINTS, FINAL = 12, 15
"""Binary logarithms of the number of quasi-random outputs by which a law is divided, and of those in its end."""
WINDOW, MOST = 32, 7
"""Time constants of the first window over which the mixture is averaged, each of the next is twice as long, and their
largest number."""
SAME = 2e-3
"""Change between windows, relative to the size of the law, below which it is settled; the points allow no less."""
BOUND = 1e12
"""Size of a state beyond which it is taken to grow without bound."""


class Mixture(NamedTuple):
    """Gaussian laws of P regions."""

    weight: FloatArray
    """w (P,), whose sum is one."""
    first: FloatArray
    """w_i m_i, (P, M)."""
    second: FloatArray
    """w_i (C_i + m_i m_iᵀ), (P, M, M)."""

    def laws(self) -> Moments:
        """Return m_i and C_i; those of a region without weight are zero."""
        w = np.where(self.weight > 0.0, self.weight, 1.0)
        mean = self.first / w[:, None]
        return Moments(mean, semidefinite(self.second / w[:, None, None] - mean[:, :, None] * mean[:, None, :]))

    def whole(self) -> tuple[FloatArray, FloatArray]:
        """Return mean (M,) and covariance (M, M) of the mixture."""
        mean = self.first.sum(axis=0)
        return mean, self.second.sum(axis=0) - np.outer(mean, mean)


def by_regional_closure(net: CTRNN, noise: Noise, u: ArrayLike | None, start: ArrayLike | None) -> OrbitLaw:
    """Return the law by the closure in each region, with no planes yet; the output must be linear in the state.

    Raises
    ------
    NotApplicable
        If the closure does not take the network and its noise.
    Divergence
        If it grows without bound.
    """
    closure, count = closure_of(net, noise, u), len(net.W_out)  # type: ignore[arg-type]
    state = closure.begin(Moments.point(net.start_state(start)[None]))
    closure, R = closure[[0] * count], np.zeros((count, state.mean.shape[-1]))
    R[:, : net.n] = net.W_out
    bias = np.zeros(count) if net.b_out is None else net.b_out
    w = np.full(count, 1.0 / count)
    alike = state.covariance[0] + np.outer(state.mean[0], state.mean[0])
    now = Mixture(w, np.outer(w, state.mean[0]), w[:, None, None] * alike)
    window = int(np.ceil(WINDOW / closure.gamma.min()))
    average, change = now, np.inf
    for _ in range(MOST):
        before, parts = average, []
        for _ in range(window):
            now = _step(closure, now, R, bias)
            parts.append(now)
        average = Mixture(*(np.mean(part, axis=0) for part in zip(*parts, strict=True)))
        change = _change(before, average)
        if change < SAME:
            break
        window *= 2
    message = "" if change < SAME else f"the regions do not settle (relative change {change:.1e} from window to window)"
    return _law(net.n, closure, average, R, bias, message)


def _step(closure: GaussianClosure | AugmentedClosure, now: Mixture, R: FloatArray, bias: FloatArray) -> Mixture:
    """Move each law on by a step of the closure, and divide it among the regions."""
    with np.errstate(all="ignore"):
        after = closure.step(now.laws())
    if not np.all(np.abs(after.covariance) < BOUND):  # also for NaN
        raise Divergence("W must keep the state bounded; the closure in each region grows without bound")
    count, points = len(R), normal_points(len(R), POINTS)
    weight, first, second = np.zeros(count), np.zeros_like(now.first), np.zeros_like(now.second)
    for w, mean, V in zip(now.weight, after.mean, after.covariance, strict=True):
        share, at, square = divided(mean, V, R, bias, points)
        weight += w * share
        first += w * at
        second += w * square
    return Mixture(weight, first, second)


def divided(
    mean: FloatArray, V: FloatArray, R: FloatArray, bias: FloatArray, points: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the share (P,) of a Gaussian law in each region, with first (P, M) and second moments (P, M, M) there.

    Moments are integrals over the region. With z = R g + b, a state is g = m + G (z - E z) + e, G = V Rᵀ (R V Rᵀ)⁺,
    where e does not depend on the output.
    """
    S = R @ V @ R.T
    G = V @ R.T @ np.linalg.pinv(S, hermitian=True)
    rest = V - G @ S @ G.T
    z = points @ root(S).T
    labels = np.argmax(z + (R @ mean + bias), axis=-1)
    count = len(R)
    share = np.bincount(labels, minlength=count) / len(z)
    moved = np.array([z[labels == i].sum(axis=0) for i in range(count)]) / len(z)
    spread = np.array([z[labels == i].T @ z[labels == i] for i in range(count)]) / len(z)
    turned = moved @ G.T
    first = share[:, None] * mean + turned
    mixed = turned[:, :, None] * mean
    second = share[:, None, None] * (rest + np.outer(mean, mean)) + G @ spread @ G.T + mixed + np.swapaxes(mixed, 1, 2)
    return share, first, second


def _change(before: Mixture, after: Mixture) -> float:
    """Return the largest change of weights, and of first and second moments relative to the standard deviation."""
    size = np.sqrt(np.max(np.diag(after.whole()[1])))
    parts = zip(before, after, (1.0, size, size**2), strict=True)
    return float(max(np.max(np.abs(a - b)) / s if s > 0.0 else 0.0 for a, b, s in parts))


def _law(
    n: int,
    closure: GaussianClosure | AugmentedClosure,
    mixture: Mixture,
    R: FloatArray,
    bias: FloatArray,
    message: str,
) -> OrbitLaw:
    """Return the law of neurons and outputs that a mixture stands for."""
    laws, (mean, V) = mixture.laws(), mixture.whole()
    after, A = closure.step(laws), closure.response(closure.slope(laws))
    cross = A @ laws.covariance
    w = mixture.weight
    K = np.einsum("p,pi,pj->ij", w, after.mean, laws.mean) + np.einsum("p,pij->ij", w, cross) - np.outer(mean, mean)
    count = len(R)
    moved, emitted = np.zeros((count, count)), np.zeros((count, count))
    for i in range(count):
        own, own_later = (R @ X @ R.T for X in (laws.covariance[i], after.covariance[i]))
        z, z_later = R @ laws.mean[i] + bias, R @ after.mean[i] + bias
        now, later = joint_outputs(z, own, z_later, own_later, R @ cross[i] @ R.T, FINAL)
        emitted += w[i] * np.einsum("si,sj->ij", softmax(now), softmax(later)) / len(now)
        moved += w[i] * pairs(now.argmax(axis=-1), later.argmax(axis=-1), count) / len(now)
    T = transition_matrix(moved)
    return OrbitLaw(
        "regional_closure",
        mean[:n],
        V[:n, :n],
        K[:n, :n],
        occupancy=moved.sum(axis=1),
        transitions=T,
        dwell=dwell_times(T),
        emission=transition_matrix(emitted),
        converged=not message,
        message=message,
    )
