"""The fixed point to which the network settles without noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.dynamics.fixed_points import FixedPoints, fixed_points
from ctrnn_theory.dynamics.neurons import Neurons, settle_neurons
from ctrnn_theory.dynamics.settle import Settled, settle
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.neuron_laws import NeuronLaws

WHOSE = "the noise-free network"


@dataclass(frozen=True)
class Details(Mapping[str, Any]):
    """Details of the noise-free law; the search for all fixed points runs when they are first read."""

    net: CTRNN
    u: ArrayLike | None
    end: Settled

    @cached_property
    def points(self) -> FixedPoints:
        """All fixed points that were found."""
        return fixed_points(self.net, self.u)

    def __getitem__(self, key: str) -> Any:
        if key == "fixed_points":
            return self.points
        known = {"fixed_point": self.end.fixed_point, "stable": self.end.stable, "steps": self.end.steps}
        return (known | {"why": self.end.reason(WHOSE)})[key]

    def __iter__(self) -> Iterator[str]:
        return iter(("fixed_point", "why", "stable", "steps", "fixed_points"))

    def __len__(self) -> int:
        return 5


def solve(net: CTRNN, noise: Noise, u: ArrayLike | None = None, start: ArrayLike | None = None) -> StationaryLaw:
    """Return the fixed point to which the noise-free network settles from `start`; its bias is zero by definition.

    Noise of any kind is left out, and the fixed points h* = f(W h* + W_in u + b) of a network in rate form, or
    v* = W f(v*) + W_in u + b in voltage form, are those of the network alone.

    ``details["fixed_point"]`` is h*, (N,), or NaN where the network settles to none: the mean is then a time average.
    From an unstable fixed point the network does not move. ``details["stable"]`` says whether the fixed point is
    stable, and ``details["why"]`` why it is not; ``details["fixed_points"]`` holds all fixed points that
    :func:`~ctrnn_theory.dynamics.fixed_points.fixed_points` finds, and computes them when it is first read.

    Raises
    ------
    Divergence
        If the noise-free state grows without bound.

    Examples
    --------
    >>> law = solve(CTRNN.single(w=0.5, b=0.1), Noise(inside=0.5))
    >>> law.mean
    array([0.2])
    """
    end = settle(net, u, start)
    return StationaryLaw(
        mean=end.state,
        covariance=np.zeros((net.n, net.n)),
        method="deterministic",
        converged=end.converged and end.stable,
        message=end.remark(WHOSE),
        details=Details(net, None if u is None else np.array(u), end),
        rates=net.rate(end.fixed_point) if net.form == "voltage" else None,
    )


def solve_neurons(neurons: Neurons) -> NeuronLaws:
    """Find the fixed points that many single neurons settle to from the zero state."""
    ends = settle_neurons(neurons)
    return NeuronLaws(ends.state, np.zeros(neurons.size), ends.settled, ends.growing)
