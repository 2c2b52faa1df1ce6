"""The coordinates that CMA-ES searches, which are those that bounds do not fix, in the form that pycma takes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import Bounds

from ctrnn_theory.support.arguments import float_array, positive_number, real_array, shown
from ctrnn_theory.support.types import FloatArray, IntArray

STEP, SHARE = 0.3, 0.25
"""Initial standard deviation of a coordinate without bounds, and as a share of the distance of its bounds."""


@dataclass(frozen=True, eq=False)
class Space:
    """The free coordinates among all coordinates of a search."""

    base: FloatArray
    """Initial values x0 of all coordinates, (n,)."""
    free: IntArray
    """Indices of the coordinates that are not fixed."""
    bounds: list[list[float]] | None
    """Bounds of the free coordinates, for pycma."""
    sigma0: float | FloatArray
    """Initial standard deviation of the free coordinates."""

    @classmethod
    def of(cls, x0: ArrayLike, bounds: Any, sigma0: ArrayLike | None) -> Space:
        """Return the space of a search, after checking its arguments."""
        base = real_array("x0", np.atleast_1d(float_array("x0", x0)), (None,))
        low, high = _limits(bounds, base.size)
        if np.any(low > high):
            raise ValueError(f"bounds must have each least below the greatest; got {low[low > high][0]:g} above")
        outside = (base < low) | (base > high)
        if np.any(outside):
            raise ValueError(f"x0 must lie within bounds; got {base[outside][0]:g} at {np.flatnonzero(outside)[0]}")
        free = np.flatnonzero(low < high)
        bounded = bool(np.any(np.isfinite(low[free]) | np.isfinite(high[free])))
        if sigma0 is None:
            width = (high - low)[free]
            sigma: float | FloatArray = np.where(np.isfinite(width), SHARE * width, STEP) if bounded else STEP
        elif float_array("sigma0", sigma0).ndim == 0:
            sigma = positive_number("sigma0", sigma0)
        else:
            sigma = real_array("sigma0", sigma0, (base.size,))[free]
            if np.any(sigma <= 0.0):
                raise ValueError(f"sigma0 must be positive; got {sigma.min()}")
        limits = [low[free].tolist(), high[free].tolist()] if bounded else None
        return cls(base, free, limits, sigma)

    def strategy(self, rng: np.random.Generator, options: dict[str, Any]) -> Any:
        """Return pycma's strategy for the free coordinates; an idle one is added to a single one."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about its optional dependencies
            import cma
        start, limits, sigma = self.base[self.free], self.bounds, self.sigma0
        if self.free.size == 1:
            start = np.append(start, 0.0)
            limits = None if limits is None else [[*limits[0], -np.inf], [*limits[1], np.inf]]
            sigma = sigma if np.ndim(sigma) == 0 else np.append(sigma, STEP)
        quiet = {"verbose": -9, "signals_filename": "", "verb_log": 0, "seed": np.nan}
        options = quiet | {"randn": lambda *shape: rng.standard_normal(shape)} | options
        if limits is not None:
            options["bounds"] = [[value if np.isfinite(value) else None for value in side] for side in limits]
        if np.ndim(sigma):
            options["CMA_stds"] = np.asarray(sigma).tolist()
        with warnings.catch_warnings():  # it adds a filter of its own
            return cma.CMAEvolutionStrategy(start.tolist(), 1.0 if np.ndim(sigma) else sigma, options)

    def points(self, asked: Sequence[ArrayLike]) -> FloatArray:
        """Return the vectors of all coordinates, (n, S), from S of pycma's vectors."""
        x = np.repeat(self.base[:, None], len(asked), axis=1)
        x[self.free] = np.asarray(asked, dtype=np.float64)[:, : self.free.size].T
        return x

    def deviations(self, stds: ArrayLike) -> FloatArray:
        """Return the standard deviations of all coordinates, (n,), from pycma's."""
        whole = np.zeros(self.base.size)
        whole[self.free] = np.asarray(stds)[: self.free.size]
        return whole


def _limits(bounds: Any, n: int) -> tuple[FloatArray, FloatArray]:
    if bounds is None:
        return np.full(n, -np.inf), np.full(n, np.inf)
    if isinstance(bounds, Bounds):
        low, high = (float_array("bounds", side) for side in (bounds.lb, bounds.ub))
        if any(side.shape not in ((), (1,), (n,)) for side in (low, high)):
            raise ValueError(f"bounds must be a pair for each of the {n} coordinates; got {low.shape} and {high.shape}")
        return np.array(np.broadcast_to(low, (n,))), np.array(np.broadcast_to(high, (n,)))
    try:
        pairs = [tuple(pair) for pair in bounds]
    except TypeError:
        raise ValueError(f"bounds must be a pair for each of the {n} coordinates; got {shown(bounds)}") from None
    if len(pairs) != n or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"bounds must be a pair for each of the {n} coordinates; got {len(pairs)}")
    low = float_array("bounds", [-np.inf if a is None else a for a, _ in pairs])
    return low, float_array("bounds", [np.inf if b is None else b for _, b in pairs])
