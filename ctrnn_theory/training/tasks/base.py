"""The base classes of tasks: inputs and targets, or a world to act in, and a loss for many networks at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import numpy as np
from numba import config
from numba.core.dispatcher import Dispatcher

from ctrnn_theory.dynamics.step import BOUND
from ctrnn_theory.model.kinds import Kind
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.arguments import float_array, integer, positive_integer, real_array, shown
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import BoolArray, FloatArray
from ctrnn_theory.support.workers import Workers
from ctrnn_theory.training.kernels import Given, Weights
from ctrnn_theory.training.layout import Layout
from ctrnn_theory.training.model import TAKEN
from ctrnn_theory.training.model import Model as Model
from ctrnn_theory.training.rollout import Key, run_closed, run_open, whole_blocks
from ctrnn_theory.training.tasks.course import course, rate_moments
from ctrnn_theory.training.tasks.episode import Episode as Episode
from ctrnn_theory.training.tasks.episode import checked
from ctrnn_theory.training.tasks.latent import Latent
from ctrnn_theory.training.tasks.latent_course import latent_output_moments
from ctrnn_theory.training.tasks.latent_network import LatentNetwork
from ctrnn_theory.training.tasks.trials import Trials as Trials

ONE = np.ones(1)


@guarded
@dataclass(frozen=True)
class Task(ABC):
    """A task: what a network gets as input, and what its loss is.

    To add one, subclass :class:`OpenLoop` or :class:`ClosedLoop` in a file of its own and name it in
    :data:`ctrnn_theory.training.tasks.TASKS`. Settings are fields of a frozen dataclass: numbers and text.
    """

    name: ClassVar[str]
    """Name of the task, such as on the command line."""
    summary: ClassVar[str]
    """Description in one line."""
    losses_by: ClassVar[tuple[str, ...]] = ("simulation",)
    """Ways to compute the loss; the first is the default."""
    inputs: ClassVar[int]
    """Number K of inputs."""
    outputs: ClassVar[int]
    """Number P of outputs."""
    recurrent: ClassVar[bool] = True
    """Whether W is trained; otherwise it is zero."""
    gamma: ClassVar[float | None] = None
    """The γ that the task requires, or None for any."""
    neurons: ClassVar[int] = 8
    """Number of neurons of a network, by default."""
    decoder_gamma: ClassVar[float] = 0.1
    """The γ of a network with solved decoders, by default."""
    decoder_alpha: ClassVar[float] = 1.0
    """Default scale α of weights where decoders are solved, in units of that of the activation."""
    step: ClassVar[float] = 0.3
    """Initial standard deviation of the parameters in training, or its share of the distance of their bounds."""
    closed: ClassVar[bool] = False
    """Whether the outputs of the network change its inputs."""

    def __post_init__(self) -> None:
        for name in ("steps", "repeats", "conditions"):
            if name in self.__dict__:
                object.__setattr__(self, name, positive_integer(name, getattr(self, name)))

    def check(self, key: Key | int = 0) -> None:
        """Raise a ValueError if the description of the task, or what it draws for a key, is not possible."""
        for name, least in (("inputs", 0), ("outputs", 1)):
            integer(f"{name} of the task", getattr(self, name, None), least)
        for name in ("name", "summary"):
            if not isinstance(getattr(self, name, None), str):
                raise ValueError(f"{name} of the task must be text; got {shown(getattr(self, name, None))}")

    def layout(self, neurons: int) -> Layout:
        """Return the places of the parameters of a network of so many neurons for this task."""
        return Layout(positive_integer("neurons", neurons), self.inputs, self.outputs, self.recurrent)

    def bounds(self, layout: Layout) -> tuple[FloatArray, FloatArray] | None:
        """Return the least and the largest value of each parameter, or None if there are no bounds."""
        return None

    def guess(self, layout: Layout, rng: np.random.Generator) -> FloatArray:
        """Return the parameters (n,) from which training starts.

        Entries of W_in and W_out have a variance of one over the number of their inputs; all others are zero. W is
        zero since a random W of spectral radius one is a worse start.
        """
        scale = {"W_in": max(layout.inputs, 1), "W_out": layout.neurons}
        parts = []
        for name in layout.trained:
            size = int(np.prod(layout.shapes[name]))
            parts.append(rng.standard_normal(size) / np.sqrt(scale[name]) if name in scale else np.zeros(size))
        return np.concatenate(parts)

    def latent(self, rng: np.random.Generator, gamma: float) -> Latent:
        """Return the task as a system of latent variables, at points drawn by `rng`, for networks of a given γ.

        Decoders make a network follow it. The points should cover what a trial visits, and somewhat more.

        Raises
        ------
        ValueError
            If the task has no such system, which is the default.
        """
        raise ValueError(f"task must have a latent system to be learned by decoders; {self.name} has none")

    def kinds_taken(self, loss: str) -> tuple[Kind, ...]:
        """Return the kinds of networks and noise that a loss by one of `losses_by` takes."""
        return TAKEN

    @abstractmethod
    def simulated(self, model: Model, key: Key, workers: Workers = None) -> FloatArray:
        """Return the loss (S,) by simulation of `repeats` trials of each condition, all with the same noise."""

    @abstractmethod
    def trials(self, net: CTRNN, noise: Noise, repeats: int, key: Key, workers: Workers = None) -> Trials:
        """Run one network `repeats` times in each condition."""

    def losses(self, model: Model, key: Key, by: str | None = None, workers: Workers = None) -> FloatArray:
        """Return the loss (S,), computed by one of `losses_by`.

        Raises
        ------
        ValueError
            If `by` is none of them.
        """
        by = self.losses_by[0] if by is None else by
        if not isinstance(by, str) or by not in self.losses_by:
            raise ValueError(f"loss must be one of {', '.join(self.losses_by)} for {self.name}; got {shown(by)}")
        ways = {"closure": "predicted", "exact": "exact"}
        if by == "simulation":
            return self.simulated(model, key, workers)
        self.check(key)  # else an error of the task would be taken for moments out of range
        with np.errstate(over="ignore", invalid="ignore"):
            return _finite(getattr(self, ways[by]), model, key)


def _finite(way: Callable[..., FloatArray], model: Model, key: Key) -> FloatArray:
    """Return the losses (S,), which are infinite for networks whose moments are out of range."""
    try:
        return way(model, key)
    except ValueError:
        if len(model.weights.W) == 1:
            return np.array([np.inf])
    alone = [Weights(*(array[[s]] for array in model.weights)) for s in range(len(model.weights.W))]
    return np.concatenate([_finite(way, model._replace(weights=weights), key) for weights in alone])


class OpenLoop(Task):
    """A task whose inputs and targets are given in advance. Its loss is Σ_t w_t E|z_t - y_t|²."""

    losses_by: ClassVar[tuple[str, ...]] = ("simulation", "closure")
    repeats: int

    @abstractmethod
    def episode(self, rng: np.random.Generator) -> Episode:
        """Return inputs and targets; `rng` is for those that are drawn anew for each generation."""

    def check(self, key: Key | int = 0) -> None:
        super().check(key)
        positive_integer("repeats of the task", getattr(self, "repeats", None))
        self.drawn(key)

    def drawn(self, key: Key | int) -> Episode:
        """Return the episode of a key as float64 arrays, or raise a ValueError if these do not fit the task."""
        return checked(self.episode(np.random.default_rng(key)), self.inputs, self.outputs)

    def simulated(self, model: Model, key: Key, workers: Workers = None) -> FloatArray:
        episode = self.drawn(key)
        count = self.repeats * episode.u.shape[1]
        cost, _ = run_open(model, lanes(episode, count), key, workers)
        loss: FloatArray = cost[:, :count].mean(axis=1)
        return loss

    def trials(self, net: CTRNN, noise: Noise, repeats: int, key: Key, workers: Workers = None) -> Trials:
        episode = self.drawn(key)
        conditions = episode.u.shape[1]
        count = repeats * conditions
        cost, out = run_open(Model.of(net, noise), lanes(episode, count), key, workers, record=True)
        used = np.flatnonzero(episode.w)
        z = out[0][used][..., :count].reshape(used.size, -1, repeats, conditions).transpose(2, 3, 0, 1)
        y = np.broadcast_to(episode.y, (episode.w.size, *episode.y.shape[1:]))[used].transpose(1, 0, 2)
        return Trials(cost[0, :count].reshape(repeats, conditions), z, z - y, episode.w[used])

    def predicted(self, model: Model, key: Key) -> FloatArray:
        """Return the expected loss (S,) by the Gaussian closure in time."""
        return np.sum(self.expected(model, self.drawn(key)), axis=0)

    def expected(self, model: Model, episode: Episode) -> FloatArray:
        """Return the squared bias and the variance of the output, (2, S), as they enter the expected loss."""
        return expected_loss(episode, *self.output_moments(model, episode))

    def output_moments(self, model: Model, episode: Episode, levels: FloatArray = ONE) -> tuple[FloatArray, FloatArray]:
        """Return the mean (T, S, C, P) and the total variance (T, S, C) of the output by the Gaussian closure.

        The T steps are those with a weight in the loss. The variance is infinite if the state grows without bound. A
        network of 32 neurons or more whose W has a low rank is followed in its latent variables.
        """
        if (latent := LatentNetwork.of(model)) is not None:
            return latent_output_moments(latent, model, episode, levels)
        W_out, b_out = model.weights.W_out[:, None], model.weights.b_out[:, None]
        means, variances = [], []
        for w, (mean, V) in zip(episode.w, islice(self.course(model, episode, levels), 1, None), strict=True):
            if w > 0.0:
                lost = np.all(mean == BOUND, axis=-1)
                rate, C = rate_moments(model, mean, V)
                means.append((W_out @ rate[..., None])[..., 0] + b_out)
                variances.append(np.where(lost, np.inf, np.sum((W_out @ C) * W_out, axis=(-2, -1))))
        return np.array(means), np.array(variances)

    def course(
        self, model: Model, episode: Episode, levels: FloatArray = ONE
    ) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Give the mean (S, C, N) and the covariance (S, C, N, N) of the state by the Gaussian closure, from zero on.

        The noise of one network may be multiplied by several levels (S,). A mean that passes 1e12, or whose standard
        deviation does, stays at 1e12.

        Raises
        ------
        ValueError
            If the covariances do not fit into memory.
        """
        return course(model, episode, levels)


