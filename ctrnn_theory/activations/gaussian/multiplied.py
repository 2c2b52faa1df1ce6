"""Moments of f(α (1 + w) + β) where α and β are jointly normal and noise w multiplies α.

Given α, the argument is normal with mean μ(α) = α + E[β | α] and variance s(α)² = Var[β | α] + g² α², g² = Var w, so
that averages are integrals of F(μ(α); s(α)) over α. With u the standard variate of α, the integrand is smooth but near
α = 0, on the scale where s(α) bends, and near kinks of f, on the scale of s(α) there; panels halve towards both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.activations.gaussian.covariance import covariance_matrices
from ctrnn_theory.activations.gaussian.hermite_coefficients import projected
from ctrnn_theory.activations.gaussian.mehler import HermiteTable, largest_correlation, matrix_covariances, orders_for
from ctrnn_theory.activations.group import members
from ctrnn_theory.numerics.gauss_legendre import gauss_legendre, nodes_between
from ctrnn_theory.support.types import FloatArray

ORDERS = 400  # largest order of Hermite series
REACH = 9.6  # standard deviations: φ is below rounding there
EDGES = np.linspace(-REACH, REACH, 9)  # of panels of 16 nodes that resolve φ
PANEL = 2.0  # widest panel in α where f has its features
FEATURES = 40.0  # |α| up to which it is so
SHARPEST = 2.0**-44  # narrowest panel next to a kink: what is left of it is below rounding
NODES, WEIGHTS = gauss_legendre(16)


@dataclass(frozen=True, eq=False)
class Argument:
    """The law of the arguments α_i (1 + w_i) + β_i of N activations in B networks."""

    mean: FloatArray
    """Mean of α (B, N)."""
    shift: FloatArray
    """Mean of β (B, N)."""
    own: FloatArray
    """Cov(α_i, α_j) (B, N, N)."""
    cross: FloatArray
    """Cov(α_i, β_j) (B, N, N)."""
    added: FloatArray
    """Cov(β_i, β_j) (B, N, N)."""
    gain: FloatArray
    """Cov(w_i, w_j) (B, N, N)."""

    def parts(self) -> FloatArray:
        """Return Var α, Cov(α, β) and Var β of each neuron, (B, 3, N)."""
        parts = np.stack([np.diagonal(x, axis1=1, axis2=2) for x in (self.own, self.cross, self.added)], axis=1)
        parts[:, ::2] = np.maximum(parts[:, ::2], 0.0)
        return parts

    def total(self) -> FloatArray:
        """Return Cov(α + β) (B, N, N)."""
        S = self.own + self.cross + np.swapaxes(self.cross, 1, 2) + self.added
        d = np.arange(S.shape[-1])
        S[:, d, d] = np.maximum(S[:, d, d], 0.0)
        return S

    @property
    def separable(self) -> bool:
        """Whether neurons have nothing in common but α."""
        d = np.arange(self.own.shape[-1])
        added, gain = self.added.copy(), self.gain.copy()
        added[:, d, d], gain[:, d, d] = 0.0, 0.0
        return not (self.cross.any() or added.any() or gain.any())


@dataclass(frozen=True, eq=False)
class Gained:
    """Moments of N activations in B networks."""

    value: FloatArray
    """Mean (B, N)."""
    slope: FloatArray
    """Mean slopes to α, E (1 + w) f', and to β, E f', (B, 2, N)."""
    covariance: FloatArray
    """Covariance (B, N, N)."""


def gained_moments(f: Activation | ActivationGroup, x: Argument) -> Gained:
    """Return the moments of f at arguments that noise may multiply.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> one, zero = np.ones((1, 1)), np.zeros((1, 1, 1))
    >>> x = Argument(one, 0.0 * one, zero, zero, zero + 0.25, zero + 0.25)      # 1 + w/2 + ξ/2
    >>> at = gained_moments(activation("relu"), x)
    >>> at.value.round(8), activation("relu").smoothed(1.0, np.sqrt(0.5)).round(8)
    (array([[1.02512727]]), np.float64(1.02512727))
    """
    if not x.gain.any():
        S, a = x.total(), x.mean + x.shift
        s = np.sqrt(np.diagonal(S, axis1=1, axis2=2))
        slope = f.smoothed(a, s, 1)
        return Gained(f.smoothed(a, s), np.stack([slope, slope], axis=1), covariance_matrices(f, a, S))
    shape, d = x.mean.shape, np.arange(x.mean.shape[1])
    gain = np.sqrt(np.diagonal(x.gain, axis1=1, axis2=2))
    inputs = Inputs.of(members(f, shape[1]), x.mean, x.shift, gain, x.parts())
    F, slope = inputs.value(), inputs.slopes()
    if shape[1] == 1:
        C = np.zeros(x.own.shape)
    elif x.separable:
        C = separable_covariances(inputs, x)
    else:
        from ctrnn_theory.activations.gaussian.common_gains import common_covariances  # which is seldom needed

        C = common_covariances(f, x)
    C[:, d, d] = inputs.variance().reshape(shape)
    return Gained(F.reshape(shape), np.stack([one.reshape(shape) for one in slope], axis=1), C)


def gained_values(
    f: Activation | ActivationGroup,
    mean: FloatArray,
    shift: FloatArray,
    gain: FloatArray,
    parts: FloatArray,
    slope: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Return mean (B, N) and, if asked for, mean slopes (B, 2, N) of f, see `Argument`; `gain` is √Var w."""
    if not gain.any():
        s, a = np.sqrt(np.maximum(parts[:, 0] + 2.0 * parts[:, 1] + parts[:, 2], 0.0)), mean + shift
        slopes = f.smoothed(a, s, 1) if slope else np.zeros_like(a)
        return f.smoothed(a, s), np.stack([slopes, slopes], axis=1)
    shape = mean.shape
    inputs = Inputs.of(members(f, shape[1]), mean, shift, gain, parts)
    F = inputs.value().reshape(shape)
    return F, np.stack([one.reshape(shape) for one in inputs.slopes()], axis=1) if slope else np.zeros(parts.shape)


