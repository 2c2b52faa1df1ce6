"""Mehler's expansion of covariances, from tables of Hermite coefficients: Cov(f(xᵢ), f(xⱼ)) = Σₙ rⁿ cₙ(i) cₙ(j).

By the Cauchy–Schwarz inequality, the terms beyond order n are at most |r|ⁿ⁺¹ √(tᵢ tⱼ), where tᵢ is the sum of all later
cₙ(i)². The kernels take so many terms that this is below TOLERANCE times |r| and the standard deviations of both f.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

TOLERANCE = 1e-15  # largest remainder of a covariance, relative to |r| and the standard deviations of both f
FLOOR = 1e-14  # part of the energy Σ n cₙ² below which what is left of it is rounding
FIRST = 48  # orders of the first table, which doubles until it is long enough
WINDOW = 8  # coefficients in a row of the size of rounding, after which none will follow


@dataclass(frozen=True, eq=False)
class HermiteTable:
    """Hermite coefficients cₙ = E f(m + s ξ) hₙ(ξ), n = 1 ... K, of one activation at M inputs, hₙ = Heₙ/√n!."""

    coefficients: FloatArray
    """cₙ (K, M)."""
    tails: FloatArray
    """Bounds of √(Σ_{k>n} c_k² / Var f) for n = 1 ... K, (K, M); at most 1."""

    @classmethod
    def of(cls, coefficients: FloatArray, energy: FloatArray) -> HermiteTable:
        """Make the table of coefficients (K, M), with bounds from the energy s² E f'² = Σ n cₙ² (M,).

        What is left of the energy after order n is at least n + 1 times the tail. Once it is down to rounding, so may
        be the coefficients; where several in a row are, those after them are zero.
        """
        n = np.arange(1.0, len(coefficients) + 1)[:, None]
        squares = coefficients**2
        left = energy - np.cumsum(n * squares, axis=0)
        variance = np.sum(squares, axis=0)
        scale = (n + 1.0) * np.where(variance > 0.0, variance, 1.0)
        tails = np.sqrt(np.minimum(np.maximum(left, FLOOR * energy) / scale, 1.0))
        small = (left <= FLOOR * energy) & (np.abs(coefficients) <= FLOOR * np.sqrt(energy / n))
        run = np.cumsum(small, axis=0)
        in_a_row = run - np.concatenate([np.zeros((WINDOW, run.shape[1]), dtype=run.dtype), run])[: len(run)]
        over = np.maximum.accumulate(in_a_row >= WINDOW, axis=0)
        return cls(np.where(over, 0.0, coefficients), np.where(over, 0.0, tails))

    @classmethod
    def grown(cls, coefficients: Callable[[int], FloatArray], energy: FloatArray, orders: int) -> HermiteTable:
        """Make a table of the orders that matter, and at most `orders`, from a function that returns the first ones."""
        count = min(FIRST, orders)
        table = cls.of(coefficients(count), energy)
        while count < orders and table.tails[-1].any():
            count = min(2 * count, orders)
            table = cls.of(coefficients(count), energy)
        return table

    @property
    def reach(self) -> FloatArray:
        """Numbers (M,) whose product for two inputs is the largest |r| at which the table is long enough for them."""
        last = self.tails[-1]  # |r|^K tᵢ tⱼ <= TOLERANCE
        root: FloatArray = np.sqrt(TOLERANCE) / np.where(last > 0.0, last, 1.0)
        return np.where(last > 0.0, root ** (1.0 / len(self.tails)), np.inf)


def orders_for(correlation: float, most: int) -> int:
    """Return how many orders a pair of this |r| needs if nothing is known of its coefficients, at most so many."""
    if not 0.0 < correlation < 1.0:
        return most if correlation else 1
    return int(min(max(math.ceil(math.log(TOLERANCE) / math.log(correlation)), 1), most))


def pair_covariances(table: HermiteTable, i: IntArray, j: IntArray, r: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return the covariances of pairs i, j of correlation r, (P,) each, and whether the table has enough orders."""
    from ctrnn_theory.activations.gaussian.hermite_kernels import pair_sums  # which imports Numba

    total, reached = np.zeros(r.size), np.zeros(r.size, dtype=bool)
    rows = (np.ascontiguousarray(x.T) for x in (table.coefficients, table.tails))
    pair_sums(*rows, i, j, np.ascontiguousarray(r), TOLERANCE, total, reached)
    return total, reached


def matrix_covariances(table: HermiteTable, S: FloatArray, inverse: FloatArray) -> tuple[FloatArray, int]:
    """Return covariances (B, N, N) of inputs of covariance S (B, N, N), and the number of pairs that need more orders.

    The correlations are S times the two numbers in `inverse` (B N,), clipped to [-1, 1]; inputs are in the order of the
    table. Pairs that the series does not reach are zero, and so is the diagonal.
    """
    from ctrnn_theory.activations.gaussian.hermite_kernels import tile_sums  # which imports Numba

    out = np.zeros(S.shape)
    missed = tile_sums(np.ascontiguousarray(S), inverse, table.reach, table.coefficients, table.tails, TOLERANCE, out)
    return out, int(missed)


def largest_correlation(S: FloatArray, inverse: FloatArray) -> float:
    """Return the largest |S_ij| inverse_i inverse_j, i < j, of matrices (B, N, N); at most 1."""
    from ctrnn_theory.activations.gaussian.hermite_kernels import largest  # which imports Numba

    return float(largest(S, inverse))
