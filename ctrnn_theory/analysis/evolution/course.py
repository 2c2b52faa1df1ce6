"""What a method that follows the law in time begins with, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.stationary.closure.moments import Moments, semidefinite
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.support.arguments import real_array
from ctrnn_theory.support.types import FloatArray


class Course(NamedTuple):
    """Fields of an Evolution that the method itself fills."""

    mean: FloatArray
    covariance: FloatArray
    standard_error: FloatArray | None = None
    converged: bool = True
    message: str = ""
    details: Mapping[str, Any] = {}
    rates: FloatArray | None = None


def start_moments(net: CTRNN, start: ArrayLike | StationaryLaw | None) -> Moments:
    """Return mean and covariance at time 0."""
    if not isinstance(start, StationaryLaw):
        return Moments(net.start_state(start), np.zeros((net.n, net.n)))
    V = real_array("start.covariance", start.covariance, (net.n, net.n))
    return Moments(real_array("start.mean", start.mean, (net.n,)), semidefinite(V))
