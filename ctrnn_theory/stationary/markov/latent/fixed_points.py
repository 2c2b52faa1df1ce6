"""Fixed points of the mean of a step of latent variables, and the box in which they are looked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.stationary.markov.latent.solver import PARTICLES, first_box
from ctrnn_theory.stationary.markov.latent.step import LatentStep
from ctrnn_theory.support.types import FloatArray

STARTS = {1: 60, 2: 15, 3: 6}
"""Starts along each axis of the search for fixed points, by the number of latent variables."""
NEWTON_STEPS = 40
"""Steps of that search, none longer than a tenth of the domain."""
SAME = 1e-6
"""Distance, relative to the domain, below which two fixed points are one."""
EXACT = 1e-10
"""Largest drift at a fixed point, relative to the domain."""
MARGINAL = 1e-9
"""Part by which a step must shorten the way back to a stable point, at least; rounding makes 1e-13 of it."""
MARGIN = 0.25
"""Part of its width by which the domain passes the box of the law on either side."""


@dataclass(frozen=True)
class LatentPoint:
    """A fixed point of the mean of a step."""

    latent: FloatArray
    """Latent variables (R,)."""
    stable: bool
    """Whether the mean of a step returns to it from near."""


def domain(step: LatentStep) -> FloatArray:
    """Return a box (R, 2) in which simulated latent variables were seen, with a margin."""
    low, high = first_box(step, _starts(step))
    margin = MARGIN * (high - low)
    return np.stack([low - margin, high + margin], axis=1)


def drift(step: LatentStep, latent: FloatArray) -> FloatArray:
    """Return the drift Dᵀ F(E κ + c) - κ per time constant at latent variables (M, R)."""
    found: FloatArray = step.noisy.value(step.preactivation(latent)) @ step.D - latent
    return found


def slopes(step: LatentStep, latent: FloatArray) -> FloatArray:
    """Return the derivatives Dᵀ diag(F') E - I (M, R, R) of the drift at latent variables (M, R)."""
    slope = step.noisy.slope(step.preactivation(latent))
    found: FloatArray = np.einsum("na,mn,nb->mab", step.D, slope, step.E, optimize=True) - np.eye(step.rank)
    return found


def fixed_points(step: LatentStep, within: FloatArray) -> tuple[LatentPoint, ...]:
    """Return the fixed points in a box (R, 2), in ascending order of the first latent variable.

    They are looked for by Newton's method from a grid of starts, all at once, so that some may be missed.
    """
    low, width = within[:, 0], np.ptp(within, axis=1)
    axes = [np.linspace(0.0, 1.0, STARTS[step.rank])] * step.rank
    places = low + width * np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
    for _ in range(NEWTON_STEPS):
        inverse = np.linalg.pinv(slopes(step, places))  # slopes vanish at a point that is neither stable nor not
        move = (inverse @ drift(step, places)[:, :, None])[:, :, 0]
        places = places - np.clip(move, -0.1 * width, 0.1 * width)
    there = np.all((places >= low) & (places <= low + width), axis=1)
    there &= np.all(np.abs(drift(step, places)) <= EXACT * width, axis=1)
    found: list[LatentPoint] = []
    for place, slope in zip(places[there], slopes(step, places[there]), strict=True):
        if all(np.max(np.abs(place - other.latent) / width) > SAME for other in found):
            of_step = np.linalg.eigvals(np.eye(step.rank) + step.gamma * slope)
            found.append(LatentPoint(place, bool(np.max(np.abs(of_step)) < 1.0 - MARGINAL)))
    return tuple(sorted(found, key=lambda point: tuple(point.latent)))


def _starts(step: LatentStep) -> FloatArray:
    """Return particles (64, R): half at zero, half so far away that pre-activations pass their thresholds and noise."""
    reach = np.median(np.abs(step.c) + step.noisy.width(step.c)) + 1.0
    size = np.median(np.abs(step.E), axis=0)
    far = np.divide(reach, size, out=np.zeros_like(size), where=size > 0.0)
    starts = np.zeros((PARTICLES, step.rank))
    starts[::2] = far * np.random.default_rng(1).standard_normal((len(starts[::2]), step.rank))
    return starts
