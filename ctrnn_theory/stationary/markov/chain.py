"""The stationary law of one neuron on Chebyshev panels, from the Poisson equation, and the error that it estimates."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.linalg import lu_factor, lu_solve

from ctrnn_theory.activations import Activation
from ctrnn_theory.model.noisy_activation import NoisyActivation
from ctrnn_theory.stationary.markov.one_step import OneStep, moments_of, slack
from ctrnn_theory.stationary.markov.operator import ChebyshevPanels, Step
from ctrnn_theory.support.types import FloatArray

CHECKS = np.cos(np.pi * (np.array([14, 13, 11, 9, 7, 5, 3, 1, 0]) + 0.5) / 15.0)
"""Points of a panel, midway between its nodes, at which the Poisson equation is checked."""


def after_step(step: Step, f: Activation, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean and the variance of the state after a step from points (M, 1), by the smoothing of f."""
    noisy, a, R = NoisyActivation(f, step.inside, step.gain_inside), step.w * points + step.drive, step.gain_variance
    with moments_of(f):
        F, v = noisy.value(a), noisy.variance(a)
    mean = (1.0 - step.gamma) * points + step.gamma * (step.write * F + step.offset)
    return mean, step.gamma**2 * (step.write**2 * (v + R * (v + F**2)) + step.outside**2)


@dataclass(frozen=True)
class Chain:
    """The stationary law of the map of one neuron on panels, and the parts of its estimated error."""

    step: Step
    """The map."""
    panels: ChebyshevPanels
    """Panels, with n nodes in all."""
    weights: FloatArray
    """Weights π with E φ(h) = Σ π_j φ(h_j) for smooth φ, (n,)."""
    mean: float
    """Mean E h."""
    variance: float
    """Variance of h."""
    memory: float
    """Range of the solution g of the Poisson equation for φ = h over that of h: about the steps that forget h."""
    leak: FloatArray
    """Error of the mean by the probability that leaves the panels at either end, (2,)."""
    kick: FloatArray
    """Largest mean distance by which one step passes either end, (2,)."""
    shares: FloatArray
    """Share of each panel in the error of the mean and of the variance, (panels, 2)."""
    one_step: OneStep
    """Moments after one step from each node."""
    missed: FloatArray = field(default_factory=lambda: np.zeros(2))
    """Error of the mean and of the variance by what the quadrature steps over, (2,)."""

    @property
    def error(self) -> FloatArray:
        """Estimated absolute error of the mean and of the variance, (2,).

        It is twice the sum of its parts, since the residual is sampled and the leak counted to first order.
        """
        edges = self.panels.edges
        leak = float(np.sum(self.leak)) * np.array([1.0, 2.0 * (edges[-1] - edges[0])])
        total: FloatArray = 2.0 * (np.sum(self.shares, axis=0) + leak + self.missed)
        return total


def chain_on(step: Step, panels: ChebyshevPanels, order: int) -> Chain:
    """Solve for π, and the Poisson equations, on given panels, by quadrature of `order` points in a panel."""
    x = panels.nodes
    middle, half = 0.5 * (panels.edges[0] + panels.edges[-1]), 0.5 * (panels.edges[-1] - panels.edges[0])
    diffused = step.diffusion(panels, x, order) if step.factorizes else None
    rows = step.rows(panels, x, order, diffused)
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
    residual = _residual(step, panels, order + 6, diffused, g, center, np.array([center, variance]))
    mass = panels.mass(weights)
    shares = mass[:, None] * residual * np.array([half, half**2])
    over = rows[:, -2:] / half  # mean distances by which points were moved to the ends
    after = rows[:, :-2] @ phi + over @ [[-1.0, 2.0 * (1.0 + center)], [1.0, 2.0 * (1.0 - center)]]
    return Chain(
        step,
        panels,
        weights,
        middle + half * center,
        half**2 * variance,
        memory,
        leak,
        np.max(rows[:, -2:], axis=0),
        shares,
        OneStep(after, np.sum(over, axis=1)[:, None], np.ptp(g, axis=0)),
    )


def with_missed(chain: Chain, f: Activation) -> Chain:
    """Return the chain with the error by what its quadrature has missed."""
    edges, points = chain.panels.edges, chain.panels.nodes[:, None]
    half = 0.5 * (edges[-1] - edges[0])
    mean, variance = after_step(chain.step, f, points)
    away = mean - chain.mean
    true = np.concatenate([(mean - 0.5 * (edges[0] + edges[-1])) / half, (away**2 + variance) / half**2], axis=1)
    allowed = slack(mean, points, chain.mean, half, chain.one_step.over)
    return replace(chain, missed=chain.one_step.missed(chain.weights, true, allowed, half))


def _residual(
    step: Step,
    panels: ChebyshevPanels,
    order: int,
    diffused: FloatArray | None,
    g: FloatArray,
    center: float,
    expected: FloatArray,
) -> FloatArray:
    """Return the largest residual of the Poisson equations in each panel, (panels, 2).

    It is sampled off the nodes, and by a finer quadrature than the one that the solution comes from.
    """
    x = panels.points_at(CHECKS)
    z = (2.0 * x - panels.edges[0] - panels.edges[-1]) / (panels.edges[-1] - panels.edges[0])
    phi = np.stack([z, (z - center) ** 2], axis=1)
    after = step.rows(panels, x, order, diffused)[:, :-2] @ g
    residual = np.abs(phi - expected - panels.values(x, g) + after)
    if diffused is not None:  # what interpolating the inner average on the panels leaves out
        inner = diffused[:, :-2] @ g
        residual += np.abs(step.diffusion(panels, x, order)[:, :-2] @ g - panels.values(x, inner))
    largest: FloatArray = np.max(residual.reshape(panels.count, -1, 2), axis=1)
    return largest