@dataclass(frozen=True, eq=False)
class Inputs:
    """Single arguments α (1 + w) + β, by Q nodes in the standard variate u of α, given which they are normal."""

    f: ActivationGroup
    """Activation of each of K inputs."""
    gain: FloatArray
    """Standard deviation g of w (K,)."""
    std: FloatArray
    """Standard deviation of α (K,)."""
    u: FloatArray
    """Nodes (Q, K)."""
    weight: FloatArray
    """Weights times φ(u) (Q, K)."""
    a: FloatArray
    """α (Q, K)."""
    mu: FloatArray
    """Mean of the argument given α (Q, K)."""
    s: FloatArray
    """Its standard deviation (Q, K)."""

    @classmethod
    def of(
        cls, fs: tuple[Activation, ...], mean: FloatArray, shift: FloatArray, gain: FloatArray, parts: FloatArray
    ) -> Inputs:
        """Lay out the nodes for activations fs (N,), mean, shift and gain (B, N) and parts (B, 3, N); K = B N."""
        f = ActivationGroup(fs * len(mean))
        m, b, g = mean.ravel(), shift.ravel(), gain.ravel()
        own, cross, added = (x.ravel() for x in np.moveaxis(parts, 1, 0))
        std = np.sqrt(own)
        tilt = np.divide(cross, own, out=np.zeros_like(std), where=std > 0.0)
        left = np.maximum(added - tilt * cross, 0.0)
        u, weight = _nodes(_edges(f, m, b, g, std, tilt, left))
        a = m + std * u
        return cls(f, g, std, u, weight, a, a + b + tilt * std * u, np.sqrt(left + (g * a) ** 2))

    def average(self, values: FloatArray) -> FloatArray:
        """Return the averages (K,) of values (Q, K) at the nodes."""
        average: FloatArray = np.sum(self.weight * values, axis=0)
        return average

    @cached_property
    def given(self) -> FloatArray:
        """Mean F̃ of f given α (Q, K)."""
        return self.f.smoothed(self.mu, self.s)

    @cached_property
    def slope_given(self) -> FloatArray:
        """Mean of f' given α (Q, K)."""
        return self.f.smoothed(self.mu, self.s, 1)

    @cached_property
    def gained_slope_given(self) -> FloatArray:
        """Mean of (1 + w) f' given α (Q, K), which is that of f' + g² α f'' by Stein's identity in w."""
        slope: FloatArray = self.slope_given + self.gain**2 * self.a * self.f.smoothed(self.mu, self.s, 2)
        return slope

    def value(self) -> FloatArray:
        """Return E f (K,)."""
        return self.average(self.given)

    def slopes(self) -> tuple[FloatArray, FloatArray]:
        """Return E (1 + w) f' and E f', (K,) each."""
        return self.average(self.gained_slope_given), self.average(self.slope_given)

    def variance(self) -> FloatArray:
        """Return Var f (K,): the mean of that given α, and the variance of the mean given α."""
        inner = self.f.smoothed_variance(self.mu, self.s)
        return self.average(inner + (self.given - self.value()) ** 2)


