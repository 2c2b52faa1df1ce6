"""Finite volumes with exponentially fitted or central fluxes: the generator of probabilities on the cells of a grid."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property

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

    out: FloatArray
    """Rate from the source of each face to its target, (faces,)."""
    back: FloatArray
    """Rate from the target of each face to its source, (faces,)."""
    offsets: IntArray
    """Step (N,) from the source of each face to its target, in cells, (faces, N)."""
    source: IntArray
    """Cell on one side of each face, (faces,)."""
    target: IntArray
    """Cell on the other side of each face, (faces,)."""
    grid: CellGrid
    """The grid."""

    @cached_property
    def flux(self) -> scipy.sparse.csr_matrix:
        """Matrix (faces, cells) from p to the probability per unit of time through each face."""
        return self._faces(self.out, -self.back)

    @cached_property
    def divergence(self) -> scipy.sparse.csr_matrix:
        """Matrix (cells, faces) from fluxes to what enters each cell; a column has one +1 and one -1."""
        one = np.ones(len(self.source))
        return self._faces(-one, one).T.tocsr()

    @property
    def matrix(self) -> scipy.sparse.csc_matrix:
        """Matrix L with dp/dt = L p, whose columns sum to zero."""
        return scipy.sparse.csc_matrix(self.divergence @ self.flux)

    @property
    def monotone(self) -> bool:
        """Whether no rate is negative, so that a density stays positive."""
        return bool(min(self.out.min(), self.back.min()) >= 0.0)

    @property
    def leaving(self) -> FloatArray:
        """Rate of leaving each cell, (cells,)."""
        return self.sums(self.out, self.back)

    def made_monotone(self) -> Generator:
        """Return the generator with as much more diffusion across each face as makes both of its rates positive."""
        more = np.maximum(0.0, -np.minimum(self.out, self.back))
        return replace(self, out=self.out + more, back=self.back + more)

    def sums(self, here: FloatArray, there: FloatArray) -> FloatArray:
        """Return the sums (cells,) over faces of what belongs to their sources and to their targets, (faces,) each."""
        size = self.grid.size
        total = np.bincount(self.source, here, size) + np.bincount(self.target, there, size)
        return np.asarray(total, dtype=np.float64)

    def _faces(self, here: FloatArray, there: FloatArray) -> scipy.sparse.csr_matrix:
        """Return the matrix (faces, cells) with the given entries at the source and at the target of each face."""
        count = len(self.source)
        ends = np.stack([self.source, self.target], axis=1).ravel()
        entries = np.stack([here, there], axis=1).ravel()
        return scipy.sparse.csr_matrix((entries, ends, 2 * np.arange(count + 1)), shape=(count, self.grid.size))

    def current(self, mass: FloatArray) -> FloatArray:
        """Return the current at the centres, (N, n₁, ..., n_N), the mean of the fluxes through the faces of a cell."""
        grid = self.grid
        through = (self.flux @ mass)[:, None] * self.offsets * grid.spacing
        J = 0.5 / float(np.prod(grid.spacing)) * (abs(self.divergence) @ through)
        return np.ascontiguousarray(J.T).reshape(grid.n, *grid.cells)


def generator(equation: Equation, grid: CellGrid, t: float = 0.0, fitted: bool = True) -> Generator:
    """Discretise an equation, with no flux through the ends of the grid.

    With drift and diffusion in units of cells, a = A/Δ and S = ½ B/(Δ Δᵀ), the flux along axis i from a cell h to its
    neighbour h + e is, if it is `fitted`, that of Scharfetter and Gummel: with z = aᵢ/Sᵢᵢ, the drift half way, the
    diffusion the mean of both cells, and β(z) = z/(eᶻ - 1),

        S(h) p(h) β(-z) - S(h+e) p(h+e) β(z)

    It is exact for constant A and B, upwind where diffusion vanishes, and of second order (D. L. Scharfetter and H. K.
    Gummel, IEEE Trans. Electron Devices 16, 1969; J. S. Chang and G. Cooper, J. Comput. Phys. 6, 1970). Its rates are
    positive, so that for a diagonal B a density stays positive on any grid. But it diffuses by Sᵢᵢ (z/2) coth(z/2), as
    if B were larger by about Δ² A²/(3 B), so that a law in motion is too wide. The other flux is central,

        ½ (a(h) p(h) + a(h+e) p(h+e)) + S(h) p(h) - S(h+e) p(h+e)

    for which summation by parts makes d E[h]/dt = E[A] and d E[h hᵀ]/dt = E[A hᵀ + h Aᵀ + B] exact. The error of a mean
    E φ(h) is of second order however narrow the density is, which may turn negative where |z| > 2.

    Off the diagonal, 2 ∂ᵢ∂ⱼ(Sᵢⱼ p) takes the diagonal neighbours: there are jumps towards (1, 1) or (1, -1), by the
    sign, at the rate |Sᵢⱼ|, and as many fewer along either axis. With fitted fluxes a density stays positive if
    Sᵢᵢ β(|z|) ≥ Σⱼ |Sᵢⱼ| at every face, that is, if correlations are weak and cells small. Otherwise it may turn
    slightly negative where it is small. In two dimensions the symbol of this stencil is that of a dissipation for any
    B. In three it is so only if Sᵢᵢ ≥ Σⱼ |Sᵢⱼ| in all cells; otherwise the central difference of four corners is taken,
    whose symbol always is. All are of second order and conserve mass.
    """
    points = grid.points
    S = _in_cells(equation, t, grid)
    diagonal = S if S.ndim == 2 else np.einsum("mii->mi", S)
    off = np.zeros_like(S) if S.ndim == 2 else np.abs(S).sum(axis=2) - diagonal
    compact = grid.n < 3 or bool(np.all(off <= diagonal))
    half = np.zeros_like(points) if fitted else 0.5 * equation.drift(points, t) / grid.spacing
    faces = _Faces(grid)
    for i in range(grid.n):
        e = np.eye(grid.n, dtype=np.int64)[i]
        source, target = faces.pairs(e)
        S_out, S_back, less = diagonal[source, i], diagonal[target, i], off[:, i] if compact else np.zeros(grid.size)
        if fitted:
            drift = equation.drift(0.5 * (points[source] + points[target]), t)[:, i]
            z = drift / grid.spacing[i] / (0.5 * (S_out + S_back))
            out, back = S_out * bernoulli(-z), S_back * bernoulli(z)
        else:
            out, back = S_out + half[source, i], S_back - half[target, i]
        faces.add(e, source, target, out - less[source], back - less[target])
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
        return Generator(out, back, offsets, source, target, self.grid)
