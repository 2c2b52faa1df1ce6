"""Mean and variance over devices by linear response, to second order in the spreads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ctrnn_theory.analysis.devices.chips import Chips, Laws
from ctrnn_theory.analysis.devices.response import ClosureResponse, RestResponse, directions
from ctrnn_theory.analysis.devices.result import Over, OverDevices
from ctrnn_theory.support.types import FloatArray

REACH = 3.0  # standard deviations over devices within which a kink of f matters
KINKS = (
    "without noise, {} of {} pre-activations are within {:g} standard deviations over devices of a kink of f, where the"
    " fixed point, and with it the bias, has no linear response"
)


class _Sums(NamedTuple):
    """First and second derivatives of one input's state, weighted by the variances of the parameters."""

    mean: FloatArray
    """First derivatives of E h, times a standard deviation each, (K, N)."""
    rest: FloatArray
    """The same of the noise-free fixed point."""
    variance: FloatArray
    """The same of tr W_out V W_outᵀ, (K,)."""
    second_mean: FloatArray
    """Sum of the second derivatives of E h times the variances, (N,)."""
    second_rest: FloatArray
    """The same of the noise-free fixed point."""
    second_variance: float
    """The same of tr W_out V W_outᵀ."""
    near: int
    """Number of neurons that devices take across a kink without noise."""


def linear_response(
    chips: Chips, laws: Laws, rest: Laws, u: FloatArray, y: FloatArray | None, std: FloatArray
) -> tuple[OverDevices, str]:
    """Return mean and variance over devices by linear response about the one nominal device in `chips`, and a remark.

    With θ_k independent, of standard deviation σ_k, a quantity X has the mean X + ½ Σ σ_k² ∂²X/∂θ_k² and the variance
    Σ σ_k² (∂X/∂θ_k)², both but for terms of the fourth order. Of the loss, which may be near its least value, the
    variance of the squared deviation of the outputs, which is of the fourth order, is added.
    """
    sums = [_of_input(chips, laws, rest, u, std, c) for c in range(len(u))]
    mean, still = (np.array([s[i] for s in sums]) for i in (0, 1))
    second, second_rest = (np.array([s[i] for s in sums]) for i in (3, 4))
    bias = laws.mean[0] - rest.mean[0]
    over = OverDevices(
        Over(rest.mean[0] + 0.5 * second_rest, np.sum(still**2, axis=1)),
        Over(laws.mean[0] + 0.5 * second, np.sum(mean**2, axis=1)),
        Over(bias + 0.5 * (second - second_rest), np.sum((mean - still) ** 2, axis=1)),
        None if y is None else _loss(chips, laws, y, sums, mean, second),
    )
    near = sum(s.near for s in sums)
    return over, (KINKS.format(near, bias.size, REACH) if near else "")


def _of_input(chips: Chips, laws: Laws, rest: Laws, u: FloatArray, std: FloatArray, c: int) -> _Sums:
    f, W, gamma, W_out = chips.f, chips.W[0], chips.gamma, chips.W_out[0]
    m, V, h = laws.mean[0, c], laws.covariance[0, c], rest.mean[0, c]
    n, drive = len(m), chips.b[0] + chips.W_in[0] @ u[c]
    a = W @ h + drive
    quiet = RestResponse(W, a, np.array([f(a), f.derivative(a), f.derivative(a, 2)]))
    noisy = ClosureResponse.of(f, W, gamma, W @ m + drive, chips.inside + W @ V @ W.T, V)
    quadratic = W_out.T @ W_out
    means, rests, variances, moved = [np.zeros((0, n))], [np.zeros((0, n))], [np.zeros(0)], np.zeros(n)
    source, Source, source_rest = np.zeros(n), np.zeros((n, n)), np.zeros(n)
    for theta in directions(std, n * n):
        x, h1 = noisy.along(theta), quiet.along(theta)
        second, Second = noisy.second(x)
        source, Source = source + second.sum(axis=0), Source + Second.sum(axis=0)
        source_rest = source_rest + quiet.second(theta, h1).sum(axis=0)
        moved = moved + np.sum((theta[:, 1] * a - theta[:, 2] + h1 @ W.T) ** 2, axis=0)
        means.append(x.mean)
        rests.append(h1)
        variances.append(np.sum(x.covariance * quadratic, axis=(1, 2)))
    m2, V2 = noisy.solve(source[None], Source[None])
    last = quiet.solve(source_rest[None])[0]
    first = [np.concatenate(part) for part in (means, rests, variances)]
    kinks = np.array([kink.location for kink in f.kinks])
    close = np.abs(a - kinks[:, None]) < REACH * np.sqrt(moved)
    second_variance, near = float(np.sum(V2[0] * quadratic)), int(np.sum(close.any(axis=0)))
    return _Sums(first[0], first[1], first[2], m2[0], last, second_variance, near)


def _loss(chips: Chips, laws: Laws, y: FloatArray, sums: list[_Sums], mean: FloatArray, second: FloatArray) -> Over:
    """Return mean and variance of the loss from the derivatives of E h, (C, K, N) and (C, N)."""
    W_out, C = chips.W_out[0], len(y)
    r = chips.outputs(laws)[0] - y  # (C, P)
    z1, z2 = mean @ W_out.T, second @ W_out.T  # (C, K, P), (C, P)
    first = 2.0 * np.einsum("cp,ckp->k", r, z1) + np.sum([s.variance for s in sums], axis=0)
    bent = 2.0 * np.sum(r * z2) + 2.0 * np.sum(z1**2) + sum(s.second_variance for s in sums)
    outputs = np.moveaxis(z1, 1, 2).reshape(z1.shape[0] * z1.shape[2], -1)
    gram = outputs @ outputs.T / C  # covariance over devices of the mean outputs, over C
    loss = chips.losses(laws, y)[0]
    return Over(np.asarray(loss + 0.5 * bent / C), np.asarray(np.sum((first / C) ** 2) + 2.0 * np.sum(gram**2)))
