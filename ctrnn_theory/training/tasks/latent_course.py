"""The Gaussian closure in time of networks of low rank, W = E Dᵀ, in their latent variables and outputs alone.

With D̂ = [D, W_outᵀ] (N, Q) and X = D̂ᵀ h, whose first R components are the latent variables x, a step is

    X' = (1-γ) X + γ D̂ᵀ y,   y = f((E x + W_in u + b) ∘ (1 + g ξ) + σ_in ξ') ∘ (1 + r ξ'') + σ_out η

so that X is a Markov chain by itself. Its mean m and covariance Σ follow, for Gaussian X, from those of y,

    m' = (1-γ) m + γ D̂ᵀ F
    Σ' = (1-γ)² Σ + γ(1-γ) Sym[Σ_Xx Jᵀ] + γ² D̂ᵀ (C + diag r²(v + F²) + Σ_out) D̂,   J = D̂ᵀ diag(F') E
    C_ij = Σ_k F_i⁽ᵏ⁾ F_j⁽ᵏ⁾ (e_i·Σ_xx e_j)ᵏ / k!   (i ≠ j, Mehler's formula),   C_ii = v_i

where F_i(a_i), F_i⁽ᵏ⁾ and v_i are mean, mean derivatives and variance of f at the noisy pre-activation of neuron i,
whose mean is a_i = e_i·m_x + c_i and whose variance is o_i = e_i·Σ_xx e_i before the noise. This is the closure of
:mod:`ctrnn_theory.training.tasks.course` exactly, if all orders k are kept. What orders above K add to the variance of
D̂_qᵀ y is at most (Σ_i |D̂_iq| √t_i)², t_i = Var[F(a_i) | noise averaged] - Σ_{k≤K} (F_i⁽ᵏ⁾)² o_iᵏ / k!.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations.gaussian.input_moments import InputMoments, input_moments, multiplied_moments
from ctrnn_theory.dynamics.step import BOUND
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.model import Model
from ctrnn_theory.training.tasks.episode import Episode
from ctrnn_theory.training.tasks.latent_network import MOST_PRODUCTS, LatentNetwork, LatentNoise

SMALL = 1e-4
"""Bound on what is left out, relative to the variance that a step adds, up to which no further order is taken."""
ROWS = 8
"""Arrays of the size of all neurons, conditions and levels that a step holds at once."""


class LatentMoments(NamedTuple):
    """Moments of X = [x, W_out h] for B = S levels times C conditions."""

    mean: FloatArray
    """Mean (B, Q)."""
    covariance: FloatArray
    """Covariance (B, Q, Q)."""
    left_out: FloatArray
    """Bound on the variance that the step has left out, relative to what it has added, the largest of all (B,)."""


def latent_course(
    network: LatentNetwork,
    model: Model,
    episode: Episode,
    levels: FloatArray,
    orders: int | None = None,
    start: LatentMoments | None = None,
) -> Iterator[LatentMoments]:
    """Give the moments of latent variables and outputs W_out h, step by step, for each level and condition.

    They begin at zero, or at the `start` of all levels and conditions.

    The number of orders of Mehler's formula is the least by which the bound on what is left out is below 1e-4 of the
    variance that a step adds, or the largest for which there is room; or `orders` if it is given. With 0 only the
    diagonal of C is kept.
    """
    C, Q = episode.u.shape[1], network.decoders.shape[1]
    noise = LatentNoise.of(network, model.noise, levels).repeated(C)
    B = len(levels) * C
    state = LatentMoments(np.zeros((B, Q)), np.zeros((B, Q, Q)), np.zeros(B)) if start is None else start
    lost = np.zeros(len(state.mean), dtype=bool)
    yield state
    drive, at, likely = np.zeros(0), None, 2
    for t in range(episode.w.size):
        if t < len(episode.u):
            drive, at = np.tile(model.weights.b[0] + episode.u[t] @ model.weights.W_in[0].T, (len(levels), 1)), None
        with np.errstate(over="ignore", invalid="ignore"):
            if at is None or network.rank:  # else f has the same arguments as in the last step
                at = _response(network, noise, drive, state, orders, likely)
                likely = max(2, at.orders)
            state = _stepped(network, at, state)
        variance = np.diagonal(state.covariance, axis1=1, axis2=2)
        lost |= ~np.all((np.abs(state.mean) < BOUND) & (variance < BOUND**2), axis=1)
        state.mean[lost], state.covariance[lost] = BOUND, 0.0
        yield state


def latent_output_moments(
    network: LatentNetwork, model: Model, episode: Episode, levels: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return mean (T, L, C, P) and total variance (T, L, C) of the output, see `OpenLoop.output_moments`."""
    C, R, shape = episode.u.shape[1], network.rank, network.decoders.shape
    numbers = C * (ROWS * shape[0] + shape[1] * math.comb(R + 1, 2) * 2)
    size = max(1, MOST_PRODUCTS // numbers)
    if len(levels) > size:
        parts = [levels[first : first + size] for first in range(0, len(levels), size)]
        found = [latent_output_moments(network, model, episode, part) for part in parts]
        return np.concatenate([one[0] for one in found], axis=1), np.concatenate([one[1] for one in found], axis=1)
    means, variances = [], []
    for w, state in zip(episode.w, islice(latent_course(network, model, episode, levels), 1, None), strict=True):
        if w > 0.0:
            mean, variance = state.mean[:, R:], np.trace(state.covariance[:, R:, R:], axis1=1, axis2=2)
            variance = np.where(np.all(state.mean == BOUND, axis=1), np.inf, variance)
            means.append((mean + model.weights.b_out[0]).reshape(len(levels), C, -1))
            variances.append(variance.reshape(len(levels), C))
    return np.array(means), np.array(variances)


class _Response(NamedTuple):
    """What a step adds."""

    value: FloatArray
    """D̂ᵀ F (B, Q)."""
    slope: FloatArray
    """J (B, Q, R)."""
    covariance: FloatArray
    """D̂ᵀ (C + diag r²(v + F²) + Σ_out) D̂ (B, Q, Q)."""
    left_out: FloatArray
    """See `LatentMoments`."""
    orders: int
    """Orders of Mehler's formula that were used."""


def _response(
    network: LatentNetwork,
    noise: LatentNoise,
    drive: FloatArray,
    state: LatentMoments,
    orders: int | None,
    likely: int,
) -> _Response:
    """Return what a step from Gaussian states makes of the activations; `likely` orders will probably be enough."""
    E, D, R, (B, n) = network.factors.E, network.decoders, network.rank, drive.shape
    S = state.covariance[:, :R, :R]
    mean = drive + state.mean[:, :R] @ E.T
    own = np.maximum(np.sum((E @ S) * E, axis=2), 0.0) if R else np.zeros((B, n))
    most = network.orders if orders is None else min(orders, network.orders)
    first = min(network.orders, likely if orders is None else max(orders, 1))
    at, tail = _moments(network.f, noise, mean, own, first)
    Q = D.shape[1]

    def of_diagonal(values: FloatArray) -> FloatArray:
        return (values @ network.squares).reshape(B, Q, Q)

    added = of_diagonal(at.variance + noise.gain_outside * (at.variance + at.value**2)) + noise.outside
    scale = np.diagonal(added, axis1=1, axis2=2)
    left_out, used = np.zeros(B), 0
    slope = network.tensors(at.derivatives[0], 1) if R else np.zeros((B, Q, 0))
    for k in range(1, most + 1):
        used = k
        if k > first:
            at, tail = _moments(network.f, noise, mean, own, min(most, 2 * k))
            first = len(at.derivatives)
        moved = tensor = slope if k == 1 else network.tensors(at.derivatives[k - 1], k)
        for place in range(k):  # Σ on each index of the tensor
            moved = _transformed(moved, S, R, place)
        share = (at.derivatives[k - 1] ** 2) * own**k
        added = added + (tensor @ np.swapaxes(moved, 1, 2) - of_diagonal(share)) / math.factorial(k)
        bound = (np.sqrt(tail[k - 1]) @ np.abs(D)) ** 2
        ratio = np.divide(bound, scale, out=np.zeros_like(bound), where=bound > 0.0)
        left_out = np.max(ratio, axis=1)
        if orders is None and np.all(left_out <= SMALL):
            break
    return _Response(at.value @ D, slope, added, left_out, used)


def _transformed(tensor: FloatArray, S: FloatArray, R: int, place: int) -> FloatArray:
    """Return tensors (B, Q, Rᵏ) with S (B, R, R) applied to one of their indices."""
    B, Q, size = tensor.shape
    before = R**place
    parts = tensor.reshape(B, Q * before, R, size // (before * R))
    moved: FloatArray = (S[:, None] @ parts).reshape(B, Q, size)
    return moved


def _moments(
    f: Activation, noise: LatentNoise, mean: FloatArray, own: FloatArray, orders: int
) -> tuple[InputMoments, FloatArray]:
    """Return moments (B, N) of f, and bounds t (K, B, N) of what the latent variance adds beyond each order."""
    shape, variance = mean.shape, own + noise.inside**2
    if noise.gain_inside.any():
        at, latent = multiplied_moments(
            f, mean.ravel(), own.ravel(), noise.inside.ravel(), noise.gain_inside.ravel(), orders
        )
        share = np.ones(mean.size)
    else:
        at = input_moments(f, mean.ravel(), np.sqrt(variance).ravel(), orders)
        latent, share = at.variance, np.divide(own, variance, out=np.zeros(shape), where=variance > 0.0).ravel()
    # what order n adds is shareⁿ of what it is in Var f: all beyond k are at most shareᵏ⁺¹ of what is left there
    o, s2 = own.ravel(), np.divide(own.ravel(), share, out=np.zeros(mean.size), where=share > 0.0)
    tail, left, power, part = np.empty((orders, mean.size)), latent.copy(), np.ones(mean.size), share.copy()
    for k in range(1, orders + 1):
        power *= s2 / k
        part *= share
        left -= at.derivatives[k - 1] ** 2 * power
        tail[k - 1] = np.maximum(left, 0.0) * part
    tail[:, o == 0.0] = 0.0
    derivatives = at.derivatives.reshape(orders, *shape)
    moments = InputMoments(at.value.reshape(shape), at.variance.reshape(shape), derivatives)
    return moments, tail.reshape(orders, *shape)


def _stepped(network: LatentNetwork, at: _Response, state: LatentMoments) -> LatentMoments:
    """Return the moments after a step."""
    g, V = network.gamma, state.covariance
    cross = V[:, :, : network.rank] @ np.swapaxes(at.slope, 1, 2)
    new = (1.0 - g) ** 2 * V + g * (1.0 - g) * (cross + np.swapaxes(cross, 1, 2)) + g**2 * at.covariance
    mean = (1.0 - g) * state.mean + g * at.value
    return LatentMoments(mean, 0.5 * (new + np.swapaxes(new, 1, 2)), np.maximum(state.left_out, at.left_out))
