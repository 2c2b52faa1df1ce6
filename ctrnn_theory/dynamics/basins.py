"""Basins of attraction: the fixed point that a state settles at."""

from __future__ import annotations

import math

import numpy as np

from ctrnn_theory.activations.symbolic.bounds import slope_bounds
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.support.types import FloatArray, IntArray

FLOW_TIMES = 30.0  # time constants of the noise-free flow that decides on the basin
LONG_STEP, SHORT_MOVE = 0.05, 0.2  # of it at most, in time constants, and as a part of the fastest motion


def basin_of(net: CTRNN, drive: FloatArray, states: FloatArray, points: FloatArray) -> IntArray:
    """Index of the stable fixed point (B, N) nearest to where each state (M, N) flows without noise, (M,).

    Where γ is so small that the step follows a flow, longer steps follow it as well.
    """
    steepest = 1.0 + max(map(abs, slope_bounds(net.activation))) * float(np.linalg.norm(net.W, 2))
    gamma, h = max(net.gamma, min(LONG_STEP, SHORT_MOVE / steepest)), np.array(states)
    for _ in range(math.ceil(FLOW_TIMES / gamma)):
        h = (1.0 - gamma) * h + gamma * net.activation(h @ net.W.T + drive)
    nearest: IntArray = np.argmin(np.sum((h[:, None] - points) ** 2, axis=2), axis=1)
    return nearest
