"""A network of low rank seen in its latent variables: drift with and without noise, diffusion, fixed points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.fokker_planck.solution import Solution, cell_counts, check_border, stationary
from ctrnn_theory.model.low_rank import Factors
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.markov.latent.diffusion import latent_equation
from ctrnn_theory.stationary.markov.latent.fixed_points import LatentPoint, domain, drift, fixed_points
from ctrnn_theory.stationary.markov.latent.slow_manifold import LatentCurve, slow_manifold
from ctrnn_theory.stationary.markov.latent.step import LatentStep
from ctrnn_theory.support.arguments import positive_number, real_array
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray

BORDER = 1e-6
"""Largest probability of a density in the outermost cells of the domain."""


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class LatentField(Drawn, picture="latent"):
    """Drift and diffusion of the latent variables κ = Dᵀ h of a network of low rank, at any level of its noise."""

    network: CTRNN
    """The network."""
    noise: Noise
    """Its noise."""
    inputs: FloatArray | None
    """Constant input (K,)."""
    factors: Factors
    """Encoders E and decoders D (N, R) with W = E Dᵀ."""
    domain: FloatArray
    """Box (R, 2) in which simulated latent variables were seen, with a margin."""

    @property
    def rank(self) -> int:
        """Number R of latent variables."""
        return int(self.factors.E.shape[1])

    def _step(self, level: float = 1.0) -> LatentStep:
        return LatentStep.of(self.network, self.noise.scaled(level), self.inputs, self.factors)

    def drift(self, latent: ArrayLike, level: float = 1.0) -> FloatArray:
        """Return the drift A(κ; σ) = Dᵀ F(E κ + c; σ) - κ per time constant, of the shape (..., R) of `latent`.

        Parameters
        ----------
        latent
            Latent variables (..., R).
        level
            Level of the noise, as a multiple; 0 is the network without noise.
        """
        points = real_array("latent", latent)
        if points.shape[-1:] != (self.rank,):
            raise ValueError(f"latent must have shape (..., {self.rank}); got {points.shape}")
        flat = points.reshape(-1, self.rank)
        return drift(self._step(level), flat).reshape(points.shape)

    def noise_induced(self, latent: ArrayLike, level: float = 1.0) -> FloatArray:
        """Return the part of the drift that noise makes, A(κ; σ) - A(κ; 0), of the shape (..., R) of `latent`."""
        induced: FloatArray = self.drift(latent, level) - self.drift(latent, 0.0)
        return induced

    def diffusion(self, latent: ArrayLike, level: float = 1.0) -> FloatArray:
        """Return the covariance of a step over γ, γ Dᵀ (diag v + Σ) D, (..., R, R): per time constant, as the drift."""
        points = real_array("latent", latent)
        step = self._step(level)
        found = step.covariance(step.rates(points.reshape(-1, self.rank)).variance) / step.gamma
        return found.reshape(*points.shape, self.rank)

    def state(self, latent: ArrayLike, level: float = 1.0) -> FloatArray:
        """Return states (..., N) of the network with latent variables (..., R), from which it can be started.

        Of all such states it is the nearest to the mean rates F(E κ + c; σ), to which neurons settle while latent
        variables are held where they are.
        """
        points = real_array("latent", latent)
        step, D = self._step(level), self.factors.D
        rates = step.mean_rate(points.reshape(-1, self.rank))
        away = self.drift(points, level).reshape(-1, self.rank)
        states: FloatArray = rates - np.linalg.lstsq(D.T, away.T, rcond=None)[0].T
        return states.reshape(*points.shape[:-1], self.network.n)

    def fixed_points(self, level: float = 1.0) -> tuple[LatentPoint, ...]:
        """Return the fixed points of the drift within the domain, in ascending order of the first latent variable.

        They are looked for by Newton's method from a grid of starts, all at once, so that some may be missed.
        """
        return fixed_points(self._step(level), self.domain)

    def slow_manifold(self, level: float = 1.0) -> tuple[LatentCurve, ...]:
        """Return where the drift leads from unstable fixed points to stable ones, a curve for each unstable one.

        A line or a ring of states that a network holds nearly as well as fixed points breaks into stable and unstable
        points, and the curves between them are what is left of it: there the drift is slow, and across it fast. Curves
        leave the fixed points that have one unstable direction, on either side, and end at a stable point or where they
        leave the domain.
        """
        return slow_manifold(self._step(level), self.fixed_points(level), self.domain)

    def density(self, level: float = 1.0, cells: int | Sequence[int] | None = None) -> Solution:
        """Return the stationary density of the latent variables by the diffusion approximation.

        It solves the Fokker–Planck equation of dκ = A dt + √B dW with the drift A and the diffusion B above, as
        :func:`ctrnn_theory.fokker_planck.solve` does for other equations. This is the limit of the chain for γ → 0: the
        length of a step and its third and higher cumulants are neglected, which the estimated error does not contain.
        The relative error of the variance is of the order of γ. The density is that of all attractors together.

        Parameters
        ----------
        level
            Level of the noise, as a multiple; more than 0.
        cells
            Number of cells along each axis for two and three latent variables, 128 and 48 by default.

        Raises
        ------
        ValueError
            If the domain cuts the density off, the level is not positive, or the grid does not fit into memory.
        NotApplicable
            If there is so little noise inside that the smoothed activation is not resolved.
        """
        step, (low, high) = self._step(positive_number("level", level)), self.domain.T
        equation, resolved = latent_equation(step, low, high)
        if not resolved:
            raise NotApplicable(
                "the smoothed activation bends too sharply to be resolved: there is too little noise inside"
            )
        solution = stationary(equation, low, high, cell_counts(cells, self.rank))
        check_border(solution.border, BORDER, low, high)
        return solution

    @cached_property
    def points(self) -> tuple[tuple[float, tuple[LatentPoint, ...]], ...]:
        """Fixed points with the noise, level 1, and without it, level 0."""
        return tuple((level, self.fixed_points(level)) for level in (1.0, 0.0))

    def _headline(self) -> str:
        return f"{self.rank} latent variables of {self.network.title}; noise {self.noise.title}"

    def _parts(self, few: int) -> Iterator[Table]:
        rows = []
        for level, points in self.points:
            for point in points:
                place = ", ".join(f"{x:.6g}" for x in point.latent)
                induced = ", ".join(f"{x:.3g}" for x in self.noise_induced(point.latent))
                rows.append([f"{level:g}", place, "stable" if point.stable else "unstable", induced])
        yield Table(("noise", "fixed point", "", "noise-induced drift"), rows)

    def _arrays(self) -> Arrays:
        E, D = self.factors
        return Arrays({"encoders": (("neuron", "latent"), E), "decoders": (("neuron", "latent"), D)}, {})


@guarded
@limited
def latent(net: CTRNN, noise: Noise, u: ArrayLike | None = None, *, factors: Any = None) -> LatentField:
    """Return a network of low rank, W = E Dᵀ, as a system of its latent variables κ = Dᵀ h.

    In each step κ' = (1-γ) κ + γ Dᵀ (f(E κ + c + σ ξ) + η), exactly, so that κ is a Markov chain by itself. Its drift,
    Dᵀ F(E κ + c; σ) - κ with the smoothed activation F, and its diffusion are functions of κ alone. Their difference
    between noise on and off says how a network that relies on its noise loses its memory without it.

    Parameters
    ----------
    net
        The network, in rate form, whose neurons are alike.
    noise
        White noise; inside, neurons have their own.
    u
        Constant input (K,), or None.
    factors
        Encoders and decoders (E, D), (N, R) each, with W = E Dᵀ, for latent variables in their units. By default they
        are found from the singular values, so that the columns of D are orthonormal.

    Raises
    ------
    NotApplicable
        If the rank is zero or above three, which the message gives with the singular values, or for other kinds of
        networks and noise.
    ValueError
        If the factors do not have W as their product.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> E, D = rng.standard_normal((200, 1)), rng.standard_normal((200, 1)) / 100
    >>> field = latent(CTRNN(E @ D.T, 0.0, "tanh"), Noise(inside=1.0), factors=(E, D))
    >>> bool(abs(field.drift([0.0])[0]) < 1e-12)                         # by symmetry
    True
    """
    check_model(net, noise, u)
    step = LatentStep.of(net, noise, u, checked_factors(net, factors))
    if not step.rank:
        raise NotApplicable("the weights are zero, so that there are no latent variables")
    inputs = None if u is None else real_array("u", u)
    return LatentField(net, noise, inputs, Factors(step.E, step.D), domain(step))


def checked_factors(net: CTRNN, factors: Any) -> Factors | None:
    """Return the factors of a network's weights that are given, or raise a ValueError if they do not have them."""
    if factors is None:
        return None
    E, D = (real_array(name, array, (net.n, None)) for name, array in zip("ED", factors, strict=True))
    if E.shape != D.shape or not np.allclose(
        E @ D.T, net.W, rtol=1e-9, atol=1e-12 * max(1.0, float(np.abs(net.W).max()))
    ):
        raise ValueError(f"factors must be E and D with W = E Dᵀ; got shapes {E.shape} and {D.shape}")
    return Factors(E, D)
