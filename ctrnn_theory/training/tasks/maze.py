"""The way through a maze: what a network does changes what it senses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from ctrnn_theory.integrators.kernels import f8_1, f8_2, i8, inline
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.support.arguments import positive_integer, positive_number
from ctrnn_theory.support.jit import jit
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.tasks.base import ClosedLoop

RAYS = 8
_ANGLES = 2.0 * np.pi * np.arange(RAYS) / RAYS
DIRECTIONS = np.column_stack([np.cos(_ANGLES), np.sin(_ANGLES)]).round(15)
"""Of the rays, (8, 2), the zeros exact; the first looks along x, the third along y."""
FIRST, EACH = 5, 5
"""Constants of the world: x and y of the goal, its radius, the speed, what a unit of the way costs in a step; then for
each baffle its x, lower and upper end, and the middle of its opening: the y, and the length of the way from there."""


@inline
def look(x, side, inverse, distance):  # type: ignore[no-untyped-def]
    """Shorten distances (LANES,) to a side of the square; inverse: one over the ray's component across it."""
    for k in range(LANES):
        distance[k] = min(distance[k], (side - x[k]) * inverse)


@jit(types.void(f8_2, f8_2, f8_1), cache=True, fastmath={"contract"})
def sense(state, u, constants):  # type: ignore[no-untyped-def]
    """Set u (RAYS + 2, LANES) to the distances of the walls along the rays, and the direction of the goal."""
    x, y, (goal_x, goal_y, radius) = state[0], state[1], constants[0:3]
    for ray in range(RAYS):
        to_x, to_y = DIRECTIONS[ray, 0], DIRECTIONS[ray, 1]
        distance, right = u[ray], to_x > 0.0
        for k in range(LANES):
            distance[k] = np.inf
        if to_y != 0.0:
            look(y, 1.0 if to_y > 0.0 else 0.0, 1.0 / to_y, distance)
        if to_x == 0.0:
            continue  # it runs along the baffles
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
    """Move by z (2, LANES), which is room as well, and add the way left to the cost."""
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
            # an agent at a baffle's x is to the right of it, here as for the rays
            hit = ((x[k] < wall) != (z[0, k] < wall)) & (height >= low) & (height <= high)
            z[0, k] = x[k] if hit else z[0, k]
    for k in range(LANES):
        x[k], y[k] = z[0, k], z[1, k]
        z[0, k] = np.sqrt((goal_x - x[k]) ** 2 + (goal_y - y[k]) ** 2)
    for at in range(constants.size - EACH, FIRST - 1, -EACH):  # the first baffle ahead is the last to be asked
        wall, middle, rest = constants[at], constants[at + 3], constants[at + 4]
        for k in range(LANES):
            way = np.sqrt((wall - x[k]) ** 2 + (middle - y[k]) ** 2) + rest
            z[0, k] = way if x[k] < wall else z[0, k]
    for k in range(LANES):
        cost[k] += price * z[0, k]


@dataclass(frozen=True)
class Maze(ClosedLoop):
    """An agent finds its way through a unit square that baffles cross, and the network is its steering.

    Baffles stand upright, equally spaced, on the floor and from the ceiling in turn, the first on the floor. The agent
    starts at the left, in the lower half; the goal is at the right, at the closed end of the last passage. Inputs
    are the distances of the walls along eight rays, which do not turn, and the direction of the goal: a unit vector,
    shorter within the goal. Outputs are a velocity: a vector of length one, or longer, is the full `speed`. Where a
    step would cross a wall, the agent slides: it keeps its distance from a baffle, and goes up to a side of the square.
    Outputs that are not finite leave it where it is.

    The loss is the length of the way left, through the middles of the openings ahead to the goal: the mean over steps
    and trials, in units of the mean over the starts, so that it is one for an agent that never moves. By the straight
    distance it would pay to wait on the wrong side of the last baffle, close to the goal, and not to go round it.

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
    """Walls on the way."""
    gap: float = 0.3
    """Left open by each, below 1."""
    conditions: int = 4
    """Starts."""
    speed: float = 0.03
    """Most in a step."""
    radius: float = 0.1
    """Of the goal."""
    steps: int = 120
    """Of a trial."""
    repeats: int = 16
    """Trials of each start in a loss: with four starts, as many trials as the kernel has lanes."""

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
        """Its centre (2,)."""
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
        """As in the constants, (baffles, EACH). They reach out of the square, or rounding could let an agent by."""
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
        x, _, _, middle, rest = baffles[0]
        standing = np.mean(np.linalg.norm(self.starts - np.array([[x], [middle]]), axis=0) + rest)
        first = [*self.goal, self.radius, self.speed, 1.0 / (self.steps * standing)]
        return sense, move, np.concatenate([first, baffles.ravel()])

    def succeeded(self, states: FloatArray) -> NDArray[np.bool_]:
        """Whether trials came within the goal's radius at any time, (L,)."""
        reached: NDArray[np.bool_] = np.any(np.linalg.norm(states - self.goal[:, None], axis=1) <= self.radius, axis=0)
        return reached
