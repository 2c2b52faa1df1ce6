"""The operator (P g)(h) = E g(h') of one noisy neuron, as a matrix on piecewise polynomials.

h' = (1-γ) h + γ (y + e) + γ σ(y) η with y = M B f(a + s(a) ξ), a = w h + d. The noise inside has the width
s(a)² = σ_in² + g_in² a², that outside σ(y)² = σ_out² + g_out² y², and M takes a few values, such as 0 and 1/p.

Without multiplicative noise outside, G(z) = E g(z + γ σ_out η) and (P g)(h) = E G((1-γ) h + γ (y + e)), so that P is a
product of two one-dimensional averages; otherwise they are nested. Each is a Gaussian integral by Gauss–Legendre
panels, broken wherever its integrand is not smooth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ctrnn_theory.numerics.gauss_legendre import gauss_legendre, nodes_between
from ctrnn_theory.support.types import FloatArray, IntArray

POINTS = 16
"""Number of nodes in a panel, its ends among them."""
BLOCK = 4_000_000  # points of nested integrals that are summed at once
GAUSS_PANELS = 6  # panels of a Gaussian's range: 16 points in 3 standard deviations integrate it to rounding
LOBATTO = -np.cos(np.pi * np.arange(POINTS) / (POINTS - 1))
"""Chebyshev–Lobatto nodes of a panel on [-1, 1]. Two panels share the node at their edge, so that g is continuous and
a step that is short beside a panel still passes from one to the next."""
TO_COEFFICIENTS = np.ascontiguousarray(np.linalg.inv(np.polynomial.chebyshev.chebvander(LOBATTO, POINTS - 1)))

WORTH_LOADING = 4_000_000
"""Number of points that NumPy sums in the time that it takes to import Numba and to load the kernel."""
_summed = 0
"""Number of points that this process has summed."""


@dataclass(frozen=True)
class ChebyshevPanels:
    """Panels of an interval, with Chebyshev–Lobatto nodes in each."""

    edges: FloatArray
    """Ends of the panels, ascending, (panels + 1,)."""
    jumps: FloatArray = field(default_factory=lambda: np.empty(0))
    """Inner edges where g jumps and two nodes lie, one on each side."""

    @property
    def count(self) -> int:
        """Number of panels."""
        return len(self.edges) - 1

    @cached_property
    def index(self) -> IntArray:
        """Indices of the nodes of each panel, (panels, 16)."""
        split = np.concatenate([[0], np.cumsum(np.isin(self.edges[1:-1], self.jumps))])
        first = np.arange(self.count) * (POINTS - 1) + split
        numbers: IntArray = first[:, None] + np.arange(POINTS)
        return numbers

    @cached_property
    def nodes(self) -> FloatArray:
        """Nodes of all panels, ascending, (n,)."""
        local = self.points_at(LOBATTO).reshape(self.count, POINTS)
        jump = np.isin(self.edges, self.jumps)
        jump[[0, -1]] = False
        shift = 1e-13 * np.diff(self.edges) + 4.0 * np.spacing(np.abs(self.edges[1:]) + np.abs(self.edges[:-1]))
        local[:, 0] += np.where(jump[:-1], shift, 0.0)
        local[:, -1] -= np.where(jump[1:], shift, 0.0)
        nodes = np.empty(self.index[-1, -1] + 1)
        nodes[self.index] = local
        return nodes

    def points_at(self, reference: FloatArray) -> FloatArray:
        """Map points of [-1, 1] to every panel, (panels * len(reference),)."""
        low, high = self.edges[:-1, None], self.edges[1:, None]
        points: FloatArray = 0.5 * ((1.0 - reference) * low + (1.0 + reference) * high)
        return points.ravel()

    def mass(self, weights: FloatArray) -> FloatArray:
        """Sum |weight| over the nodes of each panel, (panels,)."""
        total: FloatArray = np.sum(np.abs(weights)[self.index], axis=1)
        return total

    def averages(self, rows: IntArray, points: FloatArray, weights: FloatArray, count: int) -> FloatArray:
        """Return the matrix (count, nodes + 2) that takes g at the nodes to Σ weight · g(point) over each row's points.

        Points outside the interval are moved to its nearer end; the last two columns hold their mean distance below
        and above it.
        """
        moments, over = scatter(self.edges, rows, points, weights, count)
        local = (moments.reshape(-1, POINTS) @ TO_COEFFICIENTS).reshape(count, self.count, POINTS)
        matrix = np.zeros((count, len(self.nodes) + 2))
        matrix[:, self.index[:, :-1]] = local[:, :, :-1]
        matrix[:, self.index[:, -1]] += local[:, :, -1]  # the last node may be the next panel's first
        matrix[:, -2:] = over
        return matrix

    def values(self, points: FloatArray, g: FloatArray) -> FloatArray:
        """Interpolate functions g (nodes, K), given at the nodes, at other points (M,): (M, K)."""
        count = len(points)
        found: FloatArray = self.averages(np.arange(count), points, np.ones(count), count)[:, :-2] @ g
        return found


def scatter(
    edges: FloatArray, rows: IntArray, points: FloatArray, weights: FloatArray, count: int
) -> tuple[FloatArray, FloatArray]:
    """Sum weight · T_k(t) over the points of each row and panel, (count, panels, 16); also the overstep, (count, 2).

    The first points of a process are summed by NumPy, and further ones by a kernel that gives the same numbers in a
    ninth of the time. The kernel is loaded only once that pays off.
    """
    global _summed
    _summed += points.size
    if _summed <= WORTH_LOADING:
        return summed(edges, rows, points, weights, count)
    from ctrnn_theory.stationary.markov.operator_kernel import scatter as kernel

    sums: tuple[FloatArray, FloatArray] = kernel(edges, rows, points, weights, count)
    return sums


def summed(
    edges: FloatArray, rows: IntArray, points: FloatArray, weights: FloatArray, count: int
) -> tuple[FloatArray, FloatArray]:
    """Do in NumPy what the kernel does, with the same operations in the same order."""
    panels = len(edges) - 1
    below, above = np.maximum(edges[0] - points, 0.0), np.maximum(points - edges[-1], 0.0)
    over = np.empty((count, 2))
    over[:, 0], over[:, 1] = np.bincount(rows, weights * below, count), np.bincount(rows, weights * above, count)
    x = np.clip(points, edges[0], edges[-1])
    panel = np.minimum(np.searchsorted(edges, x, side="right") - 1, panels - 1)
    low, high = edges[panel], edges[panel + 1]
    t = ((x - low) - (high - x)) / (high - low)
    cell, before, now = rows * panels + panel, weights, weights * t
    moments = np.empty((count * panels, POINTS))
    for k in range(POINTS):
        moments[:, k] = np.bincount(cell, before, count * panels)
        before, now = now, 2.0 * t * now - before
    return moments.reshape(count, panels, POINTS), over


def gaussian_nodes(cuts: FloatArray, reach: float, order: int) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return a quadrature of a standard normal variate for many integrands at once.

    Parameters
    ----------
    cuts
        Where the integrand of each row is not smooth, (rows, K).
    reach
        Largest |ξ| of the quadrature.
    order
        Number of points in a panel.

    Returns
    -------
    tuple
        The row, the node and the weight of each point, as three flat arrays. The weights of a row sum to one.
    """
    count = len(cuts)
    regular = np.broadcast_to(np.linspace(-reach, reach, GAUSS_PANELS + 1), (count, GAUSS_PANELS + 1))
    edges = np.sort(np.concatenate([regular, np.clip(cuts, -reach, reach)], axis=1), axis=1)
    width = np.diff(edges, axis=1)
    row, column = np.nonzero(width > 1e-14 * reach)
    t, weight = gauss_legendre(order)
    nodes, half = nodes_between(edges[row, column], edges[row, column + 1], t)
    weights = half * weight * np.exp(-0.5 * nodes**2)
    rows = np.repeat(row, order)
    flat = weights.ravel()
    return rows, nodes.ravel(), flat / np.bincount(rows, weights=flat, minlength=count)[rows]


