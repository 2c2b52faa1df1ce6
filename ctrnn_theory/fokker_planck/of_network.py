"""The diffusion approximation of a network: drift and diffusion of its Fokker–Planck equation."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.activations.gaussian.covariance import covariance, covariance_matrices
from ctrnn_theory.fokker_planck.equation import Equation
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.support.types import FloatArray

Curve = Callable[[FloatArray, FloatArray], FloatArray]
"""A function of the mean of an argument of f, and of α, which multiplicative noise multiplies."""
Pair = Callable[[FloatArray, FloatArray, FloatArray, FloatArray], FloatArray]
"""The same of two neurons: their means, and their α."""
Box = tuple[FloatArray, FloatArray] | None

FINE = 24  # nodes of a table per σ: the quintic spline through them is good to 1e-10
PAIR = 5  # nodes per σ along each axis of a table in two dimensions, good to 1e-5
MOST_NODES = 20_000  # largest number of nodes of a table
MOST_PAIR_NODES = 120  # along each axis of a table in two dimensions: a smooth f is then good to 1e-3 at least


def network_equation(net: CTRNN, noise: Noise, u: ArrayLike | None, box: Box = None) -> Equation:
    """Return the equation of the mean and the covariance of a step, which it has as drift and diffusion.

    ::

        A = B F̃(α) + d - h,    B_h = γ (B (C + R ∘ (C + F̃ F̃ᵀ)) Bᵀ + Σ_out),    α = U h + c

    with U = W, B = 1 in rate form, where c holds the input, and U = 1, B = W in voltage form, where d does. F̃ and C are
    mean and covariance of f given α under noise inside, and R is the covariance of what multiplies f. B_h is diagonal
    if no two neurons share noise. The equation is the limit of the map for γ → 0, where mean and covariance of a step
    of length γ are γ A and γ B_h. The unit of time is τ, and that of the slowest neuron where they differ: the rows
    of the others are faster.

    Each coloured source x adds a coordinate, dx = -k x dt + √(2k) dB, k = -log(ρ)/γ, which has the source's correlation
    from step to step; L_in x is added to the argument of f, and L_out x to A.

    Parameters
    ----------
    net, noise, u
        The network, its noise and constant input (K,).
    box
        Corners (M,), (M,) of the box of states for which F and Cov f are tabulated. With None there is no table.

    Examples
    --------
    >>> net = CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1)
    >>> at = network_equation(net, Noise(outside=0.5), None)
    >>> print(at.drift(np.array([[1.0], [-1.0]]), 0.0).ravel(), at.diffusion(np.array([[1.0]]), 0.0))
    [-0.4  1. ] [[0.025]]
    """
    step = _Step.of(net, noise, u, box)
    return Equation(step.size, step.drift, step.diffusion)


@dataclass(frozen=True, eq=False)
class _Step:
    """Mean and covariance of a step of N neurons, given their state and that of K coloured sources."""

    wiring: Wiring
    mean: list[Curve]
    """F̃ of each neuron."""
    variance: list[Curve]
    """Variance of f of each neuron."""
    pairs: dict[tuple[int, int], Pair | None]
    """Cov(fᵢ, fⱼ) of neurons that share noise, None if they do so outside alone."""
    outside: FloatArray
    """Covariance (N, N) of the white noise outside."""
    gain: FloatArray
    """Covariance R (N, N) of what multiplies f."""
    inner: FloatArray
    """Factor (N, K) of the coloured sources inside."""
    outer: FloatArray
    """Factor (N, K) of the coloured sources outside."""
    pull: FloatArray
    """k (K,) of the sources."""

    @classmethod
    def of(cls, net: CTRNN, noise: Noise, u: ArrayLike | None, box: Box) -> _Step:
        n, wiring = net.n, Wiring.of(net, u)
        (L_in, rho_in), (L_out, rho_out) = noise.coloured("inside", n), noise.coloured("outside", n)
        rho = np.concatenate([rho_in, rho_out])
        inner = np.concatenate([L_in, np.zeros((n, len(rho_out)))], axis=1)
        outer = np.concatenate([np.zeros((n, len(rho_in))), L_out], axis=1)
        white, outside = (factor @ factor.T for factor in (noise.white("inside", n), noise.white("outside", n)))
        gain_in, gain = noise.gain_covariance("inside", n), noise.gain_covariance("outside", n)
        read = np.concatenate([wiring.read, inner], axis=1)
        ends = [None if box is None else _range(read[i], wiring.c[i], box) for i in range(n)]
        std, strength = np.sqrt(np.diag(white)), np.sqrt(np.diag(gain_in))
        given = [_Given(f, *each) for f, *each in zip(net.activations, std, strength, ends, strict=True)]
        pairs: dict[tuple[int, int], Pair | None] = {}
        for i, j in itertools.combinations(range(n), 2):
            if white[i, j] or gain_in[i, j]:
                pairs[i, j] = _pair(given[i], given[j], float(white[i, j]), float(gain_in[i, j]))
            elif outside[i, j] or gain[i, j]:
                pairs[i, j] = None
        curves = [one.curves() for one in given]
        pull = -np.log(rho) / wiring.gamma.min()
        return cls(wiring, [c[0] for c in curves], [c[1] for c in curves], pairs, outside, gain, inner, outer, pull)

    @property
    def size(self) -> int:
        """Number N + K of coordinates."""
        return self.wiring.n + len(self.pull)

    @property
    def speed(self) -> FloatArray:
        """Rate (N,) of each neuron, in units of the slowest one."""
        gamma = self.wiring.gamma
        return gamma / gamma.min()

    def arguments(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the mean arguments of f and α, (M, N) each."""
        alpha = self.wiring.preactivation(points[:, : self.wiring.n])
        return (alpha + points[:, self.wiring.n :] @ self.inner.T if len(self.pull) else alpha), alpha

    def drift(self, points: FloatArray, t: float) -> FloatArray:
        """Return the drift (M, N + K)."""
        h, x = points[:, : self.wiring.n], points[:, self.wiring.n :]
        A = self.wiring.target(_each(self.mean, *self.arguments(points))) - h
        if not len(self.pull):
            return A * self.speed
        return np.concatenate([(A + x @ self.outer.T) * self.speed, -self.pull * x], axis=1)

    def diffusion(self, points: FloatArray, t: float) -> FloatArray:
        """Return the diffusion (M, N + K, N + K), or its diagonal (M, N + K) where that is all."""
        n, step, speed = self.wiring.n, float(self.wiring.gamma.min()), self.speed
        a, alpha = self.arguments(points)
        own = np.maximum(_each(self.variance, a, alpha), 0.0)
        gain, F = np.diag(self.gain), None
        if self.gain.any():
            F = _each(self.mean, a, alpha)
            own = own + gain * (own + F**2)
        if n == 1 or not (self.pairs or self.wiring.B is not None):
            own = own if self.wiring.B is None else self.wiring.B[0, 0] ** 2 * own
            own = step * speed**2 * (own + np.diag(self.outside))
            return np.concatenate([own, np.broadcast_to(2.0 * self.pull, (len(points), len(self.pull)))], axis=1)
        C = np.zeros((len(points), n, n))
        np.einsum("mii->mi", C)[:] = own
        for (i, j), pair in self.pairs.items():
            common = np.zeros(len(points)) if pair is None else pair(a[:, i], a[:, j], alpha[:, i], alpha[:, j])
            if F is not None:
                common = common + self.gain[i, j] * (common + F[:, i] * F[:, j])
            C[:, i, j] = C[:, j, i] = common
        if self.wiring.B is not None:
            C = self.wiring.B @ C @ self.wiring.B.T
        return step * np.outer(speed, speed) * (C + self.outside)


