"""The stationary law of one neuron on a mesh, from the Poisson equation, and how far it is to be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.linalg import lu_factor, lu_solve

from ctrnn_theory.activations import Activation
from ctrnn_theory.stationary.markov.operator import Mesh, Step
from ctrnn_theory.stationary.markov.witness import missed, moments_after, slack
from ctrnn_theory.support.types import FloatArray

CHECKS = np.cos(np.pi * (np.array([14, 13, 11, 9, 7, 5, 3, 1, 0]) + 0.5) / 15.0)
"""Points of a panel, midway between its nodes, at which the Poisson equation is checked."""


def after_step(step: Step, f: Activation, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of the state after a step from points (M, 1), by the smoothing of f."""
    W, drive = np.array([[step.w]]), np.array([step.drive])
    inside, outside = (np.array([[level**2]]) for level in (step.inside, step.outside))
    return moments_after(f, W, drive, step.gamma, inside, outside, points)


@dataclass(frozen=True)
class Chain:
    """The stationary law of the map on a mesh, and how far it is to be trusted."""

    step: Step
    """The map."""
    mesh: Mesh
    """Mesh of n nodes."""
    weights: FloatArray
    """π: E φ(h) = Σ π_j φ(h_j) for smooth φ, (n,)."""
    mean: float
    """E h."""
    variance: float
    """Var h."""
    memory: float
    """Range of the solution g of the Poisson equation for φ = h over that of h: the steps until it forgets, about."""
    leak: FloatArray
    """Error of the mean by the probability that leaves the mesh at either end, (2,)."""
    kick: FloatArray
    """Largest mean distance by which one step oversteps either end, (2,)."""
    shares: FloatArray
    """Each panel's share in the error of the mean and of the variance, (panels, 2)."""
    after: FloatArray
    """Mean, and mean square about E h, after a step from each node, in half widths and their squares, (n, 2)."""
    over: FloatArray
    """Mean distance by which a step from each node leaves the mesh, in half widths, (n,)."""
    ranges: FloatArray
    """Range of the two solutions of the Poisson equation, (2,)."""
    missed: FloatArray = field(default_factory=lambda: np.zeros(2))
    """Error of the mean and of the variance by what the quadrature steps over, (2,)."""

    @property
    def error(self) -> FloatArray:
        """Estimated absolute error of the mean and of the variance, (2,).

        Twice the sum of its parts, since the residual is sampled and the leak counted to first order.
        """
        edges = self.mesh.edges
        leak = float(np.sum(self.leak)) * np.array([1.0, 2.0 * (edges[-1] - edges[0])])
        total: FloatArray = 2.0 * (np.sum(self.shares, axis=0) + leak + self.missed)
        return total


def chain_on(step: Step, mesh: Mesh, order: int) -> Chain:
    """Solve for π, and the Poisson equations, on one mesh."""
    x = mesh.nodes
    middle, half = 0.5 * (mesh.edges[0] + mesh.edges[-1]), 0.5 * (mesh.edges[-1] - mesh.edges[0])
    diffused = step.diffusion(mesh, x, order) if step.inside and step.outside else None
    rows = step.rows(mesh, x, order, diffused)
    n = len(x)
    # Adding 1 uᵀ, u·1 = 1, makes I - P regular: πᵀ (I - P + 1 uᵀ) = uᵀ.
    factors = lu_factor(np.eye(n) - rows[:, :-2] + 1.0 / n, check_finite=False)
    weights = lu_solve(factors, np.full(n, 1.0 / n), trans=1)
    z = (x - middle) / half
    center = float(weights @ z)
    variance = float(weights @ (z - center) ** 2)
    phi = np.stack([z, (z - center) ** 2], axis=1)
    g = lu_solve(factors, phi, check_finite=False)
    memory = 0.5 * float(np.ptp(g[:, 0]))
    leak = np.abs(weights @ rows[:, -2:]) * memory
    residual = _residual(step, mesh, order + 6, diffused, g, center, np.array([center, variance]))
    mass = mesh.mass(weights)
    shares = mass[:, None] * residual * np.array([half, half**2])
    over = rows[:, -2:] / half  # was moved to the ends
    after = rows[:, :-2] @ phi + over @ [[-1.0, 2.0 * (1.0 + center)], [1.0, 2.0 * (1.0 - center)]]
    return Chain(
        step,
        mesh,
        weights,
        middle + half * center,
        half**2 * variance,
        memory,
        leak,
        np.max(rows[:, -2:], axis=0),
        shares,
        after,
        np.sum(over, axis=1),
        np.ptp(g, axis=0),
    )


def witnessed(chain: Chain, f: Activation) -> Chain:
    """Chain that knows what its quadrature has missed."""
    edges = chain.mesh.edges
    half = 0.5 * (edges[-1] - edges[0])
    mean, variance = after_step(chain.step, f, chain.mesh.nodes[:, None])
    away = mean - chain.mean
    true = np.concatenate([(mean - 0.5 * (edges[0] + edges[-1])) / half, (away**2 + variance) / half**2], axis=1)
    allowed = slack(mean, chain.mesh.nodes[:, None], chain.mean, half, chain.over[:, None])
    total = missed(chain.weights, chain.after, true, allowed)
    return replace(chain, missed=total * chain.ranges * np.array([half, half**2]))


def _residual(
    step: Step, mesh: Mesh, order: int, diffused: FloatArray | None, g: FloatArray, center: float, expected: FloatArray
) -> FloatArray:
    """Largest residual of the Poisson equations in each panel, off the nodes and by a finer quadrature, (panels, 2)."""
    x = mesh.spread(CHECKS)
    z = (2.0 * x - mesh.edges[0] - mesh.edges[-1]) / (mesh.edges[-1] - mesh.edges[0])
    phi = np.stack([z, (z - center) ** 2], axis=1)
    after = step.rows(mesh, x, order, diffused)[:, :-2] @ g
    residual = np.abs(phi - expected - mesh.values(x, g) + after)
    if diffused is not None:  # what interpolating the inner average on the mesh leaves out
        inner = diffused[:, :-2] @ g
        residual += np.abs(step.diffusion(mesh, x, order)[:, :-2] @ g - mesh.values(x, inner))
    largest: FloatArray = np.max(residual.reshape(mesh.panels, -1, 2), axis=1)
    return largest
