"""The world of the maze: compiled functions for what an agent senses, where it ought to go, and how it moves.

Lanes are agents: the state is x and y (2, LANES).
"""

from __future__ import annotations

import numpy as np
from numba import types

from ctrnn_theory.integrators.kernels import f8_1, f8_2, i8, inline
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.support.jit import jit

RAYS = 8
"""Number of rays along which distances are sensed."""
_ANGLES = 2.0 * np.pi * np.arange(RAYS) / RAYS
DIRECTIONS = np.column_stack([np.cos(_ANGLES), np.sin(_ANGLES)]).round(15)
"""Directions of the rays, (8, 2), with exact zeros; the first is along x, the third along y."""
FIRST, EACH = 7, 5
"""Numbers of constants of the world: x and y of the goal, its radius, the speed, the cost of a unit of length in a
step, whether walls stop an agent that would slide, and the cost of a unit of squared error of the velocity; then for
each baffle its x, its lower and upper end, the y of the middle of its opening, and the length of the way from there to
the goal."""
TINY = 1e-300
"""Least distance that is divided by."""


@inline
def look(x, side, inverse, distance):  # type: ignore[no-untyped-def]
    """Shorten distances (LANES,) to a side of the square; `inverse` is one over the component of the ray across it."""
    for k in range(LANES):
        distance[k] = min(distance[k], (side - x[k]) * inverse)


@jit(types.void(f8_2, f8_2, f8_1), cache=True, fastmath={"contract"})
def sense(state, u, constants):  # type: ignore[no-untyped-def]
    """Set u to the distances to the walls along the rays, and its last two rows, if any, to the goal's direction."""
    x, y, (goal_x, goal_y, radius) = state[0], state[1], constants[0:3]
    for ray in range(RAYS):
        to_x, to_y = DIRECTIONS[ray, 0], DIRECTIONS[ray, 1]
        distance, right = u[ray], to_x > 0.0
        for k in range(LANES):
            distance[k] = np.inf
        if to_y != 0.0:
            look(y, 1.0 if to_y > 0.0 else 0.0, 1.0 / to_y, distance)
        if to_x == 0.0:
            continue  # the ray is parallel to the baffles
        inverse = 1.0 / to_x
        look(x, 1.0 if right else 0.0, inverse, distance)
        for at in range(FIRST, constants.size, EACH):
            wall, low, high = constants[at], constants[at + 1], constants[at + 2]
            for k in range(LANES):
                along = (wall - x[k]) * inverse
                height = y[k] + along * to_y
                hit = ((x[k] < wall) == right) & (height >= low) & (height <= high)
                distance[k] = min(distance[k], along) if hit else distance[k]
    if u.shape[0] == RAYS:
        return
    for k in range(LANES):
        to_x, to_y = goal_x - x[k], goal_y - y[k]
        inverse = 1.0 / max(np.sqrt(to_x * to_x + to_y * to_y), radius)
        u[RAYS, k] = to_x * inverse
        u[RAYS + 1, k] = to_y * inverse


@inline
def head(state, v, constants):  # type: ignore[no-untyped-def]
    """Set v (2, LANES) to the velocity of an expert, who heads for the middle of the next opening, then for the goal.

    It is a unit vector, or a shorter one within the goal.
    """
    x, y, (goal_x, goal_y, radius) = state[0], state[1], constants[0:3]
    for k in range(LANES):
        to_x, to_y, least = goal_x - x[k], goal_y - y[k], radius
        for at in range(constants.size - EACH, FIRST - 1, -EACH):  # the first baffle ahead comes last
            if x[k] < constants[at]:
                to_x, to_y, least = constants[at] - x[k], constants[at + 3] - y[k], TINY
        inverse = 1.0 / max(np.sqrt(to_x * to_x + to_y * to_y), least)
        v[0, k] = to_x * inverse
        v[1, k] = to_y * inverse


@jit(types.void(f8_2, f8_2, f8_1), cache=True, fastmath={"contract"})
def lead(state, v, constants):  # type: ignore[no-untyped-def]
    """Set v (2, LANES) to the velocity of the expert."""
    head(state, v, constants)


@jit(types.void(i8, f8_2, f8_2, f8_1, f8_1), cache=True, fastmath={"contract"})
def move(t, z, state, cost, constants):  # type: ignore[no-untyped-def]
    """Move by z (2, LANES), which is overwritten, and add the costs of the remaining way and of the velocity."""
    x, y, (goal_x, goal_y, _, speed, price, stops, dear) = state[0], state[1], constants[0:FIRST]
    if dear > 0.0:
        v = np.empty((2, LANES))
        head(state, v, constants)
        for k in range(LANES):
            cost[k] += dear * ((z[0, k] - v[0, k]) ** 2 + (z[1, k] - v[1, k]) ** 2)
    for k in range(LANES):
        square = z[0, k] * z[0, k] + z[1, k] * z[1, k]
        scale = speed / max(np.sqrt(square), 1.0)
        finite = square < np.inf
        if stops > 0.0:
            to_x, to_y = x[k] + z[0, k] * scale, y[k] + z[1, k] * scale
            finite = finite and min(to_x, to_y) >= 0.0 and max(to_x, to_y) <= 1.0
        z[0, k] = min(max(x[k] + (z[0, k] * scale if finite else 0.0), 0.0), 1.0)
        z[1, k] = min(max(y[k] + (z[1, k] * scale if finite else 0.0), 0.0), 1.0)
    for at in range(FIRST, constants.size, EACH):
        wall, low, high = constants[at], constants[at + 1], constants[at + 2]
        for k in range(LANES):
            height = y[k] + (z[1, k] - y[k]) * ((wall - x[k]) / (z[0, k] - x[k]))
            # an agent at the x of a baffle is to the right of it, here and for the rays
            hit = ((x[k] < wall) != (z[0, k] < wall)) & (height >= low) & (height <= high)
            z[0, k] = x[k] if hit else z[0, k]
            z[1, k] = y[k] if hit and stops > 0.0 else z[1, k]
    for k in range(LANES):
        x[k], y[k] = z[0, k], z[1, k]
        z[0, k] = np.sqrt((goal_x - x[k]) ** 2 + (goal_y - y[k]) ** 2)
    for at in range(constants.size - EACH, FIRST - 1, -EACH):  # the first baffle ahead comes last
        wall, middle, beyond = constants[at], constants[at + 3], constants[at + 4]
        for k in range(LANES):
            way = np.sqrt((wall - x[k]) ** 2 + (middle - y[k]) ** 2) + beyond
            z[0, k] = way if x[k] < wall else z[0, k]
    for k in range(LANES):
        cost[k] += price * z[0, k]