def _each(curves: list[Curve], a: FloatArray, alpha: FloatArray) -> FloatArray:
    return np.stack([curve(a[:, i], alpha[:, i]) for i, curve in enumerate(curves)], axis=1)


@dataclass(frozen=True, eq=False)
class _Given:
    """The activation of one neuron under noise inside, given α."""

    f: Activation
    std: float
    """σ of the additive noise."""
    gain: float
    """g of the multiplicative noise."""
    ends: tuple[float, float] | None
    """Range of the mean argument, for a table."""

    def width(self, alpha: FloatArray) -> FloatArray:
        """Return s(α)."""
        return np.hypot(self.std, self.gain * alpha)

    def curves(self) -> tuple[Curve, Curve]:
        """Return F̃ and Var f."""
        f, s = self.f, float(self.std)
        if self.gain:
            return (
                lambda a, alpha: f.smoothed(a, self.width(alpha)),
                lambda a, alpha: f.smoothed_variance(a, self.width(alpha)),
            )
        if s == 0.0:
            return (lambda a, alpha: f(a)), (lambda a, alpha: np.zeros_like(a))
        exact = [lambda a: f.smoothed(a, s), lambda a: f.smoothed_variance(a, s)]
        if self.ends is not None:
            from scipy.interpolate import make_interp_spline  # here, since it takes long to import

            low, high = self.ends
            count = int(min(np.ceil(FINE * (high - low) / s) + 8, MOST_NODES))
            nodes = np.linspace(low, high, count)
            exact = [make_interp_spline(nodes, curve(nodes), k=5) for curve in exact]
        mean, variance = exact
        return (lambda a, alpha: mean(a)), (lambda a, alpha: variance(a))


