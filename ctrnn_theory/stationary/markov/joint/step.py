"""One step of neurons and coloured sources: the variates that they share, and the law of each rate given those.

With α = U h + c, and one standard normal variate z for each source and for each noise that neurons share,

    x' = ρ x + √(1-ρ²) z,   y = f(α (1 + G z + g ξ) + A z + L x' + s ξ'),   r = (1 + H z + g' η)(1 + k z) y M,
    h' = (1-Γ) h + Γ (B r + d + C z + L' x' + σ η'),

where ξ, ξ', η, η' are private to each neuron, and M is 1, or 0 or 1/p by dropout. Given z the rates r are independent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.stationary.markov.joint.compression import compressed
from ctrnn_theory.stationary.markov.operator import gaussian_nodes
from ctrnn_theory.stationary.markov.state_range import resolve
from ctrnn_theory.support.types import BoolArray, FloatArray

NEGLIGIBLE = 1e-14  # relative size of an entry of a factor that is zero but for rounding
LEAST = 10  # points of a shared variate outside, of which functions are nearly polynomials of low degree
FEW = 16  # points that stand for the law of a value which several variates multiply
REACH = 8.5  # largest standard normal variate of a quadrature


@dataclass(frozen=True, eq=False)
class JointStep:
    """One step of the state (h, x) of N neurons and S sources, M = N + S; R variates are shared, the sources' first."""

    f: tuple[Activation, ...]
    """Activation of each neuron."""
    wiring: Wiring
    """The linear parts of the network's own step."""
    rho: FloatArray
    """Correlation of each source between steps, (S,)."""
    source_inside: FloatArray
    """Factor L (N, S) of the sources inside."""
    source_outside: FloatArray
    """Factor L' (N, S) of the sources outside."""
    inside: FloatArray
    """Factor A (N, R) of the white noise inside that neurons share."""
    outside: FloatArray
    """Factor C (N, R) of the white noise outside that neurons share."""
    gain_inside: FloatArray
    """Factor G (N, R) of the multiplicative noise inside that neurons share."""
    gain_outside: FloatArray
    """Factor H (N, R) of the multiplicative noise outside that neurons share."""
    common: FloatArray
    """Factor k (N, R) of the multiplicative noise outside that multiplies after it."""
    own: FloatArray
    """Private standard deviations s, σ, g, g', (4, N)."""
    keep: FloatArray
    """Probability (N,) with which dropout keeps a rate."""
    breaks: tuple[FloatArray, ...] = field(default=())
    """For each neuron, pre-activations where f is not smooth, or one panel does not resolve it."""

    @classmethod
    def of(cls, net: CTRNN, noise: Noise, u: ArrayLike | None) -> JointStep:
        """Make the step of a network under its noise, with a constant input u (K,) or None."""
        n = net.n
        L_in, rho_in = noise.coloured("inside", n)
        L_out, rho_out = noise.coloured("outside", n)
        sources = len(rho_in) + len(rho_out)
        white: dict[str, FloatArray] = {site: noise.white(site, n) for site in ("inside", "outside")}
        gains: dict[str, FloatArray] = {site: noise.gain_factor(site, n) for site in ("inside", "outside")}
        parts = [_parts(factor) for factor in (white["inside"], white["outside"], gains["inside"], gains["outside"])]
        common = noise.common_gain(n)
        shared = [part for part, _ in parts] + [common[:, None][:, : int(common.any())]]
        ends = np.cumsum([sources, *(part.shape[1] for part in shared)])
        wide = []
        for begin, end, part in zip(ends[:-1], ends[1:], shared, strict=True):
            factor = np.zeros((n, ends[-1]))
            factor[:, begin:end] = part
            wide.append(factor)
        zero_in, zero_out = np.zeros((n, len(rho_in))), np.zeros((n, len(rho_out)))
        return cls(
            f=net.activations,
            wiring=Wiring.of(net, u),
            rho=np.concatenate([rho_in, rho_out]),
            source_inside=np.concatenate([L_in, zero_out], axis=1),
            source_outside=np.concatenate([zero_in, L_out], axis=1),
            inside=wide[0],
            outside=wide[1],
            gain_inside=wide[2],
            gain_outside=wide[3],
            common=wide[4],
            own=np.stack([std for _, std in parts]),
            keep=noise.kept(n),
        )

    @property
    def n(self) -> int:
        """Number N of neurons."""
        return len(self.f)

    @property
    def size(self) -> int:
        """Number M of components of the state."""
        return self.n + len(self.rho)

    @property
    def shared(self) -> int:
        """Number R of the variates that are shared."""
        return int(self.inside.shape[1])

    @property
    def mixes(self) -> bool:
        """Whether the rates of different neurons reach one state, so that its components are dependent given z."""
        return self.wiring.B is not None and self.n > 1

    @property
    def shared_inside(self) -> BoolArray:
        """Whether a shared variate acts inside, (R,)."""
        inside: BoolArray = np.any(self.inside != 0.0, axis=0) | np.any(self.gain_inside != 0.0, axis=0)
        inside[: len(self.rho)] |= np.any(self.source_inside != 0.0, axis=0)
        return inside

    @property
    def quiet_inside(self) -> bool:
        """Whether there is no noise inside."""
        parts = (self.inside, self.source_inside, self.gain_inside, self.own[[0, 2]])
        return not any(np.any(part) for part in parts)

    def with_breaks(self, low: FloatArray, high: FloatArray) -> JointStep:
        """Return the step with the breaks of f over the pre-activations that occur for states of a box (M,), (M,)."""
        n, U = self.n, self.wiring.read
        center = U @ (0.5 * (low + high)[:n]) + self.wiring.c
        half = np.abs(U) @ (0.5 * (high - low)[:n])
        largest = np.abs(center) + half
        width = np.hypot(self.own[0], self.own[2] * largest)
        width += np.sum(np.abs(self.inside) + np.abs(self.gain_inside) * largest[:, None], axis=1)
        half = half + REACH * width + np.abs(self.source_inside) @ np.maximum(np.abs(low[n:]), np.abs(high[n:]))
        ranges = zip(self.f, center - half, center + half, strict=True)
        return replace(self, breaks=tuple(resolve(f, a, b) if a < b else np.empty(0) for f, a, b in ranges))

    def shared_rule(self, states: FloatArray, order: int) -> tuple[FloatArray, FloatArray]:
        """Return nodes (rows, Z, R) and weights (rows, Z) of the shared variates, for states (rows, M).

        A variate inside is broken where it carries a neuron without a private one past a break of f.
        """
        rows = len(states)
        nodes, weights = np.zeros((rows, 1, self.shared)), np.ones((rows, 1))
        inside = self.shared_inside
        for k in range(self.shared):
            if k < len(self.rho) or inside[k]:
                cuts = self._cuts(states, k) if np.sum(inside) == 1 and inside[k] else np.empty((rows, 0))
                z, w = padded(cuts, order)
            else:
                gain = float(np.max(np.abs(self.gain_outside[:, k]) + np.abs(self.common[:, k])))
                points, mass = np.polynomial.hermite_e.hermegauss(LEAST + int(order * min(gain, 1.0)))
                z, w = np.tile(points, (rows, 1)), np.tile(mass / np.sum(mass), (rows, 1))
            nodes = np.repeat(nodes, z.shape[1], axis=1)
            nodes[:, :, k] = np.tile(z, (1, weights.shape[1]))
            weights = (weights[:, :, None] * w[:, None, :]).reshape(rows, -1)
        return nodes, weights

    def _cuts(self, states: FloatArray, k: int) -> FloatArray:
        """Return where the variate k, the only one that is shared inside, passes breaks of f, (rows, K)."""
        argument, slope = self._argument(states, np.zeros((len(states), self.shared)), k)
        own = np.hypot(self.own[0], self.own[2] * self.alpha(states))
        found = []
        for i, breaks in enumerate(self.breaks):
            bare = (own[:, i] == 0.0) & (slope[:, i] != 0.0)
            gap = breaks - argument[:, i, None]
            with np.errstate(over="ignore"):
                found.append(np.where(bare[:, None], gap / np.where(bare, slope[:, i], 1.0)[:, None], REACH))
        return np.concatenate(found, axis=1)

    def alpha(self, states: FloatArray) -> FloatArray:
        """Return the pre-activations α (..., N) of states (..., M)."""
        return self.wiring.preactivation(states[..., : self.n])

    def sources(self, states: FloatArray, z: FloatArray) -> FloatArray:
        """Return x' (..., S) from states (..., M) and shared variates (..., R)."""
        count = len(self.rho)
        moved: FloatArray = self.rho * states[..., self.n :] + np.sqrt(1.0 - self.rho**2) * z[..., :count]
        return moved

    def _argument(self, states: FloatArray, z: FloatArray, k: int = 0) -> tuple[FloatArray, FloatArray]:
        """Return the argument of f without private noise, (..., N), and its derivative by the variate k."""
        alpha = self.alpha(states)
        argument = alpha * (1.0 + z @ self.gain_inside.T) + z @ self.inside.T
        slope = alpha * self.gain_inside[:, k] + self.inside[:, k] if self.shared else np.zeros_like(alpha)
        argument = argument + self.sources(states, z) @ self.source_inside.T
        if k < len(self.rho):
            slope = slope + self.source_inside[:, k] * np.sqrt(1.0 - self.rho[k] ** 2)
        return argument, slope

    def shift(self, states: FloatArray, z: FloatArray) -> FloatArray:
        """Return Γ (d + C z + L' x') + (1-Γ) h, (..., N)."""
        w = self.wiring
        added = w.d + z @ self.outside.T + self.sources(states, z) @ self.source_outside.T
        moved: FloatArray = (1.0 - w.gamma) * states[..., : self.n] + w.gamma * added
        return moved

    def values(self, i: int, states: FloatArray, z: FloatArray, order: int, few: int) -> tuple[FloatArray, FloatArray]:
        """Return points and weights (rows, Q) of the law of the value y of neuron i, given states and shared variates.

        They are no more than `few` if that is positive.
        """
        argument = self._argument(states, z)[0][:, i]
        width = np.hypot(self.own[0, i], self.own[2, i] * self.alpha(states)[:, i])
        if not width.any():
            return self.f[i](argument[:, None]), np.ones((len(argument), 1))
        with np.errstate(over="ignore"):
            cuts = (self.breaks[i] - argument[:, None]) / np.maximum(width, np.finfo(float).tiny)[:, None]
        xi, weights = padded(cuts, order)
        y = self.f[i](argument[:, None] + width[:, None] * xi)
        return compressed(y, weights, few) if 0 < few < y.shape[1] else (y, weights)

    def rate(self, i: int, states: FloatArray, z: FloatArray, order: int, few: int) -> tuple[FloatArray, FloatArray]:
        """Return points and weights (rows · Z, Q) of the law of the rate of neuron i.

        Given are states (rows, M) and shared variates (rows, Z, R). The points are no more than `few` if that is
        positive.
        """
        rows, given = z.shape[:2]
        flat, private, p = z.reshape(rows * given, -1), self.own[3, i], self.keep[i]
        if self.shared_inside.any():
            y, weights = self.values(i, np.repeat(states, given, axis=0), flat, order, FEW if private else 0)
        else:
            y, weights = self.values(i, states, z[:, 0], order, FEW if private or given > 1 else few)
            y, weights = np.repeat(y, given, axis=0), np.repeat(weights, given, axis=0)
        y = y * (1.0 + flat @ self.common[i])[:, None]
        within, eta, mass = 1.0 + flat @ self.gain_outside[i], np.zeros(1), np.ones(1)
        if private:
            eta, mass = np.polynomial.hermite_e.hermegauss(order)
            mass = mass / np.sum(mass)
        r = (y[:, :, None] * (within[:, None, None] + private * eta)).reshape(len(y), -1)
        weights = (weights[:, :, None] * mass).reshape(len(y), -1)
        if p < 1.0:
            r = np.concatenate([r / p, np.zeros((len(r), 1))], axis=1)
            weights = np.concatenate([p * weights, np.full((len(r), 1), 1.0 - p)], axis=1)
        return compressed(r, weights, few) if 0 < few < r.shape[1] else (r, weights)


def padded(cuts: FloatArray, order: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights (rows, Q) of a standard normal variate, broken at cuts (rows, K).

    Rows of fewer points than others end in points of weight zero.
    """
    rows, xi, weights = gaussian_nodes(cuts, REACH, order)
    counts = np.bincount(rows, minlength=len(cuts))
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    nodes, mass = np.zeros((2, len(cuts), int(counts.max(initial=1))))
    nodes[rows, place], mass[rows, place] = xi, weights
    return nodes, mass


def _parts(factor: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the columns that several neurons share, (N, R), and the standard deviation (N,) of the others."""
    several = np.sum(factor != 0.0, axis=0) > 1
    if np.sum(several) >= len(factor):  # only the covariance matters, and triangular factors share less
        factor = np.ascontiguousarray(np.linalg.qr(factor.T).R.T)
        factor[np.abs(factor) < NEGLIGIBLE * np.max(np.abs(factor))] = 0.0
        several = np.sum(factor != 0.0, axis=0) > 1
    return factor[:, several], np.sqrt(np.sum(factor[:, ~several] ** 2, axis=1))
