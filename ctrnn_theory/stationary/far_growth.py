"""Growth of the second moment, and of others, far from the origin, where activations are straight lines.

A step far out is h' = (1-Γ) h + Γ B y, y_k = m_k d_k n_k α_k, α = U h, with multipliers m outside and n inside, and
with d_k one of the two limit slopes of f_k. Every function here concerns this process; thresholds and additive noise
have no part in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from scipy.linalg import solve_discrete_lyapunov
from scipy.special import ndtr

from ctrnn_theory.activations import activation
from ctrnn_theory.activations.gaussian.covariance import covariance
from ctrnn_theory.dynamics.doubling import discrete_lyapunov
from ctrnn_theory.dynamics.linear_response import spectral_radius
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.support.types import FloatArray

MOST_TURNS = 500  # iterations for a growth factor
STILL = 1e-9  # relative change at which they end
POWERS = (2, 4, 8)  # exponents of Hölder's inequality, of which the best counts
SMALLEST = 1e-12  # entry of that vector, relative to the largest
SEARCHED = 200  # iterations for a vector that shrinks in every component


@dataclass(frozen=True, eq=False)
class FarStep:
    """The step of a network far from the origin."""

    wiring: Wiring
    """The linear parts of the step."""
    slopes: FloatArray
    """Slopes of the activations at -∞ and at ∞, (2, N)."""
    noise: Noise
    """The noise, whose multipliers alone count."""

    @classmethod
    def of(cls, net: CTRNN, noise: Noise) -> FarStep:
        """Make the step of a network and its noise."""
        return cls(Wiring.of(net), np.array([f.limit_slopes for f in net.activations]).T, noise)

    @property
    def steepest(self) -> FloatArray:
        """Largest size of the slopes of each neuron, (N,)."""
        largest: FloatArray = np.max(np.abs(self.slopes), axis=0)
        return largest

    @property
    def linear(self) -> bool:
        """Whether both slopes of each neuron are the same."""
        return bool(np.all(self.slopes[0] == self.slopes[1]))

    @property
    def positive(self) -> bool:
        """Whether no connection and no slope at ∞ is negative, so that states may stay positive."""
        parts = (self.wiring.write, self.wiring.read, self.slopes[1])
        return all(bool(np.all(part >= 0.0)) for part in parts)

    def shrinks(self, p: int) -> bool:
        """Return whether a bound shows that E|h|^p does not grow.

        With x_i = (E|h_i|^p)^(1/p), Minkowski's inequality gives x' ≤ φ(x),

            φ_i(x) = (E |(1-γ_i) x_i + γ_i m̂_i s_i|^p)^(1/p),   s = |B| diag(d) |U| x,

        where m̂ is |m n| of the neuron, or if B mixes neurons, of one with the largest gains of all: the worst that sums
        of several can do is to vary together. φ is monotone, so that φ(x) < x for one x > 0 is enough.
        """
        g, n = self.wiring.gamma, self.wiring.n
        L = np.abs(self.wiring.write) @ (self.steepest[:, None] * np.abs(self.wiring.read))
        moments = [_absolute_moment(self.noise, n, k, self.wiring.B is not None) for k in range(p + 1)]
        x = np.ones(n)
        for _ in range(SEARCHED):
            s = L @ x
            power = sum(comb(p, k) * ((1.0 - g) * x) ** (p - k) * (g * s) ** k * moments[k] for k in range(p + 1))
            ratio = np.asarray(power) ** (1.0 / p) / x
            if ratio.max() < 1.0:
                return True
            if ratio.min() >= 1.0 or ratio.max() - ratio.min() < STILL:
                return False
            x = x + s  # towards the eigenvector without noise, of which no entry becomes zero on the way
            x = np.maximum(x / x.max(), SMALLEST)
        return False

    def contracts(self) -> bool:
        """Return whether norms show that E|h|² does not grow, also where connections of both signs cancel.

        The mean of a step given h has at most the length a|h|, and its variance is at most b|h|², with

            a = max(1-γ) + ‖Γ B‖ ‖D N U‖,   b = max eig(M ∘ R) ‖D N U‖² + ‖Γ B‖² ‖D G U‖²,   M = (Γ B)ᵀ Γ B,

        where N² = 1 + G², and G² has the variances of the gains inside.
        """
        n, g = self.wiring.n, self.wiring.gamma
        write, inside = g[:, None] * self.wiring.write, np.diag(self.noise.gain_covariance("inside", n))
        size, M = np.linalg.norm(write, 2), write.T @ write
        read = self.steepest[:, None] * self.wiring.read
        noisy = np.linalg.norm(np.sqrt(1.0 + inside)[:, None] * read, 2)
        a = np.max(1.0 - g) + size * noisy
        outside = np.linalg.eigvalsh(M * self.noise.gain_covariance("outside", n))[-1] * noisy**2
        return bool(a**2 + outside + (size * np.linalg.norm(np.sqrt(inside)[:, None] * read, 2)) ** 2 < 1.0)

    def linear_growth(self) -> float:
        """Return a number below one if and only if E h hᵀ does not grow in a linear network, see :func:`growth`."""
        n = self.wiring.n
        R = (1.0 + self.noise.gain_covariance("inside", n)) * (1.0 + self.noise.gain_covariance("outside", n)) - 1.0
        return growth(self.wiring.jacobian(self.slopes[1]), self._kicked(self.wiring.read, self.slopes[1]), R)

    def most_growth(self) -> float:
        """Return a number below one only if E h hᵀ does not grow: that of absolute values of all that there is."""
        n, d = self.wiring.n, self.steepest
        first = _absolute_moment(self.noise, n, 1, False)
        R = _absolute_pairs(self.noise, n) - np.outer(first, first)
        g, write, read = self.wiring.gamma, np.abs(self.wiring.write), np.abs(self.wiring.read)
        A = np.diag(1.0 - g) + g[:, None] * write @ ((first * d)[:, None] * read)
        return growth(A, (g[:, None] * write, d[:, None] * read), R)

    def least_growth(self) -> float:
        """Return a number above one only if E h hᵀ grows, for a network that is `positive`.

        States that are positive stay so while no multiplier is negative. Restricted to such steps, which have the
        probability p at least, the second moment grows by (1+R) less what negative multipliers may take away.
        """
        n, d = self.wiring.n, self.slopes[1]
        p, first, pairs = _positive_moments(self.noise, n)
        if p <= 0.0:
            return 0.0
        g = self.wiring.gamma
        A = np.diag((1.0 - g) * np.sqrt(p)) + g[:, None] * self.wiring.loop(first * d / np.sqrt(p))
        return growth(A, self._kicked(self.wiring.read, d), np.maximum(pairs - np.outer(first, first) / p, 0.0))

    def _kicked(self, read: FloatArray, slope: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self.wiring.gamma[:, None] * self.wiring.write, slope[:, None] * read


def growth(A: FloatArray, kick: tuple[FloatArray, FloatArray], R: FloatArray) -> float:
    """Return a number that is below one if and only if the map X → A X Aᵀ + E [R ∘ (H X Hᵀ)] Eᵀ contracts.

    It is infinite if A is not stable. Otherwise it is the spectral radius of (1 - 𝒜)⁻¹ ℛ, where 𝒜 and ℛ are the two
    terms of the map. It is proportional to R, and its inverse the factor by which R may be larger.

    Parameters
    ----------
    A
        Matrix (N, N).
    kick
        E (N, N) and H (N, N).
    R
        Matrix (N, N), positive semi-definite or without negative entries, as A, E and H then have to be too.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> round(growth(0.8 * one, (0.5 * one, 0.6 * one), 4.0 * one), 6)         # 0.3² 4 / (1 - 0.8²)
    1.0
    """
    if spectral_radius(A) >= 1.0:
        return np.inf
    E, H = kick
    X, size = np.eye(len(A)), 0.0
    for _ in range(MOST_TURNS):
        solved = _lyapunov(A, E @ (R * (H @ X @ H.T)) @ E.T)
        before, size = size, float(np.max(np.abs(solved)))
        if size == 0.0 or abs(size - before) <= STILL * size:
            break
        X = solved / size
    return size


def _lyapunov(A: FloatArray, Q: FloatArray) -> FloatArray:
    """Solve X = A X Aᵀ + Q for a stable A."""
    doubled = discrete_lyapunov(A, Q)
    return np.asarray(solve_discrete_lyapunov(A, Q)) if doubled is None else doubled


def _folded(std: FloatArray, order: int) -> FloatArray:
    """Return E|1 + s ξ|^k for standard deviations of any shape, k ≥ 0."""
    total = np.zeros(np.shape(std))
    for side in (1.0, -1.0):
        z = np.divide(side, std, out=np.full(np.shape(std), side * np.inf), where=std > 0.0)
        density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
        before, now = ndtr(z), side * ndtr(z) + std * density
        for k in range(1, order):
            before, now = now, side * now + k * std**2 * before
        total = total + (now if order else before)
    return np.asarray(total)


def _factors(noise: Noise, n: int) -> list[FloatArray]:
    """Return the covariances (N, N) of the normal factors of m n."""
    common = noise.common_gain(n)
    sites = [noise.gain_factor(site, n) for site in ("inside", "outside")]
    found = [G @ G.T for G in sites] + [np.outer(common, common)]
    return [K for K in found if K.any()]


def _absolute_moment(noise: Noise, n: int, order: int, worst: bool) -> FloatArray:
    """Return E|m n|^k of each neuron (N,), or with the largest gains of all neurons for each of them."""
    deviations = [np.sqrt(np.diag(K)) for K in _factors(noise, n)]
    keep = noise.kept(n)
    if worst:
        deviations = [np.full(n, s.max()) for s in deviations]
        keep = np.full(n, keep.min())
    moment = keep ** (1.0 - order) if order else np.ones(n)
    for s in deviations:
        moment = moment * _folded(s, order)
    return moment


def _absolute_pairs(noise: Noise, n: int) -> FloatArray:
    """Return E|m_i n_i m_j n_j| (N, N)."""
    pairs = 1.0 + np.diag(1.0 / noise.kept(n) - 1.0)
    relu = activation("relu")
    for K in _factors(noise, n):
        s = np.sqrt(np.diag(K))
        scale = np.outer(s, s)
        r = np.clip(np.divide(K, scale, out=np.zeros_like(K), where=scale > 0.0), -1.0, 1.0)
        first = _folded(s, 1)
        part = np.outer(first, first)
        for i in (1.0, -1.0):  # |x| = x₊ + (-x)₊
            for j in (1.0, -1.0):
                part = part + covariance(relu, i, j, s[:, None], s, i * j * r)
        pairs = pairs * part
    return pairs


def _positive_moments(noise: Noise, n: int) -> tuple[float, FloatArray, FloatArray]:
    """Return lower bounds of P(m, n ≥ 0), E[m_i n_i; m, n ≥ 0] (N,) and E[m_i n_i m_j n_j; m, n ≥ 0] (N, N).

    What is lost where some multiplier is negative, which has the probability q at most, is bounded by Hölder's
    inequality, E[|X|; negative] ≤ (E|X|^r)^(1/r) q^(1-1/r).
    """
    factors = _factors(noise, n)
    variances = np.concatenate([np.diag(K) for K in factors]) if factors else np.zeros(0)
    q = min(float(np.sum(ndtr(-1.0 / np.sqrt(variances[variances > 0.0])))), 1.0)
    pairs = 1.0 + np.diag(1.0 / noise.kept(n) - 1.0)
    for K in factors:
        pairs = pairs * (1.0 + K)
    lost, lost_pairs = np.full(n, np.inf), np.full((n, n), np.inf)
    for r in POWERS:
        size = _absolute_moment(noise, n, 2 * r, False) ** (0.5 / r)
        lost = np.minimum(lost, size * q ** (1.0 - 0.5 / r))
        lost_pairs = np.minimum(lost_pairs, np.outer(size, size) * q ** (1.0 - 1.0 / r))
    return 1.0 - q, np.maximum(1.0 - lost, 0.0), np.maximum(pairs - lost_pairs, 0.0)
