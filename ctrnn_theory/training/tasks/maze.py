"""The task of steering an agent through a maze, whose outputs change its inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import types

from ctrnn_theory.integrators.kernels import f8_1, f8_2, i8, inline
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.support.arguments import positive_integer, positive_number
from ctrnn_theory.support.jit import jit
from ctrnn_theory.support.types import BoolArray, FloatArray
from ctrnn_theory.training.tasks.base import ClosedLoop

RAYS = 8
"""Number of rays along which distances are sensed."""
_ANGLES = 2.0 * np.pi * np.arange(RAYS) / RAYS
DIRECTIONS = np.column_stack([np.cos(_ANGLES), np.sin(_ANGLES)]).round(15)
"""Directions of the rays, (8, 2), with exact zeros; the first is along x, the third along y."""
FIRST, EACH = 5, 5
"""Numbers of constants of the world: x and y of the goal, its radius, the speed, and the cost of a unit of length in a
step; then for each baffle its x, its lower and upper end, the y of the middle of its opening, and the length of the way
from there to the goal."""


@inline
def look(x, side, inverse, distance):  # type: ignore[no-untyped-def]
    """Shorten distances (LANES,) to a side of the square; `inverse` is one over the component of the ray across it."""
    for k in range(LANES):
        distance[k] = min(distance[k], (side - x[k]) * inverse)


@jit(types.void(f8_2, f8_2, f8_1), cache=True, fastmath={"contract"})
def sense(state, u, constants):  # type: ignore[no-untyped-def]
    """Set u (RAYS + 2, LANES) to the distances to the walls along the rays, and the direction of the goal."""
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
    for k in range(LANES):
        to_x, to_y = goal_x - x[k], goal_y - y[k]
        inverse = 1.0 / max(np.sqrt(to_x * to_x + to_y * to_y), radius)
        u[RAYS, k] = to_x * inverse
        u[RAYS + 1, k] = to_y * inverse


@jit(types.void(i8, f8_2, f8_2, f8_1, f8_1), cache=True, fastmath={"contract"})
def move(t, z, state, cost, constants):  # type: ignore[no-untyped-def]
    """Move by z (2, LANES), which is overwritten, and add the cost of the remaining way."""
    x, y, (goal_x, goal_y, _, speed, price) = state[0], state[1], constants[0:FIRST]
    for k in range(LANES):
        square = z[0, k] * z[0, k] + z[1, k] * z[1, k]
        scale = speed / max(np.sqrt(square), 1.0)
        finite = square < np.inf
        z[0, k] = min(max(x[k] + (z[0, k] * scale if finite else 0.0), 0.0), 1.0)
        z[1, k] = min(max(y[k] + (z[1, k] * scale if finite else 0.0), 0.0), 1.0)
    for at in range(FIRST, constants.size, EACH):
        wall, low, high = constants[at], constants[at + 1], constants[at + 2]
        for k in range(LANES):
            height = y[k] + (z[1, k] - y[k]) * ((wall - x[k]) / (z[0, k] - x[k]))
            # an agent at the x of a baffle is to the right of it, here and for the rays
            hit = ((x[k] < wall) != (z[0, k] < wall)) & (height >= low) & (height <= high)
            z[0, k] = x[k] if hit else z[0, k]
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


@dataclass(frozen=True)
class Maze(ClosedLoop):
    """A network steers an agent through a unit square with baffles.

    Baffles are vertical and equally spaced, and stand on the floor and hang from the ceiling in turn, the first on the
    floor. The agent starts at the left, in the lower half; the goal is at the right, at the closed end of the last
    passage. Inputs are the distances to the walls along eight rays, which do not turn with the agent, and the direction
    of the goal: a unit vector, or a shorter one within the goal. Outputs are a velocity: a vector of length one or more
    is the full `speed`. Where a step would cross a wall, the agent slides: it keeps its distance to a baffle, and goes
    up to a side of the square. If outputs are not finite, the agent stays.

    The loss is the length of the remaining way, through the middles of the openings ahead to the goal: the mean over
    steps and trials, in units of the mean over the starts, so that it is one for an agent that never moves. With the
    straight distance instead, an agent would wait on the wrong side of the last baffle, close to the goal.

    Examples
    --------
    >>> task = Maze()
    >>> task.starts.shape, task.walls.shape
    ((2, 4), (6, 2, 2))
    """

    name = "maze"
    summary = "through a maze to a goal: 8 distances and the direction of the goal in, velocity out"
    inputs = RAYS + 2
    outputs = 2

    baffles: int = 2
    """Number of baffles."""
    gap: float = 0.3
    """Height of the opening at each baffle, below 1."""
    conditions: int = 4
    """Number of starts."""
    speed: float = 0.03
    """Largest distance in a step."""
    radius: float = 0.1
    """Radius of the goal."""
    steps: int = 120
    """Steps of a trial."""
    repeats: int = 16
    """Trials of each start in a loss; with four starts, there are as many trials as the kernel has lanes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "baffles", positive_integer("baffles", self.baffles))
        for name in ("gap", "speed", "radius"):
            object.__setattr__(self, name, positive_number(name, getattr(self, name)))
        if self.gap >= 1.0:
            raise ValueError(f"gap must be below 1; got {self.gap}")

    @property
    def starts(self) -> FloatArray:
        x = np.full(self.conditions, 0.5 / (self.baffles + 1))
        return np.stack([x, np.linspace(0.1, 0.5, self.conditions)])

    @property
    def goal(self) -> FloatArray:
        """Centre of the goal, (2,)."""
        return np.array([1.0 - 0.5 / (self.baffles + 1), 0.2 if self.baffles % 2 else 0.8])

    @property
    def walls(self) -> FloatArray:
        """Both ends of each wall (4 + baffles, 2, 2): the sides of the square, then the baffles."""
        corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        sides = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
        x, low, high = self._baffles.T[:3].clip(0.0, 1.0)
        return np.concatenate([sides, np.stack([np.stack([x, low], -1), np.stack([x, high], -1)], axis=1)])

    @property
    def _baffles(self) -> FloatArray:
        """Constants of the baffles, (baffles, EACH); they reach out of the square, so that rounding opens no gap."""
        at = np.arange(self.baffles)
        x, hangs = (at + 1.0) / (self.baffles + 1.0), at % 2 == 1
        low, high = np.where(hangs, self.gap, -1.0), np.where(hangs, 2.0, 1.0 - self.gap)
        middle = np.where(hangs, 0.5 * self.gap, 1.0 - 0.5 * self.gap)
        points = np.concatenate([np.stack([x, middle], axis=1), self.goal[None]])
        lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
        return np.stack([x, low, high, middle, lengths[::-1].cumsum()[::-1]], axis=1)

    @property
    def world(self) -> tuple[Callable[..., Any], Callable[..., Any], FloatArray]:
        baffles = self._baffles
        x, _, _, middle, beyond = baffles[0]
        standing = np.mean(np.linalg.norm(self.starts - np.array([[x], [middle]]), axis=0) + beyond)
        first = [*self.goal, self.radius, self.speed, 1.0 / (self.steps * standing)]
        return sense, move, np.concatenate([first, baffles.ravel()])

    def succeeded(self, states: FloatArray) -> BoolArray:
        """Return whether trials came within the goal's radius at any time, (L,)."""
        reached: BoolArray = np.any(np.linalg.norm(states - self.goal[:, None], axis=1) <= self.radius, axis=0)
        return reached
