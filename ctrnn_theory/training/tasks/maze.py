"""The task of steering an agent through a maze, whose outputs change its inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.support.arguments import choice, positive_integer, positive_number, shown
from ctrnn_theory.support.types import BoolArray, FloatArray
from ctrnn_theory.training.tasks.agents import World, computed
from ctrnn_theory.training.tasks.base import ClosedLoop
from ctrnn_theory.training.tasks.latent import Latent
from ctrnn_theory.training.tasks.maze_world import RAYS, lead, move, sense

SAMPLED = 4096
"""Places at which the expert is asked, for a latent system."""


@dataclass(frozen=True)
class Maze(ClosedLoop):
    """A network steers an agent through a unit square with baffles.

    Baffles are vertical and equally spaced, and stand on the floor and hang from the ceiling in turn, the first on the
    floor. The agent starts at the left, in the lower half; the goal is at the right, at the closed end of the last
    passage. Inputs are the distances to the walls along eight rays, which do not turn with the agent, and the direction
    of the goal: a unit vector, or a shorter one within the goal. Outputs are a velocity: a vector of length one or more
    is the full `speed`. Where a step would cross a wall, the agent slides: it keeps its distance to a baffle, and goes
    up to a side of the square; or it stops, and stays where it is. If outputs are not finite, the agent stays.

    The loss is the length of the remaining way, through the middles of the openings ahead to the goal: the mean over
    steps and trials, in units of the mean over the starts, so that it is one for an agent that never moves. With the
    straight distance instead, an agent would wait on the wrong side of the last baffle, close to the goal. Or it is the
    squared error of the velocity against that of an expert, who takes this way at full speed: the mean over the places
    that the agent visits. The expert is also whom decoders imitate. No memory is needed for that, with the direction of
    the goal or without it, since the eight distances tell where the agent is, so far as it matters for the way.

    Examples
    --------
    >>> task = Maze()
    >>> task.starts.shape, task.walls.shape
    ((2, 4), (6, 2, 2))
    """

    name = "maze"
    summary = "through a maze to a goal: 8 distances and the direction of the goal in, velocity out"
    outputs = 2
    decoder_gamma = 0.2
    decoder_alpha = 0.8

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

    contact: str = "slide"
    """What a wall does to an agent that would cross it: "slide" or "stop"."""
    compass: bool = True
    """Whether the direction of the goal is an input; without it, there are eight inputs."""
    cost: str = "way"
    """What the loss is: "way", the remaining way, or "velocity", the squared error of the velocity."""

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("contact", self.contact, ("slide", "stop"))
        choice("cost", self.cost, ("way", "velocity"))
        if not isinstance(self.compass, bool):
            raise ValueError(f"compass must be True or False; got {shown(self.compass)}")
        object.__setattr__(self, "baffles", positive_integer("baffles", self.baffles))
        for name in ("gap", "speed", "radius"):
            object.__setattr__(self, name, positive_number(name, getattr(self, name)))
        if self.gap >= 1.0:
            raise ValueError(f"gap must be below 1; got {self.gap}")

    @property
    def inputs(self) -> int:  # type: ignore[override]
        """Number of inputs, which depends on a setting."""
        return RAYS + 2 if self.compass else RAYS

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
    def world(self) -> World:
        baffles = self._baffles
        x, _, _, middle, beyond = baffles[0]
        standing = np.mean(np.linalg.norm(self.starts - np.array([[x], [middle]]), axis=0) + beyond)
        by_way = self.cost == "way"
        costs = 1.0 / (self.steps * standing) if by_way else 0.0, 0.0 if by_way else 1.0 / self.steps
        first = [*self.goal, self.radius, self.speed, costs[0], float(self.contact == "stop"), costs[1]]
        return sense, move, np.concatenate([first, baffles.ravel()])

    def expert(self, states: FloatArray) -> FloatArray:
        """Return the velocity (2, L) of an expert at states (2, L)."""
        return computed(lead, states, 2, self.world[2])

    def begun(self, rng: np.random.Generator, count: int) -> FloatArray:
        """Return random start states (2, L), between and around `starts`."""
        return np.stack([np.full(count, 0.5 / (self.baffles + 1)), rng.uniform(0.05, 0.55, count)])

    def latent(self, rng: np.random.Generator, gamma: float) -> Latent:
        """Return the task as a function of what is sensed, at random places; see :func:`Task.latent`.

        Which places an agent visits depends on its network, so that decoders for these points alone would be poor: they
        imitate the expert on paths of their own, see :mod:`ctrnn_theory.training.decoders.imitation`.
        """
        places = rng.uniform(0.0, 1.0, (2, SAMPLED))
        u, nothing = computed(sense, places, self.inputs, self.world[2]).T, np.zeros((SAMPLED, 0))
        equation = "y = velocity along the shortest way through the middles of the openings to the goal"
        return Latent(equation, np.ascontiguousarray(u), nothing, nothing, self.expert(places).T.copy())

    def succeeded(self, states: FloatArray) -> BoolArray:
        """Return whether trials came within the goal's radius at any time, (L,)."""
        reached: BoolArray = np.any(self._within(states), axis=0)
        return reached

    def times(self, states: FloatArray) -> FloatArray:
        """Return the step after which each trial first was within the goal's radius (L,), infinite if it never was."""
        within = self._within(states)
        return np.where(within.any(axis=0), within.argmax(axis=0), np.inf)

    def _within(self, states: FloatArray) -> BoolArray:
        near: BoolArray = np.linalg.norm(states - self.goal[:, None], axis=1) <= self.radius
        return near
