"""What every method returns, and what it raises when it does not apply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class NotApplicable(ValueError):
    """The method cannot treat this network or noise; the message gives the reason."""


class Divergence(ValueError):
    """The state grows without bound, so that no stationary law exists."""


@dataclass(frozen=True, eq=False)
class StationaryLaw:
    """Stationary mean and covariance of a network's state, as one method sees it."""

    mean: FloatArray
    """Stationary mean E[h], shape (N,)."""
    covariance: FloatArray
    """Stationary covariance of h, shape (N, N), symmetric positive semi-definite; NaN where the method finds none."""
    method: str
    """Name of the method in ``METHODS``."""
    converged: bool = True
    """Whether the method reached its tolerance."""
    message: str = ""
    """One sentence on what limits the result; empty when there is nothing to say."""
    standard_error: FloatArray | None = None
    """Standard error of ``mean``, shape (N,), for a method that samples; otherwise None."""
    seconds: float = 0.0
    """Wall-clock time of the call."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Numbers that only this method has, such as its estimated error; see its docstring."""

    @property
    def std(self) -> FloatArray:
        """Standard deviation of each state, shape (N,)."""
        std: FloatArray = np.sqrt(np.diag(self.covariance))
        return std