def expected_loss(episode: Episode, mean: FloatArray, variance: FloatArray) -> FloatArray:
    """Return the squared bias and the variance (2, S) in the loss from the moments of the output at weighted steps."""
    used = np.flatnonzero(episode.w)
    y = np.broadcast_to(episode.y, (episode.w.size, *episode.y.shape[1:]))[used][:, None]
    parts = np.array([np.sum((mean - y) ** 2, axis=-1), variance]).mean(axis=-1)
    loss: FloatArray = np.einsum("t,kts->ks", episode.w[used], parts)
    return loss


def lanes(episode: Episode, trials: int) -> Given:
    """Return trials as lanes in whole blocks, with trial l in condition l mod C."""
    at = np.arange(whole_blocks(trials)) % episode.u.shape[1]
    u, y = (np.ascontiguousarray(array[:, at].transpose(0, 2, 1)) for array in (episode.u, episode.y))
    return Given(u, y, np.array(episode.w))


def _compiled(function: Any) -> bool:
    return isinstance(function, Dispatcher) or (bool(config.DISABLE_JIT) and callable(function))


class ClosedLoop(Task):
    """A task in which the output moves a world, and the input is what is sensed of the world."""

    closed = True
    steps: int
    repeats: int

    @property
    @abstractmethod
    def world(self) -> tuple[Callable[..., Any], Callable[..., Any], FloatArray]:
        """Compiled functions sense(state, u, constants) and move(t, z, state, cost, constants), and the constants.

        Lanes are trials: state is (D, LANES), u (K, LANES), z (P, LANES), cost (LANES,). The loss of a trial is the sum
        of what `move` adds to the cost.
        """

    @property
    @abstractmethod
    def starts(self) -> FloatArray:
        """Start states of the world, (D, C)."""

    @abstractmethod
    def succeeded(self, states: FloatArray) -> BoolArray:
        """Return whether trials have reached their goal, (L,), from their states (T + 1, D, L)."""

    def times(self, states: FloatArray) -> FloatArray | None:
        """Return the step after which each trial reached its goal (L,), infinite if it did not, from their states."""
        return None

    def check(self, key: Key | int = 0) -> None:
        super().check(key)
        for name in ("repeats", "steps"):
            positive_integer(f"{name} of the task", getattr(self, name, None))
        self._checked_starts()
        self._checked_world()

    def _checked_starts(self) -> FloatArray:
        starts = real_array("starts of the task", self.starts, (None, None))
        if starts.size == 0:
            raise ValueError(f"starts of the task must hold a state (D,) at least; got shape {starts.shape}")
        return starts

    def _checked_world(self) -> tuple[Callable[..., Any], Callable[..., Any], FloatArray]:
        world = self.world
        if not isinstance(world, tuple) or len(world) != 3 or not all(map(_compiled, world[:2])):
            raise ValueError(f"world of the task must be (sense, move, constants), two compiled functions; got {world}")
        constants = np.array(float_array("constants of the task's world", world[2]))
        if constants.ndim != 1:
            raise ValueError(f"constants of the task's world must have shape (any,); got {constants.shape}")
        return world[0], world[1], constants

    def simulated(self, model: Model, key: Key, workers: Workers = None) -> FloatArray:
        count = self.repeats * self._checked_starts().shape[1]
        cost, _ = run_closed(model, self._checked_world(), self._lanes(count), self.steps, key, workers)
        loss: FloatArray = cost[:, :count].mean(axis=1)
        return loss

    def trials(self, net: CTRNN, noise: Noise, repeats: int, key: Key, workers: Workers = None) -> Trials:
        conditions = self._checked_starts().shape[1]
        cost, states = self.paths(net, noise, repeats * conditions, key, workers)
        shape, success = (repeats, conditions), np.asarray(self.succeeded(states))
        if success.dtype != np.bool_ or success.shape != (repeats * conditions,):
            raise ValueError(f"succeeded must return a truth value for each trial; got {shown(success)}")
        times = self.times(states)
        return Trials(
            cost.reshape(shape), success=success.reshape(shape), times=None if times is None else times.reshape(shape)
        )

    def paths(
        self, net: CTRNN, noise: Noise, trials: int, key: Key, workers: Workers = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return the cost (L,) of trials and the states (T + 1, D, L) of their worlds."""
        start = self._lanes(trials)
        world = self._checked_world()
        cost, out = run_closed(Model.of(net, noise), world, start, self.steps, key, workers, record=True)
        return cost[0, :trials], out[0, :, :, :trials]

    def _lanes(self, trials: int) -> FloatArray:
        starts = self._checked_starts()
        return np.ascontiguousarray(starts[:, np.arange(whole_blocks(trials)) % starts.shape[1]])