def _pair(x: _Given, y: _Given, shared: float, gain: float) -> Pair:
    """Return Cov(f(x), f(y)) of two neurons whose noise inside has a covariance, additive and multiplicative."""
    if gain or x.gain or y.gain or x.f != y.f:
        group = ActivationGroup((x.f, y.f))

        def pair(a: FloatArray, b: FloatArray, alpha: FloatArray, beta: FloatArray) -> FloatArray:
            s, t, common = x.width(alpha), y.width(beta), shared + gain * alpha * beta
            if x.f != y.f:
                S = np.stack([np.stack([s**2, common], axis=-1), np.stack([common, t**2], axis=-1)], axis=-1)
                return covariance_matrices(group, np.stack([a, b], axis=-1), S)[:, 0, 1]
            r = np.divide(common, s * t, out=np.zeros_like(common), where=s * t > 0.0)
            return covariance(x.f, a, b, s, t, np.clip(r, -1.0, 1.0))

        return pair
    r = float(np.clip(shared / (x.std * y.std), -1.0, 1.0))
    ends = [x.ends, y.ends]
    counts = [np.ceil(PAIR * (e[1] - e[0]) / k.std) for e, k in zip(ends, (x, y), strict=True) if e is not None]
    if not counts or (x.f.piecewise_linear and max(counts) > MOST_PAIR_NODES):  # a table would miss the kinks
        return lambda a, b, alpha, beta: covariance(x.f, a, b, x.std, y.std, r)
    from scipy.interpolate import RectBivariateSpline  # here, since it takes long to import

    axes = [
        np.linspace(*e, int(np.clip(count, 8, MOST_PAIR_NODES)))
        for e, count in zip(ends, counts, strict=True)
        if e is not None
    ]
    spline = RectBivariateSpline(*axes, covariance(x.f, axes[0][:, None], axes[1], x.std, y.std, r))
    return lambda a, b, alpha, beta: spline(a, b, grid=False)


def _range(weights: FloatArray, constant: float, box: tuple[FloatArray, FloatArray]) -> tuple[float, float]:
    """Return the smallest and the largest argument of f in a box of states."""
    ends = np.stack([weights * box[0], weights * box[1]])
    low, high = float(ends.min(axis=0).sum() + constant), float(ends.max(axis=0).sum() + constant)
    margin = 1e-9 * (1.0 + abs(low) + abs(high))
    return low - margin, high + margin
