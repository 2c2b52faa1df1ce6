"""Covariances of f(α (1 + w) + β) between neurons that have more in common than α: noise w or β, or β with α.

Given w, the arguments are jointly normal, so that E f_i f_j is an average over w of what the formulas for normal inputs
give. If all w_i = g_i u are of one source, it is an integral over u, by panels. Otherwise it is an average over u_i and
u_j of correlation ρ, by Gauss–Hermite quadrature of Q nodes each: Σ_ab ω_a ω_b K(u_a, u_b) with Mehler's kernel
K = Σ_{k<Q} ρᵏ h_k(u_a) h_k(u_b), which is 1 at ρ = 0, and δ_ab/ω_a at ρ = 1.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.activations.gaussian.covariance import covariance_matrices
from ctrnn_theory.activations.group import members
from ctrnn_theory.numerics.gauss_legendre import gauss_legendre, nodes_between
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

if TYPE_CHECKING:
    from ctrnn_theory.activations.gaussian.multiplied import Argument

NODES = (16, 40)  # least and most nodes of each neuron
MOST = 3072  # neurons times nodes
EDGES = np.linspace(-9.6, 9.6, 17)  # of panels for one source, beyond which φ is below rounding
PANEL = gauss_legendre(10)  # nodes and weights of each
OWN_PANELS = (
    8  # neurons up to which each has panels where its argument meets a kink, and gains of which w = -1 has them
)
HALVINGS = 12  # by which they crowd there
SAME = 1e-12  # difference of a correlation from ±1 that is rounding


def common_covariances(f: Activation | ActivationGroup, x: Argument) -> FloatArray:
    """Return Cov(f_i, f_j) (B, N, N) off the diagonal.

    It is good to rounding for one source in few neurons, and for others where f, smoothed by Var(α + β), is smooth on
    the scale of the multiplicative noise. Where a kink is less smoothed than that, the error is up to 1e-3 of the
    variance of f.

    Raises
    ------
    NotApplicable
        If the network is too large.
    """
    n, means = x.mean.shape[1], []
    for k in range(len(x.mean)):
        gain = _source(x.gain[k])
        if gain is not None:
            means.append(_one_source(f, x, k, gain))
            continue
        nodes = min(MOST // n, NODES[1])
        if nodes < NODES[0]:
            raise NotApplicable(
                "multiplicative noise inside of several sources that neurons share, or beside coloured or correlated"
                f" noise, is for {MOST // NODES[0]} neurons at most; the network has {n}"
            )
        means.append(_one(f, x, k, nodes))
    return np.stack(means)


def _source(R: FloatArray) -> FloatArray | None:
    """Return g (N,) if R = g gᵀ, which may have either sign, or None."""
    first = int(np.argmax(np.diagonal(R)))
    g: FloatArray = R[first] / np.sqrt(R[first, first])
    return g if np.all(np.abs(R - np.outer(g, g)) <= SAME * R[first, first]) else None


def _one_source(f: Activation | ActivationGroup, x: Argument, k: int, gain: FloatArray) -> FloatArray:
    """Return the covariances (N, N) of one network under noise g u that is the same for all."""
    u, weight = _panels(f, x, k, gain)
    scale = 1.0 + gain * u[:, None]  # (Q, N)
    mean = scale * x.mean[k] + x.shift[k]
    cross = scale[:, :, None] * x.cross[k]
    S = scale[:, :, None] * scale[:, None] * x.own[k] + cross + np.swapaxes(cross, 1, 2) + x.added[k]
    d = np.arange(len(gain))
    S[:, d, d] = np.maximum(S[:, d, d], 0.0)
    F = f.smoothed(mean, np.sqrt(S[:, d, d]))
    F = F - weight @ F
    C = np.tensordot(weight, covariance_matrices(f, mean, S), 1) + (F.T * weight) @ F
    return np.asarray(C)


def _panels(f: Activation | ActivationGroup, x: Argument, k: int, gain: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights (Q,) for the source."""
    gains = np.unique(gain[gain != 0.0])
    places = (-1.0 / gains).tolist() if gains.size <= OWN_PANELS else []
    if len(gain) <= OWN_PANELS:
        for one, g, a, b in zip(members(f, len(gain)), gain, x.mean[k], x.shift[k], strict=True):
            with np.errstate(all="ignore"):
                places += ((np.array(one.breakpoints) - b - a) / (a * g)).tolist()
    offsets = 2.0 ** -np.arange(HALVINGS)
    crowd = [u + np.concatenate([-offsets, [0.0], offsets]) for u in places if abs(u) < EDGES[-1]]
    edges = np.unique(np.clip(np.concatenate([EDGES, *crowd]), EDGES[0], EDGES[-1]))
    u, half = nodes_between(edges[:-1], edges[1:], PANEL[0])
    weight = (half * PANEL[1] * np.exp(-0.5 * u * u)).ravel()
    return u.ravel(), weight / weight.sum()


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