@dataclass(frozen=True)
class Step:
    """One step of the map of one neuron."""

    f: Callable[[FloatArray], FloatArray]
    """Activation function, applied elementwise."""
    w: float
    """Weight of the state in the pre-activation."""
    drive: float
    """Constant d of the pre-activation."""
    gamma: float
    """Time step over time constant, Δt/τ in (0, 1]."""
    inside: float
    """Standard deviation σ_in of the additive noise inside."""
    outside: float
    """Standard deviation σ_out of the additive noise outside."""
    breaks: FloatArray = field(default_factory=lambda: np.empty(0))
    """Pre-activations where f is not smooth, or one panel does not resolve it, (K,)."""
    reach: float = 8.5
    """Largest |ξ| that the quadrature reaches; P(|ξ| > 8.5) = 2e-17."""
    write: float = 1.0
    """Weight B of the value of f."""
    offset: float = 0.0
    """Constant e that is added to it."""
    gain_inside: float = 0.0
    """Standard deviation g_in of the multiplicative noise inside."""
    gain_outside: float = 0.0
    """Standard deviation g_out of the normal multiplicative noise outside."""
    factors: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    """Values of a further factor M of the value of f, each with its probability."""
    rated: bool = False
    """Whether f itself is averaged over the law, whose panels then have edges where f bends."""

    @property
    def noisy_inside(self) -> bool:
        """Whether there is noise inside."""
        return bool(self.inside or self.gain_inside)

    @property
    def factorizes(self) -> bool:
        """Whether P is the average over the noise inside of :meth:`diffusion`."""
        return bool(self.noisy_inside and self.outside and not self.gain_outside)

    @property
    def gain_variance(self) -> float:
        """Variance R of all that multiplies the value of f, whose mean is one."""
        return sum(p * M**2 for p, M in self.factors) * (1.0 + self.gain_outside**2) - 1.0

    def width(self, a: FloatArray) -> FloatArray:
        """Return the standard deviation s(a) of the noise inside at pre-activations."""
        s: FloatArray = np.hypot(self.inside, self.gain_inside * a)
        return s

    def spread(self, y: FloatArray) -> FloatArray:
        """Return the standard deviation γ σ(y) by which noise outside moves the state."""
        s: FloatArray = self.gamma * np.hypot(self.outside, self.gain_outside * y)
        return s

    def target(self, h: FloatArray, a: FloatArray, factor: float = 1.0) -> FloatArray:
        """Return (1-γ) h + γ (M B f(a) + e)."""
        moved: FloatArray = (1.0 - self.gamma) * h + self.gamma * (factor * (self.write * self.f(a)) + self.offset)
        return moved

    def rows(
        self, panels: ChebyshevPanels, h: FloatArray, order: int, diffused: FloatArray | None = None
    ) -> FloatArray:
        """Return rows of P at the states h, and in two more columns the mean overstep of the panels below and above.

        Parameters
        ----------
        panels
            Panels, with n nodes, that the functions live on.
        h
            States (M,).
        order
            Number of points in a quadrature panel.
        diffused
            If P factorizes, :meth:`diffusion` at the nodes, (n, n + 2).

        Returns
        -------
        FloatArray
            Matrix (M, n + 2).
        """
        parts = [p * self._rows(panels, h, order, diffused, M) for p, M in self.factors]
        return parts[0] if len(parts) == 1 else np.sum(parts, axis=0)

    def _rows(
        self, panels: ChebyshevPanels, h: FloatArray, order: int, diffused: FloatArray | None, factor: float
    ) -> FloatArray:
        """Return rows of P for one value of the factor M."""
        a = self.w * h + self.drive
        if not self.noisy_inside or factor == 0.0:
            return self._kicked(panels, self.target(h, a, factor), factor * self.write * self.f(a), order)
        s = self.width(a)
        with np.errstate(over="ignore"):
            cuts = (self.breaks - a[:, None]) / np.maximum(s, np.finfo(float).tiny)[:, None]
        rows, xi, weights = gaussian_nodes(cuts, self.reach, order)
        x = a[rows] + s[rows] * xi
        points = self.target(h[rows], x, factor)
        if self.gain_outside:
            return self._nested(panels, (rows, points, weights), factor * self.write * self.f(x), order, len(h))
        matrix = panels.averages(rows, points, weights, len(h))
        if diffused is None:
            return matrix
        after: FloatArray = matrix[:, :-2] @ diffused
        after[:, -2:] += matrix[:, -2:]
        return after

    def _nested(
        self,
        panels: ChebyshevPanels,
        inner: tuple[IntArray, FloatArray, FloatArray],
        y: FloatArray,
        order: int,
        count: int,
    ) -> FloatArray:
        """Average over the noise outside at each point of a quadrature over the noise inside."""
        rows, points, weights = inner
        total = np.zeros((count, len(panels.nodes) + 2))
        length = max(1, BLOCK // (order * (GAUSS_PANELS + panels.count)))
        for begin in range(0, len(rows), length):
            block = slice(begin, begin + length)
            parent, moved, own = self._spread_out(panels, points[block], y[block], order)
            row, first = rows[block][parent], rows[begin]
            some = int(row[-1] - first) + 1
            total[first : first + some] += panels.averages(row - first, moved, own * weights[block][parent], some)
        return total

    def _kicked(self, panels: ChebyshevPanels, points: FloatArray, y: FloatArray, order: int) -> FloatArray:
        """Average over the noise outside from points (M,) that values y of the activation have led to."""
        if not (self.outside or self.gain_outside):
            return panels.averages(np.arange(len(points)), points, np.ones(len(points)), len(points))
        return panels.averages(*self._spread_out(panels, points, y, order), len(points))

    def _spread_out(
        self, panels: ChebyshevPanels, points: FloatArray, y: FloatArray, order: int
    ) -> tuple[IntArray, FloatArray, FloatArray]:
        """Return a quadrature over the noise outside: for each of its points the row, the place and the weight."""
        s = self.spread(y)
        with np.errstate(over="ignore"):
            cuts = (panels.edges - points[:, None]) / np.maximum(s, np.finfo(float).tiny)[:, None]
        rows, eta, weights = gaussian_nodes(cuts, self.reach, order)
        return rows, points[rows] + s[rows] * eta, weights

    def matrix(self, panels: ChebyshevPanels, order: int) -> FloatArray:
        """Return P at the nodes of the panels, (n, n)."""
        diffused = self.diffusion(panels, panels.nodes, order) if self.factorizes else None
        return self.rows(panels, panels.nodes, order, diffused)[:, :-2]

    def diffusion(self, panels: ChebyshevPanels, y: FloatArray, order: int) -> FloatArray:
        """Return rows of g -> E g(y + γ σ_out η) at the points y (M,), with the overstep, (M, n + 2)."""
        return self._kicked(panels, y, np.zeros_like(y), order)
