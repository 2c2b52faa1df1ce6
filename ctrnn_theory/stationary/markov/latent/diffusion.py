"""The diffusion approximation of the latent variables of a network of low rank."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.fokker_planck.equation import Equation, Field
from ctrnn_theory.stationary.markov.latent.fixed_points import drift
from ctrnn_theory.stationary.markov.latent.step import LatentStep
from ctrnn_theory.stationary.markov.latent.table import Tabulated
from ctrnn_theory.support.types import FloatArray


def latent_equation(step: LatentStep, low: FloatArray, high: FloatArray) -> tuple[Equation, bool]:
    """Return the Fokker–Planck equation of R latent variables in units of τ, and whether a table on a box resolves it.

    ::

        A = Dᵀ F(E κ + c) - κ,    B = γ Dᵀ (diag v + Σ_out) D

    It is the limit of their chain for γ → 0, where mean and covariance of a step are γ A and γ B: the length of a step
    and its third and higher cumulants are neglected.
    """

    def diffusion(latent: FloatArray) -> FloatArray:
        found: FloatArray = step.covariance(step.variance(latent)) / step.gamma
        return found

    A = Tabulated.of(lambda latent: drift(step, latent), low, high, "mean")
    B = Tabulated.of(diffusion, low, high, "variance")
    return Equation(step.rank, _field(A), _field(B)), A.resolved and B.resolved


def _field(table: Tabulated) -> Field:
    """Return the functions of a table at points (M, R) and any time."""
    values = table.values.reshape(table.grid.size, -1)

    def field(points: FloatArray, t: float) -> FloatArray:
        return table.grid.interpolation(points).apply(values).reshape(len(points), *np.shape(table.values)[1:])

    return field
