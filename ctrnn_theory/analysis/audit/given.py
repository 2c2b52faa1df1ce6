"""The inputs and targets of an audit, constant or in time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.tasks.given import real_numbers, step_weights


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

    Series of one step hold for all steps: there are as many as weights, or as in the longer one of the two.

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
    u = real_numbers("inputs", np.zeros(K) if inputs is None and K == 0 else inputs)
    if u.ndim not in (1, 2, 3) or u.shape[-1] != K or 0 in u.shape[:-1]:
        raise ValueError(
            f"inputs must have shape (K,), (conditions, K) or (steps, conditions, K), with K = {K}, the number of the"
            f" network's inputs; got {u.shape}"
        )
    constant = u.ndim < 3
    if constant and weights is not None:
        raise ValueError("weights must be None for constant inputs, whose law does not change in time")
    u3 = u.reshape((1,) * (3 - u.ndim) + u.shape)
    y = None if targets is None else _targets(net, u3, u.ndim, targets)
    return Given(*_in_steps(u3, y, weights), constant)


def _in_steps(
    u: FloatArray, y: FloatArray | None, weights: ArrayLike | None
) -> tuple[FloatArray, FloatArray | None, FloatArray]:
    """Return inputs and targets in all steps, and the weights of the steps, of the sum one."""
    lengths = {"inputs": len(u)} | ({} if y is None else {"targets": len(y)})
    longest = max(lengths, key=lambda name: lengths[name])
    w = np.ones(lengths[longest]) if weights is None else step_weights(weights)
    for name, length in lengths.items():
        if length not in (1, w.size):
            by = longest if weights is None else "weights"
            raise ValueError(f"{name} must have one step, or as many as {by}, which is {w.size}; got {length}")
    u = np.array(np.broadcast_to(u, (w.size, *u.shape[1:])))
    y = None if y is None else np.array(np.broadcast_to(y, (w.size, *y.shape[1:])))
    return u, y, w / w.sum()


def _targets(net: CTRNN, u: FloatArray, ndim: int, targets: ArrayLike) -> FloatArray:
    """Return targets (T, C, P), or (1, C, P) if they are constant."""
    if net.W_out is None:
        raise ValueError("targets must be None for a network without W_out, which has no output")
    P, conditions = len(net.W_out), u.shape[1]
    y = real_numbers("targets", targets)
    if ndim < 3 and y.shape != ((P,) if ndim == 1 else (conditions, P)):
        wanted = (P,) if ndim == 1 else (conditions, P)
        raise ValueError(f"targets must have shape {wanted} for these inputs; got {y.shape}")
    if ndim == 3 and (y.ndim != 3 or y.shape[1:] != (conditions, P) or not len(y)):
        raise ValueError(f"targets must have shape (steps or 1, {conditions}, {P}) for these inputs; got {y.shape}")
    return y.reshape(-1, conditions, P)
