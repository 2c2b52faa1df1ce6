"""Averages over the trajectories of an ensemble, and the standard error of a mean over them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ctrnn_theory.support.types import FloatArray


@dataclass(frozen=True, eq=False)
class Averages:
    """Time averages for each of K trajectories (or pairs), and for each block of these, with d = g - c.

    The state g has M components, which are those of N neurons and then the sources of coloured noise, if there are any.
    """

    samples: int
    """Number of times that are averaged over."""
    centre: FloatArray
    """Point c about which moments are taken, (M,)."""
    first: FloatArray
    """Average of d, (K, M)."""
    second: FloatArray
    """Average of d², (K, M)."""
    cross: FloatArray
    """Average of d dᵀ over a block, (blocks, M, M)."""
    residual: FloatArray
    """Average of r, (K, M), whose stationary mean is zero: (E[h' | g] - h) / γ, which is F(W h + drive; σ_in) - h for
    white noise, and E[x' | g] - x. It is optional, else empty."""
    ahead: FloatArray
    """Average of E[d' d'ᵀ | g], d' one step later, (blocks, M, M); its stationary mean is that of `cross`. Optional."""
    low: FloatArray
    """Smallest mean argument of the activation, (N,); infinite if the residual is left out."""
    high: FloatArray
    """Largest one, (N,), likewise."""
    rate: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    """Average of f(v) of a network in voltage form, (K, N); else empty."""

    @property
    def neurons(self) -> int:
        """Number N of neurons."""
        return len(self.low)

    def __add__(self, other: Averages) -> Averages:
        """Return the averages over two runs of the same trajectories, about the same centre."""
        total = self.samples + other.samples
        share = other.samples / total
        names = ("first", "second", "cross", "residual", "ahead", "rate")
        mixed = {name: (1.0 - share) * getattr(self, name) + share * getattr(other, name) for name in names}
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        return Averages(samples=total, centre=self.centre, low=low, high=high, **mixed)

    @property
    def mean(self) -> FloatArray:
        """Average of the state g over all, (M,)."""
        mean: FloatArray = (self.centre + self.first).mean(axis=0)
        return mean

    def means(self, M: FloatArray | None = None) -> FloatArray:
        """Return the average (K, N) of h over each trajectory, or that of h + M r for a matrix M (N, M)."""
        plain: FloatArray = (self.centre + self.first)[:, : self.neurons]
        return plain if M is None else plain + self.residual @ M.T

    def squares(self, mean: FloatArray) -> FloatArray:
        """Return the average (K, N) of (h - mean)² over each trajectory."""
        n = len(mean)
        shift = mean - self.centre[:n]
        squares: FloatArray = self.second[:, :n] - 2.0 * shift * self.first[:, :n] + shift**2
        return squares

    def covariance(self, mean: FloatArray) -> FloatArray:
        """Return the average (N, N) of (h - mean)(h - mean)ᵀ over all, positive semi-definite for any mean.

        For a mean (M,) it is the covariance (M, M) of the state g.
        """
        n = len(mean)
        shift, first = mean - self.centre[:n], self.first[:, :n].mean(axis=0)
        mixed = np.outer(shift, first)  # added to its transpose first, so that the result is symmetric to the bit
        covariance: FloatArray = self.cross[:, :n, :n].mean(axis=0) - (mixed + mixed.T) + np.outer(shift, shift)
        return covariance


def both_triangles(lower: FloatArray) -> FloatArray:
    """Return symmetric matrices (..., M, M) of those whose lower triangle is known."""
    both: FloatArray = np.tril(lower) + np.tril(lower, -1).swapaxes(-1, -2)
    return both


def standard_error(values: FloatArray) -> FloatArray:
    """Return the standard error (N,) of the mean over K independent trajectories, values (K, N)."""
    error: FloatArray = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return error
