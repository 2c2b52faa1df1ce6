"""The error of a network's output along the path that its mean takes through the world of a closed-loop task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.choice import closure_of
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.support.arguments import real_array
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.model import Model
from ctrnn_theory.training.tasks.agents import World, computed, moved
from ctrnn_theory.training.tasks.course import rate_moments


@runtime_checkable
class Guided(Protocol):
    """A closed-loop task with an expert."""

    @property
    def inputs(self) -> int:
        """Number of inputs."""

    @property
    def outputs(self) -> int:
        """Number of outputs."""

    @property
    def steps(self) -> int:
        """Steps of a trial."""

    @property
    def world(self) -> World:
        """Compiled functions of the world, and its constants."""

    @property
    def starts(self) -> FloatArray:
        """Start states of the world, (D, C)."""

    def begun(self, rng: np.random.Generator, count: int) -> FloatArray:
        """Return random start states of the world, (D, L)."""

    def expert(self, states: FloatArray) -> FloatArray:
        """Return what the outputs ought to be, (P, L), at states (D, L)."""


class MeanPath(NamedTuple):
    """Error of the output at L levels of the noise, along the paths of the mean output from C starts."""

    states: FloatArray
    """States of the world, (L, T + 1, D, C)."""
    bias: FloatArray
    """Squared distance of the mean output from that of the expert, the mean over steps and starts, (L,)."""
    variance: FloatArray
    """Variance of the output, likewise."""

    @property
    def loss(self) -> FloatArray:
        """Squared error of the output, (L,)."""
        return self.bias + self.variance


Step = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""Takes inputs (C, K); returns mean (C, P) and variance (C,) of the output after a step."""


def velocity_error(task: Guided, net: CTRNN, noise: Noise, levels: ArrayLike = (0.0, 1.0)) -> MeanPath:
    """Return the expected squared error of a network's output along the path that its mean output takes.

    Agents move by the mean output E z of the network at a level of the noise. With v the output of the expert at the
    places on this path, the error at a step is::

        E|z - v|² = |E z - v|² + tr Cov z

    Mean and covariance of the state are those of the Gaussian closure in time. For a network without recurrent weights
    they are exact, given the path. Agents with noise leave the path, so that the error along their own paths is larger,
    by the error that their distance from the path brings.

    Parameters
    ----------
    task
        Closed-loop task with an expert, such as the maze.
    net
        Network that steers the agents.
    noise
        The training noise.
    levels
        Levels of the test noise (L,), as multiples of `noise`.

    Raises
    ------
    ValueError
        If levels are not numbers of at least 0.
    NotApplicable
        If the closure does not take the network.

    Examples
    --------
    >>> from ctrnn_theory.training.tasks.maze import Maze
    >>> zero = np.zeros((1, 10))
    >>> still = CTRNN([[0.0]], 0.0, "relu", 0.2, W_in=zero, W_out=zero[:, :2].T, b_out=[0.0, 0.0])
    >>> found = velocity_error(Maze(), still, Noise(inside=1.0))
    >>> found.bias, found.variance      # the expert's speed is one
    (array([1., 1.]), array([0., 0.]))
    """
    levels = real_array("levels", levels, (None,))
    if levels.size == 0 or np.any(levels < 0.0):
        raise ValueError(f"levels must be at least one number, none below 0; got {levels.tolist()}")
    model, paths, errors = Model.of(net, noise), [], []
    for level in levels:
        step = _step_of(model, net, noise.scaled(float(level)), task.starts.shape[1])
        places, error = zip(*_followed(task, step), strict=True)
        paths.append(np.array([task.starts, *places]))
        errors.append(np.mean(error, axis=0))
    bias, variance = np.array(errors).T
    return MeanPath(np.array(paths), bias, variance)


def _followed(task: Guided, step: Step) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Give the places (D, C) after each step, and squared bias and variance there, the means over starts."""
    states, world = np.array(task.starts), task.world
    for t in range(task.steps):
        mean, variance = step(computed(world[0], states, task.inputs, world[2]).T)
        bias = np.sum((mean - task.expert(states).T) ** 2, axis=1)
        states = moved(world, t, states, mean.T)
        yield states, np.array([bias.mean(), variance.mean()])


def _step_of(model: Model, net: CTRNN, noise: Noise, count: int) -> Step:
    """Return the step of the closure that C agents take."""
    private = all(_diagonal(noise.covariance(site, net.n)) for site in ("inside", "outside"))
    if model.plain and private and not net.W.any():
        return _without_memory(model, noise, count)
    (W_in, W_out, b_out) = (array[0] for array in model.weights[2:])
    closure, everyone = closure_of(net, noise), np.zeros(count, dtype=np.intp)
    state = closure[everyone].begin(Moments.point(np.zeros((count, net.n))))

    def step(u: FloatArray) -> tuple[FloatArray, FloatArray]:
        nonlocal state
        state = closure[everyone].driven_by(net.b + u @ W_in.T).step(state)
        rate, C = rate_moments(model, state.mean[:, : net.n], state.covariance[:, : net.n, : net.n])
        return rate @ W_out.T + b_out, np.sum((W_out @ C) * W_out, axis=(-2, -1))

    return step


def _without_memory(model: Model, noise: Noise, count: int) -> Step:
    """Return the step of networks whose neurons are independent, given what is sensed."""
    b, W_in, W_out, b_out = (array[0] for array in model.weights[1:])
    f, gamma, n = model.f, model.gamma, b.size
    inside, outside = noise.std("inside", n), np.diag(noise.covariance("outside", n))
    mean, V, squares = np.zeros((count, n)), np.zeros((count, n)), np.sum(W_out**2, axis=0)

    def step(u: FloatArray) -> tuple[FloatArray, FloatArray]:
        nonlocal mean, V
        a = u @ W_in.T + b
        mean = (1.0 - gamma) * mean + gamma * f.smoothed(a, inside)
        V = (1.0 - gamma) ** 2 * V + gamma**2 * (f.smoothed_variance(a, inside) + outside)
        return mean @ W_out.T + b_out, V @ squares

    return step


def _diagonal(C: FloatArray) -> bool:
    return not np.any(C - np.diag(np.diag(C)))
