"""The law of all neurons in the diffusion approximation of the latent variables of a network of low rank."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy  # which imports its parts when they are first used
from numpy.typing import ArrayLike

from ctrnn_theory.fokker_planck.cell_grid import CellGrid, require_memory
from ctrnn_theory.fokker_planck.density import Density
from ctrnn_theory.fokker_planck.equation import Equation
from ctrnn_theory.fokker_planck.generator import generator
from ctrnn_theory.fokker_planck.null_vector import null_vector
from ctrnn_theory.fokker_planck.solution import as_density, extrapolate, needed
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.moments import semidefinite
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.markov.latent.diffusion import latent_equation
from ctrnn_theory.stationary.markov.latent.fixed_points import domain, slopes
from ctrnn_theory.stationary.markov.latent.step import LatentStep
from ctrnn_theory.stationary.markov.latent.table import StepTable, Tabulated
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

MOST_LATENTS = 2
"""Most latent variables: three have too many cells for all neurons."""
CELLS = {1: 2048, 2: 128}
"""Cells along each axis of the finest of three grids, by the number of latent variables."""
TOLERANCES = {1: 1e-5, 2: 1e-3}
"""Default tolerances of mean and covariance, in units of the largest deviation and variance of a neuron."""
BORDER = 1e-9
"""Largest probability in the outermost cells."""
LONG_STEP = 1.0
"""γ times the fastest rate, from which the chain has at least twice the variance of the diffusion."""
COPIES = 8
"""Arrays (cells, neurons) that the solution holds at its peak."""


class Moments(NamedTuple):
    """What one grid gives."""

    mean: FloatArray
    covariance: FloatArray
    mass: FloatArray
    doubt: float
    """Part of the probability that rounding may have moved."""
    reach: FloatArray
    """Distance (N,) between the least and the largest mean rate of a neuron on the grid."""


def low_rank_step(net: CTRNN, noise: Noise, u: ArrayLike | None) -> LatentStep | None:
    """Return the step of one or two latent variables, or None for a network or noise that has none."""
    try:
        step = LatentStep.of(net, noise, u)
    except NotApplicable:
        return None
    return step if 0 < step.rank <= MOST_LATENTS else None


def solve_diffusion(step: LatentStep, tolerance: float | None = None) -> StationaryLaw:
    """Return the stationary law of all N neurons in the limit γ → 0 of the chain of latent variables.

    In units of τ, with drift A and diffusion B of κ, and b = γ (diag v + Σ_out) D the covariance of the noise of h with
    that of κ,

        dκ = A dt + dξ,    dh = (F(E κ + c) - h) dt + dη,    <dξ dξᵀ> = B dt,    <dη dξᵀ> = b dt.

    For H_i(κ) = p(κ) E[h_i | κ] stationarity of E g(κ) h_i for all functions g means

        H_i - L H_i = p F_i - ∇·(b_i p),    L p = 0,

    and that of E h_i h_j gives 2 E h_i h_j = E F_i h_j + E h_i F_j + γ (E diag v + Σ_out)_ij. Both are solved on three
    grids of cells and extrapolated.
    """
    low, high = domain(step).T
    count = CELLS[step.rank]
    cells = (count,) * step.rank
    require_memory(cells, needed(cells) + 8.0 * COPIES * step.c.size * count**step.rank)
    table, (equation, resolved) = StepTable(step, low, high), latent_equation(step, low, high)
    fine = CellGrid(low, high, cells)
    found = [_on(step, table, equation, fine.coarser(factor)) for factor in (4, 2, 1)]
    mean, mean_error, _ = extrapolate([each.mean for each in found])
    covariance, error, order = extrapolate([each.covariance for each in found])
    moved, reach = max(each.doubt for each in found), float(np.max(found[-1].reach))
    mean_error, error = mean_error + moved * reach, error + moved * reach**2
    density = as_density(found[-1].mass, fine)
    border = float(fine.border(found[-1].mass).max())
    variance = float(np.max(np.diag(covariance)))
    allowed = TOLERANCES[step.rank] if tolerance is None else tolerance
    message = _message(resolved and table.resolved, border, mean_error, error, allowed, variance)
    details = _details(density, mean_error, error, fine, order, border)
    fastest = step.gamma * float(np.abs(np.linalg.eigvals(slopes(step, density.mean[None])[0])).max())
    law, remark = semidefinite(covariance), too_long(fastest)
    return StationaryLaw(mean, law, "fokker_planck", not message, message or remark, details=details)


def _on(step: LatentStep, table: StepTable, equation: Equation, grid: CellGrid) -> Moments:
    """Return the moments on a grid of cells."""
    scheme = generator(equation, grid)
    p, doubt = null_vector(scheme)
    F, v = (_at(each, grid.points) for each in table.tabulated)
    own = np.maximum(v - np.diag(step.outside), 0.0)
    mean = p @ F
    F = F - mean
    right = p[:, None] * F
    for axis, slope in enumerate(_differences(grid)):
        b = step.gamma * (own * step.D[:, axis] + step.outside @ step.D[:, axis])
        right += slope.T @ (p[:, None] * b)
    H = scipy.sparse.linalg.splu((scipy.sparse.eye(grid.size) - scheme.matrix).tocsc()).solve(right)
    cross = F.T @ H
    noise = step.gamma * (np.diag(p @ own) + step.outside)
    return Moments(mean, 0.5 * (cross + cross.T + noise), p, doubt, np.ptp(F, axis=0))


def _at(table: Tabulated, points: FloatArray) -> FloatArray:
    values: FloatArray = table.grid.interpolation(points).apply(table.values.reshape(table.grid.size, -1))
    return values


def _differences(grid: CellGrid) -> list[scipy.sparse.csr_matrix]:
    """Return matrices of central differences along each axis, one-sided at the ends of the grid."""
    found = []
    for axis, (count, spacing) in enumerate(zip(grid.cells, grid.spacing, strict=True)):
        index = np.arange(count)
        left, right = np.maximum(index - 1, 0), np.minimum(index + 1, count - 1)
        inverse = 1.0 / (spacing * (right - left))
        rows = np.concatenate([index, index])
        entries = np.concatenate([inverse, -inverse])
        one = scipy.sparse.csr_matrix((entries, (rows, np.concatenate([right, left]))), shape=(count, count))
        before, after = int(np.prod(grid.cells[:axis])), int(np.prod(grid.cells[axis + 1 :]))
        found.append(
            scipy.sparse.kron(scipy.sparse.kron(scipy.sparse.eye(before), one), scipy.sparse.eye(after)).tocsr()
        )
    return found


def too_long(rate: float) -> str:
    """Return a message if a step takes the state by so much of its distance from where the drift vanishes.

    One step takes deviations in a direction of rate λ by the factor 1 - γ λ: the variance of the map is that of the
    diffusion times 2 / (2 - γ λ), and there is none for γ λ > 2.
    """
    if rate <= LONG_STEP:
        return ""
    return (
        f"a step of the map is too long for the diffusion approximation: it moves the state by {rate:.2g} times its "
        "distance from where the drift vanishes"
    )


def _message(resolved: bool, border: float, mean_error: float, error: float, tolerance: float, variance: float) -> str:
    if not resolved:
        return "the smoothed activation bends too sharply to be resolved: there is too little noise inside"
    if border > BORDER:
        return f"the domain cuts the law off: {border:.1e} of the probability lies at one of its ends"
    if mean_error > tolerance * np.sqrt(variance) or error > tolerance * variance:
        return f"the estimated error of the mean is {mean_error:.1e}, of the covariance {error:.1e}"
    return ""


def _details(
    density: Density, mean_error: float, error: float, grid: CellGrid, order: float, border: float
) -> dict[str, object]:
    return {
        "latent_density": density,
        "latent_mean": density.mean,
        "latent_covariance": density.covariance,
        "error": np.array([mean_error, error]),
        "domain": np.stack([grid.low, grid.high], axis=1),
        "cells": grid.cells,
        "order": order,
        "border": border,
    }
