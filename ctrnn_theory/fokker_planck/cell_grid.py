"""A box cut into equal cells, and the memory that a computation on it may take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ctrnn_theory.support.memory import SHARE, free_memory
from ctrnn_theory.support.types import FloatArray


@dataclass(frozen=True, eq=False)
class CellGrid:
    """The equal cells of the box low < h < high."""

    low: FloatArray
    """Lower corner, (N,)."""
    high: FloatArray
    """Upper corner, (N,)."""
    cells: tuple[int, ...]
    """Number of cells along each axis."""

    @property
    def n(self) -> int:
        """Number of dimensions N."""
        return len(self.cells)

    @property
    def size(self) -> int:
        """Total number of cells."""
        return math.prod(self.cells)

    @cached_property
    def spacing(self) -> FloatArray:
        """Width of a cell along each axis, (N,)."""
        return (self.high - self.low) / np.array(self.cells)

    @cached_property
    def axes(self) -> tuple[FloatArray, ...]:
        """Centres of the cells along each axis."""
        return tuple(a + d * (np.arange(k) + 0.5) for a, d, k in zip(self.low, self.spacing, self.cells, strict=True))

    @cached_property
    def points(self) -> FloatArray:
        """Centres of the cells (size, N), with the last axis running fastest."""
        return np.stack(np.meshgrid(*self.axes, indexing="ij"), axis=-1).reshape(-1, self.n)

    def coarser(self, factor: int) -> CellGrid:
        """Return the grid on the same box whose cells are `factor` times as wide."""
        return CellGrid(self.low, self.high, tuple(k // factor for k in self.cells))

    def border(self, mass: FloatArray) -> FloatArray:
        """Return the probability in the outermost cells at both ends of each axis, (N, 2), from that of each cell."""
        p = mass.reshape(self.cells)
        # rounding may take a sum beyond one
        return np.minimum([[p.take(end, axis=i).sum() for end in (0, -1)] for i in range(self.n)], 1.0)


def require_memory(cells: tuple[int, ...], needed: float) -> None:
    """Raise a ValueError if a computation on `cells` needs more bytes than are free."""
    free = free_memory()
    if needed > SHARE * free:
        shape = " x ".join(str(k) for k in cells)
        size = f"{shape} need about {needed / 1e9:.3g} GB, {free / 1e9:.3g} are free"
        raise ValueError(f"cells must fit into memory; {size}")
