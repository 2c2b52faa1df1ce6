"""Averages over the trajectories of an ensemble, and the standard error of a mean over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.support.types import FloatArray


@dataclass(frozen=True, eq=False)
class Averages:
    """Time averages for each of K trajectories (or pairs) of N neurons, and for each block of these, with d = h - c."""

    samples: int
    """Number of times that are averaged over."""
    centre: FloatArray
    """Point c about which moments are taken, (N,)."""
    first: FloatArray
    """Average of d, (K, N)."""
    second: FloatArray
    """Average of d², (K, N)."""
    cross: FloatArray
    """Average of d dᵀ over a block, (blocks, N, N)."""
    residual: FloatArray
    """Average of r = F(W h + drive; σ_in) - h, (K, N), whose stationary mean is zero. It is optional, else empty."""
    ahead: FloatArray
    """Average of E[d' d'ᵀ | h], d' one step later, (blocks, N, N); its stationary mean is that of `cross`. Optional."""
    low: FloatArray
    """Smallest pre-activation without its noise, W h + drive, (N,); infinite if the residual is left out."""
    high: FloatArray
    """Largest pre-activation without its noise, (N,), likewise."""

    def __add__(self, other: Averages) -> Averages:
        """Return the averages over two runs of the same trajectories, about the same centre."""
        total = self.samples + other.samples
        share = other.samples / total
        names = ("first", "second", "cross", "residual", "ahead")
        mixed = {name: (1.0 - share) * getattr(self, name) + share * getattr(other, name) for name in names}
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        return Averages(samples=total, centre=self.centre, low=low, high=high, **mixed)

    def means(self, M: FloatArray | None = None) -> FloatArray:
        """Return the average (K, N) of h over each trajectory, or that of h + M r for a matrix M (N, N)."""
        plain: FloatArray = self.centre + self.first
        return plain if M is None else plain + self.residual @ M.T

    def squares(self, mean: FloatArray) -> FloatArray:
        """Return the average (K, N) of (h - mean)² over each trajectory."""
        shift = mean - self.centre
        squares: FloatArray = self.second - 2.0 * shift * self.first + shift**2
        return squares

    def covariance(self, mean: FloatArray) -> FloatArray:
        """Return the average (N, N) of (h - mean)(h - mean)ᵀ over all, positive semi-definite for any mean."""
        shift, first = mean - self.centre, self.first.mean(axis=0)
        mixed = np.outer(shift, first)  # added to its transpose first, so that the result is symmetric to the bit
        covariance: FloatArray = self.cross.mean(axis=0) - (mixed + mixed.T) + np.outer(shift, shift)
        return covariance


def standard_error(values: FloatArray) -> FloatArray:
    """Return the standard error (N,) of the mean over K independent trajectories, values (K, N)."""
    error: FloatArray = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return error
