"""A probability density on a tensor grid, its moments, averages and marginals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.support.arguments import float_array, function_values, number_array
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn, neuron_table
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Density(Drawn, picture="density"):
    """A probability density in N dimensions, on the nodes of a tensor grid.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0.05, 0.95, 10)
    >>> uniform = Density((x,), (np.full(10, 0.1),), np.ones(10))
    >>> print(uniform.mean, uniform.expectation(lambda h: h[:, 0] < 0.5))
    [0.5] 0.5
    """

    axes: tuple[FloatArray, ...]
    """Nodes of each axis, ascending: centres of cells, or in one dimension nodes of a quadrature rule."""
    widths: tuple[FloatArray, ...]
    """Quadrature weights of the nodes of each axis, which are the widths of cells."""
    values: FloatArray
    """Density p at the nodes, (n₁, ..., n_N)."""
    current: FloatArray | None = None
    """Probability current J = A p - ½ ∂(B p), (N, n₁, ..., n_N), with ∂p/∂t = -∇·J; None where it is not computed."""

    def __post_init__(self) -> None:
        for name in ("axes", "widths"):
            object.__setattr__(self, name, tuple(float_array(name, part) for part in getattr(self, name)))
        object.__setattr__(self, "values", float_array("values", self.values))
        shape = tuple(len(axis) if axis.ndim == 1 else None for axis in self.axes)
        if not shape or self.values.shape != shape or tuple(width.shape for width in self.widths) != tuple(zip(shape)):
            raise ValueError(
                f"values must have a shape (n₁, ..., n_N) that axes and widths fit; got {self.values.shape}"
            )

    @property
    def n(self) -> int:
        """Number of dimensions N."""
        return len(self.axes)

    @cached_property
    def weights(self) -> FloatArray:
        """Probability of each node, (n₁, ..., n_N)."""
        weights = self.values
        for axis, width in enumerate(self.widths):
            weights = weights * width.reshape(-1, *(1,) * (self.n - 1 - axis))
        return weights

    @property
    def mass(self) -> float:
        """Total probability."""
        return float(self.weights.sum())

    @cached_property
    def points(self) -> FloatArray:
        """Nodes as states, (n₁ ⋯ n_N, N), in the order of ``values.ravel()``."""
        return np.stack(np.meshgrid(*self.axes, indexing="ij"), axis=-1).reshape(-1, self.n)

    @cached_property
    def mean(self) -> FloatArray:
        """Mean E[h], (N,)."""
        return np.array([axis @ self._sum(i) for i, axis in enumerate(self.axes)]) / self.mass

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance of h, (N, N)."""
        deviation = [axis - m for axis, m in zip(self.axes, self.mean, strict=True)]
        V = np.empty((self.n, self.n))
        for i in range(self.n):
            V[i, i] = deviation[i] ** 2 @ self._sum(i)
            for j in range(i):
                V[i, j] = V[j, i] = deviation[j] @ self._sum(j, i) @ deviation[i]
        return V / self.mass

    def expectation(self, function: Callable[[FloatArray], ArrayLike]) -> Any:
        """Return E φ(h), a number or (K,), for a function φ of states (M, N) with values (M,) or (M, K)."""
        values = function_values("function", function(self.points))
        if values.shape[:1] != (len(self.points),):
            raise ValueError(f"function must return a value for each of {len(self.points)} states; got {values.shape}")
        return np.tensordot(self.weights.ravel(), values, axes=1)[()] / self.mass

    def marginal(self, axes: int | Sequence[int]) -> Density:
        """Return the density of some of the coordinates, with the others integrated out.

        Parameters
        ----------
        axes
            Indices of the coordinates to keep, from 0, in the order of the result.

        Raises
        ------
        ValueError
            If an index is out of range or comes twice.
        """
        kept = np.atleast_1d(number_array("axes", axes))
        keep = tuple(kept.tolist())
        if (
            kept.ndim > 1
            or kept.dtype.kind not in "iu"
            or not keep
            or len(set(keep)) != len(keep)
            or not set(keep) <= set(range(self.n))
        ):
            raise ValueError(f"axes must be different numbers out of 0 to {self.n - 1}; got {axes!r}")
        nodes, widths = tuple(self.axes[i] for i in keep), tuple(self.widths[i] for i in keep)
        current = None
        if self.current is not None:
            current = np.stack([self._integrated(self.current[i], keep) for i in keep])
        return Density(nodes, widths, self._integrated(self.values, keep), current)

    def _headline(self) -> str:
        ranges = " x ".join(f"[{axis[0]:.4g}, {axis[-1]:.4g}]" for axis in self.axes)
        return f"{' x '.join(map(str, self.values.shape))} nodes on {ranges}, mass {self.mass:.8g}"

    def _parts(self, few: int) -> Iterator[Table]:
        yield neuron_table({"mean": self.mean, "std": np.sqrt(np.diag(self.covariance))}, few, "coordinate")

    def _arrays(self) -> Arrays:
        names = [f"h{i + 1}" for i in range(self.n)]
        variables = {"density": (names, self.values), "current": (["direction", *names], self.current)}
        return Arrays(variables, dict(zip(names, self.axes, strict=True)))

    def _sum(self, *keep: int) -> FloatArray:
        """Sum the probabilities over all axes but those in ascending `keep`."""
        return np.asarray(self.weights.sum(axis=tuple(i for i in range(self.n) if i not in keep)))

    def _integrated(self, values: FloatArray, keep: tuple[int, ...]) -> FloatArray:
        others = [i for i in range(self.n) if i not in keep]
        for i in reversed(others):
            values = np.tensordot(values, self.widths[i], axes=(i, 0))
        left = [i for i in range(self.n) if i in keep]
        return np.ascontiguousarray(np.transpose(values, [left.index(i) for i in keep]))
