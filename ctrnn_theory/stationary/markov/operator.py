"""The operator (P g)(h) = E g(h') of one noisy neuron, as a matrix on a piecewise polynomial mesh.

h' = (1-γ) h + γ f(w h + d + σ_in ξ) + γ σ_out η. With G(y) = E g(y + γ σ_out η) and
(P g)(h) = E G((1-γ) h + γ f(w h + d + σ_in ξ)), P is a product of two one-dimensional averages. Each is a Gaussian
integral by Gauss–Legendre panels, broken wherever its integrand is not smooth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from ctrnn_theory.support.jit import jit
from ctrnn_theory.support.types import FloatArray, IntArray

POINTS = 16
"""Nodes in a panel, its ends among them."""
GAUSS_PANELS = 6  # of a Gaussian's range: 16 points in 3 standard deviations integrate it to rounding
LOBATTO = -np.cos(np.pi * np.arange(POINTS) / (POINTS - 1))
"""Chebyshev–Lobatto nodes of a panel on [-1, 1]. Two panels share the node at their edge, so that g is continuous and
a step that is short beside a panel still passes from one to the next."""
TO_COEFFICIENTS = np.ascontiguousarray(np.linalg.inv(np.polynomial.chebyshev.chebvander(LOBATTO, POINTS - 1)))


@lru_cache(maxsize=8)
def legendre(order: int) -> tuple[FloatArray, FloatArray]:
    """Gauss–Legendre nodes and weights on (-1, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    return nodes, weights


@dataclass(frozen=True)
class Mesh:
    """Panels of an interval, with Chebyshev nodes in each."""

    edges: FloatArray
    """Ends of the panels, ascending, (panels + 1,)."""
    jumps: FloatArray = field(default_factory=lambda: np.empty(0))
    """Those inner edges where g jumps: two nodes lie there, one on each side."""

    @property
    def panels(self) -> int:
        """Number of panels."""
        return len(self.edges) - 1

    @cached_property
    def index(self) -> IntArray:
        """Number of each panel's nodes, (panels, 16)."""
        split = np.concatenate([[0], np.cumsum(np.isin(self.edges[1:-1], self.jumps))])
        first = np.arange(self.panels) * (POINTS - 1) + split
        numbers: IntArray = first[:, None] + np.arange(POINTS)
        return numbers

    @cached_property
    def nodes(self) -> FloatArray:
        """Nodes of all panels, ascending, (n,)."""
        local = self.spread(LOBATTO).reshape(self.panels, POINTS)
        jump = np.isin(self.edges, self.jumps)
        jump[[0, -1]] = False
        shift = 1e-13 * np.diff(self.edges) + 4.0 * np.spacing(np.abs(self.edges[1:]) + np.abs(self.edges[:-1]))
        local[:, 0] += np.where(jump[:-1], shift, 0.0)
        local[:, -1] -= np.where(jump[1:], shift, 0.0)
        nodes = np.empty(self.index[-1, -1] + 1)
        nodes[self.index] = local
        return nodes

    def spread(self, reference: FloatArray) -> FloatArray:
        """Points of [-1, 1] put into every panel, (panels * len(reference),)."""
        low, high = self.edges[:-1, None], self.edges[1:, None]
        points: FloatArray = 0.5 * ((1.0 - reference) * low + (1.0 + reference) * high)
        return points.ravel()

    def mass(self, weights: FloatArray) -> FloatArray:
        """Sum of |weight| over the nodes of each panel, (panels,)."""
        total: FloatArray = np.sum(np.abs(weights)[self.index], axis=1)
        return total

    def averages(self, rows: IntArray, points: FloatArray, weights: FloatArray, count: int) -> FloatArray:
        """Matrix (count, nodes + 2) that takes g at the nodes to Σ weight · g(point), summed over each row's points.

        Points outside the interval are moved to its nearer end; the last two columns hold their mean distance below
        and above it.
        """
        moments, over = scatter(self.edges, rows, points, weights, count)
        local = (moments.reshape(-1, POINTS) @ TO_COEFFICIENTS).reshape(count, self.panels, POINTS)
        matrix = np.zeros((count, len(self.nodes) + 2))
        matrix[:, self.index[:, :-1]] = local[:, :, :-1]
        matrix[:, self.index[:, -1]] += local[:, :, -1]  # the last node may be the next panel's first
        matrix[:, -2:] = over
        return matrix

    def values(self, points: FloatArray, g: FloatArray) -> FloatArray:
        """Functions g (nodes, K), given at the nodes, at other points (M,); (M, K)."""
        count = len(points)
        found: FloatArray = self.averages(np.arange(count), points, np.ones(count), count)[:, :-2] @ g
        return found


SCATTER = "Tuple((float64[:,:,::1], float64[:,::1]))(float64[::1], int64[::1], float64[::1], float64[::1], int64)"


@jit(SCATTER, cache=True)
def scatter(edges, rows, points, weights, count):  # type: ignore[no-untyped-def]
    """Σ weight · T_k(t) over the points of each row and panel, (count, panels, 16), and the overstep, (count, 2)."""
    panels = len(edges) - 1
    moments = np.zeros((count, panels, POINTS))
    over = np.zeros((count, 2))
    panel = 0
    for i in range(len(points)):
        x, weight, row = points[i], weights[i], rows[i]
        if x < edges[0]:
            over[row, 0] += weight * (edges[0] - x)
            x = edges[0]
        elif x > edges[-1]:
            over[row, 1] += weight * (x - edges[-1])
            x = edges[-1]
        while panel > 0 and x < edges[panel]:  # the points of a row are near each other
            panel -= 1
        while panel < panels - 1 and x >= edges[panel + 1]:
            panel += 1
        t = ((x - edges[panel]) - (edges[panel + 1] - x)) / (edges[panel + 1] - edges[panel])
        before, now = weight, weight * t
        for k in range(POINTS):
            moments[row, panel, k] += before
            before, now = now, 2.0 * t * now - before
    return moments, over


def gaussian_nodes(cuts: FloatArray, reach: float, order: int) -> tuple[IntArray, FloatArray, FloatArray]:
    """Quadrature of a standard normal variate for many integrands at once.

    Parameters
    ----------
    cuts
        Where the integrand of each row is not smooth, (rows, K).
    reach
        Largest |ξ| of the quadrature.
    order
        Points in a panel.

    Returns
    -------
    tuple
        Row, node and weight of each point, three flat arrays. The weights of a row sum to one.
    """
    count = len(cuts)
    regular = np.broadcast_to(np.linspace(-reach, reach, GAUSS_PANELS + 1), (count, GAUSS_PANELS + 1))
    edges = np.sort(np.concatenate([regular, np.clip(cuts, -reach, reach)], axis=1), axis=1)
    width = np.diff(edges, axis=1)
    row, column = np.nonzero(width > 1e-14 * reach)
    t, weight = legendre(order)
    half = 0.5 * width[row, column, None]
    nodes = edges[row, column, None] + half * (1.0 + t)
    weights = half * weight * np.exp(-0.5 * nodes**2)
    rows = np.repeat(row, order)
    flat = weights.ravel()
    return rows, nodes.ravel(), flat / np.bincount(rows, weights=flat, minlength=count)[rows]


@dataclass(frozen=True)
class Step:
    """One step of the map of one neuron."""

    f: Callable[[FloatArray], FloatArray]
    """Activation, elementwise."""
    w: float
    """Self-connection."""
    drive: float
    """d = W_in u + b."""
    gamma: float
    """Δt/τ in (0, 1]."""
    inside: float
    """σ_in."""
    outside: float
    """σ_out."""
    breaks: FloatArray = field(default_factory=lambda: np.empty(0))
    """Pre-activations where f is not smooth, or one panel does not resolve it, (K,)."""
    reach: float = 8.5
    """Largest |ξ| that counts; P(|ξ| > 8.5) = 2e-17."""

    def target(self, h: FloatArray, a: FloatArray) -> FloatArray:
        """(1-γ) h + γ f(a)."""
        moved: FloatArray = (1.0 - self.gamma) * h + self.gamma * self.f(a)
        return moved

    def rows(self, mesh: Mesh, h: FloatArray, order: int, diffused: FloatArray | None = None) -> FloatArray:
        """Rows of P at the states h, with two columns more: the mean overstep of the mesh below and above.

        Parameters
        ----------
        mesh
            Mesh (n nodes) that the functions live on.
        h
            States (M,).
        order
            Points in a quadrature panel.
        diffused
            For noise at both sites, :meth:`diffusion` at the nodes, (n, n + 2).

        Returns
        -------
        FloatArray
            Matrix (M, n + 2).
        """
        a = self.w * h + self.drive
        if self.inside == 0.0:
            return self.diffusion(mesh, self.target(h, a), order)
        rows, xi, weights = gaussian_nodes((self.breaks - a[:, None]) / self.inside, self.reach, order)
        points = self.target(h[rows], a[rows] + self.inside * xi)
        matrix = mesh.averages(rows, points, weights, len(h))
        if diffused is None:
            return matrix
        after: FloatArray = matrix[:, :-2] @ diffused
        after[:, -2:] += matrix[:, -2:]
        return after

    def matrix(self, mesh: Mesh, order: int) -> FloatArray:
        """P at the nodes of a mesh, (n, n)."""
        diffused = self.diffusion(mesh, mesh.nodes, order) if self.inside and self.outside else None
        return self.rows(mesh, mesh.nodes, order, diffused)[:, :-2]

    def diffusion(self, mesh: Mesh, y: FloatArray, order: int) -> FloatArray:
        """Rows of g -> E g(y + γ σ_out η) at the points y (M,), with the overstep, (M, n + 2)."""
        s = self.gamma * self.outside
        rows, eta, weights = gaussian_nodes((mesh.edges - y[:, None]) / s, self.reach, order)
        return mesh.averages(rows, y[rows] + s * eta, weights, len(y))
