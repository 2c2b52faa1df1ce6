"""Finite volumes with exponentially fitted fluxes: the generator of a Markov chain on the cells of a grid."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import scipy  # which imports its parts when they are first used

from ctrnn_theory.fokker_planck.cell_grid import CellGrid
from ctrnn_theory.fokker_planck.equation import Equation
from ctrnn_theory.support.types import FloatArray, IntArray

LEAST = 1e-12  # smallest diffusion that is used, relative to the largest
NONE = 1e-200  # diffusion that is used where there is none at all; its inverse does not overflow


@dataclass(frozen=True, eq=False)
class Generator:
    """The generator of dp/dt = divergence · flux · p for the probabilities p of the cells."""

    flux: scipy.sparse.csr_matrix
    """Matrix (faces, cells) from p to the probability per unit of time through each face."""
    divergence: scipy.sparse.csr_matrix
    """Matrix (cells, faces) from fluxes to what enters each cell; a column has one +1 and one -1, conserving mass."""
    offsets: IntArray
    """Step (N,) from a cell to the next across each face, (faces, N)."""
    source: IntArray
    """Cell on one side of each face, (faces,)."""
    target: IntArray
    """Cell on the other side of each face, (faces,)."""
    grid: CellGrid
    """The grid."""
    monotone: bool
    """Whether no rate is negative, so that a density stays positive."""

    @property
    def matrix(self) -> scipy.sparse.csc_matrix:
        """Matrix L with dp/dt = L p, whose columns sum to zero."""
        return scipy.sparse.csc_matrix(self.divergence @ self.flux)

    def current(self, mass: FloatArray) -> FloatArray:
        """Return the current at the centres, (N, n₁, ..., n_N), the mean of the fluxes through the faces of a cell."""
        grid = self.grid
        through = (self.flux @ mass)[:, None] * self.offsets * grid.spacing
        J = 0.5 / float(np.prod(grid.spacing)) * (abs(self.divergence) @ through)
        return np.ascontiguousarray(J.T).reshape(grid.n, *grid.cells)


def generator(equation: Equation, grid: CellGrid, t: float = 0.0) -> Generator:
    """Discretise an equation, with no flux through the ends of the grid.

    With drift and diffusion in units of cells, a = A/Δ and S = ½ B/(Δ Δᵀ), the flux along axis i from a cell h to its
    neighbour h + e is that of Scharfetter and Gummel: with z = aᵢ/Sᵢᵢ, the drift half way, the diffusion the mean of
    both cells, and β(z) = z/(eᶻ - 1),

        S(h) p(h) β(-z) - S(h+e) p(h+e) β(z)

    It is exact for constant A and B, upwind where diffusion vanishes, and of second order (D. L. Scharfetter and H. K.
    Gummel, IEEE Trans. Electron Devices 16, 1969; J. S. Chang and G. Cooper, J. Comput. Phys. 6, 1970). Its rates are
    positive, so that for a diagonal B a density stays positive on any grid. Off the diagonal, 2 ∂ᵢ∂ⱼ(Sᵢⱼ p) takes the
    diagonal neighbours: there are jumps towards (1, 1) or (1, -1), by the sign, at the rate |Sᵢⱼ|, and as many fewer
    along either axis. A density stays positive if Sᵢᵢ β(|z|) ≥ Σⱼ |Sᵢⱼ| at every face, that is, if correlations are
    weak and cells small. Otherwise it may turn slightly negative where it is small. In two dimensions the symbol of
    this stencil is that of a dissipation for any B. In three it is so only if Sᵢᵢ ≥ Σⱼ |Sᵢⱼ| in all cells; otherwise
    the central difference of four corners is taken, whose symbol always is. All are of second order and conserve mass.
    """
    points = grid.points
    S = _in_cells(equation, t, grid)
    diagonal = S if S.ndim == 2 else np.einsum("mii->mi", S)
    off = np.zeros_like(S) if S.ndim == 2 else np.abs(S).sum(axis=2) - diagonal
    compact = grid.n < 3 or bool(np.all(off <= diagonal))
    faces = _Faces(grid)
    for i in range(grid.n):
        e = np.eye(grid.n, dtype=np.int64)[i]
        source, target = faces.pairs(e)
        drift = equation.drift(0.5 * (points[source] + points[target]), t)[:, i]
        z = drift / grid.spacing[i] / (0.5 * (diagonal[source, i] + diagonal[target, i]))
        less = off[:, i] if compact else np.zeros(grid.size)
        out = diagonal[source, i] * bernoulli(-z) - less[source]
        faces.add(e, source, target, out, diagonal[target, i] * bernoulli(z) - less[target])
    if S.ndim == 3:
        for i, j in itertools.combinations(range(grid.n), 2):
            for sign in (1, -1):
                e = np.eye(grid.n, dtype=np.int64)[i] + sign * np.eye(grid.n, dtype=np.int64)[j]
                rate = np.maximum(sign * S[:, i, j], 0.0) if compact else 0.5 * sign * S[:, i, j]
                if rate.any():
                    source, target = faces.pairs(e)
                    faces.add(e, source, target, rate[source], rate[target])
    return faces.generator()


def bernoulli(z: FloatArray) -> FloatArray:
    """Return z / (eᶻ - 1), which is positive, and 1 at z = 0."""
    small = np.abs(z) < 1e-8
    safe = np.where(small, 1.0, z)
    with np.errstate(over="ignore"):  # z / infinity is the right value, zero
        value: FloatArray = np.where(small, 1.0 - 0.5 * z, safe / np.expm1(safe))
    return value


def _in_cells(equation: Equation, t: float, grid: CellGrid) -> FloatArray:
    """Return S = ½ B in units of cells, (M, N) or (M, N, N), with a diagonal that is not zero."""
    B = equation.diffusion(grid.points, t)
    diagonal = 0.5 * (B if B.ndim == 2 else np.einsum("mii->mi", B)) / grid.spacing**2
    diagonal = np.maximum(diagonal, max(LEAST * float(diagonal.max()), NONE))
    if B.ndim == 2:
        return diagonal
    S = 0.5 * B / np.outer(grid.spacing, grid.spacing)
    np.einsum("mii->mi", S)[:] = diagonal
    return S


class _Faces:
    """The faces of a grid, collected one direction after the other."""

    def __init__(self, grid: CellGrid) -> None:
        self.grid = grid
        self.numbers = np.arange(grid.size).reshape(grid.cells)
        self.kinds: list[tuple[IntArray, ...]] = []
        self.rates: list[tuple[FloatArray, FloatArray]] = []

    def pairs(self, e: IntArray) -> tuple[IntArray, IntArray]:
        """Return the cells h and h + e for which both are in the grid."""
        here = tuple(slice(max(0, -k), n - max(0, k)) for k, n in zip(e, self.grid.cells, strict=True))
        there = tuple(slice(max(0, k), n - max(0, -k)) for k, n in zip(e, self.grid.cells, strict=True))
        return self.numbers[here].ravel(), self.numbers[there].ravel()

    def add(self, e: IntArray, source: IntArray, target: IntArray, out: FloatArray, back: FloatArray) -> None:
        """Add faces between two lists of cells, with the rates from the first to the second, and back."""
        self.kinds.append((np.tile(e, (len(source), 1)), source, target))
        self.rates.append((out, back))

    def generator(self) -> Generator:
        offsets, source, target = (np.concatenate(arrays) for arrays in zip(*self.kinds, strict=True))
        out, back = (np.concatenate(arrays) for arrays in zip(*self.rates, strict=True))
        face, one = np.arange(len(source)), np.ones(len(source))
        shape = (len(source), self.grid.size)
        ends = np.concatenate([face, face]), np.concatenate([source, target])
        flux = scipy.sparse.csr_matrix((np.concatenate([out, -back]), ends), shape=shape)
        divergence = scipy.sparse.csr_matrix((np.concatenate([-one, one]), ends), shape=shape).T.tocsr()
        monotone = bool(min(out.min(), back.min()) >= 0.0)
        return Generator(flux, divergence, offsets, source, target, self.grid, monotone)
