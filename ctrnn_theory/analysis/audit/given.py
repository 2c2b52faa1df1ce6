"""The inputs and targets of an audit, constant or in time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.support.arguments import real_array
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.tasks.episode import SUM


class Given(NamedTuple):
    """Inputs and targets of C conditions. Constant inputs have T = 1, for the law in which the network stays."""

    u: FloatArray
    """Inputs (T, C, K)."""
    y: FloatArray | None
    """Targets (T, C, P), or None."""
    w: FloatArray
    """Weight of each step in averages over time, (T,), with sum one."""
    constant: bool
    """Whether the inputs are constant."""

    @property
    def conditions(self) -> int:
        """Number C of conditions."""
        return self.u.shape[1]

    def some(self, which: Any) -> Given:
        """Return the conditions of these indices alone."""
        return self._replace(u=self.u[:, which], y=None if self.y is None else self.y[:, which])

    def finer(self) -> Given:
        """Return the same inputs and targets for steps of half the length, of which there are two for each."""
        if self.constant:
            return self
        y = None if self.y is None else np.repeat(self.y, 2, axis=0)
        return Given(np.repeat(self.u, 2, axis=0), y, np.repeat(self.w, 2) / 2.0, False)

    def over_time(self, values: FloatArray) -> FloatArray:
        """Return the weighted average over time of values (T, C, ...), which are counted where the weight is not 0."""
        used = self.w > 0.0
        average: FloatArray = np.tensordot(self.w[used], values[used], axes=1)
        return average

    def public(self, values: FloatArray) -> FloatArray:
        """Return values (T, C, ...) as users see them: without the axis of time if inputs are constant."""
        return values[0] if self.constant else values


def given_of(net: CTRNN, inputs: ArrayLike | None, targets: ArrayLike | None, weights: ArrayLike | None) -> Given:
    """Return inputs and targets once they are validated.

    Raises
    ------
    ValueError
        If a shape does not fit the network or the other arrays, there are targets but no readout, or weights are given
        for constant inputs or are not those of an average.

    Examples
    --------
    >>> net = CTRNN([[0.5]], 0.1, W_in=[[1.0]])
    >>> given_of(net, [[0.0], [1.0]], None, None).u.shape
    (1, 2, 1)
    """
    K = 0 if net.W_in is None else net.W_in.shape[1]
    u = real_array("inputs", np.zeros(K) if inputs is None and K == 0 else inputs)  # type: ignore[arg-type]
    if u.ndim not in (1, 2, 3) or u.shape[-1] != K or 0 in u.shape[:-1]:
        raise ValueError(
            f"inputs must have shape (K,), (conditions, K) or (steps, conditions, K), with K = {K}, the number of the"
            f" network's inputs; got {u.shape}"
        )
    constant = u.ndim < 3
    u3 = u[(None,) * (3 - u.ndim)]
    return Given(u3, _targets(net, u3, u.ndim, targets), _weights(weights, len(u3), constant), constant)


def _targets(net: CTRNN, u: FloatArray, ndim: int, targets: ArrayLike | None) -> FloatArray | None:
    if targets is None:
        return None
    if net.W_out is None:
        raise ValueError("targets must be None for a network without W_out, which has no output")
    P = len(net.W_out)
    y = real_array("targets", targets)
    steps, conditions = u.shape[:2]
    shapes = {1: ((P,),), 2: ((conditions, P),), 3: ((steps, conditions, P), (1, conditions, P))}[ndim]
    if y.shape not in shapes:
        raise ValueError(f"targets must have shape {' or '.join(map(str, shapes))} for these inputs; got {y.shape}")
    return np.array(np.broadcast_to(y.reshape((-1, conditions, P)), (steps, conditions, P)))


def _weights(weights: ArrayLike | None, steps: int, constant: bool) -> FloatArray:
    if weights is None:
        return np.full(steps, 1.0 / steps)
    if constant:
        raise ValueError("weights must be None for constant inputs, whose law does not change in time")
    w = real_array("weights", weights, (steps,))
    if np.any(w < 0.0) or not w.sum() > SUM:
        raise ValueError(f"weights must be at least 0, and not all of them 0; got a least of {w.min():g}")
    return w / w.sum()
