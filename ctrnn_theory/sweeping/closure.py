"""The Gaussian closure of many single neurons at once: that of networks, on a batch of one neuron each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.stationary.closure.gaussian_step import Closures, Moments
from ctrnn_theory.stationary.closure.settle import settle as settle_closures
from ctrnn_theory.stationary.gaussian_closure import MOST_STRIDES, TOLERANCE
from ctrnn_theory.support.types import BoolArray, FloatArray
from ctrnn_theory.sweeping.neurons import Neurons


@dataclass(frozen=True, eq=False)
class Settled:
    """Means and variances that the closure goes to from the zero state."""

    mean: FloatArray
    """(P,)."""
    variance: FloatArray
    """(P,)."""
    settled: BoolArray
    """Whether they are those of a stable fixed point, (P,)."""
    runaway: dict[int, str]
    """Neurons whose mean or variance grows without bound, and what there is to say of it."""


def settle(neurons: Neurons) -> Settled:
    """Follow the closure from the zero state, as the method for one network does."""
    matrix = (neurons.size, 1, 1)
    closures = Closures(
        neurons.f,
        neurons.w.reshape(matrix),
        neurons.gamma,
        neurons.b[:, None],
        (neurons.inside**2).reshape(matrix),
        (neurons.outside**2).reshape(matrix),
    )
    zero = Moments(np.zeros((neurons.size, 1)), np.zeros(matrix))
    end = settle_closures(closures, zero, TOLERANCE, MOST_STRIDES)
    mean, variance = end.state.mean[:, 0], end.state.covariance[:, 0, 0]
    return Settled(mean, variance, end.settled & end.stable, end.growing)
