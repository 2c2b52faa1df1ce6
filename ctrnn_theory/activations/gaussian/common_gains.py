"""Covariances of f(α (1 + w) + β) between neurons that have more in common than α: noise w or β, or β with α.

Given w_i = g_i u_i and w_j = g_j u_j, the arguments are jointly normal, so that E f_i f_j is an average over (u_i, u_j)
of what the formulas for normal inputs give. With u_i and u_j of correlation ρ, and Q nodes of Gauss–Hermite quadrature
each, the average is Σ_ab ω_a ω_b K(u_a, u_b) with Mehler's kernel K = Σ_{k<Q} ρᵏ h_k(u_a) h_k(u_b). At ρ = 1 the kernel
is δ_ab/ω_a, so that the rule is Gauss's rule for noise in common, and at ρ = 0 it is 1.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.activations.gaussian.covariance import covariance_matrices
from ctrnn_theory.activations.group import members
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

if TYPE_CHECKING:
    from ctrnn_theory.activations.gaussian.multiplied import Argument

FEW, MANY = 40, 16  # nodes for few neurons and for many
FEWER = 16  # neurons up to which there are more nodes
MOST = 4096  # neurons times nodes


def common_covariances(f: Activation | ActivationGroup, x: Argument) -> FloatArray:
    """Return Cov(f_i, f_j) (B, N, N) off the diagonal.

    It is good to rounding where f, smoothed by Var(α + β), is smooth on the scale of the multiplicative noise. Where a
    kink is less smoothed than that, the error is some 1e-4 of the variance of f.

    Raises
    ------
    NotApplicable
        If the network is too large.
    """
    n = x.mean.shape[1]
    nodes = FEW if n <= FEWER else MANY
    if n * nodes > MOST:
        raise NotApplicable(
            "multiplicative noise inside that is common, or beside coloured or correlated noise, is for"
            f" {MOST // MANY} neurons at most; the network has {n}"
        )
    return np.stack([_one(f, x, k, nodes) for k in range(len(x.mean))])


def _one(f: Activation | ActivationGroup, x: Argument, k: int, nodes: int) -> FloatArray:
    """Return the covariances (N, N) of one network of the batch."""
    u, weight, hermite = _rule(nodes)
    n, gain = x.mean.shape[1], np.sqrt(np.diagonal(x.gain[k]))
    scale = 1.0 + gain[:, None] * u  # (N, Q)
    mean = (scale * x.mean[k][:, None] + x.shift[k][:, None]).ravel()
    one, other = scale[:, :, None, None], scale[None, None]
    cross = x.cross[k]
    S = one * other * x.own[k][:, None, :, None] + x.added[k][:, None, :, None]
    S = S + one * cross[:, None, :, None] + other * cross.T[:, None, :, None]
    d, S = np.arange(n), S.copy()
    own = np.maximum(np.einsum("iaia->ia", S), 0.0).ravel()
    S[d, :, d] = 0.0  # the diagonal is known already
    S = S.reshape(mean.size, mean.size)
    np.fill_diagonal(S, own)
    everyone = ActivationGroup(tuple(one for one in members(f, n) for _ in range(nodes)))
    many = f if isinstance(f, Activation) else everyone
    C = covariance_matrices(many, mean, S).reshape(n, nodes, n, nodes)
    F = many.smoothed(mean, np.sqrt(own)).reshape(n, nodes)
    rho = np.divide(x.gain[k], np.outer(gain, gain), out=np.zeros((n, n)), where=np.outer(gain, gain) > 0.0)
    orders = nodes if np.any(rho[~np.eye(n, dtype=bool)]) else 1
    spectrum = weight[:, None] * hermite[:, :orders]
    total, power = np.zeros((n, n)), np.ones((n, n))
    means = F @ spectrum
    half = C @ spectrum  # (N, Q, N, K)
    for order in range(orders):
        total += power * np.einsum("iaj,a->ij", half[..., order], spectrum[:, order])
        if order:
            total += power * np.outer(means[:, order], means[:, order])
        power = power * rho
    return total


@lru_cache
def _rule(nodes: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return nodes and weights (Q,) for a standard normal variate, and the orthonormal polynomials there (Q, Q)."""
    u, weight = np.polynomial.hermite_e.hermegauss(nodes)
    weight = weight / weight.sum()
    h = np.ones((nodes, nodes))
    h[:, 1] = u
    for k in range(1, nodes - 1):
        h[:, k + 1] = (u * h[:, k] - np.sqrt(k) * h[:, k - 1]) / np.sqrt(k + 1.0)
    return u, weight, h
