"""Regions of the state by the largest score, and symbols that are drawn from the softmax of the output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.support.arguments import float_array
from ctrnn_theory.support.types import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Regions:
    """P regions: where each of the scores of the state is the largest. Without scores there are none."""

    net: CTRNN
    """The network, whose output is the score unless there is a function."""
    function: Callable[[FloatArray], FloatArray] | None = None
    """Function from states (..., N) to scores (..., P)."""

    @property
    def count(self) -> int:
        """Number P of regions; zero without a readout and a function."""
        if self.function is not None:
            return int(self.scores(np.zeros((1, self.net.n))).shape[-1])
        return self.symbols

    @property
    def symbols(self) -> int:
        """Number of symbols; zero without a readout."""
        return 0 if self.net.W_out is None else len(self.net.W_out)

    @property
    def linear(self) -> bool:
        """Whether there are regions, by outputs that are linear in the state."""
        return self.function is None and self.symbols > 0 and self.net.form == "rate"

    def scores(self, h: FloatArray) -> FloatArray:
        """Return the scores (..., P) of states (..., N)."""
        if self.function is None:
            return self.net.output(h)
        scores = float_array("values of regions", self.function(h))
        if scores.shape[:-1] != h.shape[:-1] or scores.ndim != h.ndim or not scores.shape[-1]:
            raise ValueError(f"regions must give scores (..., P) of states (..., N); got {scores.shape} of {h.shape}")
        return np.asarray(scores, dtype=np.float64)

    def labels(self, h: FloatArray) -> IntArray:
        """Return the region (...) of states (..., N)."""
        return np.argmax(self.scores(h), axis=-1)


def softmax(z: FloatArray) -> FloatArray:
    """Return the probabilities exp(z_i) / Σ exp(z_j) of symbols with logits (..., P).

    Examples
    --------
    >>> softmax(np.array([0.0, np.log(3.0)])).round(2)
    array([0.25, 0.75])
    """
    weights = np.exp(z - z.max(axis=-1, keepdims=True))
    probabilities: FloatArray = weights / weights.sum(axis=-1, keepdims=True)
    return probabilities


def transition_matrix(joint: FloatArray) -> FloatArray:
    """Return P(j next | i now) from the joint law (..., P, P) of now and next; NaN where i never occurs."""
    now = joint.sum(axis=-1, keepdims=True)
    return np.divide(joint, now, out=np.full(joint.shape, np.nan), where=now > 0.0)


def dwell_times(transitions: FloatArray) -> FloatArray:
    """Return the mean number of steps 1/(1 - T_ii) for which a stationary process stays, (..., P).

    It holds for every stationary process, whether it is a Markov chain or not: regions are left as often as they are
    entered, so that the mean stay is the share of the time in region i over the rate at which it is left.

    Examples
    --------
    >>> dwell_times(np.array([[0.95, 0.05], [1.0, 0.0]]))
    array([20.,  1.])
    """
    leave = 1.0 - np.einsum("...ii->...i", transitions)
    return np.divide(1.0, leave, out=np.full(leave.shape, np.inf), where=leave != 0.0)