def _nodes(edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return nodes in u and weights times φ, (Q, K), of panels between edges (K, E)."""
    edges = np.sort(np.clip(edges, -REACH, REACH), axis=1)
    edges = edges[:, np.concatenate([[True], np.any(np.diff(edges, axis=1) > 0.0, axis=0)])]
    u, half = nodes_between(edges[:, :-1], edges[:, 1:], NODES)
    u, weight = u.reshape(len(edges), -1).T, (half * WEIGHTS).reshape(len(edges), -1).T
    weight = weight * np.exp(-0.5 * u * u)
    return u, weight / weight.sum(axis=0)


def _edges(
    f: ActivationGroup,
    m: FloatArray,
    b: FloatArray,
    g: FloatArray,
    std: FloatArray,
    tilt: FloatArray,
    left: FloatArray,
) -> FloatArray:
    """Return edges in u (K, E) of panels that resolve φ, f, and s near 0 and near kinks."""
    step = np.where(std > 0.0, (1.0 + tilt) * std, 1.0)  # dμ/du
    columns = [np.broadcast_to(EDGES, (m.size, EDGES.size))]
    if np.max(std) > PANEL:
        far = np.max(np.abs(m) + REACH * std) / FEATURES
        wide = FEATURES * 2.0 ** np.arange(1, 2 + max(0, int(np.ceil(np.log2(far)))))
        x = np.concatenate([-wide, np.arange(-FEATURES, FEATURES + PANEL, PANEL), wide])
        columns.append((x - (m + b)[:, None]) / step[:, None])
    with np.errstate(all="ignore"):
        columns.append(_graded(-m / std, np.sqrt(left) / (g * std)))
        breaks = sorted({place for one in f.distinct for place in one.breakpoints})
        for place in breaks:
            u = (place - m - b) / step
            columns.append(_graded(u, np.hypot(np.sqrt(left), g * (m + std * u)) / np.abs(step)))
    return np.concatenate(columns, axis=1)


def _graded(centre: FloatArray, width: FloatArray) -> FloatArray:
    """Return edges (K, E) at a centre and at distances that halve down to a width (K,) about it; NaN becomes 0."""
    centre, reach = np.nan_to_num(centre, posinf=REACH, neginf=-REACH), np.abs(centre) < REACH + 1.0
    finest = np.min(np.where(reach & (width < 1.0), np.maximum(width, SHARPEST), 1.0))
    offsets = 2.0 ** -np.arange(np.ceil(-np.log2(finest)) + 1.0)
    return centre[:, None] + np.concatenate([-offsets, [0.0], offsets]) if finest < 1.0 else centre[:, None]


def separable_covariances(inputs: Inputs, x: Argument) -> FloatArray:
    """Return Cov(F̃(α_i), F̃(α_j)) (B, N, N), F̃ the mean given α, of neurons that have nothing in common but α."""
    S, std, n = x.own, inputs.std, x.own.shape[-1]
    slope = inputs.std * inputs.gained_slope_given
    inverse = np.divide(1.0, std, out=np.zeros_like(std), where=std > 0.0)
    u, weighted = np.ascontiguousarray(inputs.u.T), np.ascontiguousarray((inputs.weight * slope).T)
    orders = orders_for(largest_correlation(S, inverse), ORDERS)
    table = HermiteTable.grown(lambda count: projected(u, weighted, count), inputs.average(slope**2), orders)
    C, missed = matrix_covariances(table, S, inverse)
    if missed:
        row, column = np.triu_indices(n, 1)
        which, pair = np.nonzero((S[:, row, column] != 0.0) & (C[:, row, column] == 0.0))
        for k, i, j in zip(which, row[pair], column[pair], strict=True):
            f, g = inputs.f.members[k * n + i], inputs.f.members[k * n + j]
            C[k, i, j] = C[k, j, i] = _conditioned(f, g, x, int(k), int(i), int(j))
    return C


def _conditioned(f: Activation, g: Activation, x: Argument, k: int, i: int, j: int) -> float:
    """Return the covariance of one pair, whose correlation is near ±1, from E[F̃_j | α_i] at nodes for both."""
    std, gain = np.sqrt(np.diagonal(x.own[k])), np.sqrt(np.diagonal(x.gain[k]))
    if std[i] * std[j] == 0.0:
        return 0.0
    r, zero = float(np.clip(x.own[k, i, j] / std[i] / std[j], -1.0, 1.0)), np.zeros(1)

    def edges(one: Activation, at: int) -> FloatArray:
        """Return the edges that resolve what one neuron makes of its α."""
        group, left = ActivationGroup((one,)), np.maximum(x.added[k, at, at], zero)
        return _edges(group, x.mean[k, at] + zero, x.shift[k, at] + zero, gain[at] + zero, std[at] + zero, zero, left)

    first, second = edges(f, i), edges(g, j)
    u, weight = (part[:, 0] for part in _nodes(np.concatenate([first, np.sign(r) * second], axis=1)))

    def given(one: Activation, at: int, mean: FloatArray, own: float) -> FloatArray:
        """Return the means of f at arguments of these means of α, and this variance."""
        parts = np.array([own, 0.0, max(x.added[k, at, at], 0.0)])[:, None]
        every = np.ones((len(mean), 1))
        arrays = mean[:, None], x.shift[k, at] * every, gain[at] * every, parts * np.ones((len(mean), 1, 1))
        return Inputs.of((one,), *arrays).value()

    mine = given(f, i, x.mean[k, i] + std[i] * u, 0.0)
    other = given(g, j, x.mean[k, j] + r * std[j] * u, (1.0 - r) * (1.0 + r) * std[j] ** 2)
    return float(np.sum(weight * (mine - np.sum(weight * mine)) * other))
