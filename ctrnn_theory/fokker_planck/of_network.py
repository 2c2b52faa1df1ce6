"""The diffusion approximation of a network: drift and diffusion of its Fokker–Planck equation."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations.gaussian.covariance import covariance
from ctrnn_theory.fokker_planck.equation import Equation
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.types import FloatArray

Curve = Callable[[FloatArray], FloatArray]

FINE = 24  # nodes of a table per σ: the quintic spline through them is good to 1e-10
PAIR = 5  # nodes per σ along each axis of a table in two dimensions, good to 1e-5
MOST_NODES = 20_000  # largest number of nodes of a table
MOST_PAIR_NODES = 120  # along each axis of a table in two dimensions: a smooth f is then good to 1e-3 at least


def network_equation(
    net: CTRNN, noise: Noise, u: ArrayLike | None, box: tuple[FloatArray, FloatArray] | None = None
) -> Equation:
    """Return the equation of drift F(W h + W_in u + b; σ_in) - h and diffusion γ (Cov f + Σ_out), in units of τ.

    ::

        Bᵢⱼ = γ (Cov(f(aᵢ + σᵢ ξᵢ), f(aⱼ + σⱼ ξⱼ)) + Σ_out,ij)

    B is diagonal if no two neurons share noise. The equation is the limit of the map for γ → 0, where the mean and the
    covariance of a step of length γ are γ A and γ B.

    Parameters
    ----------
    net, noise, u
        The network, its noise and constant input (K,).
    box
        Corners (N,), (N,) of the box of states for which F and Cov f are tabulated. With None there is no table.

    Examples
    --------
    >>> net = CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1)
    >>> at = network_equation(net, Noise(outside=0.5), None)
    >>> print(at.drift(np.array([[1.0], [-1.0]]), 0.0).ravel(), at.diffusion(np.array([[1.0]]), 0.0))
    [-0.4  1. ] [[0.025]]
    """
    W, drive, f, gamma = net.W, net.drive(u), net.activation, net.gamma
    inside, outside = (noise.covariance(site, net.n) for site in ("inside", "outside"))
    std = np.sqrt(np.diag(inside))
    mean, variance = _curves(f, W, drive, std, box)
    shared = [(i, j) for i, j in itertools.combinations(range(net.n), 2) if inside[i, j] or outside[i, j]]
    pairs = {(i, j): _pair(f, W, drive, std, inside, i, j, box) for i, j in shared if inside[i, j]}

    def preactivation(points: FloatArray) -> FloatArray:
        a: FloatArray = points @ W.T + drive
        return a

    def drift(points: FloatArray, t: float) -> FloatArray:
        a = preactivation(points)
        return np.stack([curve(a[:, i]) for i, curve in enumerate(mean)], axis=1) - points

    def diffusion(points: FloatArray, t: float) -> FloatArray:
        a = preactivation(points)
        own = np.stack([np.maximum(curve(a[:, i]), 0.0) for i, curve in enumerate(variance)], axis=1)
        own = own + np.diag(outside)
        if not shared:
            return gamma * own
        B = np.zeros((len(points), net.n, net.n))
        np.einsum("mii->mi", B)[:] = own
        for i, j in shared:
            common = pairs[i, j](a[:, i], a[:, j]) if (i, j) in pairs else 0.0
            B[:, i, j] = B[:, j, i] = common + outside[i, j]
        return gamma * B

    return Equation(net.n, drift, diffusion)


def _curves(
    f: Activation, W: FloatArray, drive: FloatArray, std: FloatArray, box: tuple[FloatArray, FloatArray] | None
) -> tuple[list[Curve], list[Curve]]:
    """Return F(a; σᵢ) and Var f(a + σᵢ ξ) of each neuron, as functions of a."""
    mean: list[Curve] = []
    variance: list[Curve] = []
    for i, s in enumerate(std):
        if s == 0.0:
            mean.append(f)
            variance.append(np.zeros_like)
            continue
        exact: list[Curve] = [lambda a, s=s: f.smoothed(a, s), lambda a, s=s: f.smoothed_variance(a, s)]  # type: ignore[misc]
        if box is not None:
            from scipy.interpolate import make_interp_spline  # here, since it takes long to import

            low, high = _range(W[i], drive[i], box)
            count = int(min(np.ceil(FINE * (high - low) / s) + 8, MOST_NODES))
            nodes = np.linspace(low, high, count)
            exact = [make_interp_spline(nodes, curve(nodes), k=5) for curve in exact]
        mean.append(exact[0])
        variance.append(exact[1])
    return mean, variance


def _pair(
    f: Activation,
    W: FloatArray,
    drive: FloatArray,
    std: FloatArray,
    inside: FloatArray,
    i: int,
    j: int,
    box: tuple[FloatArray, FloatArray] | None,
) -> Callable[[FloatArray, FloatArray], FloatArray]:
    """Return Cov(f(x), f(y)) of two neurons that share noise inside, as a function of their mean pre-activations."""
    r = float(np.clip(inside[i, j] / (std[i] * std[j]), -1.0, 1.0))
    ends = None if box is None else [_range(W[k], drive[k], box) for k in (i, j)]
    counts = [] if ends is None else [np.ceil(PAIR * (e[1] - e[0]) / std[k]) for e, k in zip(ends, (i, j), strict=True)]
    if ends is None or (f.piecewise_linear and max(counts) > MOST_PAIR_NODES):  # a table would miss the kinks
        return lambda a, b: covariance(f, a, b, std[i], std[j], r)
    from scipy.interpolate import RectBivariateSpline  # here, since it takes long to import

    axes = [np.linspace(*e, int(np.clip(count, 8, MOST_PAIR_NODES))) for e, count in zip(ends, counts, strict=True)]
    table = covariance(f, axes[0][:, None], axes[1], std[i], std[j], r)
    spline = RectBivariateSpline(*axes, table)
    return lambda a, b: spline(a, b, grid=False)


def _range(w: FloatArray, drive: float, box: tuple[FloatArray, FloatArray]) -> tuple[float, float]:
    """Return the smallest and the largest pre-activation in a box of states."""
    ends = np.stack([w * box[0], w * box[1]])
    low, high = float(ends.min(axis=0).sum() + drive), float(ends.max(axis=0).sum() + drive)
    margin = 1e-9 * (1.0 + abs(low) + abs(high))
    return low - margin, high + margin
