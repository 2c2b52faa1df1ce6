"""Networks of low rank, and their noise, in latent variables and outputs: what a step of their closure is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement, product

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.model.low_rank import Factors
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.types import FloatArray, IntArray
from ctrnn_theory.training.model import Model

MOST_ORDERS = 12
"""Most orders of Mehler's formula."""
MOST_PRODUCTS = 2**23
"""Numbers in the largest table of products of encoders and decoders, 64 MB."""
MOST_TENSOR = 2**10
"""Entries (Rᵏ) of the largest tensor of an order."""


@dataclass(frozen=True, eq=False)
class Private:
    """Standard deviations (N,) of white noise that is private to each neuron, at one level."""

    inside: FloatArray
    """Additive noise inside."""
    gain_inside: FloatArray
    """Multiplicative noise inside."""
    gain_outside: FloatArray
    """All that multiplies outside: Gaussian noise and dropout."""

    @classmethod
    def of(cls, noise: Noise, n: int) -> Private | None:
        """Return the noise if it is of this kind, else None; the additive noise outside need only be white."""
        found = [private_std(getattr(noise, name), n) for name in ("inside", "gain_inside", "gain_outside")]
        if not noise.is_white or np.any(noise.common_gain(n)) or any(one is None for one in found):
            return None
        inside, gain_inside, gain_outside = (np.asarray(one) for one in found)
        keep = noise.kept(n)
        dropped = (1.0 - keep) / keep
        return cls(inside, gain_inside, np.sqrt(gain_outside**2 * (1.0 + dropped) + dropped))


def private_std(strength: object, n: int) -> FloatArray | None:
    """Return the standard deviation (n,) of noise of which no neurons share a source, or None if some do.

    Examples
    --------
    >>> private_std(0.5, 2), private_std([[1.0], [1.0]], 2)
    (array([0.5, 0.5]), None)
    """
    array = np.asarray(strength, dtype=np.float64)
    if array.ndim < 2:
        return np.array(np.broadcast_to(array, (n,)))
    if np.any(np.sum(array != 0.0, axis=0) > 1):
        return None
    return np.sqrt(np.sum(array**2, axis=1))


@dataclass(frozen=True, eq=False)
class LatentNetwork:
    """A network W = E Dᵀ in its latent variables: what a step of the closure is made of."""

    f: Activation
    """Activation."""
    gamma: float
    """Δt/τ."""
    factors: Factors
    """E and D."""
    W_out: FloatArray
    """Readout weights (P, N)."""

    @classmethod
    def of(cls, model: Model) -> LatentNetwork | None:
        """Return the latent network of a model of one network, or None if there is none of few dimensions."""
        if Private.of(model.noise, model.weights.b.shape[1]) is None or (factors := model.factors()) is None:
            return None
        return cls(model.f, float(np.max(model.gamma)), factors, model.weights.W_out[0])

    @property
    def rank(self) -> int:
        """Number R of latent variables."""
        return self.factors.E.shape[1]

    @cached_property
    def decoders(self) -> FloatArray:
        """D̂ (N, Q)."""
        return np.concatenate([self.factors.D, self.W_out.T], axis=1)

    @cached_property
    def squares(self) -> FloatArray:
        """D̂_iq D̂_iq' (N, Q²)."""
        D = self.decoders
        return np.ascontiguousarray((D[:, :, None] * D[:, None, :]).reshape(len(D), -1))

    @cached_property
    def orders(self) -> int:
        """Most orders K for which there is room."""
        R, (n, Q) = self.rank, self.decoders.shape
        fits = (k for k in range(1, MOST_ORDERS + 1) if _fits(R, k, n * Q))
        return max(fits, default=1) if R else 0

    @cached_property
    def _products(self) -> dict[int, tuple[FloatArray, IntArray]]:
        return {}

    def products(self, k: int) -> tuple[FloatArray, IntArray]:
        """Return D̂_iq times the products of k entries of e_i, (N, Q M), and the places (Rᵏ,) of a tensor among them."""
        if k not in self._products:
            E, R, D = self.factors.E, self.rank, self.decoders
            chosen = list(combinations_with_replacement(range(R), k))
            place = {one: at for at, one in enumerate(chosen)}
            features = np.prod(E[:, np.array(chosen)], axis=2)
            table = (D[:, :, None] * features[:, None, :]).reshape(len(D), -1)
            places = np.array([place[tuple(sorted(one))] for one in product(range(R), repeat=k)])
            self._products[k] = np.ascontiguousarray(table), places
        return self._products[k]

    def tensors(self, derivative: FloatArray, k: int) -> FloatArray:
        """Return Σ_i D̂_iq F_i⁽ᵏ⁾ e_i ⊗ ... ⊗ e_i (B, Q, Rᵏ) from the k-th derivatives (B, N)."""
        table, places = self.products(k)
        found = (derivative @ table).reshape(len(derivative), self.decoders.shape[1], -1)
        return found if k == 1 else np.ascontiguousarray(found[..., places])


def _fits(R: int, k: int, entries: int) -> bool:
    return R**k <= MOST_TENSOR and entries * math.comb(R + k - 1, k) <= MOST_PRODUCTS


@dataclass(frozen=True, eq=False)
class LatentNoise:
    """The noise at L levels."""

    inside: FloatArray
    """Standard deviations (L, N) of the additive noise inside."""
    gain_inside: FloatArray
    """Standard deviations (L, N) of the multiplicative noise inside."""
    gain_outside: FloatArray
    """Variances r² (L, N) of what multiplies outside."""
    outside: FloatArray
    """D̂ᵀ Σ_out D̂ (L, Q, Q)."""

    @classmethod
    def of(cls, network: LatentNetwork, noise: Noise, levels: FloatArray) -> LatentNoise:
        """Return the noise of a network, multiplied by levels (L,)."""
        D, n = network.decoders, len(network.decoders)
        strength = np.asarray(noise.outside)
        read = D.T @ strength if strength.ndim == 2 else D.T * strength
        each = [Private.of(noise.scaled(float(level)), n) for level in levels]
        private = [one for one in each if one is not None]
        arrays = [np.array([getattr(one, name) for one in private]) for name in ("inside", "gain_inside")]
        gains = np.array([one.gain_outside**2 for one in private])
        return cls(arrays[0], arrays[1], gains, levels[:, None, None] ** 2 * (read @ read.T))

    def repeated(self, times: int) -> LatentNoise:
        """Return the noise with each level so many times in a row."""
        arrays = (self.inside, self.gain_inside, self.gain_outside, self.outside)
        return LatentNoise(*(np.repeat(array, times, axis=0) for array in arrays))
