"""No noise: the fixed point that the network settles to."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.network import CTRNN, Noise
from ctrnn_theory.stationary.fixed_points import fixed_points
from ctrnn_theory.stationary.flow import settle
from ctrnn_theory.stationary.law import StationaryLaw


def solve(net: CTRNN, noise: Noise, u: ArrayLike | None = None, start: ArrayLike | None = None) -> StationaryLaw:
    """Fixed point that `start` flows to under the noise-free step; bias zero by definition.

    ``details["fixed_points"]`` holds every fixed point found, stable or not, as :class:`FixedPoint`;
    ``details["stable"]`` says whether the one reached is stable.

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
    f = net.activation
    end = settle(f, f.derivative, net.W, net.drive(u), net.gamma, net.start_state(start))
    message = ""
    if not end.converged:
        message = "the noise-free network does not settle to a fixed point; its time average is given"
    elif not end.stable:
        message = "the start lies on an unstable fixed point, which any noise leaves"
    return StationaryLaw(
        mean=end.state,
        covariance=np.zeros((net.n, net.n)),
        method="deterministic",
        converged=end.converged and end.stable,
        message=message,
        details={"fixed_points": fixed_points(net, u), "stable": end.stable, "steps": end.steps},
    )
