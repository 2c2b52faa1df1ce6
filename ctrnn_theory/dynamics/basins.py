"""Basins of attraction: the stable fixed point that a state settles to."""

from __future__ import annotations

import math

import numpy as np

from ctrnn_theory.dynamics.linear_response import largest_gain
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.support.types import FloatArray, IntArray

SETTLING_TIME = 30.0  # time constants after which a state is near the fixed point that it settles to
LONGEST_STEP = 0.05  # time constants: a step of this length still follows the path of shorter ones
SHORTEST_MOTION = 0.2  # the same, as a part of the shortest time scale of the motion


def basin_of(net: CTRNN, drive: FloatArray, states: FloatArray, points: FloatArray) -> IntArray:
    """Return the index (M,) of the fixed point (B, N) nearest to where each state (M, N) settles without noise.

    Where γ is so small that the path changes little from step to step, longer steps follow it as well.
    """
    steepest = 1.0 + largest_gain(net.activation, net.W)
    wiring, fastest, h = Wiring.driven(net, drive), np.max(net.gamma), np.array(states)
    longest = max(fastest, min(LONGEST_STEP, SHORTEST_MOTION / steepest))
    gamma = wiring.gamma / fastest * longest
    for _ in range(math.ceil(SETTLING_TIME / np.min(gamma))):
        h = (1.0 - gamma) * h + gamma * wiring.target(net.activation(wiring.preactivation(h)))
    distances = [np.sum((h - point) ** 2, axis=1) for point in points]  # one at a time, which bounds the memory
    nearest: IntArray = np.argmin(distances, axis=0)
    return nearest
