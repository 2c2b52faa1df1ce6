"""The coordinates that CMA-ES searches: those that bounds do not fix, and their translation for pycma."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import Bounds

from ctrnn_theory.support.arguments import float_array, positive_number, real_array, shown
from ctrnn_theory.support.types import FloatArray

STEP, SHARE = 0.3, 0.25
"""First standard deviation of a coordinate: this, or this share of the distance of its bounds."""


@dataclass(frozen=True, eq=False)
class Space:
    """Coordinates that are searched, among all of them."""

    base: FloatArray
    """x0 (n,)."""
    free: NDArray[np.intp]
    """Indices of those that are not fixed."""
    bounds: list[list[float]] | None
    """Of the free ones, for pycma."""
    sigma0: float | FloatArray
    """First standard deviation of the free ones."""

    @classmethod
    def of(cls, x0: ArrayLike, bounds: Any, sigma0: ArrayLike | None) -> Space:
        """Make sure of them."""
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
        """Pycma's strategy for the free coordinates; a single one gets an idle companion, since it wants two."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its optional dependencies
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
        """Whole vectors (n, S) from S of pycma's."""
        x = np.repeat(self.base[:, None], len(asked), axis=1)
        x[self.free] = np.asarray(asked, dtype=np.float64)[:, : self.free.size].T
        return x

    def spread(self, stds: ArrayLike) -> FloatArray:
        """Standard deviations (n,)."""
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
