"""A network of low rank seen in its latent variables: drift with and without noise, diffusion, fixed points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.model.low_rank import Factors
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.markov.latent.solver import PARTICLES, first_box
from ctrnn_theory.stationary.markov.latent.step import LatentStep
from ctrnn_theory.support.arguments import real_array
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn
from ctrnn_theory.support.tables import Table
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


@dataclass(frozen=True)
class LatentPoint:
    """A fixed point of the mean of a step."""

    latent: FloatArray
    """Latent variables (R,)."""
    stable: bool
    """Whether the mean of a step returns to it from near."""


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
        step = self._step(level)
        drift: FloatArray = step.noisy.value(step.preactivation(flat)) @ step.D - flat
        return drift.reshape(points.shape)

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
        step, low, width = self._step(level), self.domain[:, 0], np.ptp(self.domain, axis=1)
        axes = [np.linspace(0.0, 1.0, STARTS[self.rank])] * self.rank
        places = low + width * np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
        for _ in range(NEWTON_STEPS):
            inverse = np.linalg.pinv(_slopes(step, places))  # slopes vanish at a point that is neither stable nor not
            move = (inverse @ self.drift(places, level)[:, :, None])[:, :, 0]
            places = places - np.clip(move, -0.1 * width, 0.1 * width)
        there = np.all((places >= low) & (places <= low + width), axis=1)
        there &= np.all(np.abs(self.drift(places, level)) <= EXACT * width, axis=1)
        found: list[LatentPoint] = []
        for place, slopes in zip(places[there], _slopes(step, places[there]), strict=True):
            if all(np.max(np.abs(place - other.latent) / width) > SAME for other in found):
                of_step = np.linalg.eigvals(np.eye(self.rank) + step.gamma * slopes)
                found.append(LatentPoint(place, bool(np.max(np.abs(of_step)) < 1.0 - MARGINAL)))
        return tuple(sorted(found, key=lambda point: tuple(point.latent)))

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
    low, high = first_box(step, _starts(step))
    margin = 0.25 * (high - low)
    inputs = None if u is None else real_array("u", u)
    return LatentField(net, noise, inputs, Factors(step.E, step.D), np.stack([low - margin, high + margin], axis=1))


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


def _starts(step: LatentStep) -> FloatArray:
    """Return particles (64, R): half at zero, half so far away that pre-activations pass their thresholds and noise."""
    reach = np.median(np.abs(step.c) + step.noisy.width(step.c)) + 1.0
    size = np.median(np.abs(step.E), axis=0)
    far = np.divide(reach, size, out=np.zeros_like(size), where=size > 0.0)
    starts = np.zeros((PARTICLES, step.rank))
    starts[::2] = far * np.random.default_rng(1).standard_normal((len(starts[::2]), step.rank))
    return starts


def _slopes(step: LatentStep, latent: FloatArray) -> FloatArray:
    """Return the derivatives Dᵀ diag(F') E - I (M, R, R) of the drift at latent variables (M, R)."""
    slope = step.noisy.slope(step.preactivation(latent))
    found: FloatArray = np.einsum("na,mn,nb->mab", step.D, slope, step.E, optimize=True) - np.eye(step.rank)
    return found
